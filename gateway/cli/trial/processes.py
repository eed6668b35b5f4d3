"""Starts and stops the nodes and consoles of a trial as processes of their own, which stay when the command ends."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from gateway.cli.connection import Target, reachable, read_settings
from gateway.cli.node.init import SETTINGS_FILE
from gateway.cli.trial.consoles import CONSOLE_FILE
from gateway.errors import GatewayError, OptionError
from gateway.files import OWNER_ONLY, open_to_append, open_to_change
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from gateway.console.settings import ConsoleSettings

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.1

_SECONDS_BEFORE_A_LOOK = 0.3
"""A node needs about a second; asking before that costs more than it tells."""


@dataclass(frozen=True)
class TrialProcess(ABC):
    """A program of a trial in a node's folder. Its process holds a lock on a pid file for as long as it runs."""

    folder: Path

    name: ClassVar[str]
    """Of its log and its pid file."""

    command: ClassVar[str]
    """The subcommand that runs it."""

    config_file: ClassVar[str]

    @abstractmethod
    def addresses(self) -> Iterable[str]:
        """Each host:port that it binds."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves now."""

    @property
    def config(self) -> Path:
        return self.folder / self.config_file

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def title(self) -> str:
        """Name for people."""
        return self.folder.name

    def exists(self) -> bool:
        """Whether the trial was made with it."""
        return self.config.exists()

    def start(self) -> subprocess.Popen[bytes] | None:
        """Starts it; None if it runs already. Raises OptionError if a port is in use."""
        with self._pid_file() as file:
            if not _locked(file):
                return None
            require_free(self.title, self.addresses(), made=True)
            log = open_to_append(self.log, mode=OWNER_ONLY)
            try:
                process = subprocess.Popen(  # noqa: S603  this program itself
                    [sys.executable, "-P", "-m", "gateway.cli.main", self.command, "--config", str(self.config)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # neither Ctrl-C nor the terminal's end is meant for it
                    pass_fds=[file],  # the lock goes with it
                )
            finally:
                os.close(log)
            os.ftruncate(file, 0)
            os.pwrite(file, f"{process.pid}\n".encode(), 0)
            return process

    def wait_until_serving(self, process: subprocess.Popen[bytes]) -> None:
        """Waits until it answers. Raises OptionError with the last line of its log."""
        end = time.monotonic() + START_TIMEOUT_S
        time.sleep(_SECONDS_BEFORE_A_LOOK)
        while True:
            if process.poll() is not None or time.monotonic() > end:
                raise OptionError(
                    _(
                        "{node} doesn't serve; see {log}, which ends with: {line}",
                        node=self.title,
                        log=self.log,
                        line=self._last_line(),
                    )
                )
            if self.answers():
                return
            time.sleep(_POLL_S)

    def stop(self) -> bool:
        """Stops it in order; false if it didn't run. Raises OptionError if it doesn't stop."""
        with self._pid_file() as file:
            if _locked(file):
                return False
            with suppress(ProcessLookupError):
                os.kill(int(os.pread(file, 32, 0)), signal.SIGTERM)
            end = time.monotonic() + STOP_TIMEOUT_S
            while not _locked(file):
                if time.monotonic() > end:
                    raise OptionError(_("{node} doesn't stop; see {log}", node=self.title, log=self.log))
                time.sleep(_POLL_S)
            return True

    @contextmanager
    def _pid_file(self) -> Iterator[int]:
        descriptor = open_to_change(self.folder / f"{self.name}.pid")
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _last_line(self) -> str:
        """What its log ends with; of a traceback the exception."""
        lines = [line.lstrip("| ") for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line.strip()), "—")


class TrialNode(TrialProcess):
    """A node."""

    name = "node"
    command = "serve"
    config_file = SETTINGS_FILE

    def addresses(self) -> Iterable[str]:
        settings = read_settings(self.config)
        return settings.peer_bind, settings.local_bind

    def peer_port(self) -> int:
        return _host_and_port(read_settings(self.config).peer_bind)[1]

    def answers(self) -> bool:
        if not _listens(_host_and_port(read_settings(self.config).local_bind)):
            return False
        with suppress(GatewayError):
            Target(config=self.config, system="ops").run(lambda client: client.node.status())
            return True
        return False


class TrialConsole(TrialProcess):
    """The console of a node."""

    name = "console"
    command = "console"
    config_file = CONSOLE_FILE

    @property
    def title(self) -> str:
        return _("the console of {node}", node=self.folder.name)

    def addresses(self) -> Iterable[str]:
        return (self._settings().bind,)

    def origin(self) -> str:
        """Its address in a browser."""
        return self._settings().public_origin

    def answers(self) -> bool:
        connection = HTTPConnection(*_host_and_port(self._settings().bind), timeout=STOP_TIMEOUT_S)
        try:
            connection.request("GET", "/healthz", headers={"Host": self.origin().partition("://")[2]})
            return connection.getresponse().status == HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def _settings(self) -> ConsoleSettings:
        from gateway.console.settings import load_console_settings  # noqa: PLC0415  # only where a trial has consoles

        return load_console_settings(self.config)


def has_run(node: TrialNode) -> bool:
    """Whether a node has ever been started, by this command or by hand."""
    return node.log.exists() or any((node.folder / "data").glob("gateway.sqlite3*"))


def require_free(title: str, addresses: Iterable[str], *, made: bool = False) -> None:
    """Raises OptionError where something else listens; `made`: the trial with these addresses is there already."""
    for address in addresses:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(_host_and_port(address))
            except OSError as error:
                problem = error.strerror or error
                raise OptionError(
                    _("{node} can't listen at {address}: {problem}", node=title, address=address, problem=problem),
                    way_out=_("Stop what listens there, or make another trial in another folder with --port.")
                    if made
                    else _("Stop what listens there, or name another port with --port."),
                ) from None


def _host_and_port(bind: str) -> tuple[str, int]:
    """Where a bound address is reached from this machine."""
    host, _colon, port = reachable(bind).rpartition(":")
    return host, int(port)


def _listens(address: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(address, timeout=_POLL_S):
        return True
    return False


def _locked(file: int) -> bool:
    """Takes the lock of a node's process; false if a process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
