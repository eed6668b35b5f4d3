"""The log of a process, by its real handlers: foreign text forges, hides and floods nothing."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import logs
from gateway.logs import FloodFilter, configure_logging

FORGED = "hk answered\n2026-01-01T00:00:00Z [critical] the key was stolen\x1b[2J\x9b31m\u2028\u202e\u200b"
NEVER = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = list(root.handlers), root.level, sys.excepthook, threading.excepthook, structlog.get_config()
    yield
    root.handlers[:], root.level = before[0], before[1]
    sys.excepthook, threading.excepthook = before[2], before[3]
    structlog.configure(**before[4])
    logging.captureWarnings(False)
    logs._configured = "text", "info"


def configured(form: str) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(form, "info", stream=stream)
    return stream


def harmless(text: str) -> bool:
    return all(c == "\n" or unicodedata.category(c) not in NEVER for c in text)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_is_one_event_whatever_a_partner_says(form: str) -> None:
    stream = configured(form)
    logging.getLogger("a").warning("link %s: %s", "cn", FORGED)
    logging.getLogger("a").warning("extra", extra={"answer": FORGED})
    logging.getLogger(f"b{FORGED}").warning(FORGED)
    structlog.get_logger("c").error("failed", principal=FORGED, metadata={"said": FORGED}, data=FORGED.encode())
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert harmless(stream.getvalue())


def test_json_has_the_value_as_it_came() -> None:
    stream = configured("json")
    structlog.get_logger("c").error("failed", principal=FORGED)
    assert json.loads(stream.getvalue())["principal"] == FORGED


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_line_of_a_traceback_looks_like_an_event(form: str) -> None:
    stream = configured(form)
    try:
        raise ValueError(FORGED)
    except ValueError:
        logging.getLogger("a").exception("a call failed")
    first, *others = stream.getvalue().splitlines()
    assert "a call failed" in first
    assert harmless(stream.getvalue())
    assert len(others) > 3 if form == "text" else not others
    assert all(line.startswith(logs.TRACEBACK_MARK) for line in others)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["text", "json"]))
def test_whatever_is_logged_prints(text: str, form: str) -> None:
    stream = configured(form)
    structlog.get_logger("c").error(text, value=text)
    logging.getLogger("a").error("%s", text)
    assert harmless(stream.getvalue())
    assert len(stream.getvalue().splitlines()) == 2


def test_a_value_and_a_traceback_have_a_bounded_length() -> None:
    stream = configured("text")
    structlog.get_logger("c").error("failed", answer="x" * 10_000_000)
    assert len(stream.getvalue()) < logs.MAX_VALUE_CHARS + 500
    assert f"{10_000_000 - logs.MAX_VALUE_CHARS} more characters" in stream.getvalue()
    try:
        raise ValueError("y" * 10_000_000)
    except ValueError:
        logging.getLogger("a").exception("failed")
    assert len(stream.getvalue()) < 2 * logs.MAX_VALUE_CHARS + logs.MAX_TRACEBACK_CHARS + 1000


def test_one_place_writes_a_bounded_number_of_lines_and_counts_the_others() -> None:
    flood = FloodFilter()

    def passes(at_s: float, line: int = 1) -> logging.LogRecord | None:
        record = logging.LogRecord("a", logging.WARNING, "f.py", line, "text %s", ("x",), None)
        record.created = at_s
        return record if flood.filter(record) else None

    assert sum(passes(1000) is not None for _ in range(5_000)) == logs.BURST_LINES
    assert passes(1000, line=2) is not None  # another place goes on
    later = passes(1000 + 1 / logs.LINES_PER_S)
    assert later is not None
    assert later.unwritten == 5_000 - logs.BURST_LINES
    assert passes(1000 + 1 / logs.LINES_PER_S) is None
    assert passes(500) is None  # a clock that was set back refills nothing
    quiet = passes(100_000)
    assert quiet is not None
    assert quiet.unwritten == 2
    hour = sum(passes(200_000 + second / 10) is not None for second in range(36_000))
    assert hour <= logs.BURST_LINES + 3_600 * logs.LINES_PER_S + 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_flood_is_told_with_its_count(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LINES_PER_S", 50)
    stream = configured(form)
    log = structlog.get_logger("c")
    while "unwritten" not in stream.getvalue():
        log.info("again")
    assert stream.getvalue().splitlines()[-1].count("unwritten") == 1


@pytest.mark.parametrize(
    "code",
    [
        "import threading; t = threading.Thread(target=lambda: int(TEXT)); t.start(); t.join()",
        "int(TEXT)",
        "import warnings; warnings.warn(TEXT)",
        "import logging; logging.getLogger('x').error(TEXT)",
    ],
)
@pytest.mark.parametrize("how", ["configure_logging('json', 'info')", "configure_warnings()"])
def test_what_python_itself_prints_goes_the_same_way(code: str, how: str) -> None:
    program = f"TEXT = {FORGED!r}\nfrom gateway.logs import *\n{how}\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.strip()
    assert len(done.stderr.splitlines()) == 1
    assert harmless(done.stderr)
