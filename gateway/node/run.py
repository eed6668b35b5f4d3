"""Runs a node as a process: logging, signals, start, wait, stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable

import structlog

from gateway.node.assembly import Node
from gateway.node.settings import Settings

GC_THRESHOLD = 20_000
"""Allocations between garbage collections. A batch of alerts makes ten thousand objects and no cycles: by default, 700,
the collector runs dozens of times in vain.
"""

SWITCH_S = 0.0005
"""Seconds before a thread yields the interpreter. By default, 5 ms, calls wait behind a computing search or commit; a
search at the own node took half again as long.
"""


def configure_logging(settings: Settings) -> None:
    """Logs one line per event on standard error, for people or as JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


async def serve(settings: Settings, *, ready: Callable[[Node], None] = lambda _: None) -> None:
    """Runs a node until SIGTERM or SIGINT; calls `ready` once it serves.

    Raises:
        ConfigurationError: it can't start; the message says why.
    """
    node = Node(settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await node.start()
    gc.freeze()  # objects from the start live as long as the process
    gc.set_threshold(GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_S)
    ready(node)
    await stopping.wait()
    await node.stop()


def run_node(settings: Settings) -> None:
    """Configures logging and serves."""
    configure_logging(settings)
    asyncio.run(serve(settings))
