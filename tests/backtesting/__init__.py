"""Tests of back-tests, file by file."""
