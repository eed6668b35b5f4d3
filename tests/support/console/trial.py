"""Three gateways with a console each, and persons who sign in: what tests of the console, screenshots and benches use.

    with ConsoleTrial(folder) as trial:
        trial.start()
        hk = trial["hk"]
        token = hk.session("officer")      # signed in; made at the first request
        trial.run(do_something(trial))     # a coroutine, also while Playwright runs in this thread

Whatever happens, processes are ended by their id.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import signal
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from gateway.cli.trial.consoles import capability_tables, consoles_on_one_host
from gateway.client import GatewayClient
from tests.support.console import case
from tests.support.federation import NODES, READY_S, STOPPED_S, SYSTEMS, Federation, NodeProcess, free_port
from tests.support.forked_commands import forked_commands
from tests.support.node_processes import Process, end, forking_process
from tests.support.receivers import SECRET, WebReceiver

CONSOLE = "console"
"""The local system as which a console connects."""

T = TypeVar("T")


@dataclass(frozen=True)
class Person:
    """Somebody who works at an authority."""

    name: str
    display_name: str
    roles: tuple[str, ...]


PERSONS: Mapping[str, Person] = {
    person.name: person
    for person in (
        Person("officer", "Chan Tai Man 陳大文", ("officer", "publisher")),
        Person("colleague", "Wong Siu Ming 黃小明", ("officer",)),
        Person("analyst", "Ana Sousa", ("analyst",)),
        Person("supervisor", "Li Hua 李华", ("supervisor",)),
        Person("deputy", "Maria João Costa", ("supervisor",)),
        Person("auditor", "Ho Mei 何美", ("auditor",)),
        Person("operator", "Pedro Lei", ("operator",)),
    )
}
"""Who works at each authority, all names made up; two of those whose work needs a second person."""


@dataclass
class Office:
    """One authority: its node, its console, and who is signed in."""

    node: NodeProcess
    port: int
    client: Callable[[str], GatewayClient]
    extra: str = ""
    process: Process | None = None
    started: int = 0
    passwords: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def host(self) -> str:
        """Browsers take it for a secure place without TLS; cookies are named by the node."""
        return "localhost"

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def cookie(self) -> str:
        """Name of the session's cookie."""
        return f"__Host-session-{self.name}"

    @property
    def config(self) -> Path:
        return self.node.folder.path / "console.toml"

    @property
    def log_path(self) -> Path:
        return self.node.folder.path / "console.log"

    @property
    def log(self) -> str:
        """What the console has logged in all its runs."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    @property
    def pid(self) -> int:
        assert self.process is not None, f"the console of {self.name} doesn't run"
        return self.process.pid

    def start(self, *, wait: bool = True) -> None:
        """Starts the console; with `wait` returns when it serves."""
        assert self.process is None, f"the console of {self.name} runs already"
        self._write_settings()
        self.started += 1
        self.process = forking_process().start_console(self.config, self.log_path)
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Returns when it says that it can ask its gateway."""
        deadline = time.monotonic() + READY_S
        while self.get("/healthz") != 200:
            assert self.process is not None
            assert self.process.poll() is None, f"the console of {self.name} ended at its start:\n{self.log[-4000:]}"
            assert time.monotonic() < deadline, f"the console of {self.name} isn't ready:\n{self.log[-4000:]}"
            time.sleep(0.03)

    def get(self, path: str, **headers: str) -> int:
        """Status of a GET without a browser; 0 where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": f"{self.host}:{self.port}", **headers})
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        """Stops it; returns the exit code, None if it didn't end in time."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        code = end(process, number, STOPPED_S)
        if code is None:
            end(process, signal.SIGKILL, STOPPED_S)
        return code

    async def enrol(self, person: Person) -> None:
        """Adds a person and uses the enrolment link as the person would; the session that begins is kept."""
        async with self.client("operator") as operator, self.client(CONSOLE) as console:
            added = await operator.persons.add(person.name, person.display_name, person.roles)
            password = secrets.token_urlsafe(18)
            signed_in = await console.persons.enrol(added.enrolment_token, password, device="a test")
        self.passwords[person.name], self._tokens[person.name] = password, signed_in.session_token

    async def newcomer(self, *roles: str) -> str:
        """The name of a person of one test, for tests that end sessions or lock names: PERSONS are shared by all."""
        name = f"newcomer-{uuid.uuid4().hex[:8]}"
        await self.enrol(Person(name, f"Newcomer {name[-8:]}", roles))
        return name

    async def signed_in(self, name: str) -> str:
        """The token of a session of a newcomer, or of one of PERSONS, who is added at the first request."""
        if name not in self._tokens:
            await self.enrol(PERSONS[name])
        return self._tokens[name]

    async def sign_in_again(self) -> None:
        """New sessions of PERSONS who had one: a restore has ended all."""
        names, self._tokens = [name for name in self._tokens if name in PERSONS], {}
        async with self.client(CONSOLE) as console:
            for name in names:
                signed_in = await console.persons.sign_in(name, self.passwords[name], device="a test")
                self._tokens[name] = signed_in.session_token

    @asynccontextmanager
    async def acting(self, name: str) -> AsyncIterator[GatewayClient]:
        """A client that acts for a person, as the console's."""
        token = await self.signed_in(name)
        async with self.client(CONSOLE) as console:
            yield console.acting_for((await console.persons.renew(token)).assertion)

    def _write_settings(self) -> None:
        folder = self.node.folder

        def text(value: object) -> str:
            return json.dumps(str(value))

        lines = [
            f'bind = "127.0.0.1:{self.port}"',
            f"origin = {text(self.origin)}",
            self.extra,
            "[gateway]",
            f'address = "127.0.0.1:{self.node.local_port}"',
            f"ca = {text(folder.ca)}",
            f"certificate = {text(folder.system_certificate(CONSOLE))}",
            f"key = {text(folder.system_key(CONSOLE))}",
        ]
        self.config.touch(mode=0o600)
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")


class ConsoleTrial:
    """Three gateways and their consoles in a folder of their own; nothing runs until `start`.

    Args:
        root: an empty folder.
        settings: further lines of each node's settings; everything that pages need is on.
        persons_settings: further lines of its table [persons].
        console_settings: further lines of each console's settings, before its tables.
    """

    def __init__(
        self,
        root: Path,
        *,
        settings: str = case.SETTINGS,
        persons_settings: Sequence[str] = (),
        console_settings: str = "",
    ) -> None:
        self._ports = {name: free_port() for name in NODES}
        self.receiver = WebReceiver()
        self._secret = root / "webhook.secret"
        self.federation = Federation(
            root / "federation",
            settings=settings,
            settings_of=self._settings_of,
            systems={**SYSTEMS, CONSOLE: ("console",)},
        )
        self._persons_settings = persons_settings
        self._console_settings = console_settings
        self.case: case.Case | None = None

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self.receiver.start()
        self._stack.callback(self.receiver.stop)
        self._thread = self._stack.enter_context(ThreadPoolExecutor(1, "trial"))
        self._stack.enter_context(self.federation)
        self.offices = {name: self._office(name) for name in NODES}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for office in self.offices.values():
            office.stop(signal.SIGKILL)
        self._stack.close()

    def __getitem__(self, name: str) -> Office:
        return self.offices[name]

    def start(self, *names: str) -> None:
        """Starts nodes and their consoles, all without names; returns when they serve."""
        self.federation.start(*names)
        for name in names or NODES:
            self.offices[name].start(wait=False)
        for name in names or NODES:
            self.offices[name].wait_ready()

    def run(self, work: Coroutine[Any, Any, T], *, within_s: float = 300.0) -> T:
        """Runs a coroutine in an event loop of another thread, and waits."""
        return self._thread.submit(lambda: asyncio.run(asyncio.wait_for(work, within_s))).result()

    def session(self, node: str, name: str) -> str:
        """The token of a session of a person."""
        return self.run(self.offices[node].signed_in(name))

    def play_case(self) -> case.Case:
        """The demo's case at the three nodes, played at the first request."""
        if self.case is None:
            self.case = self.run(
                case.play(
                    self.federation, proposer=self["cn"].acting("officer"), approver=self["cn"].acting("supervisor")
                )
            )
        return self.case

    def verified(self, evidence: Path) -> str:
        """What `gateway evidence verify` prints of a file that a page gave; fails where it doesn't verify."""
        gateway, directory = forked_commands() / "gateway", self.federation.folder.directory
        command = [str(gateway), "evidence", "verify", str(evidence), "--directory", str(directory)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _office(self, name: str) -> Office:
        node = self.federation[name]
        return Office(
            node, self._ports[name], lambda system: self.federation.client(name, system), self._console_settings
        )

    def _settings_of(self, name: str) -> str:
        self._secret.touch(mode=0o600)
        self._secret.write_text(f"whsec_{SECRET}", encoding="ascii")
        webhook = f'[notifications.webhooks.case-system]\nurl = "{self.receiver.url}"\nsecret_file = "{self._secret}"\n'
        tables = capability_tables(consoles_on_one_host(self._ports)[name]) + webhook
        return tables.replace("[persons]", "\n".join(["[persons]", *self._persons_settings]))
