"""Checks live that a partner's gateway refuses what it must, and that nothing of the tries stays there.

1. A positive try: with this node's certificate it serves. Otherwise a refusal would prove nothing.
2. Old TLS; no certificate; a certificate of this node's name by a CA that the directory doesn't name.
3. The right certificate at the wrong place: a method for the partner's own systems; the partner's own feed.
4. The right certificate with a wrong signature: a query signed with a key that isn't this node's.
5. A replay: the first batch of an own feed, once more.

The partner's audit log records the refusals. Nothing else changes there: nothing is published, asked or stored.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.contract.ids import URGENT_ALERTS, UUID7_RANDOM_BYTES, Channel, FeedOrigin, GatewayIdentity, uuid7
from gateway.contract.messages import to_timestamp
from gateway.errors import ConfigurationError, DirectoryError
from gateway.feed.service.writing.commands import random_bytes
from gateway.history.codec.signed_texts import encode_query, query_digest, question_origin, question_text
from gateway.node.checks.findings import Finding, Result
from gateway.node.checks.ports import dialled
from gateway.node.settings import LinkSettings, Settings
from gateway.rpc.listener.refusal_probe import (
    NOTHING_HELD,
    PartnerPort,
    Try,
    TryResult,
    health,
    method_of_own_systems,
    query,
    replay_of,
    stream_of,
)
from gateway.rpc.listener.tls_probe import probe_tls_versions
from gateway.tlog.note import sign_note
from gateway.tls.credentials import TlsMaterial
from gateway.trust.pki.issuance import create_ca, create_request
from gateway.trust.pki.keys import Ed25519Signer
from gateway.trust.rules.directory import Directory
from gateway.trust.service.partner_anchors import usable_cas
from gateway.v1 import history_pb2

_GAP = "Tell the partner's operators at once: their gateway takes what it must refuse."
_AGAIN = "Try again; if it stays, look at the link in `gateway status`."


@dataclass(frozen=True, slots=True)
class PartnerRefusals:
    """Tries to be refused by one partner.

    Attributes:
        node, partner: names of this node and the partner's.
        address: host and port of `port`, for TLS versions.
        material: this node's certificate and key.
    """

    federation: str
    node: str
    partner: str
    port: PartnerPort
    address: tuple[str, int]
    material: TlsMaterial
    clock: Callable[[], datetime]

    async def run(self) -> AsyncIterator[Finding]:
        """Yields a finding for each try, in the order above."""
        served = await self._with_own(health)
        if served.refused is not False:
            detail = f"{self.port.endpoint} doesn't serve this node ({served.detail}): a refusal would prove nothing"
            yield Finding("Serves this node", Result.FAIL, detail, "Run `gateway doctor` without --partner first.")
            return
        yield Finding("Serves this node", Result.OK, f"{self.port.endpoint} accepts this node's certificate")
        tries: tuple[tuple[str, Callable[[], Awaitable[TryResult]]], ...] = (
            ("Old TLS", self._old_tls),
            ("No certificate", lambda: self.port.attempt(health, key_pem=None, certificate_pem=None)),
            ("Wrong CA", self._wrong_ca),
            ("Wrong role", lambda: self._with_own(method_of_own_systems)),
            ("Wrong publisher", lambda: self._with_own(stream_of(self._feed(self.partner, self.node)))),
            ("Wrong signer", lambda: self._with_own(self._wrongly_signed())),
            ("Replay", self._replay),
        )
        for name, attempt in tries:
            yield _finding(name, await attempt())

    async def _with_own(self, what: Try) -> TryResult:
        own = self.material
        return await self.port.attempt(what, key_pem=own.key_pem, certificate_pem=own.certificate_pem)

    def _feed(self, publisher: str, recipient: str, channel: Channel = Channel.ALERTS) -> str:
        return FeedOrigin(self.federation, publisher, recipient, channel).line

    async def _old_tls(self) -> TryResult:
        accepted = (await asyncio.to_thread(probe_tls_versions, *self.address)).tls12
        return TryResult(not accepted, "TLS 1.2 is accepted" if accepted else "TLS 1.2")

    async def _wrong_ca(self) -> TryResult:
        key, certificate = await asyncio.to_thread(self._foreign_certificate)
        return await self.port.attempt(health, key_pem=key, certificate_pem=certificate)

    def _foreign_certificate(self) -> tuple[bytes, bytes]:
        """Key and certificate, right in everything but the CA, which lives for this try alone."""
        identity, now = GatewayIdentity(self.federation, self.node), self.clock()
        with tempfile.TemporaryDirectory() as folder:
            ca_key, key = Path(folder) / "ca.key", Path(folder) / "gateway.key"
            authority = create_ca(node=self.node, federation=self.federation, key_path=ca_key, now=now)
            request = create_request(identity, key_path=key)
            return key.read_bytes(), authority.issue(request, identity=identity, now=now)

    def _wrongly_signed(self) -> Try:
        """A query that an agreement might allow, signed with a key that lives for this try alone."""
        now_ms = round(self.clock().timestamp() * 1000)
        asked = history_pb2.HistoryQuery(
            query_id=uuid7(now_ms, random_bytes(UUID7_RANDOM_BYTES)),
            federation=self.federation,
            asker=self.node,
            answerer=self.partner,
            asked_at=to_timestamp(now_ms),
            grounds=history_pb2.QueryGrounds(
                purpose="export_control", legal_basis="check of refusals", case_reference="gateway doctor"
            ),
            criteria=history_pb2.SearchCriteria(containers=["CSQU3054383"]),
            mode=history_pb2.ANSWER_MODE_HIT,
        )
        data = encode_query(asked)
        origin = question_origin(self.federation, self.node, self.partner)
        signer = Ed25519Signer(origin, Ed25519PrivateKey.generate())
        return query(data, sign_note(question_text(origin, asked.query_id, query_digest(data)), [signer]))

    async def _replay(self) -> TryResult:
        """Of the first feed to the partner in which it holds anything."""
        result = TryResult(None, NOTHING_HELD)
        for channel in (*URGENT_ALERTS, Channel.ALERTS, Channel.WATCHLIST):
            result = await self._with_own(replay_of(self._feed(self.node, self.partner, channel)))
            if result.detail != NOTHING_HELD:
                break
        return result


def refusals_of(
    settings: Settings, directory: Directory, partner: str, *, material: TlsMaterial, clock: Callable[[], datetime]
) -> PartnerRefusals:
    """Tries at a partner's endpoint, by the settings or the directory.

    Raises:
        ConfigurationError: the directory names no such partner.
        DirectoryError: nobody says where it is.
    """
    if partner == settings.node or partner not in directory.nodes:
        others = ", ".join(sorted(directory.nodes.keys() - {settings.node}))
        raise ConfigurationError(f"--partner: the directory names no partner {partner!r}; it names {others}")
    endpoint = endpoint_of(settings, directory, partner)
    server_name = directory.node(partner).tls_server_name
    return PartnerRefusals(
        federation=settings.federation,
        node=settings.node,
        partner=partner,
        port=PartnerPort(endpoint, server_name, "".join(usable_cas(directory, partner)).encode()),
        address=dialled(endpoint),
        material=material,
        clock=clock,
    )


def endpoint_of(settings: Settings, directory: Directory, partner: str) -> str:
    """Where a partner is reached; raises DirectoryError if nobody says it."""
    how = settings.links.get(partner, LinkSettings())
    endpoint = how.endpoint or next(iter(directory.node(partner).endpoints), "")
    if not endpoint:
        raise DirectoryError(f"the directory gives no endpoint of {partner}, and the settings have none")
    return endpoint


def _finding(name: str, result: TryResult) -> Finding:
    if result.refused:
        return Finding(name, Result.OK, f"refused: {result.detail}")
    if result.refused is None:
        return Finding(name, Result.UNKNOWN, result.detail, _AGAIN)
    return Finding(name, Result.FAIL, f"not refused: {result.detail}", _GAP)
