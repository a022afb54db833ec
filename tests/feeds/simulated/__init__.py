"""The simulated exchange, part by part."""
