"""Tests of the benchmarks: that they run and tell the truth about what they did, never how fast."""
