"""The venue that is not there."""
