"""Turns what is written to standard error past the log into lines of the log, so that JSON is JSON to the last line.

Libraries in C and the interpreter write there; a worker process also before its log is configured. What a library
writes in the instant in which it ends the node's own process may be lost.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, TextIO

log = logging.getLogger("stderr")

DRAINED_S: Final = 5.0
"""Seconds for the last lines at the end."""

MAX_LINE_BYTES: Final = 256 * 1024
"""Longest line that is read as one: above the longest of the log, with its traceback."""

_STDERR: Final = 2


@contextmanager
def captured_stderr() -> Iterator[TextIO]:
    """Redirects standard error into the log while the block runs; yields the stream for the log itself."""
    real = os.dup(_STDERR)
    reading, writing = os.pipe()
    sys.stderr.flush()
    os.dup2(writing, _STDERR)
    os.close(writing)
    pump = threading.Thread(target=pass_lines, args=(os.fdopen(reading, "rb"),), name="stderr", daemon=True)
    pump.start()
    try:
        # Not closed: threads that outlive the block may still log.
        yield io.TextIOWrapper(os.fdopen(real, "wb", closefd=False), encoding="utf-8", errors="backslashreplace")
    finally:
        sys.stderr.flush()
        os.dup2(real, _STDERR)  # the pipe's last writer
        pump.join(DRAINED_S)


def pass_lines(source: IO[bytes], *, name: str = "") -> None:
    """Passes a process's lines to the log until its end: those that are events already as they are."""
    with source:
        while line := source.readline(MAX_LINE_BYTES):
            text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
            if is_event(text):
                _write(text)
            elif text.strip():
                log.warning("%s%s", f"{name}: " if name else "", text)


def is_event(text: str) -> bool:
    """Whether a line is one of this product's log in JSON."""
    try:
        event = json.loads(text)
    except ValueError:
        return False
    return isinstance(event, dict) and {"event", "level", "timestamp"} <= event.keys()


def _write(text: str) -> None:
    """Writes a line where the log's handler writes, not between two parts of a line of another thread."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.acquire()
            try:
                handler.stream.write(f"{text}\n")
                handler.flush()
            finally:
                handler.release()
