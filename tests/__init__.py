"""Tests, mirroring the rooms file by file."""
