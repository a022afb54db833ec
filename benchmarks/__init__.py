"""What our parts cost beside the plainest thing that does the same, both measured in one run."""
