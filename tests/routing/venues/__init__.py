"""Tests of the venues, one file each."""
