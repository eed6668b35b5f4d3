"""A node as a process that counts its work in a file, which others read at any moment without asking it.

What is counted, over all threads of the node's process; worker processes and gRPC's own threads are not in it:

* statements: SQL that SQLite runs, less BEGIN, COMMIT and PRAGMA;
* transactions: BEGIN, of reads too;
* syncs: COMMIT of a transaction that writes (SQLite syncs its log with each), and files that are synced;
* handovers: wake-ups of the event loop by other threads, jobs for a pool, and notifications of threads that wait;
* messages: of gRPC, received and sent;
* signatures, verifications: Ed25519, of heads, receipts, questions and answers;
* clock: readings by modules of the product;
* functions: Python functions entered, coroutines that go on too, less those of the event loop and of threading, whose
  turns follow the machine.

What a node does by the clock alone (rpc.beats, node.health, a search for matches that has found none) belongs to no
piece of work: `stop_the_clock` ends it.

The process is forked as that of other tests' nodes (tests.support.node_processes); the counts are beside the settings.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from gateway.db import database
from gateway.node import health
from gateway.node.run import run_node
from gateway.node.settings import load_settings
from gateway.rpc import beats
from gateway.watchlists.rpc import screening
from tests.support.forked_workers import fork_workers

COUNTERS = (
    "statements",
    "transactions",
    "syncs",
    "handovers",
    "messages",
    "signatures",
    "verifications",
    "clock",
    "functions",
)
"""In the order in which the file has them: a signed number of eight bytes each."""

_SIZE = 8 * (len(COUNTERS) + 1)
_STILL = len(COUNTERS)
"""Behind the counters: not 0 once the clock is to wake nobody any more."""

_FOR_GOOD_S = 3_600.0

_STATEMENTS, _TRANSACTIONS, _SYNCS, _HANDOVERS, _MESSAGES, _SIGNATURES, _VERIFICATIONS, _CLOCK, _FUNCTIONS = range(
    len(COUNTERS)
)

_IN_C = {
    "Ed25519PrivateKey.sign": _SIGNATURES,
    "Ed25519PublicKey.verify": _VERIFICATIONS,
    "fsync": _SYNCS,
    "fdatasync": _SYNCS,
    "SimpleQueue.put": _HANDOVERS,
}
_CLOCKS = frozenset(
    {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "thread_time", "datetime.now"}
)
_IN_PYTHON = {
    ("base_events.py", "BaseEventLoop.call_soon_threadsafe"): _HANDOVERS,
    ("_common.py", "serialize"): _MESSAGES,
    ("_common.py", "deserialize"): _MESSAGES,
    ("interceptors.py", "_charged.<locals>.converted"): _MESSAGES,
}
_PACKAGE = f"{os.sep}gateway{os.sep}"
_MACHINE = tuple(f"{os.sep}{name}" for name in ("asyncio", "concurrent", "selectors.py", "threading.py", "queue.py"))


def counts_file(folder: Path) -> Path:
    """Where a node whose settings are in `folder` counts."""
    return folder / "counts"


def read_counts(folder: Path) -> dict[str, int]:
    """What a node has done since its start."""
    numbers = memoryview(counts_file(folder).read_bytes()).cast("q")
    return dict(zip(COUNTERS, numbers, strict=False))


def stop_the_clock(folder: Path) -> None:
    """Has a node's loops wait for changes alone from their next beat on."""
    with counts_file(folder).open("r+b") as file:
        file.seek(8 * _STILL)
        file.write((1).to_bytes(8, sys.byteorder))


def _count_calls(counts: memoryview[int]) -> Callable[[FrameType, str, Any], None]:
    """A profile function that counts."""
    seen: dict[int, tuple[CodeType, int | None, bool, bool]] = {}

    def classify(code: CodeType) -> tuple[CodeType, int | None, bool, bool]:
        name = code.co_filename
        index = _IN_PYTHON.get((os.path.basename(name), code.co_qualname))
        counted = not any(part in name for part in _MACHINE) and name != __file__
        found = seen[id(code)] = code, index, counted, _PACKAGE in name  # with the code, so that its id stays its own
        return found

    # An addition in place is one step under the interpreter's lock: no thread loses another's.
    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            _, index, counted, _ = seen.get(id(frame.f_code)) or classify(frame.f_code)
            if counted:
                counts[_FUNCTIONS] += 1
            if index is not None:
                counts[index] += 1
            elif frame.f_code is notify and frame.f_back is not None:
                caller = frame.f_back.f_code
                if (seen.get(id(caller)) or classify(caller))[3]:
                    counts[_HANDOVERS] += 1
        elif event == "c_call":
            name = argument.__qualname__
            if name in _IN_C:
                counts[_IN_C[name]] += 1
            elif name in _CLOCKS and (seen.get(id(frame.f_code)) or classify(frame.f_code))[3]:
                counts[_CLOCK] += 1

    notify = threading.Condition.notify.__code__
    return profile


def _count_statements(counts: memoryview[int]) -> None:
    connect = sqlite3.dbapi2.connect

    def counted(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        writes = False

        def ran(statement: str) -> None:
            nonlocal writes
            if statement.startswith("--"):
                return  # a trigger's, or a virtual table's
            if statement.startswith("BEGIN"):
                counts[_TRANSACTIONS] += 1
                writes = statement.startswith("BEGIN IMMEDIATE")
            elif statement.startswith("COMMIT"):
                counts[_SYNCS] += writes
            elif not statement.startswith("PRAGMA"):
                counts[_STATEMENTS] += 1

        connection.set_trace_callback(ran)
        return connection

    sqlite3.dbapi2.connect = sqlite3.connect = counted  # type: ignore[assignment]


def _end_beats(counts: memoryview[int]) -> None:
    until_beat = beats.until_beat

    def until(now_s: float, every_s: float) -> float:
        return _FOR_GOOD_S if counts[_STILL] else until_beat(now_s, every_s)

    beats.until_beat = until
    # A test may have the database to itself for longer, on a slow machine: nothing then goes on once the clock stands.
    database._BUSY_TIMEOUT_MS = 100_000  # type: ignore[misc]
    health.WELL_S = _FOR_GOOD_S  # type: ignore[misc]  # it still checks at once when something fails
    screening.KEEP_EVERY_S = _FOR_GOOD_S  # what a search finds is still kept at once


def run_counted_node(config: Path) -> None:
    """Runs a node until SIGTERM, as tests.support.node_processes does."""
    fork_workers()
    settings, path = load_settings(config), counts_file(config.parent)
    path.write_bytes(bytes(_SIZE))
    with path.open("r+b") as file:
        counts = memoryview(mmap.mmap(file.fileno(), _SIZE)).cast("q")
    _end_beats(counts)
    _count_statements(counts)
    profile = _count_calls(counts)
    threading.setprofile(profile)
    sys.setprofile(profile)
    run_node(settings, config)
