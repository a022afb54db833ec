"""A peer that is asked: `python programs NAME`, with the Python that has it; NAME is a module of this folder.

Such a module has `PEER`, the package that is measured, and `answer(question)`, which returns what it came to. All is
told in lines of JSON: the first one printed names the peer and its version, or what is missing for it; from then on
each line in is a question, and a line out answers it. It ends with its input.
"""

# It is run by another Python, of whose packages ours has no types.
# mypy: ignore-errors
# pyright: basic

import gc
import importlib
import json
import os
import sys
from importlib import metadata


def main():
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what peers print is no answer
    try:
        program = importlib.import_module(sys.argv[1])
        version = metadata.version(program.PEER)
    except ImportError as error:
        print(json.dumps({"missing": f"{type(error).__name__}: {error}"}), file=output, flush=True)
        return
    python = sys.version.split()[0]
    print(json.dumps({"peer": f"{program.PEER} {version}, Python {python}"}), file=output, flush=True)
    for line in sys.stdin:
        gc.collect()
        print(json.dumps(program.answer(json.loads(line))), file=output, flush=True)


if __name__ == "__main__":
    main()
