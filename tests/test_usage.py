"""What a process took."""

import subprocess
import sys

from ticktree.usage import children_peak_memory_bytes, peak_memory_bytes

MB = 1_000_000
SAY = "from ticktree.usage import peak_memory_bytes; print(peak_memory_bytes())"


def test_it_grows_with_what_is_held_and_is_kept_when_that_is_gone() -> None:
    before = peak_memory_bytes()
    held = bytearray(before + 50 * MB)
    held[::4_096] = b"x" * len(held[::4_096])
    del held
    assert peak_memory_bytes() > before + 40 * MB


def test_it_is_the_program_s_own_and_not_its_parent_s() -> None:
    """Linux counts what the process was before it became the program."""
    held = b"x" * (400 * MB)
    said = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=True)
    assert MB < int(said.stdout) < len(held) / 4
    assert children_peak_memory_bytes() > MB
