"""Three gateways as three real processes on loopback, their systems' clients, and the cable between cn and hk."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

from demo.eyes import Eyes
from demo.network import Cable
from gateway.cli.node.init import SETTINGS_FILE
from gateway.cli.trial.federation import AUTHORITIES, NodeAddress, make_federation
from gateway.client import GatewayClient
from gateway.errors import ConfigurationError, UnavailableError
from gateway.trust.service.trial_federation import FederationFolder, NodeFolder

NODES = tuple(AUTHORITIES)
CUT_PAIRS = (("cn", "hk"), ("hk", "cn"))
"""Connections that the demo can cut: those that cn opens to hk and those that hk opens to cn."""

START_TIMEOUT_S = 60.0
"""How long a gateway may take to start on a busy machine, in seconds; a few are usual."""

STOP_TIMEOUT_S = 10.0
"""How long it may take to stop in order, in seconds; then it is killed."""

CALL_TIMEOUT_S = 20.0
"""How long one call may take with its retries, in seconds."""

_PORTS = range(20_000, 32_768)
"""Below those that Linux (from 32,768) and others (from 49,152) give out automatically."""

_POLL_S = 0.02
_MARKER = ".customs-gateway-demo"
_SYSTEMS = {
    "cn": ("risk-engine", "officers", "supervisors", "ops"),
    "hk": ("risk-engine", "officers", "ops"),
    "mo": ("risk-engine", "officers", "ops"),
}
"""Local systems that take part, of those that the federation has."""

SERVE = (sys.executable, "-m", "gateway.cli.main", "serve", "--config")


def clean_environment() -> dict[str, str]:
    """The environment without settings of some other gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}


@dataclass
class Gateway:
    """One gateway: its folder and, while it runs, its process."""

    name: str
    folder: NodeFolder
    place: NodeAddress
    process: asyncio.subprocess.Process | None = None
    exit_codes: list[int] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder.path / SETTINGS_FILE

    @property
    def log(self) -> Path:
        return self.folder.path / "gateway.log"

    @property
    def database(self) -> Path:
        return self.folder.path / "data" / "gateway.sqlite3"

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def client(self, system: str) -> GatewayClient:
        """A client as one of its local systems."""
        return GatewayClient.connect(
            f"{self.place.host}:{self.place.local_port}",
            ca=self.folder.ca,
            certificate=self.folder.system_certificate(system),
            key=self.folder.system_key(system),
            timeout_s=CALL_TIMEOUT_S,
        )

    async def start(self) -> float:
        """Starts the process; returns the seconds until it answers its operator."""
        began = time.perf_counter()
        with self.log.open("ab") as log:
            # a session of its own: Ctrl-C is for the demo, which then stops the gateways in order
            self.process = await asyncio.create_subprocess_exec(
                *SERVE,
                str(self.config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(),
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._answers()
        except TimeoutError:
            raise UnavailableError(f"{self.name} doesn't answer after {START_TIMEOUT_S:g} s; see {self.log}") from None
        return time.perf_counter() - began

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, as an operator would; kill -9 if that doesn't help. The exit code is noted."""
        code = await self._end(signal.SIGTERM)
        if code is not None:
            self.exit_codes.append(code)

    async def _end(self, number: signal.Signals) -> int | None:
        process, self.process = self.process, None
        if process is None:
            return None
        if process.returncode is None:
            process.send_signal(number)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()

    async def _answers(self) -> None:
        while not await self._listens():  # noqa: ASYNC110  # what is waited for is another process
            await asyncio.sleep(_POLL_S)
        async with self.client("ops") as client:
            while True:
                try:
                    await client.node.status()
                    return
                except UnavailableError:
                    self._require_alive()
                    await asyncio.sleep(_POLL_S)

    async def _listens(self) -> bool:
        self._require_alive()
        try:
            _, writer = await asyncio.open_connection(self.place.host, self.place.local_port)
        except OSError:
            return False
        writer.close()
        return True

    def _require_alive(self) -> None:
        if self.process is None or self.process.returncode is not None:
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-1500:]
            raise UnavailableError(f"{self.name} ended at its start; {self.log} says: {tail}")


@dataclass
class Stage:
    """Everything that runs.

    Attributes:
        root: the run's folder.
        federation: keys, certificates and the directory in it.
        gateways: by node.
        clients: by node and system.
        eyes: by node: what its officers are shown.
        made_s: seconds that keys, certificates and directory took.
        started_s: seconds until a gateway answered, by node.
    """

    root: Path
    federation: FederationFolder
    gateways: Mapping[str, Gateway]
    cables: list[Cable]
    made_s: float
    clients: dict[tuple[str, str], GatewayClient] = field(default_factory=dict)
    eyes: dict[str, Eyes] = field(default_factory=dict)
    started_s: dict[str, float] = field(default_factory=dict)
    is_cut: bool = False

    def system(self, node: str, system: str) -> GatewayClient:
        """The client of a local system."""
        return self.clients[node, system]

    def cut(self) -> None:
        """Cuts the link between cn and hk, both ways."""
        self.is_cut = True
        for cable in self.cables:
            cable.cut()

    def heal(self) -> None:
        """Heals it."""
        self.is_cut = False
        for cable in self.cables:
            cable.heal()

    async def start(self) -> None:
        """Starts all gateways side by side, and lets the officers of each begin to watch."""
        async with asyncio.TaskGroup() as starts:
            started = {name: starts.create_task(gateway.start()) for name, gateway in self.gateways.items()}
        self.started_s = {name: task.result() for name, task in started.items()}
        for name, eyes in self.eyes.items():
            eyes.open(self.system(name, "officers"))

    async def stop(self) -> None:
        """Stops all gateways in order."""
        for eyes in self.eyes.values():
            await eyes.close()
        await asyncio.gather(*(gateway.stop() for gateway in self.gateways.values()))


@asynccontextmanager
async def set_stage(root: Path) -> AsyncIterator[Stage]:
    """Makes everything in a fresh folder; at the end nothing runs any more, and the files stay.

    Raises:
        ConfigurationError: the folder has something else in it, or another demo runs there.
    """
    with _fresh_folder(root):
        began = time.perf_counter()
        ports = free_ports(2 * len(NODES) + len(CUT_PAIRS))
        places = {node: NodeAddress("127.0.0.1", ports.pop(), ports.pop()) for node in NODES}
        detours = {pair: ports.pop() for pair in CUT_PAIRS}
        federation = await asyncio.to_thread(
            make_federation,
            root,
            places,
            detours={pair: f"127.0.0.1:{port}" for pair, port in detours.items()},
            second_keys=True,
            now=datetime.now(UTC),
        )
        made_s = time.perf_counter() - began
        gateways = {node: Gateway(node, federation.node(node), place) for node, place in places.items()}
        async with AsyncExitStack() as stack:
            cables = []
            for (_, partner), port in detours.items():
                cable = Cable(places[partner].peer_port)
                stack.push_async_callback(cable.close)
                await cable.open(port)
                cables.append(cable)
            stage = Stage(root, federation, gateways, cables, made_s, eyes={node: Eyes(node) for node in NODES})
            stack.push_async_callback(stage.stop)
            for node, systems in _SYSTEMS.items():
                for system in systems:
                    stage.clients[node, system] = await stack.enter_async_context(gateways[node].client(system))
            yield stage


@contextmanager
def _fresh_folder(root: Path) -> Iterator[None]:
    """An empty folder with a marker that is locked while the demo runs; a former demo's is emptied."""
    marker = root / _MARKER
    if root.exists() and any(root.iterdir()) and not marker.exists():
        raise ConfigurationError(f"{root} has something else in it: give another folder with --dir")
    root.mkdir(parents=True, exist_ok=True)
    with marker.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(f"a demo runs in {root} now: give another folder with --dir") from None
        for path in root.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != marker:
                path.unlink()
        yield


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, all different, and that the kernel gives to nobody by itself.

    A gateway that is killed leaves its port for seconds and must get it again: one from the range of ports that are
    given out automatically may have another owner by then.
    """
    found: list[int] = []
    for port in SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise ConfigurationError(
        f"there aren't {count} free ports from {_PORTS.start} to {_PORTS.stop - 1} on this machine"
    )
