"""Tests of the order journal."""
