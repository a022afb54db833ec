"""`python -m ticktree` is the command `ticktree`."""

from .cli import main

main(prog_name="ticktree")
