"""Which of our records an inspection was of: documents decide, and equipment for as long as it means the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.tracing.service.inspected_records import Inspection
from gateway.v1 import alert_pb2, goods_pb2, shipment_pb2
from tests.support.shipments import DECLARED, shipment

CONTAINER = goods_pb2.Equipment(id="CSQU 305438-3")
UCR = "6CN9144030071526726XG-1"
DECLARATION = "534520260000000101"
KINDS = {
    "declaration": goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION,
    "ucr": goods_pb2.SHIPMENT_REFERENCE_KIND_UCR,
    "document": goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT,
    "previous": goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT,
    "licence": goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE,
}


def day(days: float) -> Timestamp:
    at = Timestamp()
    at.FromDatetime(DECLARED + timedelta(days=days))
    return at


def reference(kind: str, value: str, territory: str = "") -> goods_pb2.ShipmentReference:
    return goods_pb2.ShipmentReference(kind=KINDS[kind], value=value, territory=territory)


def declared(record_id: str, days: float = 0, **changes: Any) -> shipment_pb2.Shipment:
    """A record without references, in the container without seals, declared some days after the others."""
    plain: dict[str, Any] = {"references": [], "equipment": [CONTAINER], "declared_at": day(days)}
    return shipment(record_id, **{**plain, **changes})


def meant(*records: shipment_pb2.Shipment, days: float = 0, **subject: Any) -> list[str]:
    """Records that an inspection was of, made some days after DECLARED."""
    inspection = Inspection(alert_pb2.Subject(**subject), day(days), "hk")
    return inspection.meant({one.record_id: one for one in records})


@pytest.mark.parametrize(("days", "found"), [(-900, False), (-46, False), (-44, True), (44, True), (46, False)])
def test_a_container_means_the_same_goods_for_45_days(days: float, found: bool) -> None:
    assert meant(declared("R", days), equipment=[CONTAINER]) == ["R"] * found


def test_what_happened_later_counts_and_inspections_of_before_dont() -> None:
    late = declared("R", -90)
    late.events.add(kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT, occurred_at=day(-10))
    inspected = declared("S", -90)
    inspected.inspections.add(result=alert_pb2.FINDING_RESULT_CONFIRMED, inspected_at=day(-10))

    assert meant(late, inspected, equipment=[CONTAINER]) == ["R"]


def test_of_weekly_trips_of_a_container_the_one_nearest_in_time_is_meant() -> None:
    weekly = [declared(f"W{week}", 7 * week) for week in range(-3, 4)]

    assert meant(*weekly, days=8, equipment=[CONTAINER]) == ["W1"]


def test_an_import_and_its_re_export_are_one_trip() -> None:
    came = declared("IN", 1, procedure=shipment_pb2.SHIPMENT_PROCEDURE_IMPORT)
    went = declared("OUT", 3, procedure=shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT)
    again = declared("NEXT", 9, procedure=shipment_pb2.SHIPMENT_PROCEDURE_IMPORT)

    assert meant(came, went, again, days=1.5, equipment=[CONTAINER]) == ["IN", "OUT"]


def test_a_seal_tells_which_trip_it_was() -> None:
    sealed = declared("SEALED", -20, equipment=[goods_pb2.Equipment(id="CSQU3054383", seals=["HK 77-00926"])])
    unit = goods_pb2.Equipment(id="CSQU3054383", seals=["HK7700926"])

    assert meant(sealed, declared("LATER", 1), days=2, equipment=[unit]) == ["SEALED"]
    assert meant(sealed, declared("LATER", 1), days=2, equipment=[CONTAINER]) == ["LATER"]


def test_each_container_of_an_alert_has_a_consignment_of_its_own() -> None:
    other = goods_pb2.Equipment(id="MSCU6639870")
    records = [declared("A", 0), declared("B", 5, equipment=[other]), declared("C", 30, equipment=[other])]

    assert meant(*records, days=1, equipment=[CONTAINER, other]) == ["A", "B"]


@pytest.mark.parametrize(
    ("named", "given"),
    [
        (reference("ucr", UCR.lower()), reference("ucr", UCR)),
        (reference("declaration", DECLARATION, "CN"), reference("declaration", DECLARATION, "CN")),
        (reference("declaration", DECLARATION, "CN"), reference("previous", DECLARATION)),
        (reference("document", "RMC-2601-0117"), reference("document", "RMC 2601 0117")),
        (reference("previous", "HKI-2026-0117"), reference("declaration", "HKI20260117", "HK")),
    ],
    ids=lambda one: f"{one.kind}",
)
def test_a_document_decides(named: goods_pb2.ShipmentReference, given: goods_pb2.ShipmentReference) -> None:
    by_document = declared("R", -100, references=[given], equipment=[])

    assert meant(by_document, declared("S"), references=[named], equipment=[CONTAINER]) == ["R"]


def test_a_records_own_key_is_the_number_of_its_declaration() -> None:
    named = [reference("declaration", "5345 2026 0000 0001 01", "CN")]

    assert meant(declared(DECLARATION), declared("S"), references=named, equipment=[CONTAINER]) == [DECLARATION]


@pytest.mark.parametrize(
    ("named", "given"),
    [
        (reference("ucr", UCR), reference("document", UCR)),
        (reference("declaration", DECLARATION, "CN"), reference("declaration", DECLARATION, "HK")),
        (reference("document", "12345"), reference("document", "12345")),
        (reference("licence", "LICENCE-26-1"), reference("licence", "LICENCE-26-1")),
    ],
    ids=lambda one: f"{one.kind}",
)
def test_what_is_no_document_of_the_goods_doesnt(
    named: goods_pb2.ShipmentReference, given: goods_pb2.ShipmentReference
) -> None:
    assert meant(declared("R", references=[given], equipment=[]), references=[named]) == []


def test_a_document_counts_for_as_long_as_its_number_means_the_same() -> None:
    old = declared("R", -181, references=[reference("document", "RMC-2601-0117")], equipment=[])

    assert meant(old, references=[reference("document", "RMC-2601-0117")]) == []
    assert meant(old, days=-2, references=[reference("document", "RMC-2601-0117")]) == ["R"]


def test_where_no_record_has_a_document_of_the_alert_the_container_counts_but_not_for_other_goods_in_it() -> None:
    loaded_with = declared("OTHER", references=[reference("ucr", "6CN0000000000000000XX-2")])

    assert meant(declared("R"), loaded_with, references=[reference("ucr", UCR)], equipment=[CONTAINER]) == ["R"]


def test_vehicles_locks_and_parties_alone_name_no_record() -> None:
    named = shipment()
    unit = goods_pb2.Equipment(id="NONE", e_lock="EL-77120")

    assert meant(named, means=named.means, parties=named.parties, equipment=[unit]) == []


def test_what_is_sought_finds_by_time_too() -> None:
    subject = alert_pb2.Subject(
        references=[reference("ucr", UCR), reference("licence", "LICENCE-26-1")],
        equipment=[goods_pb2.Equipment(id="CSQU3054383", seals=["HKC 88-1204"], e_lock="EL-77120")],
    )
    day_ms = 24 * 3600 * 1000
    years = [
        (record_filter.declared_until - record_filter.declared_from) // day_ms
        for _, record_filter in Inspection(subject, day(0), "hk").queries()
    ]

    assert sorted(years) == [2 * (45 + 14), 2 * (180 + 14), 2 * (9 * 365 + 14)]
