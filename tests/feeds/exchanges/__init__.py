"""Tests of `exchanges/`."""
