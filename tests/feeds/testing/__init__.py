"""The conformance kit, tested by feeds that are broken in one way each."""
