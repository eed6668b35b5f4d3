"""What an attack is, what it is given, and what it counts."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from bench.nodes import NodeProcess

HOST = "127.0.0.1"

Tally: TypeAlias = "Counter[str]"
"""What an attack did, by what: shows that it took place, and that attack and control did alike."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Somebody's certificate and key, PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A node, and the certificates that an attacker holds.

    Attributes:
        server_name: the node's name in its certificate.
        ca: CA of the node, PEM.
        partner: of a partner's gateway, for the peer port.
        system: of an own system of the node with all roles, for the local port.
        outsider: of an own system that TLS accepts and the settings don't name.
        source: address that the attacker connects from; empty: any.
        partner_name, partner_log_key: of the partner's gateway, where an attacker signs questions.
    """

    node: str
    server_name: str
    peer_port: int
    local_port: int
    ca: Path
    partner: KeyPair
    system: KeyPair
    outsider: KeyPair
    source: str = ""
    partner_name: str = ""
    partner_log_key: Path = Path()

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Target:
        values = json.loads(text)
        pairs = {
            name: KeyPair(Path(values[name]["certificate"]), Path(values[name]["key"]))
            for name in ("partner", "system", "outsider")
        }
        paths = {name: Path(values[name]) for name in ("ca", "partner_log_key")}
        return cls(**{**values, **pairs, **paths})


async def at_once(size: int, work: Callable[[], Awaitable[None]]) -> None:
    """Does something again and again, `size` at once, until cancelled."""

    async def again() -> None:
        while True:
            await work()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(size):
            tasks.create_task(again())


Stock: TypeAlias = Callable[[NodeProcess], Awaitable[None]]
"""Fills a running node."""

Run: TypeAlias = Callable[[Target, int, Tally], Awaitable[None]]
"""Attacks a node with this size until cancelled, and counts what it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One way to stop or starve a node.

    Attributes:
        name: as on the command line.
        summary: what the attacker does, in a few words.
        run: the attack.
        size: how much of it at full size, in the unit that `run` says.
        small: how much in a test of a few seconds.
        memory_mb: how much the node may grow by, in MB (10⁶ bytes).
        stock: what the nodes hold for it beside alerts.
    """

    name: str
    summary: str
    run: Run
    size: int
    small: int
    memory_mb: float = 200.0
    stock: Stock | None = None
