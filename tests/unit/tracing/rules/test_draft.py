"""A draft of an alert keeps the contract and leaves to an officer what only an officer can say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.contract.validation import violations
from gateway.risk.rule_hits import typology_codes
from gateway.tracing.rules.draft import MAX_DRAFT_BYTES, TO_COMPLETE, draft_alert
from gateway.tracing.rules.records import RecordHit
from gateway.v1 import alert_pb2, goods_pb2, trace_pb2
from gateway.v1.history_pb2 import SearchCriteria
from gateway.v1.trace_pb2 import Trace
from tests.support import consignments as case
from tests.support.gathered import assemble

NOW = case.BEGIN + timedelta(days=2)


def traced() -> Trace:
    return assemble(case.found_by_first_question(case.the_case()), case.answers())


def test_the_draft_of_the_case_is_complete_but_for_an_officers_words() -> None:
    draft = draft_alert(traced(), case.contradictions(), case.GROUNDS, "cn", now=NOW)
    assert draft is not None
    content = draft.content
    assert violations(content) == []
    assert violations(draft) == []
    assert not content.narratives
    assert list(draft.to_complete) == list(TO_COMPLETE)
    assert all(path in alert_pb2.AlertContent.DESCRIPTOR.fields_by_name for path in draft.to_complete)
    assert list(draft.recipients) == ["hk", "mo"]
    assert content.priority == alert_pb2.PRIORITY_A
    assert content.requested_action == alert_pb2.REQUESTED_ACTION_INSPECT
    assert list(content.typologies) == ["false_declaration", "concealment", "transshipment"]
    assert (content.purpose, content.case_reference) == ("export_control", "SZ-2026-0117")
    assert content.handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_PROHIBITED
    assert "hk and mo" in content.handling.caveat
    assert content.valid_until.seconds == NOW.timestamp() + 30 * 86_400


def test_the_draft_names_what_finds_the_consignment() -> None:
    draft = draft_alert(traced(), case.contradictions(), case.GROUNDS, "cn", now=NOW)
    assert draft is not None
    subject = draft.content.subject
    (box,) = subject.equipment
    assert (box.id, list(box.seals), box.e_lock) == (case.CONTAINER, ["CN2601174", "HK7700926"], "EL-771203")
    values = [reference.value for reference in subject.references]
    assert "531620260000260117" in values
    assert "6CN91440300MA5EXMPLXX-0117" in values
    assert "6cn91440300ma5exmplxx-0117" not in values  # the same, written otherwise
    assert len(subject.parties) == 3
    route = [(getattr(leg, "from").territory, leg.to.territory) for leg in draft.content.route]
    assert route == [("CN", "HK"), ("HK", "MO")]


def test_the_draft_says_what_the_goods_are_thought_to_be_where_a_rule_does() -> None:
    draft = draft_alert(traced(), case.contradictions(), case.GROUNDS, "cn", now=NOW)
    assert draft is not None
    export, *others = draft.content.goods
    assert [code.code for code in export.declared_codes] == ["780110"]
    assert [(code.code, code.scheme, code.territory) for code in export.suspected_codes] == [
        ("811010", "hs", ""),
        ("8110101000", "tariff", "CN"),
    ]
    assert (export.element, export.substance, export.package_count) == ("Sb", "antimony ingot", 20)
    assert not any(item.suspected_codes for item in others)  # R02 is about the export's item
    controlled = traced()
    controlled.legs[1].controlled.add(sequence=1, code="28256001", substance="germanium oxide", element="Ge")
    second = draft_alert(controlled, case.contradictions()[1:], case.GROUNDS, "cn", now=NOW)
    assert second is not None
    assert [code.code for code in second.content.goods[0].suspected_codes] == ["28256001"]
    assert second.content.goods[0].element == "Ge"


@pytest.mark.parametrize(
    ("said", "substance"),
    [
        ("none", "Pb"),
        ("antimony ingot, tellurium", "antimony ingot / tellurium"),
        ("a, b, c, d, e", "a / b / c or 2 others"),
        (", ".join(["x" * 90, "y" * 90]), "x" * 90 + " / " + "y" * 35),
    ],
)
def test_suspects_are_named_as_far_as_there_is_room(said: str, substance: str) -> None:
    trace = traced()
    trace.legs[0].record.shipment.goods[0].substance = "Pb"
    discrepancy = case.contradictions()[0]
    discrepancy.inputs["suspects"] = said
    draft = draft_alert(trace, [discrepancy], case.GROUNDS, "cn", now=NOW)
    assert draft is not None
    assert draft.content.goods[0].substance == substance


def test_rule_hits_carry_inputs_thresholds_and_value() -> None:
    draft = draft_alert(traced(), case.contradictions(), case.GROUNDS, "cn", now=NOW)
    assert draft is not None
    density, seal, again = draft.content.rule_hits
    assert (density.rule_id, density.rule_version, density.score) == ("R02", "2026.1", pytest.approx(0.186))
    assert density.inputs["density_g_cm3"] == "2.104"
    assert density.inputs["threshold.impossibly_light"] == "0.2"
    assert density.explanation.startswith("By the cases' volume")
    assert not seal.HasField("score")
    assert again.score == 1


@pytest.mark.parametrize(
    ("severity", "priority", "action"),
    [
        (trace_pb2.SEVERITY_HIGH, alert_pb2.PRIORITY_A, alert_pb2.REQUESTED_ACTION_INSPECT),
        (trace_pb2.SEVERITY_MEDIUM, alert_pb2.PRIORITY_B, alert_pb2.REQUESTED_ACTION_DISCREET_CHECK),
        (trace_pb2.SEVERITY_LOW, alert_pb2.PRIORITY_C, alert_pb2.REQUESTED_ACTION_INFORM),
        (trace_pb2.SEVERITY_NOTICE, alert_pb2.PRIORITY_C, alert_pb2.REQUESTED_ACTION_INFORM),
    ],
)
def test_priority_and_action_follow_the_severity(severity: int, priority: int, action: int) -> None:
    discrepancy = case.contradictions()[0]
    discrepancy.severity = severity  # type: ignore[assignment]
    draft = draft_alert(traced(), [discrepancy], case.GROUNDS, "hk", now=NOW)
    assert draft is not None
    assert (draft.content.priority, draft.content.requested_action) == (priority, action)
    assert list(draft.recipients) == ["cn", "mo"]


def test_nothing_to_say_makes_no_draft() -> None:
    twin = assemble(case.found_by_first_question(case.the_twin()), case.answers())
    assert draft_alert(twin, [], case.GROUNDS, "cn", now=NOW) is None
    assert draft_alert(Trace(), case.contradictions(), case.GROUNDS, "cn", now=NOW) is None


def test_a_partner_on_the_route_that_gave_no_record_may_be_told() -> None:
    records = case.the_case()[:1]
    trace = assemble([RecordHit(records[0])], case.answers())
    draft = draft_alert(trace, case.contradictions()[:1], case.GROUNDS, "cn", now=NOW)
    assert draft is not None
    assert list(draft.recipients) == ["hk"]  # mo isn't on the route that is known


def test_what_is_withheld_breaks_no_rule() -> None:
    """Everything commercial and personal is empty, as after redaction."""
    found = case.found_by_first_question(case.the_case())
    for each in found:
        shipment = each.record.shipment
        for reference in shipment.references:
            reference.ClearField("value")
        for party in shipment.parties:
            for name in party.names:
                name.ClearField("text")
            for identifier in party.identifiers:
                identifier.ClearField("value")
        for item in shipment.goods:
            item.ClearField("customs_value")
        del shipment.equipment[:], shipment.means[:]
        each.record.withheld.add(path="references[0].value", disclosure_class=2)
    trace = assemble([RecordHit(each.record) for each in found[:1]], [])
    draft = draft_alert(trace, case.contradictions()[:1], case.GROUNDS, "hk", now=NOW)
    assert draft is not None
    assert violations(draft) == []
    (reference,) = draft.content.subject.references
    assert (reference.kind, reference.value, reference.territory) == (
        goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION,
        "531620260000260117",
        "CN",
    )


def test_a_draft_of_the_largest_trace_keeps_the_limits() -> None:
    records = [
        case.record(
            "cn",
            f"record-{number}",
            1,  # type: ignore[arg-type]
            number,
            references=[
                case.reference(case.UCR, "6CN-ONE-CASE"),
                case.reference(case.TRANSPORT_DOCUMENT, f"DOC-{number:04d}"),
            ],
            equipment=[case.goods_pb2.Equipment(id=f"GWDU{number:07d}", seals=[f"SEAL{n:05d}" for n in range(16)])],
            parties=[case.EXPORTER, case.HK_CONSIGNEE],
            goods=[case.goods("780110", f"Goods {number}"), case.goods("780110", f"More goods {number}")],
            means=[case.lorry(("hk_vehicle_plate", f"AB{number}"))],
            route=[case.way(case.YANTIAN, case.HEUNG_YUEN_WAI, number * 30, number * 30 + 2, case.CN_LORRY)],
        )
        for number in range(200)
    ]
    trace = assemble(
        [RecordHit(each, None if not number else SearchCriteria()) for number, each in enumerate(records)], []
    )
    assert len(trace.legs) == 200
    many = [case.contradictions()[0] for _ in range(80)]
    for number, each in enumerate(many):
        each.legs[:] = [number]
        each.inputs.update({f"input{name}": "x" * 400 for name in range(90)})
        each.explanation = "x" * 5_000
    draft = draft_alert(trace, many, case.GROUNDS, "hk", now=NOW)
    assert draft is not None
    assert violations(draft) == []
    assert draft.content.ByteSize() <= MAX_DRAFT_BYTES
    assert draft.content.rule_hits
    # what was shortened is for an officer to look at
    assert "rule_hits" in list(draft.to_complete)[len(TO_COMPLETE) :]


def test_every_typology_of_the_rules_has_a_code() -> None:
    assert typology_codes("false declaration / undervaluation") == ["false_declaration", "undervaluation"]
    assert typology_codes("something new") == ["other"]


TYPOLOGIES = (
    "concealment",
    "data quality",
    "diversion red flag",
    "dual-use end user",
    "false declaration",
    "false declaration / undervaluation",
    "mirror data mismatch",
    "mirror data mismatch / misclassification",
    "network",
    "transshipment",
)
"""As the published rules of the field name them."""


def test_typologies_of_the_field_are_mapped() -> None:
    unmapped = {name for name in TYPOLOGIES if typology_codes(name) == ["other"]}
    assert unmapped == {"network", "data quality"}
