"""Nodes as real processes on loopback, with real keys, certificates, directory and files."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc.aio
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from demo.stage import free_ports
from gateway.cli.node.init import settings_text
from gateway.client import GatewayClient
from gateway.contract.channel_options import channel_options
from gateway.contract.ids import server_name
from gateway.node.marks import prepare_marks
from gateway.rpc.listener.tls import channel_credentials
from gateway.trust.service.agreement_terms import TRIAL_TERMS
from gateway.trust.service.trial_federation import (
    FEDERATION,
    FederationFolder,
    MemberSpec,
    NodeFolder,
    create_federation,
)
from gateway.v1.node_service_pb2 import Link

PUBLISHER, RECIPIENT = "cn", "hk"
SYSTEM = "bench"
ROLES = ("publisher", "officer", "supervisor", "operator")

START_TIMEOUT_S = 120.0
"""How long a node may take until it serves, in seconds; the target for it is far below."""

SETTLE_TIMEOUT_S = 600.0
"""How long nodes may take to catch up, in seconds."""

POLL_S = 0.02
"""How often a node's state is asked for while it is timed, in seconds: the resolution of those times. At 5 ms the
asking took 6 % of the node."""

START_POLL_S = 0.005
"""How often a starting node's port is tried, in seconds."""

ORIGIN = f"{FEDERATION}/{PUBLISHER}/{RECIPIENT}/alerts"
"""Feed of alerts of priority C; the others' names begin with it too."""

SERVE = (sys.executable, "-m", "gateway.cli.main", "serve")


def free_port() -> int:
    """A port that nobody has now, and that the kernel gives to nobody by itself.

    Who tries one of those until a node listens there may be connected with itself, and keep the node from its port.
    """
    return free_ports(1)[0]


@dataclass
class NodeProcess:
    """One node: its folder, ports and, while it runs, its process."""

    name: str
    folder: NodeFolder
    local_port: int
    command: Sequence[str] = SERVE
    database_url: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def settings(self) -> Path:
        return self.folder.path / "gateway.toml"

    @property
    def url(self) -> str:
        """Its database: the embedded one unless another was given."""
        return self.database_url or f"sqlite:///{self.folder.path / 'data' / 'gateway.sqlite3'}"

    @property
    def log(self) -> Path:
        return self.folder.path / "node.log"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def rss_mb(self) -> float:
        """Resident memory in MB (10⁶ bytes)."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6

    @property
    def cpu_s(self) -> float:
        """Processor time used so far, in seconds."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    @property
    def waits(self) -> int:
        """How often its threads have given their processor up to wait for something."""
        statuses = [path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/status")]
        return sum(int(re.findall(r"(?m)^voluntary_ctxt_switches:\s+(\d+)", text)[0]) for text in statuses)

    @property
    def database_mb(self) -> float:
        """Size of the embedded database with its write-ahead log, in MB."""
        return sum(path.stat().st_size for path in (self.folder.path / "data").glob("gateway.sqlite3*")) / 1e6

    def client(self) -> GatewayClient:
        """A client of its local port."""
        return GatewayClient.connect(
            f"127.0.0.1:{self.local_port}",
            ca=self.folder.ca,
            certificate=self.folder.system_certificate(SYSTEM),
            key=self.folder.system_key(SYSTEM),
            timeout_s=120,
        )

    async def start(self) -> float:
        """Starts it; returns the seconds until its health says SERVING."""
        with self.log.open("ab") as log:
            started = time.perf_counter()
            command = [*self.command, "--config", str(self.settings)]
            environment = {**os.environ, "GATEWAY_DATABASE_URL": self.url}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)  # noqa: ASYNC220  1 ms
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._serving()
        except TimeoutError:
            raise SystemExit(f"{self.name} doesn't serve after {START_TIMEOUT_S:g} s; see {self.log}") from None
        return time.perf_counter() - started

    async def stop(self) -> None:
        """Stops it in order; the files stay."""
        if self.process is None:
            return
        process, self.process = self.process, None
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait)

    async def _serving(self) -> None:
        await self._listening()
        ca, certificate, key = self.folder.ca, self.folder.system_certificate(SYSTEM), self.folder.system_key(SYSTEM)
        credentials = channel_credentials(ca.read_bytes(), certificate.read_bytes(), key.read_bytes())
        options = channel_options(server_name=server_name(FEDERATION, self.name))
        request = health_pb2.HealthCheckRequest(service="gateway.v1.AlertService")
        async with grpc.aio.secure_channel(f"127.0.0.1:{self.local_port}", credentials, options) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while self._running().poll() is None:
                with suppress(grpc.aio.AioRpcError):
                    response = await stub.Check(request, wait_for_ready=True, timeout=5)
                    if response.status == health_pb2.HealthCheckResponse.SERVING:
                        return
                await asyncio.sleep(START_POLL_S)
        raise SystemExit(f"{self.name} ended at its start; see {self.log}")

    async def _listening(self) -> None:
        """Waits for the port before gRPC tries it: gRPC's own pause between attempts is 100 ms and more."""
        while True:
            if self._running().poll() is not None:
                return  # `_serving` says so
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.local_port)
            except OSError:
                await asyncio.sleep(START_POLL_S)
                continue
            writer.close()
            return

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise SystemExit(f"{self.name} isn't running")
        return self.process


@dataclass
class Pair:
    """A publisher and a recipient, running, with a client of each in this process."""

    root: Path
    federation: FederationFolder
    cn: NodeProcess
    hk: NodeProcess
    cn_client: GatewayClient
    hk_client: GatewayClient

    async def receipted_size(self) -> int:
        """Entries of the publisher's feeds of alerts that the recipient has and has cosigned."""
        return sum(link.receipted_size for link in await self.cn_client.node.links() if _of_alerts(link))

    async def receipted(self, size: int) -> None:
        """Waits until the publisher has the receipt for `size` entries: durable on both sides."""
        async with asyncio.timeout(SETTLE_TIMEOUT_S):
            while await self.receipted_size() < size:  # noqa: ASYNC110  the state is another process's
                await asyncio.sleep(POLL_S)

    async def projected(self, client: GatewayClient) -> None:
        """Waits until a node has projected everything that it holds now."""
        position = (await client.node.status()).position
        async with asyncio.timeout(SETTLE_TIMEOUT_S):
            while (await client.node.status()).projected_position < position:  # noqa: ASYNC110  as above
                await asyncio.sleep(POLL_S)

    async def settled(self) -> int:
        """Waits until nothing is left to do anywhere, so that a measurement starts clean.

        Returns:
            Entries of the publisher's feeds of alerts.
        """
        async with asyncio.timeout(SETTLE_TIMEOUT_S):
            while True:
                statuses = [await client.node.status() for client in (self.cn_client, self.hk_client)]
                links = [link for client in (self.cn_client, self.hk_client) for link in await client.node.links()]
                backlog = sum(link.backlog for link in links)
                if not backlog and all(s.position == s.projected_position for s in statuses):
                    return sum({link.origin: link.size for link in links if _of_alerts(link)}.values())  # each at both
                await asyncio.sleep(0.05)


def _of_alerts(link: Link) -> bool:
    return link.origin.startswith(ORIGIN)


@asynccontextmanager
async def running_pair(
    root: Path,
    command: Sequence[str] = SERVE,
    *,
    metrics_ports: Mapping[str, int] | None = None,
    database_urls: Mapping[str, str] | None = None,
) -> AsyncIterator[Pair]:
    """Two nodes with fresh keys and empty databases; stopped at the end, their folder stays.

    Args:
        metrics_ports: where it is given, ports on which nodes show their metrics.
        database_urls: of empty databases, by node; the embedded one for the others.
    """
    ports = {name: (free_port(), free_port()) for name in (PUBLISHER, RECIPIENT)}
    federation = write_federation(root, ports)
    urls = database_urls or {}
    nodes = {
        name: NodeProcess(name, federation.node(name), local, command, urls.get(name, ""))
        for name, (_, local) in ports.items()
    }
    pair = Pair(
        root, federation, nodes[PUBLISHER], nodes[RECIPIENT], nodes[PUBLISHER].client(), nodes[RECIPIENT].client()
    )
    for name, port in (metrics_ports or {}).items():
        file = nodes[name].settings
        file.write_text(f'metrics_bind = "127.0.0.1:{port}"\n{file.read_text("utf-8")}', "utf-8")
    try:
        async with asyncio.TaskGroup() as starts:
            for node in nodes.values():
                starts.create_task(node.start())
        yield pair
    finally:
        await asyncio.gather(pair.cn_client.close(), pair.hk_client.close())
        await asyncio.gather(*(node.stop() for node in nodes.values()))


_PORTS = "local-ports.json"
"""What was made last in a folder of three nodes, and where they listen."""


@asynccontextmanager
async def three_nodes(root: Path, command: Sequence[str] = SERVE) -> AsyncIterator[dict[str, NodeProcess]]:
    """cn, hk and mo, not started; stopped at the end. In a new folder they have fresh keys and empty databases, in one
    that was used before what they had."""
    known = root / _PORTS
    if known.exists():
        local_ports: dict[str, int] = json.loads(known.read_text(encoding="utf-8"))
    else:
        ports = {name: (free_port(), free_port()) for name in ("cn", "hk", "mo")}
        write_federation(root, ports)
        local_ports = {name: local for name, (_, local) in ports.items()}
        known.write_text(json.dumps(local_ports), encoding="utf-8")
    nodes = {name: NodeProcess(name, NodeFolder(root / name), port, command) for name, port in local_ports.items()}
    try:
        yield nodes
    finally:
        await asyncio.gather(*(node.stop() for node in nodes.values()))


LIST = "bench"
"""An own list of each node without four eyes: what is imported takes effect."""

_LISTS = f"""
[lists.{LIST}]
four_eyes = false
"""


def write_federation(
    root: Path,
    ports: Mapping[str, tuple[int, int]],
    *,
    systems: Mapping[str, tuple[str, ...]] = {SYSTEM: ROLES},
    unnamed: Sequence[str] = (),
) -> FederationFolder:
    """Keys, certificates, directory and settings of nodes with these peer and local ports.

    Args:
        systems: of each node, with their roles.
        unnamed: systems that get a certificate and don't stand in the settings.
    """
    now = datetime.now(UTC)
    federation = create_federation(
        root,
        [
            MemberSpec(name, peer_port=peer, local_port=local, systems={**systems, **dict.fromkeys(unnamed, ROLES)})
            for name, (peer, local) in ports.items()
        ],
        now=now,
        terms=TRIAL_TERMS,
    )
    for name, (peer, local) in ports.items():
        settings = federation.node(name).path / "gateway.toml"
        prepare_marks(settings.parent / "data", federation=FEDERATION, node=name, made_at=now)
        settings.write_text(_settings(federation, name, peer, local, systems) + _LISTS, encoding="utf-8")
    return federation


def _settings(
    federation: FederationFolder, name: str, peer: int, local: int, systems: Mapping[str, tuple[str, ...]]
) -> str:
    return settings_text(
        node=name,
        federation=FEDERATION,
        peer_bind=f"127.0.0.1:{peer}",
        local_bind=f"127.0.0.1:{local}",
        directory=Path(os.path.relpath(federation.directory, federation.node(name).path)),
        anchors=federation.anchor_vkeys,
        threshold=federation.anchors.threshold,
        systems=dict(systems),
    )
