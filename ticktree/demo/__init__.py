"""The whole system, played to an audience: it starts, trades, loses a part, mends itself, and stops."""
