"""Processes of nodes and consoles that start fast: one that has imported everything once forks each of them.

A node forked so forks its worker processes likewise (tests/support/forked_workers.py).

Importing takes seconds of a core, which tests that kill and start nodes over and over don't have. What is forked is a
process of its own in every respect: it begins with reading its settings, and dies of kill -9. When the tests' process
ends in whatever way, the forking one sees the end of its input and kills what is left.

Run as `python -m tests.support.node_processes`: reads commands as JSON lines and answers each with one.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import psutil
from sqlalchemy import create_engine

_REPOSITORY = Path(__file__).parents[2]


_IMPORTED_LATE = (
    "cryptography.hazmat.backends.openssl.backend",
    "encodings.idna",
    "gateway.casework.service.indexer",
    "gateway.casework.service.search_planner",
    "gateway.db.replica_session",
    "gateway.link_analysis.service.indexer",
    "gateway.persons.rpc.asserted",
    "gateway.persons.rpc.break_glass",
    "gateway.persons.rpc.key_upkeep",
    "gateway.persons.rpc.own_account",
    "gateway.persons.rpc.service",
    "gateway.watchlists.service.screening_worker",
    "httpx",
    "sqlalchemy.dialects.postgresql.psycopg",
)
"""What only worker processes import, or only nodes with some settings, or whoever needs it first."""


SLOW_PASSWORDS = "SLOW_PASSWORDS"
"""A variable of nodes that hash passwords as in operation, which takes 0.2 s of a core; others hash them at once."""


class Process(Protocol):
    """What `subprocess.Popen` and `ForkedProcess` have in common."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """The exit code, negative for a signal, or None while it runs."""


@dataclass
class ForkedProcess:
    """A node's or console's process, child of the forking one."""

    pid: int
    parent: ForkingProcess
    exit_code: int | None = None

    def poll(self) -> int | None:
        if self.exit_code is None:
            self.exit_code = self.parent.ask({"poll": self.pid})
        return self.exit_code


class ForkingProcess:
    """The process that forks nodes; one for each process that runs tests."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.node_processes"],
            cwd=_REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.close)

    def ask(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that forks nodes has ended"
        return json.loads(answer)

    def start(self, config: Path, log: Path, **environment: str) -> ForkedProcess:
        """Starts a node with these settings and further variables; what it prints is appended to the log."""
        return ForkedProcess(self.ask({"start": [str(config), str(log)], "environment": environment}), self)

    def start_counted(self, config: Path, log: Path) -> ForkedProcess:
        """Starts a node that counts its work (tests.support.counted_node)."""
        return ForkedProcess(self.ask({"start_counted": [str(config), str(log)]}), self)

    def start_console(self, config: Path, log: Path) -> ForkedProcess:
        """Starts a console likewise."""
        return ForkedProcess(self.ask({"start_console": [str(config), str(log)]}), self)

    def close(self) -> None:
        """Ends it and whatever it still runs."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(10)


@cache
def forking_process() -> ForkingProcess:
    """The forking process, started when it is needed first."""
    return ForkingProcess()


@cache
def _forked_workers() -> types.SimpleNamespace:
    from tests.support.forked_workers import forked_through

    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address := f"{folder}/workers")
        listening.listen(1)
        forking_process().ask({"serve_workers": address})
        forking, _ = listening.accept()
    atexit.register(forking.close)
    return forked_through(forking)


@contextmanager
def forked_workers() -> Iterator[None]:
    """Meanwhile nodes in this process have forked worker processes."""
    from gateway.rpc.workers import worker_process

    before = worker_process.subprocess
    worker_process.subprocess = _forked_workers()  # type: ignore[assignment]
    try:
        yield
    finally:
        worker_process.subprocess = before


def end(process: Process, number: int, within_s: float) -> int | None:
    """Sends a signal and waits for the end; None when it goes on running."""
    if process.poll() is None:
        os.kill(process.pid, number)
    deadline = time.monotonic() + within_s
    while (code := process.poll()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return code


def workers_of(pid: int) -> list[psutil.Process]:
    """A node's processes; none when it has ended."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def still_running(processes: Sequence[psutil.Process], within_s: float) -> list[psutil.Process]:
    """Those that haven't ended in time; one that only nobody has waited for is no process any more."""

    def runs(process: psutil.Process) -> bool:
        try:
            return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    deadline = time.monotonic() + within_s
    while (running := [process for process in processes if runs(process)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return running


def _serve_commands() -> None:
    running: set[int] = set()
    has_read = False
    for line in sys.stdin:
        command = json.loads(line)
        if "start" in command:
            if not has_read:
                _read_as_a_node(Path(command["start"][0]))
                has_read = True
            answer: int | None = _fork(_run_node, *command["start"], **command["environment"])
            running.add(answer or 0)
        elif "start_counted" in command:
            answer = _fork(_run_counted, *command["start_counted"])
            running.add(answer or 0)
        elif "start_console" in command:
            import gateway.console.server.run  # noqa: F401  as the node below, where consoles are wanted

            answer = _fork(_run_console, *command["start_console"])
            running.add(answer or 0)
        elif "serve_commands" in command:
            answer = _fork(_serve_forked_commands, command["serve_commands"], os.devnull)
            running.add(answer or 0)
        elif "serve_workers" in command:
            answer = _fork_server(command["serve_workers"])
            running.add(answer)
        else:
            pid, status = os.waitpid(command["poll"], os.WNOHANG)
            running.discard(pid)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        print(json.dumps(answer), flush=True)
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _fork_server(address: str) -> int:
    """A process that forks worker processes for the one that listens there, until that ends."""
    from tests.support.forked_workers import serve_workers

    pid = os.fork()
    if pid:
        return pid
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asked.connect(address)
    serve_workers(asked)
    os._exit(0)


def _fork(run: Callable[[Path], None], config: str, log: str, **environment: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.environ.update(environment)
        with open(os.devnull) as nothing, open(log, "ab") as output:
            os.dup2(nothing.fileno(), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        run(Path(config))
        code = 0
    except Exception:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _run_node(config: Path) -> None:
    from gateway.node.run import run_node
    from gateway.node.settings import load_settings
    from tests.support.forked_workers import fork_workers

    if not os.environ.pop(SLOW_PASSWORDS, ""):
        _hash_passwords_at_once()
    fork_workers()
    run_node(load_settings(config), config)


def _hash_passwords_at_once() -> None:
    """A node hashes one at its start, and a person's at each sign-in."""
    from argon2.profiles import CHEAPEST

    from gateway.persons.service import passwords

    passwords.RFC_9106_LOW_MEMORY = CHEAPEST


def _run_counted(config: Path) -> None:
    from tests.support.counted_node import run_counted_node

    run_counted_node(config)


def _run_console(config: Path) -> None:
    from gateway.console.server.run import run_console
    from gateway.console.settings import load_console_settings

    run_console(load_console_settings(config))


def _serve_forked_commands(folder: Path) -> None:
    from tests.support.forked_commands import CommandServer

    _hash_passwords_at_once()
    CommandServer(folder).serve()


def _warm_up() -> None:
    """Imports the whole product, and does once what each node's first minute would do again."""
    for name in _IMPORTED_LATE:
        importlib.import_module(name)
    import gateway.node.run  # noqa: F401
    from gateway.db import fingerprint
    from gateway.db.statements import Prepared
    from gateway.node.projections import metadata
    from gateway.risk import rule_engine
    from gateway.risk.facts.substances import load_substances
    from gateway.risk.facts.terms import load_terms
    from gateway.rpc.request_rules import compile_rules
    from gateway.trust.codec.permissions import load_permissions
    from tests.support.shared_dialects import share_dialects

    share_dialects()
    compile_rules(load_permissions())
    dialect = create_engine("sqlite://").dialect
    for statement in gc.get_objects():
        if isinstance(statement, Prepared):
            statement.compile(dialect)
    rules = rule_engine.RuleEngine.load()
    _remember(rule_engine, "_version", rules.rules, load_substances(), load_terms(), rules.controls.entities)
    _remember(fingerprint, "expected", metadata, dialect)


def _remember(module: types.ModuleType, name: str, *arguments: Any) -> None:
    """Lets a function of a module give for these arguments at once what it gives now."""
    function = getattr(module, name)
    result = function(*arguments)
    setattr(module, name, lambda *given: result if given == arguments else function(*given))


def _read_as_a_node(config: Path) -> None:
    """Reads settings, directory and certificate: patterns and modules that this takes are there afterwards."""
    from gateway.errors import GatewayError
    from gateway.node.directory_store import pinned_anchors
    from gateway.node.settings import load_settings
    from gateway.tls.certificates import inspect_certificate
    from gateway.trust.service.directory_versions import accept

    with suppress(GatewayError, OSError):
        settings = load_settings(config)
        accept(settings.directory.file.read_bytes(), now=datetime.now(UTC), anchors=pinned_anchors(settings))
        inspect_certificate(settings.tls.certificate.read_bytes())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests; this one ends with its input
    gc.disable()
    _warm_up()
    gc.freeze()
    gc.enable()
    _serve_commands()
