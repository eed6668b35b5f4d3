"""Traces to draw: the demo's case, its twin, nothing, one with everything that can go wrong, and a large one."""

from __future__ import annotations

from gateway.tracing.rules.records import RecordHit
from gateway.v1 import goods_pb2, history_pb2, options_pb2, shipment_pb2, trace_pb2
from gateway.v1.history_pb2 import NodeAnswer, SearchCriteria
from gateway.v1.trace_pb2 import Trace
from tests.support import consignments as case
from tests.support.gathered import assemble

HAIPHONG = goods_pb2.Place(unlocode="VNHPH", territory="VN", name="Hai Phong")


def the_case() -> Trace:
    """Antimony as lead, with what rules find."""
    trace = assemble(case.found_by_first_question(case.the_case()), case.answers())
    trace.discrepancies.extend(case.contradictions())
    trace.rules_version = "2026.1"
    trace.controlled_goods_version = "2025-11-09 2025 No. 72"
    return trace


def the_twin() -> Trace:
    """The same goods under their name and licensed: nothing to report."""
    trace = assemble(case.found_by_first_question(case.the_twin()), case.answers())
    trace.rules_version = "2026.1"
    for leg in trace.legs:
        leg.controlled.add(
            sequence=1,
            code="8110101000",
            substance="antimony metal",
            element="Sb",
            announcement="MOFCOM & GACC 2024 No. 33",
            confidence="high",
            basis="hs6",
        )
    return trace


def nothing() -> Trace:
    """No record, and nobody but our node could say so."""
    return Trace(
        answers=[
            NodeAnswer(node="cn", status=history_pb2.ANSWER_STATUS_COMPLETE),
            NodeAnswer(node="hk", status=history_pb2.ANSWER_STATUS_TIMED_OUT, reason="no answer within 5,000 ms"),
            NodeAnswer(
                node="mo",
                status=history_pb2.ANSWER_STATUS_DENIED,
                reason="agreement mo-cn clause 4: not for this purpose",
            ),
        ]
    )


def in_trouble() -> Trace:
    """On to a fourth territory and back, partly withheld, with answers that failed and names that bite."""
    records = case.the_case()
    on = case.record(
        "mo",
        "MO-EXP-26-00417",
        shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT,
        60,
        equipment=[goods_pb2.Equipment(id=case.CONTAINER)],
        goods=[case.goods("780110", 'Lead <script>alert("x")</script> \x1b[31m&\u202e ingots')],
        route=[
            case.way(case.BRIDGE_MO, HAIPHONG, 61, 84, goods_pb2.TransportMeans(mode=goods_pb2.TRANSPORT_MODE_SEA)),
            case.way(HAIPHONG, case.BRIDGE_HK, 90, 120, goods_pb2.TransportMeans(mode=goods_pb2.TRANSPORT_MODE_SEA)),
        ],
        events=[case.event("loaded", 60.5, case.BRIDGE_MO), case.event("unloaded", 84.5, HAIPHONG)],
        inspections=[
            shipment_pb2.ShipmentInspection(
                result=1, inspected_at=case.at(60.2), methods=["x_ray", "laboratory"], remarks="Antimony, 99.65 %."
            )
        ],
    )
    records[1].withheld.add(path="parties[0].names", disclosure_class=options_pb2.DISCLOSURE_CLASS_PERSONAL)
    records[1].withheld.add(path="goods[0].customs_value", disclosure_class=options_pb2.DISCLOSURE_CLASS_COMMERCIAL)
    records[1].withheld.add(path="goods[0].value_usd", disclosure_class=options_pb2.DISCLOSURE_CLASS_COMMERCIAL)
    refused = NodeAnswer(node="hk", status=history_pb2.ANSWER_STATUS_TIMED_OUT, reason="no answer within 5,000 ms")
    denied = NodeAnswer(
        node="vn", status=history_pb2.ANSWER_STATUS_DENIED, reason="no agreement lists export_control for trace"
    )
    trace = assemble(case.found_by_first_question([*records, on]), [refused, *case.answers(), denied])
    trace.discrepancies.extend(case.contradictions())
    trace.discrepancies.add(
        rule_id="R13",
        rule_version="2026.1",
        name="circular_route",
        typology="transshipment",
        severity=trace_pb2.SEVERITY_NOTICE,
        inputs={"route": "CN, HK, MO, VN, HK"},
        explanation="The goods come back to Hong Kong within 180 days. <b>Not bold</b>",
        legs=[0, 1, 4],
    )
    trace.truncated = True
    trace.onward_refusals.add(source="hk", recipient="mo", links=2, kinds=["seal", "ucr"])
    return trace


def large(legs: int = 60) -> Trace:
    """A consignment that goes from place to place all year."""
    nodes = ("cn", "hk", "mo")
    places = (case.YANTIAN, case.BRIDGE_HK, case.BRIDGE_MO)
    records = [
        case.record(
            nodes[number % 3],
            f"{nodes[number % 3].upper()}-2026-{number:06d}",
            shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT,
            number * 50,
            references=[case.reference(case.UCR, "6CN-LONG-WAY")],
            goods=[case.goods("780110", "Lead ingots")],
            equipment=[goods_pb2.Equipment(id=f"GWDU26011{number:02d}")],
            route=[
                case.way(places[number % 3], places[(number + 1) % 3], number * 50 + 2, number * 50 + 5, case.MO_LORRY)
            ],
        )
        for number in range(legs)
    ]
    found = [RecordHit(each, SearchCriteria() if number else None) for number, each in enumerate(records)]
    trace = assemble(found, case.answers())
    for number in range(0, legs - 1, 4):
        each = case.contradictions()[number % 3]
        each.legs[:] = [number, number + 1]
        trace.discrepancies.append(each)
    return trace
