"""Orders out: orders and reports, the risk gate, routers and their policies."""
