"""Exchanges played from recordings, each without any socket."""
