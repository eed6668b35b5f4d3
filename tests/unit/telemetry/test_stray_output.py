"""What libraries and the interpreter write to standard error becomes lines of the log."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = r"""
import os, sys, threading, warnings
from gateway.logs import configure_logging
from gateway.telemetry.stray_output import captured_stderr

class Unraisable:
    def __del__(self):
        raise ValueError("in a finaliser")

with captured_stderr() as stream:
    configure_logging("json", "info", stream=stream)
    os.write(2, b"a library in C\nsecond line")
    os.write(2, b", continued \xff\n")
    print("printed", file=sys.stderr)
    warnings.warn("a warning\nof two lines")
    Unraisable()
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start(); thread.join()
    os.write(2, b'{"event": "of a worker", "level": "info", "timestamp": "t"}\n')
    os.write(2, b"no newline at the end")
raise RuntimeError("after the end")
"""


def test_every_line_is_an_event() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False)
    events = [json.loads(line) for line in ran.stderr.splitlines()]
    said = [event["event"] for event in events]
    for stray in ("a library in C", "second line, continued \\xff", "printed", "no newline at the end"):
        assert stray in said
    assert "of a worker" in said
    assert any("a warning\nof two lines" in text for text in said)
    exceptions = "".join(event.get("exception", "") for event in events)
    assert all(error in exceptions for error in ("in a finaliser", "ZeroDivisionError", "after the end"))
    assert all({"level", "timestamp"} <= event.keys() for event in events)
