"""Why a partner doesn't have something: hk runs and mo doesn't, and the agreements with mo allow little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from gateway.trust.rules.directory import Agreement, FieldClass, MessageType
from gateway.v1 import alert_pb2, goods_pb2, party_pb2
from gateway.v1 import node_service_pb2 as pb
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.options_pb2 import DisclosureClass
from gateway.v1.watchlist_pb2 import WatchlistReference
from gateway.v1.watchlist_service_pb2 import CopyState, ProposedEntry
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, origin, with_logs
from tests.support.history_calls import recorded
from tests.support.nodes import listed_content
from tests.support.shipments import shipment
from tests.support.waiting import eventually as eventually_now

SETTINGS = """
[lists.minerals]
four_eyes = false
[lists.sealed]
four_eyes = false
visible_to = ["publisher"]
"""
CLAUSE = "Arrangement 2026, article 3: what is suspected, for export control."


def little(agreement: Agreement) -> Agreement:
    """The agreements between cn and mo: what is suspected alone; of shipments, whether there is a record."""
    if {agreement.sender, agreement.recipient} != {"cn", "mo"}:
        return agreement
    return replace(
        agreement,
        message_types=(agreement.message_types - {MessageType.HISTORY_RECORD}) | {MessageType.HISTORY_HIT},
        purposes=frozenset({"export_control"}),
        field_classes=frozenset({FieldClass.INVESTIGATIVE}),
        clause=CLAUSE,
    )


@dataclass
class Case:
    """What cn has published: alerts by what is special about them, by their ids."""

    nodes: Federation
    alerts: dict[str, str]

    def ask(self, partner: str, *, system: str = "officer", node: str = "cn", **request: Any) -> pb.Absence:
        asked = pb.ExplainAbsenceRequest(partner=partner, **request)

        async def answer() -> pb.ExplainAbsenceResponse:
            async with self.nodes.client(node, system) as client:
                return await client.node.explain_absence(asked)

        (absence,) = self.nodes.run(answer()).absences
        return absence

    def about(self, name: str, partner: str, field: str = "") -> pb.Absence:
        reference = AlertReference(publisher="cn", alert_id=self.alerts[name])
        return self.ask(partner, alert=reference, field=field)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    for made in with_logs(tmp_path_factory.mktemp("why"), settings=SETTINGS):
        before = made.directory
        made.put_directory(replace(before, version=2, agreements=tuple(map(little, before.agreements))))
        made.start("cn", "hk")
        yield Case(made, made.run(published(made)))


def with_party(**overrides: Any) -> alert_pb2.AlertContent:
    content = alert(**overrides)
    content.subject.parties.add(
        role=party_pb2.PARTY_ROLE_EXPORTER, names=[party_pb2.Name(text="Wang Tat Metals", script="Latn")]
    )
    return content


async def published(nodes: Federation) -> dict[str, str]:
    async with nodes.client("cn", "publisher") as cn, nodes.client("hk", "publisher") as hk:
        found = {
            "to hk": (await cn.publish(with_party(), ["hk"])).alert_id,
            "bare": (await cn.publish(alert(), ["hk"])).alert_id,
            "smuggling": (await cn.publish(alert(purpose="smuggling"), ["hk"])).alert_id,
            "to mo": (await cn.publish(alert(), ["mo"])).alert_id,
            "hk's": (await hk.publish(alert(), ["cn"])).alert_id,
        }
        entry = ProposedEntry(id="E-1", content=listed_content("Wang Tat Metals", releasable_to=["hk"]))
        for name in ("minerals", "sealed"):
            await cn.watchlist.propose(name, entries=[entry])

        async def arrived() -> bool:
            listed = await cn.watchlist.get(WatchlistReference(publisher="cn", list="sealed", id="E-1"))
            alerts = [one async for one in cn.list_alerts()]
            active = [copy.state for copy in listed.copies] == [CopyState.COPY_STATE_ACTIVE]
            return active and len(alerts) == len(found)

        await eventually(arrived, what="everything at hk")
        await recorded(nodes, "cn", shipment("CN-1", equipment=[goods_pb2.Equipment(id="MSKU9070323")]))
    return found


def test_of_an_alert_the_first_reason_that_counts_is_told(case: Case) -> None:
    received = case.about("to hk", "hk")
    assert received.reason == pb.ABSENCE_REASON_RECEIVED
    assert received.HasField("at")

    personal = case.about("to hk", "mo")
    assert (personal.reason, personal.disclosure_class) == (
        pb.ABSENCE_REASON_CLASS_NOT_AGREED,
        DisclosureClass.DISCLOSURE_CLASS_PERSONAL,
    )
    assert (personal.agreement_id, personal.clause) == ("cn-mo", CLAUSE)

    possible = case.about("bare", "mo")
    assert (possible.reason, possible.agreement_id) == (pb.ABSENCE_REASON_NOT_ADDRESSED, "cn-mo")

    assert case.about("smuggling", "mo").reason == pb.ABSENCE_REASON_NO_AGREEMENT

    reference = AlertReference(publisher="hk", alert_id=case.alerts["hk's"])
    foreign = case.ask("mo", alert=reference)
    assert (foreign.reason, foreign.publisher) == (pb.ABSENCE_REASON_NOT_OURS, "hk")


def test_what_is_on_its_way_is_told_with_the_link(case: Case) -> None:
    waiting = case.about("to mo", "mo")
    assert (waiting.reason, waiting.waiting, waiting.link_state) == (
        pb.ABSENCE_REASON_ON_THE_WAY,
        1,
        pb.LINK_STATE_CONNECTING,
    )

    async def suspend(*, end: bool) -> None:
        async with case.nodes.client("cn", "operator") as operator:
            feed = origin("cn", "mo")
            await (operator.node.resume_link(feed) if end else operator.node.suspend_link(feed, reason="Their request"))

    case.nodes.run(suspend(end=False))
    suspended = case.about("to mo", "mo")
    assert (suspended.link_state, suspended.detail) == (pb.LINK_STATE_SUSPENDED, "Their request")
    case.nodes.run(suspend(end=True))


def test_an_amendment_that_hasnt_arrived_is_on_its_way(case: Case) -> None:
    async def amend() -> None:
        async with case.nodes.client("cn", "operator") as operator, case.nodes.client("cn", "publisher") as cn:
            await operator.node.suspend_link(origin("cn", "hk"), reason="Maintenance")
            await cn.amend(case.alerts["to hk"], with_party(priority=alert_pb2.PRIORITY_C), revision=1)

    async def resume() -> None:
        async with case.nodes.client("cn", "operator") as operator:
            await operator.node.resume_link(origin("cn", "hk"))

    case.nodes.run(amend())
    waiting = case.about("to hk", "hk")
    assert (waiting.reason, waiting.waiting, waiting.detail) == (pb.ABSENCE_REASON_ON_THE_WAY, 1, "Maintenance")
    case.nodes.run(resume())
    eventually_now(lambda: case.about("to hk", "hk").reason == pb.ABSENCE_REASON_RECEIVED, within_s=30)


def test_fields_of_a_map_and_those_that_the_help_names_are_known(case: Case) -> None:
    assert case.about("to hk", "hk", "goods.net_mass_kg").reason == pb.ABSENCE_REASON_EMPTY
    assert case.about("bare", "mo", "rule_hits.inputs").reason == pb.ABSENCE_REASON_EMPTY
    with pytest.raises(InvalidRequestError, match="no such field"):
        case.about("bare", "mo", "rule_hits.inputs.key")


def test_of_a_field_its_class_or_its_emptiness_is_told(case: Case) -> None:
    for field in ("subject.parties", "subject.parties[0].names", "subject.parties.names.text"):
        told = case.about("to hk", "mo", field)
        assert (told.reason, told.field) == (pb.ABSENCE_REASON_CLASS_NOT_AGREED, field), field
    assert case.about("to hk", "mo", "priority").reason == pb.ABSENCE_REASON_NOT_ADDRESSED
    assert case.about("bare", "mo", "subject.parties").reason == pb.ABSENCE_REASON_EMPTY
    assert case.about("to hk", "hk", "subject.parties.names").reason == pb.ABSENCE_REASON_RECEIVED
    with pytest.raises(InvalidRequestError, match="colour"):
        case.about("to hk", "mo", "subject.colour")


def test_of_an_entry_the_list_and_the_agreement_count(case: Case) -> None:
    def entry(name: str, partner: str, system: str = "officer") -> pb.Absence:
        return case.ask(partner, system=system, entry=WatchlistReference(publisher="cn", list=name, id="E-1"))

    assert entry("minerals", "hk").reason == pb.ABSENCE_REASON_RECEIVED
    assert entry("minerals", "mo").reason == pb.ABSENCE_REASON_CLASS_NOT_AGREED
    assert entry("sealed", "hk", "publisher").reason == pb.ABSENCE_REASON_RECEIVED
    with pytest.raises(NotFoundError):  # a hidden list is read in no way
        entry("sealed", "hk")


def test_of_a_record_it_is_told_what_an_asker_would_learn(case: Case) -> None:
    def record(partner: str, purpose: str = "export_control", field: str = "") -> pb.Absence:
        return case.ask(partner, record_id="CN-1", purpose=purpose, field=field)

    shown = record("hk")
    assert (shown.reason, shown.agreement_id, list(shown.withheld)) == (pb.ABSENCE_REASON_ON_QUESTION, "cn-hk", [])
    assert (record("mo").reason, record("mo").clause) == (pb.ABSENCE_REASON_HIT_ONLY, CLAUSE)
    assert record("mo", "smuggling").reason == pb.ABSENCE_REASON_NO_AGREEMENT_TO_ASK
    with pytest.raises(InvalidRequestError, match="export_control"):
        record("mo", "")
    with pytest.raises(NotFoundError):
        case.ask("mo", record_id="CN-2", purpose="export_control")


def test_wrong_askers_and_partners_are_refused(case: Case) -> None:
    reference = AlertReference(publisher="cn", alert_id=case.alerts["bare"])
    with pytest.raises(PermissionDeniedError):
        case.ask("mo", system="operator", alert=reference)
    for partner in ("cn", "xx"):
        with pytest.raises(InvalidRequestError, match="no partner; the directory names hk, mo"):
            case.ask(partner, alert=reference)


def test_the_command_says_it_in_a_sentence(case: Case) -> None:
    cli = Cli(case.nodes, "cn")
    told = cli.run("officer", "why", "alert", case.alerts["to hk"][:13], "mo").stdout
    assert (
        " ".join(told.split()) == f"It holds personal information, which MO isn't given (cn-mo: {CLAUSE.rstrip('.')})."
    )
    told = cli.run("officer", "why", "record", "CN-1", "mo", "--purpose", "export_control").stdout
    assert " ".join(told.split()) == (
        f"If MO asks, it learns whether there is a record and no more (cn-mo: {CLAUSE.rstrip('.')})."
    )
    (entry,) = cli.json("officer", "why", "entry", "minerals/E-1", "hk")["absences"]
    assert entry["reason"] == "received"
    each = cli.json("officer", "why", "alert", case.alerts["bare"])["absences"]
    assert {one["partner"]: one["reason"] for one in each} == {
        "hk": "received",
        "mo": "not_addressed",
    }
