"""Runs a node as a process: logging, signals, start, wait, stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from gateway.logs import configure_logging
from gateway.node.assembly.node import Node
from gateway.node.host.environment import DATABASE_URL_VARIABLE, forget_secrets
from gateway.node.host.file_modes import UMASK, path_problems
from gateway.node.settings import Settings, load_settings
from gateway.telemetry.stray_output import captured_stderr

log = logging.getLogger(__name__)

GC_THRESHOLD = 20_000
"""Allocations between garbage collections. A batch of alerts makes ten thousand objects and no cycles: by default, 700,
the collector runs dozens of times in vain.
"""

SWITCH_S = 0.0005
"""Seconds before a thread yields the interpreter. By default, 5 ms, calls wait behind a computing search or commit; a
search at our node took half again as long.
"""


UNFINISHED = 75
"""Exit code of a stop that took longer than `stop_grace`: EX_TEMPFAIL."""


async def serve(
    settings: Settings, *, config: Path | None = None, ready: Callable[[Node], None] = lambda _: None
) -> None:
    """Runs a node until SIGTERM or SIGINT; calls `ready` once it serves.

    `config` is the file of the settings, which SIGHUP reads again.

    Raises:
        ConfigurationError: it can't start; the message says why.
    """
    node = Node(settings)
    read_again = _reader(config, settings)
    forget_secrets()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if read_again is not None:
        loop.add_signal_handler(signal.SIGHUP, node.reloader(read_again).reload)
    await node.start()
    gc.freeze()  # objects from the start live as long as the process
    gc.set_threshold(GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_S)
    try:
        ready(node)
        await stopping.wait()
    finally:
        await _stop(node, settings.stop_grace)


async def _stop(node: Node, grace_s: float) -> None:
    """Stops the node; ends the process where that takes longer than `stop_grace`, as kill -9 would."""
    try:
        async with asyncio.timeout(grace_s) as within:
            await node.stop()
    except TimeoutError:
        if not within.expired():
            raise
        log.critical("not stopped within %g s (stop_grace); the process ends, nothing acknowledged is lost", grace_s)
        logging.shutdown()
        os._exit(UNFINISHED)


def run_node(settings: Settings, config: Path) -> None:
    """Configures the process and serves; `config` is the file of the settings."""
    with captured_stderr() if settings.log_format == "json" else nullcontext(sys.stderr) as stream:
        configure_logging(settings.log_format, settings.log_level, stream=stream)
        os.umask(UMASK)
        for problem in path_problems(settings, config):
            log.warning("%s; see `gateway doctor`", problem.what)
        asyncio.run(serve(settings, config=config))


def _reader(config: Path | None, settings: Settings) -> Callable[[], Settings] | None:
    """Reads the file again. A URL of the database that stood in the environment, and no longer does, stays."""
    if config is None:
        return None
    kept = {"database_url": settings.database_url} if DATABASE_URL_VARIABLE in os.environ else {}
    return lambda: load_settings(config).model_copy(update=kept)
