"""One pure module an exchange: what is particular to it stands there and nowhere else."""
