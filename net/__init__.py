"""Bytes in and out: connections, framings, backoff and reconnecting sessions."""
