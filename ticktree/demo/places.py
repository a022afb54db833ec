"""Who stands in the street, by name."""

NORTH, SOUTH = "north", "south"  # exchanges
VENUES = "alpha", "beta", "gamma"
ACCOUNT = "demo"
INSTRUMENTS = "BTC-USDT", "ETH-USDT"
