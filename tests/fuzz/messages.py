"""Targets: protobuf payloads that partners and systems send."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from gateway.alerts import codec as alerts
from gateway.contract import validation
from gateway.contract.identification.shipment_keys import key_sets, keys_of, keys_of_addition, names_of
from gateway.contract.ids import FeedOrigin
from gateway.contract.recogniser import recognised
from gateway.errors import GatewayError
from gateway.feed.codec import check_entry, make_entry, parse_header
from gateway.history.codec.key_tree_heads import KeyTreeHead, head_origin, unverified_head
from gateway.history.codec.shipments import merged
from gateway.history.codec.signed_texts import encode_query, parse_query, parse_record, parse_records, parse_statement
from gateway.history.service.completeness import verify_completeness
from gateway.trust.pki.keys import Ed25519Signer
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import (
    alert_pb2,
    alert_service_pb2,
    exchange_service_pb2,
    feed_pb2,
    history_pb2,
    history_service_pb2,
    screening_pb2,
    shipment_pb2,
    watchlist_pb2,
)
from gateway.watchlists.codec import events as lists
from tests.fuzz.target import target
from tests.support.hostile_messages import filled
from tests.support.key_trees import ProvingPartner
from tests.support.nodes import alert_content, listed_content
from tests.support.shipments import shipment

ORIGIN = FeedOrigin.parse("gba.customs.example/cn/hk/alerts")
NOW_MS = 1_770_000_000_000


def examples(kind: Descriptor, *sound: Message) -> Callable[[], Iterator[bytes]]:
    """Sound messages, and three with any values."""

    def seeds() -> Iterator[bytes]:
        yield from (message.SerializeToString(deterministic=True) for message in sound)
        for number in range(3):
            yield filled(kind, random.Random(number)).SerializeToString(deterministic=True)

    return seeds


ENTRY = make_entry("AlertEvent", b"payload", salt=bytes(32), recorded_at_ms=NOW_MS, follows=3)


@target(lambda: [ENTRY.header, ENTRY.header + b"\x98\x06\x01"], max_bytes=512)
def entry_header(data: bytes) -> None:
    """A header is written as it was read."""
    assert parse_header(data).SerializeToString(deterministic=True) == data


@target(lambda: [feed_pb2.Entry(header=ENTRY.header, salt=ENTRY.salt, payload=ENTRY.payload).SerializeToString()])
def entry(data: bytes) -> None:
    """An entry that passes is the one that its header commits to."""
    sent = _parsed(feed_pb2.Entry, data)
    checked = check_entry(sent)
    assert checked.leaf == sha256(b"\0" + sent.header).digest()
    if sent.payload or sent.salt:
        assert parse_header(sent.header).payload_digest == sha256(sent.salt + sent.payload).digest()


class _NotParsedError(GatewayError):
    """The bytes are no message: gRPC refuses them before a handler."""

    reason = "NOT_PARSED"


def _parsed(kind: type[Message], data: bytes) -> Message:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise _NotParsedError("no message") from error


def _alert_event() -> alert_pb2.AlertEvent:
    event = alert_pb2.AlertEvent(actor="risk-engine")
    event.occurred_at.FromMilliseconds(NOW_MS)
    event.published.id, event.published.revision = "0192f0c4-7b1e-7cc0-8000-000000000001", 1
    event.published.publisher, event.published.recipient = "cn", "hk"
    event.published.published_at.FromMilliseconds(NOW_MS)
    event.published.content.CopyFrom(alert_content(NOW_MS))
    return event


@target(examples(alert_pb2.AlertEvent.DESCRIPTOR, _alert_event()))
def alert_event(data: bytes) -> None:
    """An event is a step of this feed's nodes, or refused; so with times beyond the calendar."""
    event = alerts.parse_event(data)
    validation.violations(event)
    validation.impossible_times(event)
    if alerts.disposition_of(event) is None and event.WhichOneof("event"):
        validation.validate(event)
        step = alerts.step_of(event, ORIGIN)
        assert {step.key.publisher, step.key.recipient} == {"cn", "hk"}


def _list_event() -> watchlist_pb2.WatchlistEvent:
    event = watchlist_pb2.WatchlistEvent()
    event.occurred_at.FromMilliseconds(NOW_MS)
    entered = event.update.changes.add().entered
    entered.list, entered.id, entered.revision = "minerals", "A-1", 1
    entered.content.CopyFrom(listed_content())
    return event


@target(examples(watchlist_pb2.WatchlistEvent.DESCRIPTOR, _list_event()))
def list_event(data: bytes) -> None:
    """Changes have a key, whatever they hold."""
    event = lists.parse_event(data)
    validation.violations(event)
    for change in lists.parse_event(data).update.changes:
        assert lists.key_of(change)
        copy = lists.copy_for(change, "hk")
        assert set(copy.entered.content.releasable_to) <= {"hk"}
    lists.parse_decision(data)


def _query() -> history_pb2.HistoryQuery:
    query = history_pb2.HistoryQuery(asker="cn", answerer="hk", mode=history_pb2.ANSWER_MODE_RECORDS, limit=10)
    query.query_id = "0192f0c4-7b1e-7cc0-8000-000000000001"
    query.asked_at.FromMilliseconds(NOW_MS)
    query.grounds.purpose, query.grounds.legal_basis, query.grounds.case_reference = (
        "export_control",
        "Article 7",
        "C-1",
    )
    query.criteria.containers.append("CSQU3054383")
    query.criteria.commodity_codes.append("8110")
    return query


@target(examples(history_pb2.HistoryQuery.DESCRIPTOR, _query()))
def history_query(data: bytes) -> None:
    """A query that is answered is canonical and gives sets of keys."""
    query = parse_query(data)
    assert encode_query(query) == data
    key_sets(query.criteria)


STATEMENT = (
    b"gba.customs.example/hk/cn/history/0192f0c4-7b1e-7cc0-8000-000000000001\n2\n"
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nquery AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    b"as-of 9\nwithheld 0\ncomplete\nrecords\nanswered 1770000000000\n\n"
    b"\xe2\x80\x94 gba.customs.example/hk AAAAAAAAAAAAAAAAAAAA\n"
)


@target(lambda: [STATEMENT, STATEMENT.replace(b"complete", b"more-before 4").replace(b"records", b"no-hit")])
def answer_statement(data: bytes) -> None:
    """A statement is written as it was read."""
    statement = parse_statement(data)
    assert data.startswith(statement.checkpoint().body() + b"\n")
    assert statement.answered_at.year < 10_000
    assert statement.as_of_time is None or statement.as_of_time.year < 10_000


HEAD = KeyTreeHead("gba.customs.example", "hk", NOW_MS, bytes(32), b"\x02" * 33, NOW_MS).checkpoint().body()


@target(lambda: [HEAD + b"\n\xe2\x80\x94 gba.customs.example/hk/key-tree AAAAAAAAAAAAAAAAAAAA\n"])
def key_tree_head(data: bytes) -> None:
    """A head is written as it was read."""
    head = unverified_head(data, "gba.customs.example", "hk")
    assert data.startswith(head.checkpoint().body() + b"\n")
    assert head.until.year < 10_000


PROVER = Ed25519Signer(head_origin(FEDERATION, "hk"), Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def _proofs() -> Iterator[bytes]:
    partner = ProvingPartner(PROVER, {7: ["A", "B"], 8: ["A"]})
    for told in (["A"], ["B", "A"], []):
        yield partner.proof([7, 9], told, until_ms=NOW_MS).SerializeToString(deterministic=True)


@target(_proofs)
def completeness_proof(data: bytes) -> None:
    """What is proven of a list is what its owner has: two records under one number, and none under the other."""
    proof = _parsed(exchange_service_pb2.CompletenessProof, data)
    query = history_pb2.HistoryQuery(federation=FEDERATION, answerer="hk")
    proven = verify_completeness(
        proof, query, keys=[7, 9], record_ids=["A", "B"], log_keys=[PROVER.public_key], now_ms=NOW_MS
    )
    if proven is not None:
        assert [len(key.records) for key in proof.keys] == [2, 0]


@target(examples(history_pb2.HistoryRecord.DESCRIPTOR))
def history_record(data: bytes) -> None:
    """A record of an answer has keys and names."""
    parse_records(data)
    record = parse_record(data)
    validation.impossible_times(record)
    assert isinstance(keys_of(record.shipment), set)
    assert isinstance(names_of(record.shipment), set)


@target(examples(history_service_pb2.RecordItem.DESCRIPTOR, history_service_pb2.RecordItem(shipment=shipment())))
def shipment_item(data: bytes) -> None:
    """A shipment keeps the rules or is refused; then it has keys, and additions merge once."""
    item = _parsed(history_service_pb2.RecordItem, data)
    validation.validate(item)
    keys_of_addition(item.addition)
    made = shipment_pb2.Shipment()
    made.CopyFrom(item.shipment)
    merged(made, [item.addition, item.addition])
    once = shipment_pb2.Shipment()
    once.CopyFrom(item.shipment)
    merged(once, [item.addition])
    assert made == once
    assert isinstance(keys_of(made), set)


REQUESTS: Sequence[type[Message]] = (
    alert_service_pb2.PublishAlertRequest,
    alert_pb2.AlertEvent,
    watchlist_pb2.WatchlistEvent,
    history_service_pb2.RecordItem,
    history_service_pb2.SearchShipmentsRequest,
    history_pb2.HistoryQuery,
    screening_pb2.ScreeningSubject,
)


def _chosen() -> Iterator[bytes]:
    for number, kind in enumerate(REQUESTS):
        for seed in range(2):
            yield bytes([number]) + filled(kind.DESCRIPTOR, random.Random(seed)).SerializeToString()
    yield b"\x00" + alert_service_pb2.PublishAlertRequest(content=alert_content(NOW_MS)).SerializeToString()
    yield b"\x02" + _list_event().SerializeToString()
    yield b"\x03" + history_service_pb2.RecordItem(shipment=shipment()).SerializeToString()


@target(_chosen)
def recogniser(data: bytes) -> None:
    """What the short way recognises breaks no rule by protovalidate; the first byte chooses the message."""
    message = _parsed(REQUESTS[data[0] % len(REQUESTS)] if data else REQUESTS[0], data[1:])
    if recognised(message):
        assert not list(validation._validator().collect_violations(message))
        for rule in validation._own_rules(message.DESCRIPTOR):
            assert not rule(message)
    else:
        validation.violations(message)
