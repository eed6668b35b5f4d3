"""Drafts of alerts: each recipient's is made of what it may learn, and nobody's agreement is overstepped."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.contract.validation import violations
from gateway.history.service.risk import SiblingSearch
from gateway.licences.service.presented import PresentedLicences
from gateway.node.assembly.history_rules import load_rules, rule_sources
from gateway.node.settings import HistorySettings
from gateway.tracing.rules.assembly import assemble
from gateway.tracing.rules.draft_basis import part_for
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.links import plain
from gateway.tracing.rules.onward_transfer import OnwardTransfer
from gateway.tracing.service.draft_alerts import AlertDrafter, TraceExaminer
from gateway.trust.rules.directory import Directory, FieldClass
from gateway.v1 import alert_pb2, shipment_pb2
from gateway.v1.history_pb2 import HistoryRecord
from gateway.v1.history_service_pb2 import TraceConsignmentRequest
from gateway.v1.trace_pb2 import DraftAlert, Trace
from tests.support import consignments as case
from tests.support.databases import SqliteFiles
from tests.support.directories import NOW, directory

REQUEST = TraceConsignmentRequest(grounds=case.GROUNDS, draft_alert=True)
NOBODY = OnwardTransfer("hk")
EVERYBODY = OnwardTransfer("hk", {"cn": {"mo"}, "mo": {"cn"}})

Draft = Callable[..., dict[tuple[str, ...], DraftAlert]]


@pytest.fixture
def draft(tmp_path: Path) -> Iterator[Draft]:
    databases = SqliteFiles(tmp_path)
    database = databases.migrated()
    rules = load_rules(rule_sources(HistorySettings()))
    examiner = TraceExaminer(
        node="hk", rules=rules, siblings=SiblingSearch(database, rules=rules), licences=PresentedLicences(database)
    )
    drafter = AlertDrafter(database, node="hk", examiner=examiner)

    def drafted(
        records: Iterable[HistoryRecord], onward: OnwardTransfer = NOBODY, terms: Directory | None = None
    ) -> dict[tuple[str, ...], DraftAlert]:
        trace, gathering = traced(records)
        examiner.examine(trace, NOW)
        drafts = drafter.drafts(trace, REQUEST, gathering, onward, directory=terms or directory(), now=NOW)
        assert not [violation for each in drafts for violation in violations(each.content)]
        return {tuple(each.recipients): each for each in drafts}

    yield drafted
    databases.remove()


def traced(records: Iterable[HistoryRecord]) -> tuple[Trace, Gathering]:
    hits = case.found_by_first_question(list(records))
    gathering = Gathering(
        replace(hit, query_id="" if hit.record.node == "hk" else str(uuid.uuid5(uuid.NAMESPACE_DNS, hit.record.node)))
        for hit in hits
    )
    return assemble(gathering, case.answers()), gathering


def agreement(name: str, **changes: object) -> Directory:
    """The directory with one agreement changed."""
    terms = directory()
    return replace(
        terms,
        agreements=tuple(
            replace(each, **changes) if each.id == name else each  # type: ignore[arg-type]
            for each in terms.agreements
        ),
    )


def without_shared_papers() -> list[HistoryRecord]:
    """The case, with a seal, a document and a name at cn and at mo that no other record has."""
    records = case.the_case()
    for record, word in ((records[0], "CN"), (records[3], "MO")):
        record.shipment.references.append(case.reference(case.TRANSPORT_DOCUMENT, f"ONLY-{word}-DOC"))
        record.shipment.equipment[0].seals.append(f"ONLY-{word}-SEAL")
        record.shipment.goods[0].description = f"ONLY {word} GOODS"
    return records


def test_each_recipient_gets_own_and_its_own_information_alone(draft: Draft) -> None:
    drafts = draft(without_shared_papers())
    assert set(drafts) == {("cn",), ("mo",)}
    text = {recipients[0]: plain(str(each.content)) for recipients, each in drafts.items()}
    assert "ONLYCN" in text["cn"]
    assert "ONLYMO" in text["mo"]
    assert "ONLYMO" not in text["cn"]
    assert "ONLYCN" not in text["mo"]
    sources = {names[0]: [each.node for each in one.content.derived_from_answers] for names, one in drafts.items()}
    assert sources == {"cn": ["cn"], "mo": ["mo"]}
    assert "HKR2026004902" in text["cn"]  # our records stand in both
    assert "HKR2026004902" in text["mo"]


def test_where_answers_may_be_passed_on_there_is_one_draft_for_all(draft: Draft) -> None:
    drafts = draft(without_shared_papers(), EVERYBODY)
    assert set(drafts) == {("cn", "mo")}
    text = plain(str(drafts["cn", "mo"].content))
    assert "ONLYCN" in text
    assert "ONLYMO" in text


def test_an_own_record_is_in_the_drafts_of_those_alone_whom_its_release_list_names(draft: Draft) -> None:
    records = without_shared_papers()
    for record in records:
        if record.node == "hk":
            record.shipment.releasable_to.nodes.append("cn")
    text = {names: plain(str(each.content)) for names, each in draft(records).items()}
    assert "HKR2026004902" in text["cn",]
    assert not any("HKR2026004902" in said for names, said in text.items() if names != ("cn",))


def test_a_partner_without_an_agreement_on_alerts_is_no_recipient(draft: Draft) -> None:
    assert set(draft(case.the_case(), terms=agreement("hk-mo", message_types=frozenset({"HistoryQuery"})))) == {("cn",)}
    assert set(draft(case.the_case(), terms=agreement("hk-mo", purposes=frozenset({"smuggling"})))) == {("cn",)}
    nobody = replace(directory(), agreements=())
    (own,) = draft(without_shared_papers(), terms=nobody).items()
    assert own[0] == ()
    assert "ONLY" not in plain(str(own[1].content))  # own records alone


@pytest.mark.parametrize(
    ("withheld", "absent"),
    [
        (FieldClass.PERSONAL, lambda content: [name for party in content.subject.parties for name in party.names]),
        (FieldClass.INVESTIGATIVE, lambda content: content.rule_hits),
        (FieldClass.COMMERCIAL, lambda content: [each for each in content.goods if each.HasField("customs_value")]),
    ],
)
def test_fields_that_the_agreement_does_not_list_are_left_out(
    draft: Draft, withheld: FieldClass, absent: Callable[[alert_pb2.AlertContent], object]
) -> None:
    full = draft(case.the_case())
    assert absent(full["cn",].content)
    drafts = draft(case.the_case(), terms=agreement("hk-cn", field_classes=frozenset(FieldClass) - {withheld}))
    # An alert without typologies, which are investigative, is none.
    assert (("cn",) in drafts) == (withheld is not FieldClass.INVESTIGATIVE)
    assert not any(absent(each.content) for recipients, each in drafts.items() if recipients == ("cn",))
    assert drafts["mo",] == full["mo",]


def test_a_record_that_only_another_links_is_not_in_the_part() -> None:
    """mo's import follows from cn's record alone: hk and mo must not say that theirs belong together."""
    export, arrival, _, end = case.the_case()
    del arrival.shipment.equipment[:], arrival.shipment.events[:]
    end.shipment.references.append(case.reference(case.TRANSPORT_DOCUMENT, "RMC-OTHER"))
    export.shipment.references.append(case.reference(case.TRANSPORT_DOCUMENT, "RMC-OTHER"))
    trace, gathering = traced([export, arrival, end])
    assert {leg.record.node for leg in trace.legs} == {"cn", "hk", "mo"}
    part = part_for("mo", trace, gathering, NOBODY)
    assert {leg.record.node for leg in part.legs} == {"hk"}
    assert {answer.node for answer in part.answers} == {"hk", "mo"}


def test_findings_on_a_third_authoritys_alert_stay(draft: Draft) -> None:
    records = case.the_case()
    of_cn, of_mo = str(uuid.uuid4()), str(uuid.uuid4())
    for publisher, alert_id in (("cn", of_cn), ("mo", of_mo)):
        records[1].shipment.inspections.append(
            shipment_pb2.ShipmentInspection(
                result=alert_pb2.FINDING_RESULT_CONFIRMED,
                inspected_at=case.at(3),
                alert=alert_pb2.AlertReference(publisher=publisher, alert_id=alert_id),
            )
        )
    trace, gathering = traced(records)
    for recipient, known in (("cn", {of_cn}), ("mo", {of_mo}), ("", set())):
        part = part_for(recipient, trace, gathering, NOBODY)
        inspections = [one for leg in part.legs for one in leg.record.shipment.inspections]
        assert {one.alert.alert_id for one in inspections} == known
    # An alert that isn't here can't be what this node's knowledge comes from.
    assert not any(each.content.derived_from for each in draft(records).values())
