"""Finds out which processes listen on a port, as far as this user may see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_LISTEN = "0A"
"""State of a listening socket in /proc/net/tcp."""


class Holder(NamedTuple):
    """A process that listens."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name}, process {self.pid}"


def holders_of(port: int) -> list[Holder]:
    """Processes that listen on a port; empty if none may be seen, e.g. another user's."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if not sockets:
        return []
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [Holder(pid, _name(pid)) for pid in sorted(pids) if sockets & set(_open_files(pid))]


def _listening(port: int) -> Iterator[str]:
    """Inodes of sockets that listen on a port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _open_files(pid: int) -> Iterator[str]:
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:  # another user's, or it has ended
        return
    for name in names:
        try:
            yield os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip() or "?"
    except OSError:
        return "?"
