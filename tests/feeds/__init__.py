"""Tests of `feeds/`."""
