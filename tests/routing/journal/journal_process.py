"""`python -m tests.routing.journal.journal_process PATH os|fsync`: appends numbered facts to the journal until killed.

Says each number on stdout once `append` has returned, in fsync mode once it is committed. Goes on after what it finds.
"""

import asyncio
import os
import sys
from pathlib import Path

from ticktree.routing.facts import AnyFact, Doubted
from ticktree.routing.journal import Durability, Journal

AT_ONCE = 8  # facts for one commit


def numbered(number: int) -> AnyFact:
    """The fact number so-and-so of a long life, of changing length; now and then so long that a kill may cut it."""
    reason = "x" * (number * 37 % 300 if number % 50 else 200_000)
    return Doubted(number, str(number), reason)


async def main(path: str, durability: str) -> None:
    journal = Journal(Path(path), Durability(durability))
    number = journal.open(id).records
    os.write(1, b"ready\n")
    while True:
        for _ in range(AT_ONCE):
            journal.append(numbered(number))
            number += 1
            if journal.durability is Durability.OS:
                os.write(1, b"%d\n" % number)
        commit = journal.committed()
        if commit is not None:
            await commit
            os.write(1, b"%d\n" % number)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
