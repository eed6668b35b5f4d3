"""Nodes without a network: real keys, directory, database, writer and projector; batches are handed over by the test.

What is checked and stored is the product's own code.
"""

from __future__ import annotations

import atexit
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from gateway.alerts.commands.placing import PublishCommand
from gateway.alerts.commands.publishing import Publisher
from gateway.alerts.commands.step_requests import StepRequest
from gateway.alerts.commands.steps import StepCommand
from gateway.alerts.service import AlertQueries
from gateway.contract.ids import BETWEEN_NODES, URGENT_ALERTS, Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.db.database import Database
from gateway.feed.projection.projector import Projector
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.continuity.own_history import OwnHistory
from gateway.feed.service.quotas import Quotas
from gateway.feed.service.receiver import Receiver
from gateway.feed.service.sender import Outgoing
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.service.writing.writer import Writer
from gateway.node.projections import registry
from gateway.trust.pki.keys import Ed25519Signer, load_signing_key
from gateway.trust.rules.directory import receipts_key_name
from gateway.trust.service.agreement_terms import TRIAL_TERMS
from gateway.trust.service.audit_queue import AuditQueue
from gateway.trust.service.directory_versions import TrustedDirectory, accept
from gateway.trust.service.trial_federation import FEDERATION, FederationFolder, MemberSpec, create_federation
from gateway.v1 import alert_pb2, alert_service_pb2, watchlist_pb2
from gateway.watchlists.commands.expiry import ListExpiry
from gateway.watchlists.commands.proposals import Lists
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.service.queries import ListQueries

START = datetime(2026, 1, 15, 0, 0, tzinfo=UTC)
DAY_MS = 24 * 3600 * 1000
NODES = ("cn", "hk", "mo")


@dataclass
class ManualClock:
    """Milliseconds since 1970 that only a test moves; every reading is one later, so that order shows."""

    now: int = int(START.timestamp() * 1000)

    def __call__(self) -> int:
        self.now += 1
        return self.now

    def forward(self, ms: int) -> None:
        self.now += ms


@dataclass(frozen=True)
class NodeSigners:
    """A node's log key under the name of each feed."""

    key: Ed25519Signer

    def for_feed(self, origin: FeedOrigin) -> Ed25519Signer:
        return self.key.named(origin.line)


@dataclass
class _CatchUp:
    """Projects everything that is committed, and answers it."""

    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        tx.catch_up()
        tx.answer()
        tx.catch_up()


@dataclass
class PaperNode:
    """One node: what `gateway serve` assembles, less ports and links."""

    name: str
    database: Database
    trust: TrustedDirectory
    clock: ManualClock
    signers: NodeSigners
    cosigner: Ed25519Signer
    evidence_root: Path
    audit: AuditQueue = field(default_factory=AuditQueue)
    quotas: Quotas = field(default_factory=Quotas)
    policies: dict[str, ListPolicy] = field(default_factory=dict)
    warn_before_ms: dict[str, int] = field(default_factory=dict)
    history: OwnHistory | None = None

    def __post_init__(self) -> None:
        self.projector = Projector(
            registry(federation=FEDERATION, node=self.name, directory=lambda: self.trust.directory)
        )
        self.publisher = Publisher(
            federation=FEDERATION, node=self.name, directory=lambda: self.trust.directory, clock=self.clock
        )
        self.writer = Writer(
            self.database,
            own_node=self.name,
            signers=self.signers,
            clock=self.clock,
            audit_queue=self.audit,
            projector=self.projector,
            history=self.history,
        )
        self.receiver = Receiver(
            federation=FEDERATION,
            node=self.name,
            trust=lambda: self.trust,
            cosigner=lambda: self.cosigner,
            evidence_root=self.evidence_root,
            alarms=Alarms(self.clock),
            quotas=self.quotas,
        )
        self.outgoing = Outgoing(self.database, writer=self.writer, trust=lambda: self.trust, clock=self.clock)

        self.queries = AlertQueries(self.database, clock=self.clock, sent_size=lambda _: 0, former=self.former_partners)
        self.lists = Lists(
            federation=FEDERATION,
            node=self.name,
            directory=lambda: self.trust.directory,
            clock=self.clock,
            policies=self.policies.get,
        )
        self.expiry = ListExpiry(self.name, self.clock, self.warn_before_ms)
        self.list_queries = ListQueries(
            self.database,
            federation=FEDERATION,
            node=self.name,
            directory=lambda: self.trust.directory,
            expiry=self.expiry,
            clock=self.clock,
        )

    def former_partners(self) -> frozenset[str]:
        return self.trust.directory.former_partners(self.name)

    def settle(self) -> None:
        """Projects everything; afterwards projections are up to date."""
        self.writer.run(_CatchUp())

    def origin(self, recipient: str) -> FeedOrigin:
        return self.publisher.origin(recipient)

    def publish(self, *recipients: str, request_id: str = "", **content: Any) -> str:
        """Publishes an alert; returns its id."""
        request = alert_service_pb2.PublishAlertRequest(
            request_id=request_id or str(uuid.uuid4()),
            recipients=recipients,
            content=alert_content(self.clock.now, **content),
        )
        prepared = self.publisher.prepare(request, "risk-engine")
        (result,) = self.writer.run(PublishCommand([prepared], principal=f"system/{self.name}/risk-engine"))
        if isinstance(result, Exception):
            raise result
        return str(result.alert_id)

    def step(self, publisher: str, alert_id: str, *, recipient: str = "", read: int = 0, **event: Message) -> None:
        """Takes a step on an alert, e.g. `step("cn", id, acknowledged=AlertAcknowledged(revision=1))`.

        `read`: the revision that was read, for an answer.
        """
        ((name, body),) = event.items()
        if isinstance(body, alert_pb2.Alert):
            body.id, body.publisher = alert_id, self.name
        else:
            body.alert.CopyFrom(alert_pb2.AlertReference(publisher=publisher, alert_id=alert_id))  # type: ignore[attr-defined]
        request = StepRequest(
            request_id=str(uuid.uuid4()),
            message=body,
            publisher=publisher,
            alert_id=alert_id,
            recipient=recipient,
            event=alert_pb2.AlertEvent(**{name: body}),
            response=alert_service_pb2.AcknowledgeAlertResponse(),
            revision=read,
        )
        self.writer.run(
            StepCommand(
                request,
                publisher=self.publisher,
                principal=f"system/{self.name}/desk",
                actor="desk",
            )
        )

    def amend(self, alert_id: str, revision: int, **content: Any) -> None:
        """Publishes revision `revision` of an own alert."""
        self.step(
            self.name,
            alert_id,
            amended=alert_pb2.Alert(revision=revision, content=alert_content(self.clock.now, **content)),
        )


def feed_of(publisher: str, recipient: str) -> FeedOrigin:
    """A feed of alerts."""
    return FeedOrigin(FEDERATION, publisher, recipient, Channel.ALERTS)


def deliver(
    sender: PaperNode, recipient: PaperNode, *, receipts: bool = True, channel: Channel = Channel.ALERTS
) -> int:
    """Hands over what the recipient doesn't have yet, and its receipts back; returns how many entries."""
    origin = FeedOrigin(FEDERATION, sender.name, recipient.name, channel)
    if channel is not Channel.ALERTS and sender.outgoing.feed(origin) is None:
        return 0
    feed = sender.outgoing.agree_on_position(origin, recipient.outgoing.position(origin))
    first = start = recipient.outgoing.size(origin)
    while batch := sender.outgoing.read_batch(feed, first):
        receipt = recipient.writer.run(recipient.receiver.open_batch(sender.name, batch))
        if receipts:
            sender.writer.run(sender.outgoing.verify_receipt(origin, receipt))
        first = receipt.size
    return first - start


def exchange(*nodes: PaperNode) -> None:
    """Lets all nodes exchange and project until nothing is left to say."""
    feeds = [(a, b, channel) for a in nodes for b in nodes if a is not b for channel in BETWEEN_NODES]
    agreed = False
    moved = True
    while moved:
        for node in nodes:
            node.settle()
        # Once all have agreed on their positions, only feeds with something new are looked at.
        grown = [feed for feed in feeds if not agreed or _has_more(*feed)]
        moved = sum(deliver(a, b, channel=channel) for a, b, channel in grown) > 0
        agreed = True


def _has_more(sender: PaperNode, recipient: PaperNode, channel: Channel) -> bool:
    origin = FeedOrigin(FEDERATION, sender.name, recipient.name, channel)
    return sender.outgoing.size(origin) > recipient.outgoing.size(origin)


def open_urgent(*nodes: PaperNode) -> None:
    """Lets all nodes open the feeds for urgent alerts, as links do between gateways that know them."""
    for sender, recipient in ((a, b) for a in nodes for b in nodes if a.name != b.name):
        for channel in URGENT_ALERTS:
            origin = FeedOrigin(FEDERATION, sender.name, recipient.name, channel)
            sender.outgoing.agree_on_position(origin, recipient.outgoing.position(origin))


@contextmanager
def paper_nodes(
    folder: Path,
    make_database: Callable[[], Database],
    names: Sequence[str] = ("cn", "hk"),
    *,
    members: Sequence[str] = NODES,
) -> Iterator[list[PaperNode]]:
    """Running nodes under one clock; `folder/federation` is the federation of the process, only to be read."""
    (folder / "federation").symlink_to(federation(tuple(members)).path)
    clock = ManualClock()
    nodes = [_node(name, make_database(), clock, folder, tuple(members)) for name in names]
    for node in nodes:
        node.writer.start()
    try:
        yield nodes
    finally:
        for node in nodes:
            node.writer.stop()
            node.database.close()


@cache
def federation(members: tuple[str, ...] = NODES) -> FederationFolder:
    """A federation for all nodes of a test process: making keys and certificates takes longer than a test."""
    return _federation(members)


@cache
def _federation(members: tuple[str, ...]) -> FederationFolder:
    folder = tempfile.TemporaryDirectory(prefix="gateway-federation-")
    atexit.register(folder.cleanup)
    return create_federation(
        Path(folder.name) / "federation", [MemberSpec(name) for name in members], now=START, terms=TRIAL_TERMS
    )


def trusted(members: tuple[str, ...] = NODES) -> TrustedDirectory:
    """Its directory, one that a test may change."""
    return copy(_accepted(members))


@cache
def _accepted(members: tuple[str, ...]) -> TrustedDirectory:
    made = federation(members)
    return accept(made.directory.read_bytes(), now=START, anchors=made.anchors)


@cache
def signer(path: Path, name: str) -> Ed25519Signer:
    """A key of it."""
    return load_signing_key(path, name=name)


def _node(name: str, database: Database, clock: ManualClock, folder: Path, members: tuple[str, ...]) -> PaperNode:
    keys = federation(members).node(name)
    return PaperNode(
        name=name,
        database=database,
        trust=trusted(members),
        clock=clock,
        signers=NodeSigners(signer(keys.log_key, f"{FEDERATION}/{name}/log")),
        cosigner=signer(keys.receipts_key, receipts_key_name(FEDERATION, name)),
        evidence_root=folder / name / "evidence",
    )


def alert_content(now_ms: int, **overrides: Any) -> alert_pb2.AlertContent:
    """A small valid alert."""
    content = alert_pb2.AlertContent(
        priority=alert_pb2.PRIORITY_A,
        typologies=["false_declaration"],
        requested_action=alert_pb2.REQUESTED_ACTION_INSPECT,
        legal_basis="Arrangement 2024, article 7",
        purpose="export_control",
        case_reference="CASE-2026-0001",
        handling=alert_pb2.Handling(
            classification=alert_pb2.CLASSIFICATION_RESTRICTED,
            onward_transfer=alert_pb2.ONWARD_TRANSFER_PROHIBITED,
        ),
        valid_until=to_timestamp(now_ms + 30 * DAY_MS),
        narratives=[alert_pb2.Narrative(language="en", text="Antimony ingots declared as lead.")],
    )
    content.subject.equipment.add(id="CSQU3054383")
    content.MergeFrom(alert_pb2.AlertContent(**overrides))
    return content


def listed_content(name: str = "Placeholder Metals Limited", **overrides: Any) -> watchlist_pb2.WatchlistContent:
    """A small valid entry of a watchlist, for hk alone unless told otherwise."""
    content = watchlist_pb2.WatchlistContent(
        kind=watchlist_pb2.WATCHLIST_KIND_ORGANISATION,
        names=[watchlist_pb2.ListedName(text=name, kind=watchlist_pb2.LISTED_NAME_KIND_PRIMARY)],
        reason="Exported antimony as lead twice.",
        legal_basis="Export Control Law, article 20",
        purpose="export_control",
        requested_action=alert_pb2.REQUESTED_ACTION_INSPECT,
        handling=alert_pb2.Handling(
            classification=alert_pb2.CLASSIFICATION_RESTRICTED,
            onward_transfer=alert_pb2.ONWARD_TRANSFER_PROHIBITED,
        ),
        releasable_to=["hk"],
    )
    for field_name, value in overrides.items():
        content.ClearField(field_name)  # type: ignore[arg-type]
        content.MergeFrom(watchlist_pb2.WatchlistContent(**{field_name: value}))
    return content
