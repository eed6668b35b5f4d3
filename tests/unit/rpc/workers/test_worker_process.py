"""Worker processes: isolated, restarted, ended with the node; nothing waits for ever, and nobody starves."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway import logs
from gateway.errors import GatewayError, InvalidRequestError, UnavailableError
from gateway.feed.service.alarms import WORKER, Alarms
from gateway.node.observation.workers import WorkerObserver
from gateway.rpc.workers import worker_process
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.telemetry.metrics import Metrics
from tests.support import worker_handlers

ROOT = Path(__file__).parents[3]
DEADLINES_S = {
    "echo": 20.0,
    "sleep": 20.0,
    "refuse": 20.0,
    "divide": 20.0,
    "facts": 20.0,
    "pid": 20.0,
    "complain": 20.0,
}
START_S = 60


@pytest.fixture(autouse=True)
def handlers_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    made = WorkerProcess("toy", worker_handlers.toy_handlers, (), deadlines_s=DEADLINES_S)
    made.start().result(START_S)
    yield made
    made.stop()
    assert made.pid is None


def ask(worker: WorkerProcess, handler: str, *arguments: Any, caller: str = "test") -> Any:
    return worker.call(handler, *arguments, caller=caller).result(START_S)


def test_results_and_errors_come_back(worker: WorkerProcess) -> None:
    large = os.urandom(3_000_000)
    assert ask(worker, "echo", large) == large
    with pytest.raises(InvalidRequestError, match="names: too many"):
        ask(worker, "refuse")
    with pytest.raises(GatewayError, match="the toy process: ZeroDivisionError: division by zero") as failed:
        ask(worker, "divide", 0)
    assert not isinstance(failed.value, UnavailableError)
    assert ask(worker, "divide", 2) == 0.5


def test_nothing_is_imported_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can write there would run code in the node's name."""
    (tmp_path / "gateway").mkdir()
    for name in ("json.py", "multiprocessing.py", "logging.py", "gateway/__init__.py"):
        (tmp_path / name).write_text("raise SystemExit('from the working directory')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    worker = WorkerProcess("toy", worker_handlers.toy_handlers, (), deadlines_s=DEADLINES_S)
    worker.start().result(START_S)
    facts = ask(worker, "facts")
    worker.stop()

    assert facts["safe"]
    assert "" not in facts["path"]
    assert str(tmp_path) not in facts["path"]
    assert facts["gateway"] == sys.modules["gateway"].__file__
    assert facts["json"]
    assert not facts["json"].startswith(str(tmp_path))


def test_the_process_has_none_of_the_settings_and_loads_nothing_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PASSPHRASE", "secret")
    worker = WorkerProcess("toy", worker_handlers.toy_handlers, (), deadlines_s=DEADLINES_S)
    worker.start().result(START_S)
    facts = ask(worker, "facts")
    pid = worker.pid
    assert pid is not None
    initial = psutil.Process(pid).environ()
    worker.stop()

    assert [name for name in (*facts["environment"], *initial) if name.startswith("GATEWAY_")] == []
    assert facts["main"] == []
    assert facts["group"] == pid  # a Ctrl-C in the node's terminal doesn't reach it


def test_a_thousand_calls_of_one_caller_do_not_starve_another(worker: WorkerProcess) -> None:
    order: list[str] = []
    many = [worker.call("sleep", 0.002, caller="many") for _ in range(1_000)]
    for future in many:
        future.add_done_callback(lambda _: order.append("many"))
    before = len(order)
    few = [worker.call("sleep", 0.002, caller="few") for _ in range(3)]
    for future in few:
        future.add_done_callback(lambda _: order.append("few"))
    for future in few:
        future.result(START_S)
    until(lambda: order.count("few") == 3)
    for future in many:
        future.cancel()

    last = len(order) - 1 - order[::-1].index("few")
    assert last - before < 100  # one of each in turn, and what was done while these were put


def test_a_long_call_of_one_handler_holds_up_no_other(worker: WorkerProcess) -> None:
    long = worker.call("sleep", 3, caller="test")
    assert ask(worker, "echo", 1) == 1
    assert not long.done()
    long.result(START_S)


def test_a_cancelled_call_is_not_made(worker: WorkerProcess) -> None:
    first = worker.call("sleep", 0.2, caller="test")
    second = worker.call("sleep", 15, caller="test")
    assert second.cancel()
    first.result(START_S)
    began = time.monotonic()
    ask(worker, "sleep", 0)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("payload", [b"", bytes(4_000_000)], ids=["before it answers", "while it should read"])
def test_a_process_that_hangs_is_killed_at_the_deadline_and_can_be_started_again(payload: bytes) -> None:
    ends: list[int] = []
    worker = WorkerProcess(
        "toy", worker_handlers.toy_handlers, (), deadlines_s=DEADLINES_S | {"echo": 1.0}, on_end=lambda: ends.append(1)
    )
    worker.start().result(START_S)
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    hung = worker.call("echo", payload, caller="test")
    waiting = worker.call("echo", b"", caller="test")
    other = worker.call("divide", 1, caller="test")
    for future in (hung, waiting, other):
        with pytest.raises(UnavailableError, match="the toy process has ended"):
            future.result(20)
    until(lambda: gone(pid) and bool(ends))
    with pytest.raises(UnavailableError, match="isn't ready"):
        worker.call("echo", b"", caller="test")

    worker.start().result(START_S)
    assert worker.pid not in (pid, None)
    assert ask(worker, "echo", 7) == 7
    worker.stop()
    assert len(ends) == 2


@pytest.mark.parametrize("when", ["idle", "at work", "starting"])
def test_a_stopped_process_is_noticed_before_any_deadline_killed_and_said(when: str) -> None:
    opener = worker_handlers.slow_to_open if when == "starting" else worker_handlers.toy_handlers
    arguments = (600.0,) if when == "starting" else ()
    worker = WorkerProcess("toy", opener, arguments, deadlines_s=DEADLINES_S, ping_every_s=0.5)
    ready = worker.start()
    if when != "starting":
        ready.result(START_S)
    pid = worker.pid
    assert pid is not None
    if when == "starting":
        time.sleep(3)  # it answers pings while it opens its handlers
        assert not gone(pid)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    if when == "at work":
        with pytest.raises(UnavailableError, match="the toy process has ended"):
            worker.call("sleep", 0, caller="test").result(60)
    until(lambda: gone(pid) and bool(worker.failures()), within_s=120)
    assert [end.hung for end in worker.failures()] == [True]
    alarms = Alarms(lambda: 0)
    WorkerObserver([worker], alarms=alarms, metrics=Metrics()).observe()
    (alarm,) = alarms.list()
    assert alarm.code == WORKER
    assert "didn't answer" in alarm.message
    worker.stop()


def test_a_killed_process_fails_its_calls_and_can_be_started_again(worker: WorkerProcess) -> None:
    pid = worker.pid
    assert pid is not None
    running, waiting = (worker.call("sleep", 15, caller="test") for _ in range(2))
    os.kill(pid, signal.SIGKILL)
    for future in (running, waiting):
        with pytest.raises(UnavailableError):
            future.result(20)
    worker.start().result(START_S)
    assert ask(worker, "pid") == worker.pid != pid


def test_a_process_that_cannot_open_its_handlers_says_so() -> None:
    worker = WorkerProcess("toy", worker_handlers.never_open, (), deadlines_s={})
    with pytest.raises(UnavailableError, match="the toy process has ended"):
        worker.start().result(START_S)
    worker.stop()


def test_a_stop_closes_what_the_process_has_opened(tmp_path: Path) -> None:
    worker = WorkerProcess("toy", worker_handlers.toy_handlers, (tmp_path / "closed",), deadlines_s=DEADLINES_S)
    worker.start().result(START_S)
    worker.stop()
    assert (tmp_path / "closed").read_text(encoding="utf-8") == "closed"


def test_a_stop_waits_neither_for_a_start_nor_for_a_process_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "END_S", 0.2)
    starting = WorkerProcess("toy", worker_handlers.slow_to_open, (60.0,), deadlines_s={})
    ready = starting.start()
    began = time.monotonic()
    starting.stop()
    with pytest.raises(UnavailableError):
        ready.result(0)

    hung = WorkerProcess("toy", worker_handlers.toy_handlers, (), deadlines_s=DEADLINES_S)
    hung.start().result(START_S)
    assert hung.pid is not None
    process = psutil.Process(hung.pid)
    process.suspend()
    until(lambda: process.status() == psutil.STATUS_STOPPED)
    hung.stop()
    assert time.monotonic() - began < 50


NODE = """
import sys, time
from pathlib import Path
from tests.support import worker_handlers
from gateway.rpc.workers.worker_process import WorkerProcess
deadlines_s = {"sleep": 60.0, "pid": 60.0, "hog": 60.0}
worker = WorkerProcess("toy", worker_handlers.toy_handlers, (Path(sys.argv[3]),), deadlines_s=deadlines_s)
started = worker.start()
if sys.argv[1] == "starting":
    print(worker.pid, flush=True)
started.result(60)
if sys.argv[1] == "busy":
    worker.call("sleep", 50, caller="test")
print(worker.call("pid", caller="test").result(60), flush=True)
if sys.argv[1] == "writing":
    worker.call("hog", sys.argv[2], caller="test")
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["starting", "idle", "busy", "writing"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_process_ends_with_its_node(state: str, number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", NODE, state, str(tmp_path / "written"), str(tmp_path / "closed")]
    node = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    pid = 0
    try:
        assert node.stdout is not None
        pid = int(node.stdout.readline())
        assert not gone(pid)
        until(lambda: state != "writing" or (tmp_path / "written").exists())
        node.send_signal(number)
        node.wait(20)
        until(lambda: gone(pid), within_s=20.0)  # it may wait for its turn; what it writes meanwhile shows below
        assert not (tmp_path / "closed").exists(), "it still wrote after its node's end"
    finally:
        node.kill()
        if pid and not gone(pid):
            os.kill(pid, signal.SIGKILL)
        node.communicate()


def test_a_process_logs_in_the_form_of_its_node_where_that_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(logs, "_configured", ("json", "warning"))
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(stream)])
    worker = WorkerProcess("toy", worker_handlers.toy_handlers, (), deadlines_s=DEADLINES_S)
    worker.start().result(START_S)
    try:
        with pytest.raises(GatewayError):
            ask(worker, "divide", 0)
        ask(worker, "complain", b"raw words")
    finally:
        worker.stop()
    until(lambda: "raw words" in stream.getvalue())
    event, words = stream.getvalue().splitlines()
    assert json.loads(event)["event"] == "divide failed"
    assert "ZeroDivisionError" in json.loads(event)["exception"]
    assert words == "toy: raw words", "the handler of a node makes JSON of it"
