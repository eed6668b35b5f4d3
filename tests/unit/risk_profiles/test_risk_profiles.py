"""Risk profiles at paper nodes: who gets what, what is adopted, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import (
    AgreementForbidsError,
    IllegalTransitionError,
    InvalidRequestError,
    PermissionDeniedError,
    RevisionConflictError,
)
from gateway.feed.codec import make_entry
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import dispositions, feeds
from gateway.history.codec.batches import RecordOutcome
from gateway.history.tables import inspection_outcomes
from gateway.history.tables import progress as record_progress
from gateway.history.tables import risk_hits as risk
from gateway.history.tables import shipments as log
from gateway.risk_profiles.commands.distribution import SendProfileDuesCommand
from gateway.risk_profiles.rules.reports import shown_numbers
from gateway.risk_profiles.service.state import rules_adopted_by
from gateway.risk_profiles.tables.schema import risk_profile_acts, risk_profile_dues, risk_profile_proposals
from gateway.trust.rules.directory import Agreement, FieldClass, MessageType
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import risk_profile_pb2
from tests.support.databases import MakeDatabase
from tests.support.machine_node import Raw
from tests.support.nodes import PaperNode, exchange, paper_nodes
from tests.support.risk_profiles import HOSTILE, ID, PaperProfiles, profile

Desks = tuple[PaperProfiles, PaperProfiles, PaperProfiles]


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        yield made


@pytest.fixture
def desks(nodes: list[PaperNode]) -> Desks:
    cn, hk, mo = nodes
    return PaperProfiles(cn), PaperProfiles(hk), PaperProfiles(mo)


@pytest.mark.both_databases
def test_a_profile_is_offered_adopted_and_withdrawn(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, hk, mo = desks
    cn.offer()
    exchange(*nodes)
    assert [one.newest.title for one in hk.listed()] == ["Heavy consignments of zinc"]
    assert mo.listed() == [], "it wasn't offered to mo"
    assert _rules(nodes[1]) == {}
    hk.adopt(values={"least_kg": 5_000})
    (version,) = _rules(nodes[1]).values()
    assert version.startswith("1+")
    exchange(*nodes)
    (use,) = cn.get().uses
    assert (use.node, use.adoption.rule_version, dict(use.adoption.values)) == ("hk", version, {})
    assert dict(hk.get().uses[0].adoption.values) == {"least_kg": 5_000}
    cn.offer(version=2, title="Heavier")
    exchange(*nodes)
    assert hk.get().newest.version == 2
    assert _rules(nodes[1]) == {"cn.HEAVY-ZINC": version}, "the old one goes on until the new one is adopted"
    with pytest.raises(RevisionConflictError):
        hk.adopt(1)
    hk.adopt(2)
    assert _rules(nodes[1]) == {"cn.HEAVY-ZINC": "2"}
    cn.withdraw()
    exchange(*nodes)
    assert hk.get().withdrawal.reason == "Over."
    assert _rules(nodes[1]) == {}
    with pytest.raises(IllegalTransitionError):
        hk.adopt(2)
    with pytest.raises(IllegalTransitionError):
        cn.offer(version=3)


def test_an_adoption_ends_and_is_valid_for_its_days(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, hk, _ = desks
    cn.offer(valid_until="2026-06-30")
    exchange(*nodes)
    hk.adopt()
    with nodes[1].database.read() as conn:
        assert [rule.id for rule in rules_adopted_by(conn, "hk", date(2026, 6, 30))] == ["cn.HEAVY-ZINC"]
        assert rules_adopted_by(conn, "hk", date(2026, 7, 1)) == ()
    hk.end()
    assert _rules(nodes[1]) == {}
    with pytest.raises(IllegalTransitionError, match="isn't adopted here"):
        hk.end()
    exchange(*nodes)
    assert cn.get().uses[0].adoption.ended


def test_four_eyes(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, hk = PaperProfiles(nodes[0], four_eyes=True), PaperProfiles(nodes[1], four_eyes=True)
    offered = cn.offer()
    exchange(*nodes)
    assert hk.listed() == []
    with pytest.raises(PermissionDeniedError, match="four eyes"):
        cn.decide(offered.proposal_id, actor="desk")
    cn.decide(offered.proposal_id)
    exchange(*nodes)
    first, second = hk.adopt(), hk.adopt(values={"least_kg": 2_000})
    assert _rules(nodes[1]) == {}
    hk.decide(first.proposal_id)
    assert _rules(nodes[1]) == {"cn.HEAVY-ZINC": "1"}
    with pytest.raises(RevisionConflictError):
        hk.decide(second.proposal_id)
    hk.decide(second.proposal_id, approve=False)


def test_without_an_agreement_nobody_is_told(desks: Desks, nodes: list[PaperNode]) -> None:
    for node in nodes:
        _change_agreement(node, "cn-mo", message_types=lambda types: types - {MessageType.RISK_PROFILE_EVENT})
        _change_agreement(node, "cn-hk", field_classes=lambda classes: classes - {FieldClass.INVESTIGATIVE})
    with pytest.raises(InvalidRequestError) as refusal:
        desks[0].offer(recipients=["mo", "hk", "xx"])
    assert [violation.rule for violation in refusal.value.violations] == [
        "recipients.agreement",
        "recipients.agreement",
        "recipients.known",
    ]
    exchange(*nodes)
    assert desks[1].listed() == desks[2].listed() == []


def test_an_adoption_waits_for_its_agreement_and_a_report_is_refused(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, hk, _ = desks
    cn.offer()
    exchange(*nodes)
    allowed = nodes[1].trust.directory
    _change_agreement(nodes[1], "hk-cn", message_types=lambda types: types - {MessageType.RISK_PROFILE_EVENT})
    hk.adopt()
    with pytest.raises(AgreementForbidsError):
        hk.report()
    exchange(*nodes)
    assert not cn.get().uses
    nodes[1].trust.directory = allowed
    nodes[1].writer.run(SendProfileDuesCommand(hk.register.sharing))
    exchange(*nodes)
    assert [use.node for use in cn.get().uses] == ["hk"]


@pytest.mark.parametrize("why", ["loops within loops", "texts that grow", "an unknown fact"])
def test_a_partner_that_offers_a_hostile_profile_is_refused(desks: Desks, nodes: list[PaperNode], why: str) -> None:
    """A gateway with a defect, or of bad will, doesn't check what it offers."""
    event = risk_profile_pb2.RiskProfileEvent(offered=profile(condition=HOSTILE[why]))
    answer = _sent_unchecked(nodes[0], nodes[1], event, nodes)
    assert answer == ("rejected", "INVALID_REQUEST")
    assert desks[1].listed() == []


def test_nobody_adopts_or_reports_on_what_wasnt_offered(desks: Desks, nodes: list[PaperNode]) -> None:
    desks[0].offer()
    exchange(*nodes)
    adoption = risk_profile_pb2.RiskProfileAdoption(version=1, revision=1, rule_version="1")
    adoption.profile.offerer, adoption.profile.profile_id = "cn", ID
    event = risk_profile_pb2.RiskProfileEvent(adopted=adoption)
    assert _sent_unchecked(nodes[2], nodes[0], event, nodes) == ("rejected", "MALFORMED")
    assert not desks[0].get().uses


def test_a_rebuild_changes_and_sends_nothing(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, hk, _ = desks
    cn.offer()
    exchange(*nodes)
    hk.adopt(values={"least_kg": 2_000})
    hk.report()
    cn.offer(version=2, recipients=["hk", "mo"])
    exchange(*nodes)
    for node in nodes:
        before, sizes = _tables(node), _sizes(node)
        assert before[1] == [], "nothing is left to send"
        rebuild(node.writer, report_progress=lambda _: None)
        node.settle()
        assert _tables(node) == before
        assert _sizes(node) == sizes


@pytest.mark.both_databases
def test_a_report_has_numbers_alone_and_small_ones_are_withheld(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, hk, _ = desks
    cn.offer()
    exchange(*nodes)
    _record(nodes[1], "EARLIER", hit=True)
    hk.adopt()
    for number in range(6):
        _record(nodes[1], f"R{number}", hit=number < 4, confirmed=None if number else True)
    report = hk.report()
    assert (report.records, report.hits) == (6, 4), "those recorded since the adoption"
    assert not report.HasField("confirmed"), "one could point to a case"
    exchange(*nodes)
    (use,) = cn.get().uses
    assert use.report == report
    _record(nodes[1], "R9", hit=True)
    assert not hk.report().HasField("hits"), "the difference to the last report would be one"


@pytest.mark.parametrize(
    ("counted", "shown"),
    [
        ((100, 0, 0, 0), (100, 0, 0, 0)),
        ((100, 30, 20, 10), (100, 30, 20, 10)),
        ((100, 30, 20, 0), (100, 30, 20, 0)),
        ((100, 9, 9, 0), (100, None, None, 0)),
        ((9, 0, 0, 0), (None, 0, 0, 0)),
        ((100, 30, 28, 2), (100, 30, None, None)),
    ],
)
def test_numbers_that_are_shown(counted: tuple[int, ...], shown: tuple[int | None, ...]) -> None:
    names = ("records", "hits", "confirmed", "unfounded")
    report = shown_numbers(**dict(zip(names, counted, strict=True)), least=10, before=None)
    numbers = tuple(getattr(report, name) if report.HasField(name) else None for name in names)  # type: ignore[arg-type]
    assert numbers == shown


def _rules(node: PaperNode) -> dict[str, str]:
    with node.database.read() as conn:
        return {rule.id: rule.version for rule in rules_adopted_by(conn, node.name, date(2026, 12, 1))}


def _change_agreement(
    node: PaperNode, agreement_id: str, **changes: Callable[[frozenset[Any]], frozenset[Any]]
) -> None:
    def changed(agreement: Agreement) -> Agreement:
        if agreement.id != agreement_id:
            return agreement
        fields: dict[str, Any] = {name: change(getattr(agreement, name)) for name, change in changes.items()}
        return replace(agreement, **fields)

    directory = node.trust.directory
    node.trust.directory = replace(directory, agreements=tuple(map(changed, directory.agreements)))


def _sent_unchecked(
    sender: PaperNode, recipient: PaperNode, event: risk_profile_pb2.RiskProfileEvent, nodes: list[PaperNode]
) -> tuple[str, str]:
    """Outcome and reason of an event that its sender didn't check."""
    event.occurred_at.CopyFrom(to_timestamp(sender.clock()))
    data = event.SerializeToString(deterministic=True)
    entry = make_entry("RiskProfileEvent", data, salt=bytes(32), recorded_at_ms=sender.clock())
    origin = _origin(sender.name, recipient.name)
    sender.writer.run(Raw(lambda tx: tx.append(origin, entry)))
    exchange(*nodes)
    with sender.database.read() as conn:
        feed = feeds.get(conn, origin)
        answer = dispositions.find(conn, feed.id, feed.size - 1)
    assert answer is not None
    return answer.outcome, answer.reason


def _record(node: PaperNode, record_id: str, *, hit: bool, confirmed: bool | None = None) -> None:
    """A record as the indexer and the rules leave it."""

    def write(tx: Transaction) -> None:
        position = log.last_position(tx.conn) + 1
        log.append(tx.conn, [log.LogRow(position, record_id, 1, tx.now_ms, "x", b"", b"")])
        log.add(tx.conn, [log.ShipmentRow(record_id, position, 1, 0, 0, 0, bytes(32), "", 1 << 60)])
        if hit:
            risk.replace(tx.conn, [position], [risk.RiskRow(position, 0, "cn.HEAVY-ZINC", 2, tx.now_ms, b"")])
        if confirmed is not None:
            outcome = RecordOutcome(record_id, tx.now_ms, confirmed, ())
            inspection_outcomes.replace(tx.conn, [record_id], [outcome])
        record_progress.move_evaluated(tx.conn, position)

    node.writer.run(Raw(write))


def _origin(publisher: str, recipient: str) -> FeedOrigin:
    return FeedOrigin(FEDERATION, publisher, recipient, Channel.RISK_PROFILES)


def _sizes(node: PaperNode) -> list[int]:
    return [node.outgoing.size(_origin(node.name, other)) for other in ("cn", "hk", "mo") if other != node.name]


def _tables(node: PaperNode) -> list[list[tuple[object, ...]]]:
    with node.database.read() as conn:
        return [
            sorted(tuple(row) for row in conn.execute(select(table)))
            for table in (risk_profile_acts, risk_profile_dues, risk_profile_proposals)
        ]
