"""Files that are there as a whole, or not at all: on a full disk, what was there before stays."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_whole(path: Path, data: bytes) -> Path:
    """Put `data` in place of what is at `path`, for anybody to read. Raises `OSError`: nothing has changed then."""
    if path.exists() and not path.is_file():  # a pipe, or a terminal
        path.write_bytes(data)
        return path
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
    return path
