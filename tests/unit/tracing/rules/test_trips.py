"""Uses of a container follow the order of events: which records are of one trip."""

from __future__ import annotations

import pytest

from gateway.tracing.rules.links import DAY_S
from gateway.tracing.rules.records import TraceRecord
from gateway.tracing.rules.trips import trips
from gateway.v1 import history_pb2, shipment_pb2
from tests.support.risk_records import item


def stop(text: str) -> TraceRecord:
    """`NODE PROCEDURE DAY [KG] [CODE] [<TERRITORY]`, e.g. `hk import 1.5 20000 780110 <CN`."""
    node, procedure, day, *more = text.split()
    shipment = shipment_pb2.Shipment(
        record_id=text.replace(" ", "-"),
        procedure=shipment_pb2.ShipmentProcedure.Value(f"SHIPMENT_PROCEDURE_{procedure.upper()}"),
    )
    shipment.declared_at.seconds = round(1_750_000_000 + float(day) * DAY_S)
    for word in more:
        if word.startswith("<"):
            shipment.export_territory = word[1:]
        elif len(word) == 6:
            del shipment.goods[:]
            shipment.goods.append(item(word, net_mass_kg=float(more[0])))
    return TraceRecord(history_pb2.HistoryRecord(node=node, shipment=shipment), start=False)


@pytest.mark.parametrize(
    "expected",
    [
        ["cn export 0", "hk transit 0.5", "mo import 1"],
        ["cn export 0", "hk import 1 / hk export 3", "cn import 4"],
        ["cn export 0", "hk import 1 / hk reexport 3", "mo import 4"],
        ["cn export 0 5000 780110", "hk import 1 5000 780110", "hk reexport 3 5000 780110", "mo import 4"],
        ["cn export 0 5000 780110", "hk import 1 5000 780110 / hk reexport 3 9000 780110", "mo import 4"],
        ["cn export 0 5000 780110", "hk import 1 5000 780110 / hk reexport 3 5000 811010"],
        ["cn export 0 5000 780110", "hk import 1 5000 780110 / hk export 3 5000 780110"],
        ["hk import 0 / cn export 2"],
        ["hk import 0", "cn export 0.9"],  # declared in advance
        ["cn export 0", "cn export 0.9", "hk import 2", "hk import 2.5"],  # groupage
        ["cn export 0 / cn export 1.1"],
        ["cn export 0", "hk reexport 3", "mo import 4"],  # its import isn't known
        ["cn export 0 / hk export 3"],
        ["cn export 0", "hk import 1", "mo import 2"],  # its departure isn't known
        ["cn export 0", "hk transshipment 1 / hk export 5", "cn import 6"],
        ["cn export 0 / cn import 3"],
        ["cn export 0", "cn manifest 0.1", "hk manifest 0.2", "hk import 1"],
        ["cn export 0 20000 811010", "hk transshipment 1 14500 780110"],  # as something else
    ],
    ids=" ".join,
)
def test_trips(expected: list[str]) -> None:
    text = ", ".join(expected).replace(" / ", ", / ")
    wanted = [[stop.strip() for stop in trip.split(",") if stop.strip()] for trip in text.split("/")]
    records = [stop(text) for trip in wanted for text in trip]
    found = [[records[index].record.shipment.record_id for index in trip] for trip in trips(records, DAY_S)]
    assert found == [[each.replace(" ", "-") for each in trip] for trip in wanted]


def test_a_late_declaration_is_of_the_trip_that_it_came_with() -> None:
    records = [
        stop(text)
        for text in (
            "cn export 0 5000 780110",
            "hk export 3 900 640399",
            "cn import 4 900 640399 <HK",
            "hk import 6 5000 780110 <CN",
        )
    ]
    assert list(trips(records, DAY_S)) == [[0, 3], [1, 2]]
