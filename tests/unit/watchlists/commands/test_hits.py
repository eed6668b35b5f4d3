"""Hits: who is told of them, who may answer, and what nobody can claim in another's name."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import AgreementForbidsError, InvalidRequestError, NotFoundError, PermissionDeniedError
from gateway.feed.codec import make_entry
from gateway.feed.tables import dispositions, feeds
from gateway.trust.rules.directory import FieldClass
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import party_pb2, watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.codec.events import parse_event
from gateway.watchlists.commands.hits import AnswerHitCommand, HitQueries, ReportHitCommand
from gateway.watchlists.commands.proposals import ProposeCommand
from gateway.watchlists.rules.policies import ListPolicy
from tests.support.databases import MakeDatabase
from tests.support.machine_node import Raw
from tests.support.nodes import PaperNode, exchange, listed_content, paper_nodes
from tests.unit.watchlists.commands.test_proposals import _version

LIST = "minerals"


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        cn = made[0]
        cn.policies[LIST] = ListPolicy(four_eyes=False)
        request = pb.ProposeEntriesRequest(
            request_id=str(uuid.uuid4()), list=LIST, entries=[pb.ProposedEntry(id="A", content=listed_content())]
        )
        cn.writer.run(ProposeCommand(cn.lists, request, "system/cn/risk", "risk"))
        exchange(*made)
        yield made


def report(
    node: PaperNode, publisher: str = "cn", entry: str = "A", *, actor: str = "desk", **fields: Any
) -> pb.ReportHitResponse:
    request = pb.ReportHitRequest(
        request_id=str(uuid.uuid4()),
        entry=watchlist_pb2.WatchlistReference(publisher=publisher, list=LIST, id=entry),
        revision=1,
        match_class=watchlist_pb2.MATCH_CLASS_STRONG,
        score=0.93,
        purpose="export_control",
        subject=party_pb2.Party(role=5, names=[party_pb2.Name(text="Placeholder Metals Ltd")]),
        **fields,
    )
    command = ReportHitCommand(node.lists, node.lists.agreements, request, "system/x/desk", actor)
    return node.writer.run(command)  # type: ignore[no-any-return]


def answer(node: PaperNode, reporter: str, hit_id: str, outcome: watchlist_pb2.HitOutcome.ValueType) -> None:
    request = pb.AnswerHitRequest(
        request_id=str(uuid.uuid4()), reporter=reporter, hit_id=hit_id, outcome=outcome, remarks="seen"
    )
    node.writer.run(AnswerHitCommand(node.lists, request, "system/x/desk", "desk"))


def hits(node: PaperNode, text: str = "") -> list[tuple[str, str, int]]:
    node.settle()
    listed = HitQueries(node.database).list(pb.ListHitsRequest(filter=text)).hits
    return [(one.reporter, one.hit.hit_id, one.outcome) for one in listed]


@pytest.mark.both_databases
def test_a_hit_goes_to_the_owner_and_its_outcome_comes_back(nodes: list[PaperNode]) -> None:
    cn, hk, mo = nodes
    response = report(hk)
    assert response.requested_action == listed_content().requested_action
    exchange(*nodes)
    assert hits(cn) == hits(hk) == [("hk", response.hit_id, 0)]
    assert hits(mo) == []
    answer(cn, "hk", response.hit_id, watchlist_pb2.HIT_OUTCOME_FALSE)
    answer(cn, "hk", response.hit_id, watchlist_pb2.HIT_OUTCOME_CONFIRMED)
    exchange(*nodes)
    confirmed = watchlist_pb2.HIT_OUTCOME_CONFIRMED
    assert hits(cn) == hits(hk, "outcome = confirmed") == [("hk", response.hit_id, confirmed)], "the last one counts"
    for node in (cn, hk):
        (listed,) = HitQueries(node.database).list(pb.ListHitsRequest()).hits
        assert (listed.answer.outcome, listed.answer.remarks) == (confirmed, "seen")
        assert listed.answered_at.seconds > 0
        (counted,) = HitQueries(node.database).statistics().lists
        assert (counted.publisher, counted.list) == ("cn", LIST)
        assert (counted.entries, counted.hits, counted.confirmed, counted.false_hits) == (1, 1, 1, 0)


def test_a_hit_on_an_own_entry_stays_here(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    hit_id = report(cn).hit_id
    answer(cn, "cn", hit_id, watchlist_pb2.HIT_OUTCOME_FALSE)
    exchange(*nodes)
    assert hits(cn) == [("cn", hit_id, watchlist_pb2.HIT_OUTCOME_FALSE)]
    assert hits(hk) == []


def test_only_the_owner_answers(nodes: list[PaperNode]) -> None:
    hk = nodes[1]
    hit_id = report(hk).hit_id
    with pytest.raises(PermissionDeniedError, match="only cn"):
        answer(hk, "hk", hit_id, watchlist_pb2.HIT_OUTCOME_FALSE)
    with pytest.raises(NotFoundError):
        answer(nodes[0], "mo", hit_id, watchlist_pb2.HIT_OUTCOME_FALSE)


def test_what_isnt_listed_here_cant_be_hit(nodes: list[PaperNode]) -> None:
    _, hk, mo = nodes
    for node, entry in ((hk, "B"), (mo, "A")):
        with pytest.raises(NotFoundError):
            report(node, entry=entry)


def test_the_agreement_says_what_of_a_hit_may_go(nodes: list[PaperNode]) -> None:
    _, hk, _ = nodes
    agreements = hk.trust.directory.agreements
    without = [
        replace(one, field_classes=frozenset({FieldClass.COMMERCIAL})) if one.id == "hk-cn" else one
        for one in agreements
    ]
    hk.trust = _version(hk.trust, agreements=tuple(without))
    with pytest.raises(InvalidRequestError) as refused:
        report(hk)
    assert [v.field for v in refused.value.violations] == ["subject.names[0].text"]
    hk.trust = _version(hk.trust, agreements=tuple(one for one in agreements if one.id != "hk-cn"))
    with pytest.raises(AgreementForbidsError):
        report(hk)
    assert hits(hk) == []


def test_hits_are_reported_where_the_owners_agreement_has_it_so(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    agreements = {one.id: one for one in hk.trust.directory.agreements}
    unreported = {**agreements, "cn-hk": replace(agreements["cn-hk"], hit_reports=False)}
    hk.trust = _version(hk.trust, agreements=tuple(unreported.values()))
    with pytest.raises(AgreementForbidsError, match=r"no agreement has hits on list entries of cn reported by hk"):
        report(hk)
    assert hits(hk) == []
    # The owner refuses it too, whatever the reporter's gateway let go.
    hk.trust = _version(hk.trust, agreements=tuple(agreements.values()))
    cn.trust = _version(cn.trust, agreements=tuple(unreported.values()))
    place = report(hk).entry
    exchange(*nodes)
    assert (hits(cn), len(hits(hk))) == ([], 1)
    with hk.database.read() as conn:
        disposition = dispositions.find(conn, feeds.get(conn, FeedOrigin.parse(place.origin)).id, place.index)
    assert disposition is not None
    assert (disposition.outcome, disposition.reason) == ("rejected", "AGREEMENT_FORBIDS")


def test_a_hit_is_reported_for_a_purpose_for_which_the_owner_has_it_reported(nodes: list[PaperNode]) -> None:
    hk = nodes[1]
    other = [
        replace(one, purposes=frozenset({"smuggling"})) if one.id == "cn-hk" else one
        for one in hk.trust.directory.agreements
    ]
    hk.trust = _version(hk.trust, agreements=tuple(other))
    with pytest.raises(AgreementForbidsError, match="only by cn-hk for smuggling"):
        report(hk)


def _narrow(node: PaperNode, agreement: str, classes: frozenset[FieldClass] | None) -> None:
    """The agreement with other classes of fields, or without it."""
    kept = [one for one in node.trust.directory.agreements if one.id != agreement or classes is not None]
    changed = [replace(one, field_classes=classes) if one.id == agreement else one for one in kept]
    node.trust = _version(node.trust, agreements=tuple(changed))


def test_the_agreement_says_what_of_an_answer_may_go(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    hit_id = report(hk).hit_id
    exchange(*nodes)
    _narrow(cn, "cn-hk", frozenset({FieldClass.PERSONAL, FieldClass.COMMERCIAL}))
    with pytest.raises(InvalidRequestError) as refused:
        answer(cn, "hk", hit_id, watchlist_pb2.HIT_OUTCOME_FALSE)
    assert [violation.field for violation in refused.value.violations] == ["remarks"]
    _narrow(cn, "cn-hk", None)
    with pytest.raises(AgreementForbidsError):
        answer(cn, "hk", hit_id, watchlist_pb2.HIT_OUTCOME_FALSE)
    assert hits(cn) == [("hk", hit_id, 0)]


def test_an_answer_that_the_agreement_forbids_is_rejected(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    hit_id = report(hk).hit_id
    exchange(*nodes)
    answer(cn, "hk", hit_id, watchlist_pb2.HIT_OUTCOME_FALSE)
    _narrow(hk, "cn-hk", frozenset({FieldClass.PERSONAL, FieldClass.COMMERCIAL}))
    exchange(*nodes)
    assert hits(hk) == [("hk", hit_id, 0)]
    origin = FeedOrigin(FEDERATION, "cn", "hk", Channel.WATCHLIST)
    with hk.database.read() as conn:
        feed = feeds.get(conn, origin)
    with cn.database.read() as conn:
        disposition = dispositions.find(conn, feeds.get(conn, origin).id, feed.size - 1)
    assert disposition is not None
    assert disposition.outcome == "rejected"


@pytest.mark.parametrize("misdeed", ["another's entry", "unknown entry", "twice", "outcome on its own hit"])
def test_what_a_partner_may_not_say_is_rejected(nodes: list[PaperNode], misdeed: str) -> None:
    cn, hk, _ = nodes
    honest = report(hk).hit_id
    event = watchlist_pb2.WatchlistEvent(occurred_at=to_timestamp(hk.clock.now))
    hit = event.hit
    hit.hit_id = honest if misdeed == "twice" else str(uuid.uuid4())
    publisher, entry = ("mo", "A") if misdeed == "another's entry" else ("cn", "X" if "unknown" in misdeed else "A")
    hit.entry.CopyFrom(watchlist_pb2.WatchlistReference(publisher=publisher, list=LIST, id=entry))
    hit.revision, hit.match_class, hit.purpose = 1, watchlist_pb2.MATCH_CLASS_STRONG, "export_control"
    hit.met_at.CopyFrom(event.occurred_at)
    if misdeed == "outcome on its own hit":
        event.outcome.CopyFrom(
            watchlist_pb2.WatchlistHitOutcome(hit_id=honest, outcome=watchlist_pb2.HIT_OUTCOME_CONFIRMED)
        )
    origin = FeedOrigin(FEDERATION, "hk", "cn", Channel.WATCHLIST)
    forged = make_entry("WatchlistEvent", event.SerializeToString(), salt=bytes(32), recorded_at_ms=hk.clock.now)
    place = hk.writer.run(Raw(lambda tx: tx.append(origin, forged)))
    exchange(cn, hk)
    assert hits(cn) == [("hk", honest, 0)]
    with hk.database.read() as conn:
        disposition = dispositions.find(conn, feeds.get(conn, origin).id, place.index)
        own = feeds.read_entries(conn, feeds.get(conn, origin).id, 0, place.index + 1)
    assert disposition is not None
    assert disposition.outcome == "rejected"
    assert parse_event(own[place.index].payload) == event


def test_hits_are_built_again(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    hit_id = report(hk).hit_id
    exchange(*nodes)
    answer(cn, "hk", hit_id, watchlist_pb2.HIT_OUTCOME_CONFIRMED)
    report(cn)
    exchange(*nodes)
    for node in (cn, hk):
        before = hits(node)
        with node.database.write() as conn:
            node.projector.clear(conn)
        assert hits(node) == before
