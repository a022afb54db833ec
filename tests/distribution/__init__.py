"""Tests of `distribution/`."""
