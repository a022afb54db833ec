"""The conformance kit: what every feed must bear, as tests that whoever writes a feed inherits."""
