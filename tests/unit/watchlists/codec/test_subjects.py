"""What alerts and shipments name, as it is screened: each thing once, where it stands first."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.v1 import goods_pb2, party_pb2, screening_pb2, shipment_pb2
from gateway.watchlists.codec.subjects import subjects_of_shipment
from tests.support.shipments import shipment

Subject = screening_pb2.ScreeningSubject
OF_THE_SHIPMENT = {"parties[0]", "parties[1]", "equipment[0]", "means[0]"}


def with_events(*events: dict[str, Any], **changes: Any) -> shipment_pb2.Shipment:
    kind = shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT
    return shipment(events=[shipment_pb2.ShipmentEvent(kind=kind, **event) for event in events], **changes)


def of_events(*events: dict[str, Any], **changes: Any) -> dict[str, Subject]:
    found = subjects_of_shipment(with_events(*events, **changes))
    return {path: subject for path, subject in found.items() if path.startswith("events")}


def test_parties_containers_and_means_of_a_shipment_and_its_legs_are_screened() -> None:
    vessel = goods_pb2.TransportMeans(
        mode=goods_pb2.TRANSPORT_MODE_SEA,
        name="Example Star",
        registrations=[goods_pb2.TransportMeans.Identifier(scheme="imo_ship", value="9074729")],
    )
    found = subjects_of_shipment(shipment(route=[goods_pb2.RouteLeg(), goods_pb2.RouteLeg(means=vessel)]))

    assert set(found) == {*OF_THE_SHIPMENT, "route[1].means"}
    assert found["route[1].means"] == Subject(
        identifiers=[party_pb2.Identifier(scheme="imo_ship", value="9074729")], vessels=["Example Star"]
    )
    assert found["means[0]"].vehicles == ["粤Z·A123港", "AB 1234"]
    assert found["equipment[0]"].containers == ["CSQU3054383"]


def test_what_events_name_is_screened_too() -> None:
    found = of_events({"equipment_id": "MSCU6639870"}, {}, {"means": "XY 99", "equipment_id": "TEMU1234565"})

    assert found == {
        "events[0]": Subject(containers=["MSCU6639870"]),
        "events[2]": Subject(containers=["TEMU1234565"], vehicles=["XY 99"], vessels=["XY 99"]),
    }


@pytest.mark.parametrize("given", ["9074729", "IMO 9074729", "imo9074729"])
def test_a_ships_number_is_sought_as_one(given: str) -> None:
    (found,) = of_events({"means": given}).values()

    assert found.identifiers == [party_pb2.Identifier(scheme="imo_ship", value=given)]


def test_what_stands_in_the_shipment_or_an_earlier_event_isnt_screened_again() -> None:
    again = [
        {"equipment_id": "csqu 305438-3", "means": "AB1234"},
        {"equipment_id": "MSCU6639870", "means": "粤ZA123港"},
        {"equipment_id": "MSCU-663987-0", "means": "example  star"},
    ]
    means = [*shipment().means, goods_pb2.TransportMeans(name="Example Star")]

    assert of_events(*again, means=means) == {"events[1]": Subject(containers=["MSCU6639870"])}
