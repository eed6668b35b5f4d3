"""Runs work on a node's data in a process of its own, to the end or until kill -9."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

from gateway.db import migrate
from gateway.db.database import Database
from gateway.node.backups.create import make_backup
from gateway.node.backups.known import stopped_node
from gateway.node.backups.restore import plan_restore, restore
from gateway.node.settings import load_settings

Work = Callable[..., None]


def back_up(config: Path, out: Path) -> None:
    make_backup(load_settings(config), out)


def restore_backup(config: Path, source: Path) -> None:
    settings = load_settings(config)
    with stopped_node(settings) as known:
        restore(settings, plan_restore(settings, source, known))


def upgrade(url: str) -> None:
    database = Database(url)
    migrate.upgrade(database)
    database.close()


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def run(work: Work, *args: object, kill_after_s: float | None = None) -> float:
    """Seconds that it took; with `kill_after_s` it is killed then, unless it has ended."""
    process = _context().Process(target=work, args=args)
    begun = time.monotonic()
    process.start()
    process.join(kill_after_s)
    taken = time.monotonic() - begun
    if process.is_alive():
        process.kill()
        process.join()
    elif kill_after_s is None:
        assert process.exitcode == 0, f"{work.__name__} ended with {process.exitcode}"
    process.close()
    return taken


def kills(work: Work, *args: object, times: int) -> list[float]:
    """When to kill work: spread over the time that it takes. Runs it once to its end."""
    run(work, *args)  # what is imported and cached at first doesn't count
    taken = run(work, *args)
    return [taken * (at + 0.5) / times for at in range(times)]
