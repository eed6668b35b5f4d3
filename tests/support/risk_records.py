"""Records and traces for tests of risk rules: plain ones with nothing wrong, to be changed where a test wants it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2, trace_pb2

EXPORT = shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
IMPORT = shipment_pb2.SHIPMENT_PROCEDURE_IMPORT
REEXPORT = shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT
UCR = goods_pb2.SHIPMENT_REFERENCE_KIND_UCR
DECLARATION = goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION
PREVIOUS = goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT
DOCUMENT = goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT
LICENCE = goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE

ALUMINIUM = "760110"
ANTIMONY = "8110101000"
"""Ten digits of the mainland's tariff; under control since 2024-09-15."""

CONTAINER = "MSKU0000006"


def at(text: str) -> Timestamp:
    """A moment from `2025-06-01` or `2025-06-01T08:00`, in UTC."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime.fromisoformat(text).replace(tzinfo=UTC))
    return stamp


def item(code: str = ALUMINIUM, **fields: Any) -> shipment_pb2.ShipmentGoods:
    """A goods item; `volume_m3` is that of its packages."""
    volume = fields.pop("volume_m3", None)
    goods = shipment_pb2.ShipmentGoods(
        **{"sequence": 1, "description": "aluminium ingots", "net_mass_kg": 1000.0, **fields}
    )
    tariff = len(code) > 6
    goods.codes.add(code=code, scheme="tariff" if tariff else "hs", territory="CN" if tariff else "")
    if volume is not None:
        goods.packages.add(type="PX", count=1, volume_m3=volume)
    return goods


def shipment(*goods: shipment_pb2.ShipmentGoods, **fields: Any) -> shipment_pb2.Shipment:
    """A record: an export from the mainland to Hong Kong on 2025-06-01, unless said otherwise; `day` is its day."""
    made = shipment_pb2.Shipment(
        **{
            "record_id": "R1",
            "procedure": EXPORT,
            "utc_offset_minutes": 480,
            "export_territory": "CN",
            "destination_territory": "HK",
            **{name: value for name, value in fields.items() if name != "day"},
        }
    )
    made.declared_at.CopyFrom(at(fields.get("day", "2025-06-01")))
    made.goods.extend(goods or [item()])
    return made


def refer(record: shipment_pb2.Shipment, kind: goods_pb2.ShipmentReferenceKind.ValueType, value: str) -> None:
    record.references.add(kind=kind, value=value)


def party(role: party_pb2.PartyRole.ValueType, name: str = "", **identifiers: str) -> party_pb2.Party:
    made = party_pb2.Party(role=role)
    if name:
        made.names.add(text=name)
    for scheme, value in identifiers.items():
        made.identifiers.add(scheme=scheme, value=value)
    return made


def trace(
    *records: tuple[str, shipment_pb2.Shipment], answered: tuple[str, ...] = ("cn", "hk", "mo")
) -> trace_pb2.Trace:
    """A trace of records, each with its node; nodes that answered did so completely."""
    made = trace_pb2.Trace()
    for node, record in records:
        made.legs.add(record=history_pb2.HistoryRecord(node=node, revision=1, shipment=record))
    for node in answered:
        made.answers.add(node=node, status=history_pb2.ANSWER_STATUS_COMPLETE)
    return made
