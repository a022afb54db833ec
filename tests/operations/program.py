"""A system in a process of its own:  python -m tests.operations.program SOCKET."""

import sys
from pathlib import Path

from ticktree import run

from .support import app

if __name__ == "__main__":
    run(app(Path(sys.argv[1])))
