"""Tests of `ticktree/demo/`."""
