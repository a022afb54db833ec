"""Ticks across: the hub from topics to mailboxes, and the relay to other processes."""
