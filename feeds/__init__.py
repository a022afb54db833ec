"""Ticks in: feed actors that read, order and check what an exchange sends."""
