r"""Writes the log of a process: one line per event, in which foreign text can't forge, hide or flood anything.

1. A place in the code writes BURST_LINES at once and LINES_PER_S in the long run; its next line counts the others.
2. A value has at most MAX_VALUE_CHARS characters, a traceback MAX_TRACEBACK_CHARS.
3. What doesn't print is escaped: in text as `\u{…}`, in JSON as `\uXXXX`. Each line of a traceback is marked.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from gateway.translation.plain_text import printable, printable_json, printable_line

if TYPE_CHECKING:
    import structlog

BURST_LINES = 100
"""Most lines at once from one place in the code: more than its links and callers write in a fault of all."""

LINES_PER_S = 0.2
"""Lines a second from one place in the long run: with the longest values 70 MB a day."""

MAX_VALUE_CHARS = 4_096
"""Longest value in a line, in characters: an error with its causes has some hundred."""

MAX_TRACEBACK_CHARS = 32_768
"""Longest traceback, in characters; its end is kept, where the error is."""

TRACEBACK_MARK = "  | "
"""Begins each line of a traceback in text: it can't look like an event."""

_configured = ("text", "info")


class FloodFilter(logging.Filter):
    """Step 1: a token bucket for each place. Places are bounded by the code; texts aren't in the key."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._places: dict[tuple[str, int, str, int], _Place] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        name = record.name, record.levelno, record.pathname, record.lineno
        with self._lock:
            place = self._places.get(name)
            if place is None:
                place = self._places[name] = _Place(record.created)
            elapsed = max(0.0, record.created - place.updated_s)  # 0 where the clock was set back
            place.lines = min(BURST_LINES, place.lines + elapsed * LINES_PER_S)
            place.updated_s = record.created
            if place.lines < 1:
                place.unwritten += 1
                return False
            place.lines -= 1
            if place.unwritten:
                record.unwritten, place.unwritten = place.unwritten, 0
        return True


@dataclass(slots=True)
class _Place:
    """Lines that a place may write now, and the number that it couldn't since the last."""

    updated_s: float
    lines: float = BURST_LINES
    unwritten: int = 0


def configure_logging(form: str, level: str, *, stream: TextIO | None = None) -> None:
    """Logs to standard error by default; `form`: `text` for people, `json` for collectors."""
    import structlog  # noqa: PLC0415  # the command line goes without

    global _configured  # noqa: PLW0603  logging has one configuration for each process too
    _configured = form, level
    stream = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_text = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
    rendered: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer(serializer=_json)] if form == "json" else [_escaped, as_text]
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(FloodFilter())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                _with_count,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _shortened,
                *rendered,
            ],
        )
    )
    _take_over(handler, level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def set_level(level: str) -> None:
    """Changes the least level that is logged."""
    global _configured  # noqa: PLW0603  as above
    _configured = _configured[0], level
    logging.getLogger().setLevel(level.upper())


def configured() -> tuple[str, str]:
    """Form and level that `configure_logging` got, for a process that this one starts."""
    return _configured


def configure_warnings() -> None:
    """Logs warnings and errors alone to standard error, for commands."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(FloodFilter())
    handler.setFormatter(_LineFormatter())
    _take_over(handler, "warning")


class _LineFormatter(logging.Formatter):
    """Level and text of an event on one line, without its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        about = "" if error is None else f": {type(error).__name__}: {error}"
        return printable_line(_cut(f"{record.levelname.lower()}: {record.getMessage()}{about}"))


_NAME_ADDRESSES = ("httpx", "httpcore")
"""Loggers that tell of each request with its whole address: a webhook's may hold a secret."""


def _take_over(handler: logging.Handler, level: str) -> None:
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _NAME_ADDRESSES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger(__name__).critical("uncaught error", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(uncaught: threading.ExceptHookArgs) -> None:
    if uncaught.exc_value is not None and not issubclass(uncaught.exc_type, SystemExit):
        _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    error = unraisable.exc_value
    if error is not None:
        what = unraisable.err_msg or "error that nobody could catch"
        logging.getLogger(__name__).error(what, exc_info=(type(error), error, unraisable.exc_traceback))


def _with_count(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    unwritten = getattr(event.get("_record"), "unwritten", 0)
    if unwritten:
        event["unwritten"] = unwritten
    return event


def _shortened(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Step 2; all values become text, numbers, truth values or None."""
    return {str(name): _short(name, value) for name, value in event.items()}


def _short(name: str, value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else repr(value)
    if name in ("exception", "stack"):
        return text if len(text) <= MAX_TRACEBACK_CHARS else f"…\n{text[-MAX_TRACEBACK_CHARS:]}"
    return _cut(text)


def _cut(text: str) -> str:
    beyond = len(text) - MAX_VALUE_CHARS
    return text if beyond <= 0 else f"{text[:MAX_VALUE_CHARS]}… ({beyond} more characters)"


def _escaped(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Step 3 for text."""
    return {printable_line(name): _printable(name, value) for name, value in event.items()}


def _printable(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if name in ("exception", "stack"):
        return "\n".join(TRACEBACK_MARK + line for line in printable(value).split("\n"))
    return printable_line(value)


def _json(event: object, **_options: object) -> str:
    """Step 3 for JSON."""
    return printable_json(json.dumps(event, ensure_ascii=False))
