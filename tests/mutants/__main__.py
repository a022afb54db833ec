"""`python -m tests.mutants [WORD ...]` (`make mutants`): puts each defect into a copy, and runs the tests against it.

WORDs choose mutants by their names. Ends with 1 when a mutant survives, or could not be tried.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from .catalogue import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("routing", "ticktree", "tests")
AT_ONCE = 2
LONGEST_S = 300.0
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc")
CAUGHT, PASSED, TOO_LONG = 1, 0, -1  # pytest's exit codes, and ours


@attrs.frozen
class Outcome:
    mutant: Mutant
    code: int
    by: str
    took_s: float

    @property
    def is_caught(self) -> bool:
        """By a test that failed, or one that never ended; not by a copy that did not even begin."""
        return self.code in (CAUGHT, TOO_LONG)


def copy(folder: Path) -> None:
    """The package as it stands, and its tests."""
    for room in COPIED:
        shutil.copytree(ROOT / room, folder / room, symlinks=True, ignore=NOT_COPIED)
    for other in ROOT.iterdir():
        if other.name not in COPIED and not other.name.startswith("."):
            (folder / other.name).symlink_to(other)


def mutate(folder: Path, mutant: Mutant) -> None:
    """Raises ValueError where the sources have changed."""
    path = folder / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {mutant.old!r} stands {text.count(mutant.old)} times in {mutant.file}")
    path.write_text(text.replace(mutant.old, mutant.new))


def run(folder: Path, tests: tuple[str, ...], *options: str) -> tuple[int, str]:
    """The exit code, and the first test that failed."""
    # no:cacheprovider: Hypothesis must not remember what another mutant did.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.mutants.marked",
    ]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*command, *options, *tests],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return TOO_LONG, f"it took more than {LONGEST_S:g} s"
    failed = [line.split(" - ")[0] for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    return done.returncode, failed[0].partition("::")[2] if failed else done.stdout[-400:] + done.stderr[-400:]


def tried(mutant: Mutant) -> Outcome:
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        copy(folder)
        mutate(folder, mutant)
        code, by = run(folder, mutant.tests)
    outcome = Outcome(mutant, code, by, time.monotonic() - began_s)
    said = "caught" if outcome.is_caught else "SURVIVED" if code == PASSED else f"BROKEN ({code})"
    print(f"{said:9} {mutant.of:10} {mutant.name:56} {outcome.took_s:5.1f} s  {by}", flush=True)
    return outcome


def main(words: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        copy(Path(name))
        code, why = run(
            Path(name), tuple(sorted({path for mutant in chosen for path in mutant.tests})), "-n", str(AT_ONCE)
        )
        if code != PASSED:
            print(f"the tests fail without any mutant ({code}): {why}")
            return 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(tried, chosen))
    caught = sum(outcome.is_caught for outcome in outcomes)
    print(f"\n{caught} of {len(outcomes)} caught")
    for outcome in outcomes:
        if not outcome.is_caught:
            print(f"not caught: {outcome.mutant.name} ({outcome.mutant.file})")
    return 0 if caught == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
