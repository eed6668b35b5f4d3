"""Checks items and appends them to the log of records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from google.protobuf.message import Message

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.limits import MAX_PAYLOAD_BYTES, SALT_BYTES
from gateway.contract.messages import RecordedItem
from gateway.errors import InvalidRequestError, Violation
from gateway.feed.service.writing.commands import new_entry, random_bytes
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.codec import shipments as wire
from gateway.history.rules.releases import unknown_members
from gateway.history.tables import releases, shipments
from gateway.history.tables.releases import ReleaseRow, list_text
from gateway.history.tables.shipments import LogRow
from gateway.v1 import history_service_pb2, record_log_pb2

_Pb = history_service_pb2


class ValidItem(NamedTuple):
    """An item to record; `digest` is SHA-256(salt ‖ content)."""

    record_id: str
    kind: int
    salt: bytes
    content: bytes
    digest: bytes
    releasable_to: tuple[str, ...] | None = None


def records_feed(federation: str, node: str) -> FeedOrigin:
    """The node's log of records."""
    return FeedOrigin(federation, node, node, Channel.RECORDS)


def check(
    request: _Pb.RecordShipmentsRequest, members: Collection[str] = (), *, retention_classes: Callable[[str], bool]
) -> tuple[list[ValidItem], list[_Pb.RefusedItem]]:
    """Splits items into valid and refused ones; `members` of the federation are those that a release list may name."""
    good: list[ValidItem] = []
    refused: list[_Pb.RefusedItem] = []
    salts = random_bytes(SALT_BYTES * len(request.items))
    for at, item in enumerate(request.items):
        carried = wire.item_of(item)
        violations = wire.faults_of(item) or _further_faults(item, members, retention_classes)
        content = carried.SerializeToString(deterministic=True)
        if not violations and len(content) > MAX_PAYLOAD_BYTES:
            violations = [
                Violation("", "size", f"the record has {len(content)} bytes; at most {MAX_PAYLOAD_BYTES} are kept")
            ]
        if violations:
            refused.append(_refused(at, carried.record_id, violations))
            continue
        salt = salts[at * SALT_BYTES : (at + 1) * SALT_BYTES]
        good.append(_checked(carried, content, salt))
    return good, refused


def checked(item: RecordedItem) -> ValidItem:
    """A valid item made by this gateway."""
    return _checked(item, item.SerializeToString(deterministic=True), random_bytes(SALT_BYTES))


def _checked(item: RecordedItem, content: bytes, salt: bytes) -> ValidItem:
    return ValidItem(
        item.record_id, wire.kind_of(item), salt, content, wire.salted_digest(salt, content), wire.release_list(item)
    )


def _further_faults(
    item: _Pb.RecordItem, members: Collection[str], retention_classes: Callable[[str], bool]
) -> list[Violation]:
    if item.WhichOneof("item") == "addition":
        return []
    shipment = item.shipment
    violations = unknown_members(shipment, members)
    if shipment.retention_class and not retention_classes(shipment.retention_class):
        violations.append(
            Violation(
                "shipment.retention_class",
                "retention_class.known",
                f"this node has no retention class {shipment.retention_class!r}; leave it empty for the default",
            )
        )
    return violations


def _refused(at: int, record_id: str, violations: Sequence[Violation]) -> _Pb.RefusedItem:
    error = InvalidRequestError(violations)
    refused = _Pb.RefusedItem(index=at, record_id=record_id[:64])
    refused.error.reason, refused.error.message = error.reason, error.message
    for v in violations[:50]:
        refused.error.violations.add(field=v.field[:512], rule=v.rule[:256], message=v.message[:1024])
    return refused


@dataclass(frozen=True, slots=True)
class RecordCommand:
    """Appends items to the log; returns the last position.

    One transaction writes items and their digests: a crash leaves both or none.
    """

    origin: FeedOrigin
    items: Sequence[ValidItem]
    actor: str

    @property
    def weight(self) -> int:
        return len(self.items)

    def execute(self, tx: Transaction) -> int:
        tx.require_extensible(self.origin)
        first = shipments.last_position(tx.conn) + 1
        rows = [
            LogRow(first + at, item.record_id, item.kind, tx.now_ms, self.actor, item.salt, item.content)
            for at, item in enumerate(self.items)
        ]
        shipments.append(tx.conn, rows)
        lists = [
            ReleaseRow(item.record_id, first + at, list_text(item.releasable_to))
            for at, item in enumerate(self.items)
            if item.releasable_to is not None
        ]
        releases.add(tx.conn, lists)  # with the log: narrowed at once, and before its index
        digests = b"".join(item.digest for item in self.items)
        append_event(tx, self.origin, added=record_log_pb2.RecordsAdded(first_position=first, digests=digests))
        return rows[-1].position


def append_event(tx: Transaction, origin: FeedOrigin, **event: Message) -> None:
    """Appends an event to the log."""
    message = record_log_pb2.RecordLogEvent(**event)  # type: ignore[arg-type]  # one of the oneof's messages
    tx.append(origin, new_entry(wire.LOG_TYPE, message, now_ms=tx.now_ms), urgent=False)
