"""Tests of `strategies/`."""
