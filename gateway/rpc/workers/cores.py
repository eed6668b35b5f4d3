"""How many processor cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTAS = (Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"))
"""Of version 2 of control groups ("QUOTA PERIOD", "max PERIOD"), and of version 1, whose period stands beside it."""


def usable_cores(quotas: tuple[Path, Path] = _QUOTAS) -> int:
    """Cores that this process may run on, fewer where a control group's quota allows less; at least 1."""
    cores = len(os.sched_getaffinity(0))
    allowed = _quota(*quotas)
    return cores if allowed is None else max(1, min(cores, int(allowed)))


def _quota(second: Path, first: Path) -> float | None:
    """Cores' worth of time; None for any."""
    try:
        if second.exists():
            quota, period = second.read_text(encoding="ascii").split()
        else:
            quota, period = first.read_text(encoding="ascii"), first.with_name("cpu.cfs_period_us").read_text("ascii")
        return None if quota == "max" or int(quota) < 0 else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
