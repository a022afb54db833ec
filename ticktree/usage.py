"""What this process and its children took of the machine."""

import resource
import sys

BYTES = 1 if sys.platform == "darwin" else 1024  # of what getrusage counts memory in


def peak_memory_bytes() -> int:
    """Of this process, the most that was resident at once.

    Linux's getrusage goes on counting from what the process was before it became this program: its parent's size.
    """
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:  # there is none but on Linux
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES


def children_peak_memory_bytes() -> int:
    """Of the largest child that has ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * BYTES
