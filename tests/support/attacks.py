"""The attacks of bench/attacks, small, against a node of a test's federation."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Thread

import psutil

from bench.attacks.attack import KeyPair, Tally, Target
from bench.attacks.registry import ATTACKS
from gateway.contract.ids import SystemIdentity, server_name
from gateway.trust.pki.issuance import create_request, load_ca
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.federation import Federation

OUTSIDER = "outsider"
"""A system with a certificate that no settings name."""


def target(federation: Federation, node: str, *, partner: str = "hk", system: str = "officer") -> Target:
    """A node, with a partner's certificate, an own system's and an outsider's in the attacker's hands."""
    folder, gateway = federation.folder.node(node), federation.folder.node(partner)
    key, certificate = folder.system_key(OUTSIDER), folder.system_certificate(OUTSIDER)
    if not certificate.exists():
        identity = SystemIdentity(FEDERATION, node, OUTSIDER)
        authority = load_ca(folder.ca.read_bytes(), federation.folder.ca_key(node))
        request = create_request(identity, key_path=key)
        certificate.write_bytes(authority.issue(request, identity=identity, now=datetime.now(UTC)))
    return Target(
        node=node,
        server_name=server_name(FEDERATION, node),
        peer_port=federation[node].peer_port,
        local_port=federation[node].local_port,
        ca=folder.ca,
        partner=KeyPair(gateway.certificate, gateway.key),
        system=KeyPair(folder.system_certificate(system), folder.system_key(system)),
        outsider=KeyPair(certificate, key),
    )


@contextmanager
def under_attack(name: str, attacked: Target) -> Iterator[Tally]:
    """Attacks a node while the block runs, in a thread and event loop apart; yields what the attack has done so far."""
    attack, tally = ATTACKS[name], Counter[str]()
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()

    async def run() -> None:
        task = asyncio.ensure_future(attack.run(attacked, attack.small, tally))
        begun.set_result((asyncio.get_running_loop(), task))
        await asyncio.gather(task, return_exceptions=True)

    thread = Thread(target=lambda: asyncio.run(run()), name=f"attack {name}")
    thread.start()
    loop, task = begun.result()
    try:
        yield tally
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


class MemoryGrowth:
    """How much a process has grown since this was made, in MB (10⁶ bytes)."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._before = self._mb()

    def now(self) -> float:
        return self._mb() - self._before

    def _mb(self) -> float:
        return float(self._process.memory_info().rss) / 1e6
