"""Free texts of alerts, lists and shipments: each has a disclosure class, or stands here with the reason why not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from buf.validate import validate_pb2
from gateway.contract.disclosure_classes import class_of
from gateway.v1 import alert_pb2, history_pb2, shipment_pb2, watchlist_pb2

pytestmark = pytest.mark.drift

ROOTS = (
    alert_pb2.AlertEvent,
    watchlist_pb2.WatchlistEvent,
    shipment_pb2.Shipment,
    shipment_pb2.ShipmentAddition,
    history_pb2.HistoryRecord,
)
"""What goes from node to node about alerts, lists and shipments."""

OPERATIONAL = {
    "who, what and where of an exchange; of no use without it": {
        "AlertEvent.actor",
        "WatchlistEvent.actor",
        "Disposition.origin",
        "ErasedEntries.origin",
        "FindingReference.origin",
        "WatchlistReference.id",
        "WatchlistEntry.id",
        "WatchlistTombstone.id",
    },
    "words of the gateway itself, without values": {
        "DataQualityNotice.code",
        "DataQualityNotice.field",
        "DataQualityNotice.message",
        "DataQualityNotice.scheme",
        "Disposition.reason",
        "FieldViolation.field",
        "FieldViolation.message",
        "FieldViolation.rule",
        "NameMatch.because",
        "WithheldField.path",
        "WithheldField.reason",
    },
    "the grounds: a partner can't act without them": {
        "AlertContent.legal_basis",
        "AlertErased.legal_basis",
        "AlertContent.case_reference",
        "AlertAcknowledged.case_reference",
        "WatchlistContent.legal_basis",
        "Handling.caveat",
    },
    "the goods and their way, open by the contract": {
        "Address.city",
        "EvidenceDigest.media_type",
        "Equipment.e_lock",
        "Equipment.id",
        "Equipment.seals",
        "GoodsItem.description",
        "GoodsItem.form",
        "Licence.authority",
        "Licence.type",
        "MeasuredMass.equipment_id",
        "Packaging.type",
        "Place.customs_office",
        "Place.name",
        "ShipmentEvent.equipment_id",
        "ShipmentEvent.seal",
        "ShipmentEvent.source",
        "ShipmentGoods.description",
        "ShipmentGoods.form",
        "ShipmentGoods.substance",
        "TransportMeans.Identifier.value",
        "TransportMeans.journey",
        "TransportMeans.name",
    },
}
"""Texts that go wherever their message goes, and why."""


def free_texts(message: Descriptor, classes: frozenset[str], above: tuple[Descriptor, ...]) -> Iterator[str]:
    """Names of texts of any content for which no class was given on the way."""
    for field in message.fields:
        own = class_of(field)
        found = classes | {own} if own else classes
        if field.message_type is not None and field.message_type not in above:
            yield from free_texts(field.message_type, found, (*above, message))
        elif not found and field.type == FieldDescriptor.TYPE_STRING and not _is_bound(field):
            yield f"{message.full_name.removeprefix('gateway.v1.')}.{field.name}"


def _is_bound(field: FieldDescriptor) -> bool:
    """Whether a rule says which characters it may have."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    text = rules.repeated.items.string if rules.HasField("repeated") else rules.string
    return bool(text.pattern or text.WhichOneof("well_known") or getattr(text, "in"))


def test_every_free_text_has_a_disclosure_class_or_a_reason() -> None:
    open_texts = {name for root in ROOTS for name in free_texts(root.DESCRIPTOR, frozenset(), ())}
    listed = [name for names in OPERATIONAL.values() for name in names]
    assert len(listed) == len(set(listed))
    assert open_texts == set(listed)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (alert_pb2.AlertWithdrawn, "reason"),
        (alert_pb2.AlertFlagged, "explanation"),
        (alert_pb2.AlertClosed, "remarks"),
        (alert_pb2.EvidenceDigest, "description"),
    ],
)
def test_what_officers_write_is_investigative(message: type[alert_pb2.AlertClosed], field: str) -> None:
    assert class_of(message.DESCRIPTOR.fields_by_name[field]) == "INVESTIGATIVE"
