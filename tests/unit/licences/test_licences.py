"""Licences at paper nodes: who gets what, who may change what, and one balance for all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import (
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RevisionConflictError,
)
from gateway.feed.codec import make_entry
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.tables import dispositions, feeds
from gateway.licences.commands.distribution import SendDuesCommand
from gateway.licences.tables.schema import licence_acts, licence_dues, licences
from gateway.trust.rules.directory import FieldClass
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import licence_pb2
from gateway.v1 import licence_service_pb2 as pb
from tests.support.databases import MakeDatabase, new_database
from tests.support.licences import ARRIVED, REEXPORTED, PaperLicences, named
from tests.support.machine_node import Raw
from tests.support.nodes import PaperNode, deliver, exchange, paper_nodes

Desks = tuple[PaperLicences, PaperLicences, PaperLicences]


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        yield made


@pytest.fixture
def desks(nodes: list[PaperNode]) -> Desks:
    cn, hk, mo = nodes
    return PaperLicences(cn), PaperLicences(hk), PaperLicences(mo)


@pytest.mark.both_databases
def test_all_whom_it_concerns_see_a_licence_and_its_balance(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, hk, mo = desks
    cn.publish(parties=["hk", "mo"])
    exchange(*nodes)
    cn.use("CN-1", "600")
    response = hk.use("HK-1", "600")
    assert response.recipients == ["cn", "mo"]
    assert not response.balance.breaches, "the other use hasn't arrived"
    exchange(*nodes)
    assert cn.breaches() == hk.breaches() == mo.breaches() == [("BEYOND_QUANTITY", "HK-1")]
    hk.follow(ARRIVED, "HK-7", "600")
    hk.follow(REEXPORTED, "HK-8", "100", destination="US")
    hk.use("HK-1", "400")  # a correction
    exchange(*nodes)
    left = {desk.balance().SerializeToString(deterministic=True) for desk in desks}
    assert len(left) == 1
    assert cn.breaches() == [("REEXPORTED", "HK-8")]
    (goods,) = cn.balance().goods
    assert (goods.drawn, goods.arrived, goods.reexported) == ("1000", "600", "100")


def test_nobody_else_sees_it(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, _, mo = desks
    cn.publish()
    exchange(*nodes)
    with pytest.raises(NotFoundError):
        mo.get()
    with pytest.raises(NotFoundError):
        mo.use("MO-1", "1")


def test_a_party_that_is_added_later_gets_everything(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, hk, mo = desks
    cn.publish()
    exchange(*nodes)
    cn.use("CN-1", "1")
    hk.use("HK-1", "2")
    exchange(*nodes)
    cn.amend(1, parties=["hk", "mo"], destinations=["HK", "MO"])
    exchange(*nodes)
    assert mo.balance() == cn.balance()
    assert [use.use.declaration for use in mo.get().uses] == ["CN-1", "HK-1"]
    assert len(mo.get().revisions) == 2
    with pytest.raises(InvalidRequestError, match="has seen the licence"):
        cn.amend(2, parties=["hk"])


def test_changes_follow_on_what_was_read(desks: Desks, nodes: list[PaperNode]) -> None:
    cn = desks[0]
    cn.publish()
    with pytest.raises(IllegalTransitionError, match="published before"):
        cn.publish()
    cn.amend(1, valid_until="2026-12-31")
    with pytest.raises(RevisionConflictError):
        cn.amend(1)
    with pytest.raises(InvalidRequestError, match="a quantity to 0"):
        cn.amend(2, goods=[])
    with pytest.raises(InvalidRequestError, match="calendar"):
        cn.amend(2, valid_until="2026-02-30")
    cn.withdraw(2)
    with pytest.raises(IllegalTransitionError, match="withdrawn"):
        cn.amend(2)
    exchange(*nodes)
    assert desks[1].get().licence.withdrawn
    assert desks[1].get().withdrawal.reason == "Misused."
    desks[1].use("HK-1", "1", day="2026-03-01")
    assert desks[1].breaches() == [("WITHDRAWN", "HK-1")]


def test_four_eyes(nodes: list[PaperNode]) -> None:
    cn, hk = PaperLicences(nodes[0], four_eyes=True), PaperLicences(nodes[1])
    first, second = cn.publish().proposal_id, cn.publish().proposal_id
    exchange(*nodes)
    with pytest.raises(NotFoundError):
        hk.get()
    with pytest.raises(PermissionDeniedError):
        cn.decide(first, actor="desk")
    cn.decide(second, approve=False)
    waiting = cn.queries.proposals(pb.ListLicenceProposalsRequest()).proposals
    cn.node.settle()
    assert [one.proposal.proposal_id for one in waiting] in ([first, second], [first])
    cn.decide(first)
    exchange(*nodes)
    assert hk.get().licence.newest.revision == 1
    with pytest.raises(IllegalTransitionError):
        cn.decide(first)
    amendment, withdrawal = cn.amend(1).proposal_id, cn.withdraw(1).proposal_id
    cn.decide(amendment)
    with pytest.raises(RevisionConflictError):
        cn.decide(withdrawal)


def test_an_agreement_without_what_a_balance_needs_lets_nobody_see_it(desks: Desks, nodes: list[PaperNode]) -> None:
    for node in nodes:
        agreements = tuple(
            replace(one, field_classes=frozenset({FieldClass.INVESTIGATIVE})) if one.id == "hk-mo" else one
            for one in node.trust.directory.agreements
        )
        node.trust.directory = replace(node.trust.directory, agreements=agreements)
    with pytest.raises(InvalidRequestError, match="no agreement lets hk send mo licences"):
        desks[0].publish(parties=["hk", "mo"])
    desks[0].publish(parties=["hk"])


def test_what_may_not_be_sent_now_waits_for_the_agreement(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, hk, _ = desks
    cn.publish()
    exchange(*nodes)
    allowed = nodes[1].trust.directory
    agreements = tuple(one for one in allowed.agreements if one.id != "hk-cn")
    nodes[1].trust.directory = replace(allowed, agreements=agreements)
    assert hk.use("HK-1", "1").recipients == []
    exchange(*nodes)
    assert cn.balance().uses_made == 0
    nodes[1].trust.directory = allowed
    nodes[1].writer.run(SendDuesCommand(hk.register.sharing))
    exchange(*nodes)
    assert cn.balance().uses_made == 1


def test_a_rebuild_changes_and_sends_nothing(desks: Desks, nodes: list[PaperNode]) -> None:
    cn, hk, _ = desks
    cn.publish(parties=["hk", "mo"])
    exchange(*nodes)
    hk.use("HK-1", "2000")
    cn.amend(1, parties=["hk", "mo"], uses=3)
    exchange(*nodes)
    for node in nodes:
        before = _tables(node)
        sizes = [node.outgoing.size(_origin(node.name, other)) for other in ("cn", "hk", "mo") if other != node.name]
        rebuild(node.writer, report_progress=lambda _: None)
        node.settle()
        assert _tables(node) == before
        assert sizes == [
            node.outgoing.size(_origin(node.name, other)) for other in ("cn", "hk", "mo") if other != node.name
        ]
        assert before[-1] == [], "nothing is left to send"


def test_nobody_tells_of_what_is_not_theirs(desks: Desks, nodes: list[PaperNode]) -> None:
    """What was told once isn't told otherwise under the same key."""
    cn, hk, _ = desks
    cn.publish()
    exchange(*nodes)
    hk.use("HK-1", "1")
    exchange(*nodes)
    told = hk.get().uses[0].use
    told.quantity = "2"
    event = licence_pb2.LicenceEvent(occurred_at=to_timestamp(nodes[1].clock()), used=told)
    entry = make_entry(
        "LicenceEvent",
        event.SerializeToString(deterministic=True),
        salt=bytes(32),
        recorded_at_ms=nodes[1].clock(),
    )
    nodes[1].writer.run(Raw(lambda tx: tx.append(_origin("hk", "cn"), entry)))
    exchange(*nodes)
    assert cn.get().uses[0].use.quantity == "1"
    with nodes[0].database.read() as conn:
        feed = feeds.get(conn, _origin("hk", "cn"))
    with nodes[1].database.read() as conn:
        answer = dispositions.find(conn, feeds.get(conn, _origin("hk", "cn")).id, feed.size - 1)
    assert answer is not None
    assert (answer.outcome, answer.reason) == ("rejected", "MALFORMED")


def test_one_node_reports_so_often_and_no_more(
    desks: Desks, nodes: list[PaperNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    cn, hk, _ = desks
    cn.publish()
    exchange(*nodes)
    hk.use("HK-1", "1")
    hk.use("HK-1", "2")
    monkeypatch.setattr("gateway.licences.rules.balances.MAX_ACTS", 2)
    with pytest.raises(InvalidRequestError, match="at most"):
        hk.use("HK-2", "1")
    monkeypatch.setattr("gateway.licences.rules.balances.MAX_ACTS", 3)
    hk.use("HK-2", "1")
    monkeypatch.setattr("gateway.licences.rules.balances.MAX_ACTS", 2)
    exchange(*nodes)
    assert cn.balance().uses_made == 1, "cn takes as many as it would report itself"


@pytest.mark.parametrize("day", ["2026-13-01", "2026-02-30"])
def test_a_use_is_on_a_day_of_the_calendar(desks: Desks, day: str) -> None:
    desks[0].publish()
    with pytest.raises(InvalidRequestError, match="calendar"):
        desks[0].use("CN-1", "1", day=day)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.sampled_from([0, 1]), st.sampled_from("AB"), st.sampled_from(["0", "300", "700"])),
        st.tuples(st.just("follow"), st.sampled_from([0, 1]), st.sampled_from("CD"), st.sampled_from(["5", "700"])),
        st.tuples(st.just("deliver"), st.sampled_from([0, 1]), st.just(""), st.just("")),
    ),
    max_size=10,
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[PaperNode]]:
    folder = tmp_path_factory.mktemp("pair")
    paths = (folder / f"{name}.sqlite3" for name in ("cn", "hk"))
    with paper_nodes(folder, lambda: new_database(f"sqlite:///{next(paths)}"), ("cn", "hk")) as made:
        yield made


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_any_interleaving_ends_in_one_balance(pair: list[PaperNode], steps: list[tuple[str, int, str, str]]) -> None:
    cn, hk = (PaperLicences(node) for node in pair)
    number = f"L-{pair[0].clock()}"
    cn.publish(number)
    exchange(*pair)
    for step, at, declaration, quantity in steps:
        desk = (cn, hk)[at]
        if step == "use":
            desk.use(declaration, quantity, number=number, consignee=named("X"))
        elif step == "follow":
            desk.follow(REEXPORTED, declaration, quantity, number=number)
        else:
            deliver(pair[at], pair[1 - at], channel=Channel.LICENCES)
    exchange(*pair)
    assert cn.balance(number) == hk.balance(number)


def _origin(publisher: str, recipient: str) -> FeedOrigin:
    return FeedOrigin(FEDERATION, publisher, recipient, Channel.LICENCES)


def _tables(node: PaperNode) -> list[list[tuple[object, ...]]]:
    with node.database.read() as conn:
        return [
            sorted(tuple(row) for row in conn.execute(select(table)))
            for table in (licence_acts, licences, licence_dues)
        ]
