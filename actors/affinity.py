"""Which CPUs the loop may run on."""

import os
from collections.abc import Iterable

from .errors import SpecError


def pin(cpus: Iterable[int]) -> None:
    """Keep this thread on `cpus` (numbers as the kernel counts them). Linux only; raises `SpecError` elsewhere."""
    wanted = frozenset(cpus)
    if not hasattr(os, "sched_setaffinity"):
        raise SpecError("this system cannot pin a process to CPUs (only Linux can): leave `cpus` out")
    have = os.sched_getaffinity(0)
    if not wanted or not wanted <= have:
        raise SpecError(f"cpus {sorted(wanted)} are not all among those this process may use: {sorted(have)}")
    os.sched_setaffinity(0, wanted)
