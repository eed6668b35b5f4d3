"""Where tests put their files: in memory where the machine has room for them, since each commit waits for a disk.

A commit of SQLite takes some 0.04 ms in memory and 3 to 7 ms on a disk, and the suite makes many thousands. What a
power cut leaves isn't tested. Who sets TMPDIR decides where: `TMPDIR=/tmp make test` uses the disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "TMPDIR"
MEMORY = Path("/dev/shm")  # noqa: S108  where Linux has a file system in memory
LEAST_BYTES = 4 << 30
"""Files of a run that are there at one time, with room to spare; containers often have 64 MB."""


def use_memory() -> None:
    """Lets this process, and those that it starts, make temporary files in memory."""
    if VARIABLE not in os.environ and _fits(MEMORY):
        os.environ[VARIABLE] = tempfile.tempdir = str(MEMORY)


def _fits(folder: Path) -> bool:
    """Whether tests can write there, run programs, and have room."""
    if not os.access(folder, os.W_OK):
        return False
    runs_programs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return runs_programs and shutil.disk_usage(folder).free >= LEAST_BYTES
