"""Facts about the machine and the versions that figures depend on. No names: neither of the host nor of its user."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil

PACKAGES = ("grpcio", "protobuf", "protovalidate", "cryptography", "sqlalchemy")

MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")
"""On these a commit is free and the figures say nothing about a disk."""

BUSY = 0.25
"""Share of the cores in use by others above which a run is called noisy."""


def facts(folder: Path) -> dict[str, str | int | float]:
    """What the results depend on.

    Args:
        folder: where the databases will be.
    """
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": psutil.cpu_count() or 0,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "file_system": file_system(folder),
        "fsync_ms": round(fsync_ms(folder), 2),
        "busy_before": round(busy(), 2),
    }


def file_system(folder: Path) -> str:
    """Type of the file system that holds a folder."""
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    place = folder.resolve()
    return next((mounts[str(at)] for at in (place, *place.parents) if str(at) in mounts), "unknown")


def fsync_ms(folder: Path, times: int = 40) -> float:
    """Median milliseconds of writing 4 kB durably: what one commit costs at least."""
    path = folder / "fsync.probe"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1000)
    path.unlink()
    return median(taken)


def busy(seconds: float = 1.0) -> float:
    """Share of all cores that is in use now, 0 to 1: by others, when nothing of ours runs yet."""
    return float(psutil.cpu_percent(interval=seconds)) / 100
