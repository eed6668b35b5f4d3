"""Three gateways as real processes: real certificates, a signed directory, settings in files, ports of this machine.

    def test_an_alert_arrives(federation: Federation) -> None:
        federation.start()
        async def run() -> None:
            async with federation.client("cn", "publisher") as client:
                await client.publish(alert(), ["hk"])
        federation.run(run())

Between nodes lie proxies (`federation.between("cn", "hk")`), which can be cut. Whatever happens, processes are ended by
their id. When a test fails, the nodes' logs are among what pytest shows.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.client import GatewayClient
from gateway.contract.channel_options import channel_options
from gateway.contract.ids import FeedOrigin, GatewayIdentity
from gateway.contract.messages import to_timestamp
from gateway.errors import GatewayError
from gateway.node.assembly.node import Node, system_clock_ms
from gateway.node.marks import prepare_marks
from gateway.node.settings import Settings, load_settings
from gateway.rpc.listener.tls import channel_credentials
from gateway.tlog.note import parse_note, sign_note
from gateway.tls.certificates import inspect_certificate
from gateway.trust.codec.directory import decode_directory, encode_directory
from gateway.trust.pki.issuance import create_request, load_ca
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.directory import Directory, directory_key_name
from gateway.trust.rules.permissions import Role
from gateway.trust.service.agreement_terms import TRIAL_TERMS
from gateway.trust.service.trial_federation import (
    FEDERATION,
    FederationFolder,
    MemberSpec,
    NodeFolder,
    create_federation,
)
from gateway.v1 import alert_pb2
from tests.support.databases import migrated_file
from tests.support.node_processes import Process, end, forked_workers, forking_process, still_running, workers_of
from tests.support.proxy import Network, Proxy
from tests.support.stored import EMPTY, StoredFeed, read_feed

NODES = ("cn", "hk", "mo")
SYSTEMS = {role.value: (role.value,) for role in Role}
"""One local system for each role, with the role's name."""

PULLED = {"cn": {"hk": {"mode": "pull"}}, "hk": {"cn": {"fetch": True}}}
"""Links of a federation in which hk opens all connections between cn and hk: it pushes its feed and fetches cn's."""

READY_S = 120.0
"""Seconds after which a node that doesn't serve is taken for stuck, also on a machine that does other things."""

STOPPED_S = 60.0
"""Seconds after which a node that doesn't end is taken for stuck."""

PATIENCE_S = 120.0
"""Seconds after which what must come is taken for lost; what is to be quick has a Stopwatch."""

_REPOSITORY = Path(__file__).parents[2]
_DAY = timedelta(days=1)

T = TypeVar("T")


def origin(publisher: str, recipient: str) -> str:
    """Name of an alerts feed."""
    return f"{FEDERATION}/{publisher}/{recipient}/alerts"


def alert(**overrides: Any) -> alert_pb2.AlertContent:
    """A small valid alert."""
    content = alert_pb2.AlertContent(
        priority=alert_pb2.PRIORITY_C,
        typologies=["false_declaration"],
        requested_action=alert_pb2.REQUESTED_ACTION_INSPECT,
        legal_basis="Arrangement 2024, article 7",
        purpose="export_control",
        case_reference="CASE-2026-0001",
        handling=alert_pb2.Handling(
            classification=alert_pb2.CLASSIFICATION_RESTRICTED,
            onward_transfer=alert_pb2.ONWARD_TRANSFER_PROHIBITED,
        ),
        narratives=[alert_pb2.Narrative(language="en", text="Antimony ingots declared as lead.")],
    )
    if "valid_until" not in overrides:
        content.valid_until.CopyFrom(to_timestamp(system_clock_ms() + 30 * 24 * 3600 * 1000))
    content.subject.equipment.add(id="CSQU3054383")
    content.MergeFrom(alert_pb2.AlertContent(**overrides))
    return content


async def eventually(
    check: Callable[[], Awaitable[T]], *, within_s: float = PATIENCE_S, every_s: float = 0.05, what: str = ""
) -> T:
    """Calls `check` until what it returns is true and returns that.

    A GatewayError or AssertionError that it raises counts as not yet.

    Raises:
        AssertionError: it didn't come to pass in time, with what was seen last.
    """
    deadline = time.monotonic() + within_s
    while True:
        last: Any
        try:
            last = await check()
            if last:
                return last  # type: ignore[no-any-return]
        except (GatewayError, AssertionError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} didn't come to pass in {within_s:g} s; last seen: {last!r}")
        await asyncio.sleep(every_s)


@dataclass
class NodeProcess:
    """One node: its files, and its process while it runs."""

    name: str
    folder: NodeFolder
    config: Path
    peer_port: int
    local_port: int
    process: Process | None = None
    started: int = 0

    @property
    def data(self) -> Path:
        return self.folder.path / "data"

    @property
    def database(self) -> Path:
        return self.data / "gateway.sqlite3"

    @property
    def log(self) -> str:
        """What the node has logged in all its runs."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} doesn't run"
        return self.process.pid

    @property
    def settings(self) -> Settings:
        return load_settings(self.config)

    @property
    def log_path(self) -> Path:
        return self.folder.path / "log.txt"

    def start(self, *, wait: bool = True, **environment: str) -> None:
        """Starts the process with further variables; with `wait` returns when it serves."""
        assert self.process is None, f"{self.name} runs already"
        self.started += 1
        self.process = forking_process().start(self.config, self.log_path, **environment)
        if wait:
            self.wait_ready()

    def start_command(self, *, descriptors: int = 0, cwd: Path = _REPOSITORY, **environment: str) -> None:
        """Starts it as operators do: `gateway serve --config FILE`.

        Args:
            descriptors: most that it may open, as by `ulimit -n`; 0 leaves the limit as it is.
            cwd: its working directory.
            environment: further variables.
        """
        assert self.process is None, f"{self.name} runs already"
        self.started += 1
        command = [str(Path(sys.executable).with_name("gateway")), "serve", "--config", str(self.config)]
        if descriptors:
            command = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *command]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_ready()

    def wait_ready(self) -> None:
        """Returns when the node says SERVING to its own operator, over mutual TLS."""
        with grpc.secure_channel(
            f"127.0.0.1:{self.local_port}",
            self.credentials("operator"),
            options=channel_options(server_name=f"{self.name}.{FEDERATION}"),
        ) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            deadline = time.monotonic() + READY_S
            while not self._serves(health):
                assert self.process is not None
                assert self.process.poll() is None, f"{self.name} ended at its start:\n{self.log[-4000:]}"
                assert time.monotonic() < deadline, f"{self.name} isn't ready:\n{self.log[-4000:]}"
                time.sleep(0.03)

    def _serves(self, health: health_pb2_grpc.HealthStub) -> bool:
        request = health_pb2.HealthCheckRequest(service="gateway.v1.NodeService")
        try:
            return bool(health.Check(request, timeout=1).status == health_pb2.HealthCheckResponse.SERVING)
        except grpc.RpcError:
            return False

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        workers = workers_of(process.pid)
        code = end(process, number, STOPPED_S)
        if code is None:
            end(process, signal.SIGKILL, STOPPED_S)
            raise AssertionError(f"{self.name} didn't stop in {STOPPED_S:g} s:\n{self.log[-4000:]}")
        outliving = still_running(workers, STOPPED_S)
        assert not outliving, f"{self.name} is gone, and these still run: {outliving}"
        return code

    def credentials(self, system: str) -> grpc.ChannelCredentials:
        """TLS credentials of a local system, for a channel."""
        return channel_credentials(
            self.folder.ca.read_bytes(),
            self.folder.system_certificate(system).read_bytes(),
            self.folder.system_key(system).read_bytes(),
        )

    def feed(self, name: str) -> StoredFeed:
        """A feed in this node's database; empty when there is neither."""
        return read_feed(self.database, name) if self.database.exists() else EMPTY


@dataclass
class Federation:
    """cn, hk and mo in a folder of their own. Nothing runs until `start`.

    Args:
        root: an empty folder.
        links: per node and partner, other settings of that link, e.g. `{"cn": {"hk": {"mode": "pull"}}}`.
        now: when keys, certificates and directory were made.
        settings: further lines of every node's settings; `settings_of` makes those of one.
        systems: local systems of each node with their roles.
        migrated: whether embedded databases have their tables before the first start, copied instead of made.
    """

    root: Path
    links: Mapping[str, Mapping[str, Mapping[str, object]]] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    settings: str = ""
    settings_of: Callable[[str], str] = lambda node: ""
    systems: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: SYSTEMS)
    migrated: bool = True

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._network = self._stack.enter_context(Network())
        ports = {name: (free_port(), free_port()) for name in NODES}
        members = [
            MemberSpec(name, peer_port=ports[name][0], local_port=ports[name][1], systems=self.systems)
            for name in NODES
        ]
        self.folder: FederationFolder = create_federation(
            self.root, members, now=self.now, threshold=2, terms=TRIAL_TERMS
        )
        self._proxies = {(a, b): self._network.proxy(ports[b][0], free_port()) for a in NODES for b in NODES if a != b}
        self.nodes = {name: self._node(name, *ports[name]) for name in NODES}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for node in self.nodes.values():
            node.kill()
        self._stack.close()

    def __getitem__(self, name: str) -> NodeProcess:
        return self.nodes[name]

    def start(self, *names: str) -> None:
        """Starts nodes, all without names, side by side; returns when they serve."""
        for name in names or NODES:
            self.nodes[name].start(wait=False)
        for name in names or NODES:
            self.nodes[name].wait_ready()

    def between(self, sender: str, recipient: str) -> Proxy:
        """The network under the connections that `sender` opens to `recipient`."""
        return self._proxies[sender, recipient]

    def carrier(self) -> Proxy:
        """The network under the feed from cn to hk, whoever opens the connection."""
        pulled = bool(self.links)
        return self.between("hk", "cn") if pulled else self.between("cn", "hk")

    def client(self, node: str, system: str, *, timeout_s: float = 60.0) -> GatewayClient:
        """A client of a local system; systems are named as their only role."""
        return self.client_at(self.nodes[node].local_port, node, system, timeout_s=timeout_s)

    def client_at(self, port: int, node: str, system: str, *, timeout_s: float = 60.0) -> GatewayClient:
        """The same where the node listens elsewhere."""
        folder = self.nodes[node].folder
        return GatewayClient.connect(
            f"127.0.0.1:{port}",
            ca=folder.ca,
            certificate=folder.system_certificate(system),
            key=folder.system_key(system),
            timeout_s=timeout_s,
        )

    def run(self, test: Coroutine[Any, Any, T], *, within_s: float = 300.0) -> T:
        """Runs a coroutine in a new event loop."""
        return asyncio.run(asyncio.wait_for(test, within_s))

    @asynccontextmanager
    async def inside(self, name: str, *, clock: Callable[[], int] = system_clock_ms) -> AsyncIterator[Node]:
        """The node in this process, e.g. under another clock."""
        node = Node(self.nodes[name].settings, clock=clock)
        with forked_workers():
            await node.start()
            try:
                yield node
            finally:
                await node.stop()

    @property
    def directory(self) -> Directory:
        """The directory in its file."""
        return decode_directory(parse_note(self.folder.directory.read_bytes()).unverified_text)

    def put_directory(self, version: Directory, *, signers: Sequence[str] = NODES) -> None:
        """Lets authorities sign a version and puts it in the place of the one before."""
        new = self.folder.directory.with_suffix(".new")
        new.write_bytes(self.signed_directory(version, signers=signers))
        new.replace(self.folder.directory)

    def signed_directory(self, version: Directory, *, signers: Sequence[str] = NODES) -> bytes:
        """A version, signed by authorities and put nowhere."""
        keys = [
            load_signing_key(self.folder.directory_key(name), name=directory_key_name(FEDERATION, name))
            for name in signers
        ]
        return sign_note(encode_directory(version), keys)

    def renew_certificate(self, name: str) -> str:
        """Gives a gateway a new key and certificate in the place of the old ones; returns the old one's fingerprint."""
        folder, identity = self.folder.node(name), GatewayIdentity(FEDERATION, name)
        old = inspect_certificate(folder.certificate.read_bytes()).fingerprint_sha256
        names, addresses = [f"{name}.{FEDERATION}", "localhost"], ["127.0.0.1"]
        new_key = folder.key.with_name("next.key")
        request = create_request(identity, key_path=new_key, dns_names=names, ip_addresses=addresses)
        authority = load_ca(folder.ca.read_bytes(), self.folder.ca_key(name))
        pem = authority.issue(
            request, identity=identity, dns_names=names, ip_addresses=addresses, now=datetime.now(UTC)
        )
        new_certificate = folder.certificate.with_name("next.pem")
        new_certificate.write_bytes(pem)
        new_key.replace(folder.key)
        new_certificate.replace(folder.certificate)
        return old

    async def converged(self, *pairs: tuple[str, str], within_s: float = PATIENCE_S) -> None:
        """Waits until both databases of each pair hold the same feed, entry by entry, under the same root and note, and
        the publisher has receipts for all of it.

        Without pairs: every feed between any two nodes.
        """
        wanted = pairs or tuple((a, b) for a in NODES for b in NODES if a != b)

        async def same() -> bool:
            for a, b in wanted:
                here, there = (self.nodes[name].feed(origin(a, b)) for name in (a, b))
                assert here.entries == there.entries, f"{a}/{b}: {here.size} entries at {a}, {there.size} at {b}"
                assert (here.root, here.checkpoint) == (there.root, there.checkpoint)
                assert here.receipted == here.size, f"{a}/{b}: receipts for {here.receipted} of {here.size} entries"
            return True

        await eventually(same, within_s=within_s, every_s=0.1, what="the same feeds on both sides")

    def _node(self, name: str, peer_port: int, local_port: int) -> NodeProcess:
        folder = self.folder.node(name)
        config = folder.path / "gateway.toml"
        node = NodeProcess(name, folder, config, peer_port, local_port)
        prepare_marks(node.data, federation=FEDERATION, node=name, made_at=self.now)
        config.touch(mode=0o600)
        settings = self._settings_of(node)
        config.write_text(settings, encoding="utf-8")
        if self.migrated and "database_url" not in settings:
            node.database.touch(mode=0o600)
            shutil.copyfile(migrated_file(), node.database)
        return node

    def _settings_of(self, node: NodeProcess) -> str:
        def text(value: object) -> str:
            return json.dumps(str(value) if isinstance(value, Path) else value)

        lines = [
            f"node = {text(node.name)}",
            f"federation = {text(FEDERATION)}",
            f"data_dir = {text(node.data)}",
            f'peer_bind = "127.0.0.1:{node.peer_port}"',
            f'local_bind = "127.0.0.1:{node.local_port}"',
            self.settings,
            self.settings_of(node.name),
            "[tls]",
            f"certificate = {text(node.folder.certificate)}",
            f"key = {text(node.folder.key)}",
            f"ca = {text(node.folder.ca)}",
            "[keys]",
            f"log = {text(node.folder.log_key)}",
            f"receipts = {text(node.folder.receipts_key)}",
            "[directory]",
            f"file = {text(self.folder.directory)}",
            f"anchors = {text(self.folder.anchor_vkeys)}",
            f"threshold = {self.folder.anchors.threshold}",
            "[systems]",
            *(f"{name} = {text(roles)}" for name, roles in self.systems.items()),
        ]
        for partner in NODES:
            if partner != node.name:
                link = {"endpoint": self._proxies[node.name, partner].endpoint}
                link |= self.links.get(node.name, {}).get(partner, {})  # type: ignore[arg-type]
                lines.append(f"[links.{partner}]")
                lines.extend(f"{key} = {text(value)}" for key, value in link.items())
        return "\n".join(lines) + "\n"


def feed(publisher: str, recipient: str) -> FeedOrigin:
    """An alerts feed's name, parsed."""
    return FeedOrigin.parse(origin(publisher, recipient))


def new_id() -> str:
    """A request id."""
    return str(uuid.uuid4())


FIRST_PORT, LAST_PORT, BLOCK = 10_000, 32_000, 500
"""Ports for tests: below those that the system takes for outgoing connections; so many for each process."""


@cache
def _own_ports() -> Iterator[int]:
    """A block of ports that no other process with tests uses: who listens on its first port has it, for its life."""
    for number in range((LAST_PORT - FIRST_PORT) // BLOCK):
        first = FIRST_PORT + (os.getpid() + number) % ((LAST_PORT - FIRST_PORT) // BLOCK) * BLOCK
        guard = socket.socket()
        try:
            guard.bind(("127.0.0.1", first))
        except OSError:
            guard.close()
            continue
        guard.listen()
        atexit.register(guard.close)
        return cycle(range(first + 1, first + BLOCK))
    raise AssertionError("all blocks of ports are taken")


def free_port() -> int:
    """A port that stays free for its node while the node is down."""
    for _ in range(BLOCK):
        port = next(_own_ports())
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def with_logs(root: Path, **options: Any) -> Iterator[Federation]:
    """A federation whose nodes' logs are printed at its end: pytest shows them for tests that fail."""
    with Federation(root / "federation", **options) as made:
        try:
            yield made
        finally:
            for node in made.nodes.values():
                if node.started:
                    print(f"--- log of {node.name}\n{node.log[-12_000:]}")
