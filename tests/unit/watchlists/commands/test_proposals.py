"""Own lists and partners' copies: who decides, what travels to whom, and that everything can be built again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.contract import limits
from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_ms, to_timestamp
from gateway.contract.status import from_status, to_status
from gateway.errors import (
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RequestIdReusedError,
    RevisionConflictError,
)
from gateway.feed.service.states import StateCommand
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import dispositions, feeds, journal
from gateway.feed.tables.feeds import FeedState
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import watchlist_pb2, watchlist_service_pb2
from gateway.watchlists.codec.events import parse_decision, parse_event
from gateway.watchlists.commands.imports import (
    EndCutOffCommand,
    EndRowsCommand,
    FinishImportCommand,
    Import,
    ImportRowsCommand,
    count_listed,
    vanished,
)
from gateway.watchlists.commands.proposals import DecideCommand, ExpireListedCommand, ProposeCommand, append_parts
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import proposals as proposal_rows
from gateway.watchlists.tables.schema import list_copies, list_distribution, list_entries, list_imports
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, listed_content, paper_nodes

LIST = "minerals"
Pb = watchlist_service_pb2


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        made[0].policies[LIST] = ListPolicy(four_eyes=False)
        yield made


def propose(
    node: PaperNode,
    *contents: watchlist_pb2.WatchlistContent,
    ids: Sequence[str] = (),
    revision: int = 0,
    withdraw: Sequence[tuple[str, int]] = (),
    list_name: str = LIST,
    actor: str = "risk-engine",
    request_id: str = "",
) -> Pb.ProposeEntriesResponse:
    request = Pb.ProposeEntriesRequest(
        request_id=request_id or str(uuid.uuid4()),
        list=list_name,
        entries=[
            Pb.ProposedEntry(id=ids[at] if ids else "", revision=revision, content=content)
            for at, content in enumerate(contents)
        ],
        withdrawals=[Pb.ProposedWithdrawal(id=one, revision=rev, reason="cleared") for one, rev in withdraw],
    )
    node.lists.check(request)
    command = ProposeCommand(node.lists, request, f"system/{node.name}/{actor}", actor)
    return node.writer.run(command)  # type: ignore[no-any-return]


def decide(node: PaperNode, proposal_id: str, *, approve: bool = True, actor: str = "chief") -> int:
    request = Pb.DecideProposalRequest(
        request_id=str(uuid.uuid4()), proposal_id=proposal_id, approve=approve, remarks="seen"
    )
    command = DecideCommand(node.lists, request, f"system/{node.name}/{actor}", actor)
    return int(node.writer.run(command).changes)


def listed(node: PaperNode, publisher: str = "cn") -> dict[str, int]:
    """Ids and revisions of a publisher's entries as a node has them."""
    node.settle()
    with node.database.read() as conn:
        return {
            row.entry_id: row.revision
            for row in watchlists.page(conn, [], after=None, limit=2_000)
            if row.publisher == publisher
        }


def distributed(sender: PaperNode, recipient: str) -> list[watchlist_pb2.WatchlistChange]:
    """Every change in a watchlist feed."""
    origin = FeedOrigin(FEDERATION, sender.name, recipient, Channel.WATCHLIST)
    with sender.database.read() as conn:
        feed = feeds.find(conn, origin)
        stored = feeds.read_entries(conn, feed.id, 0, feed.size) if feed is not None else []
    return [change for entry in stored for change in parse_event(entry.payload).update.changes]


def told(sender: PaperNode, recipient: str) -> list[str]:
    """Every change in a watchlist feed: `+id@revision` or `-id END`."""
    return [
        f"+{c.entered.id}@{c.entered.revision}"
        if c.WhichOneof("change") == "entered"
        else f"-{c.ended.id} {watchlist_pb2.WatchlistEnd.Name(c.ended.end).removeprefix('WATCHLIST_END_')}"
        for c in distributed(sender, recipient)
    ]


def projections(node: PaperNode) -> dict[str, list[tuple[Any, ...]]]:
    with node.database.read() as conn:
        return {
            table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key.columns))]
            for table in node.projector.tables
        }


def test_an_entry_reaches_those_it_is_released_to_and_nobody_else(nodes: list[PaperNode]) -> None:
    cn, hk, mo = nodes
    propose(cn, listed_content(), ids=["A"])
    exchange(*nodes)
    assert listed(cn) == listed(hk) == {"A": 1}
    assert listed(mo) == {}
    assert (told(cn, "hk"), told(cn, "mo")) == (["+A@1"], [])
    with cn.database.read() as conn:
        (copy,) = watchlists.copies_of(conn, LIST, "A")
        feed = feeds.get(conn, FeedOrigin(FEDERATION, "cn", "hk", Channel.WATCHLIST))
        disposition = dispositions.find(conn, copy.feed_id, copy.idx)
    assert (copy.partner, copy.revision, copy.ended) == ("hk", 1, 0)
    assert feed.receipted_size == feed.size == 1
    assert disposition is not None
    assert disposition.outcome == "applied"


def test_amendments_and_withdrawals_travel_as_such(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    propose(cn, listed_content(), listed_content("Second Placeholder"), ids=["A", "B"])
    propose(cn, listed_content("Placeholder Metals (HK) Limited"), ids=["A"], revision=1)
    propose(cn, withdraw=[("B", 1)])
    exchange(*nodes)
    assert listed(cn) == listed(hk) == {"A": 2}
    assert told(cn, "hk")[-1] == "-B WITHDRAWN"
    propose(cn, listed_content("Second Placeholder"), ids=["B"])
    exchange(*nodes)
    assert listed(hk) == {"A": 2, "B": 2}, "what comes back has the next revision"


@pytest.mark.both_databases
def test_earlier_revisions_are_found_newest_first_with_what_they_said(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    propose(cn, listed_content("First"), listed_content("Other"), ids=["A", "B"])
    propose(cn, listed_content("Second"), ids=["A"], revision=1)
    propose(cn, withdraw=[("A", 2)])
    propose(cn, listed_content("Third"), ids=["A"])
    exchange(*nodes)
    for node in (cn, hk):
        assert earlier(node, "A") == ["cleared", "Second", "First"]
        assert earlier(node, "B") == []
        found = node.list_queries.get(watchlist_pb2.WatchlistReference(publisher="cn", list=LIST, id="A"), earlier=1)
        assert (len(found.earlier), found.earlier_count) == (1, 3)


def earlier(node: PaperNode, entry_id: str) -> list[str]:
    """The name in each earlier revision of an entry of cn's, or why it ended."""
    node.settle()
    reference = watchlist_pb2.WatchlistReference(publisher="cn", list=LIST, id=entry_id)
    found = [one.change for one in node.list_queries.get(reference, earlier=100).earlier]
    return [change.ended.reason or change.entered.content.names[0].text for change in found]


def test_nobody_overwrites_what_they_havent_seen(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    propose(cn, listed_content(), ids=["A"])
    for contents, arguments in (
        ((listed_content(),), {"ids": ["A"]}),
        ((listed_content(),), {"ids": ["A"], "revision": 2}),
    ):
        with pytest.raises(RevisionConflictError) as refused:
            propose(cn, *contents, **arguments)
        assert refused.value.metadata == {"about": "entry", "entry": "minerals/A", "revision": "1"}
        assert refused.value.message.startswith("entry A of minerals is at revision 1")
        there = from_status(to_status(refused.value))
        assert there.way_out == "Read the entry again and repeat the step on its current revision."
    with pytest.raises(RevisionConflictError):
        propose(cn, withdraw=[("A", 2)])
    with pytest.raises(NotFoundError):
        propose(cn, withdraw=[("B", 1)])
    assert listed(cn) == {"A": 1}


def test_a_resent_proposal_has_no_second_effect(nodes: list[PaperNode]) -> None:
    cn, again = nodes[0], str(uuid.uuid4())
    first = propose(cn, listed_content(), request_id=again)
    assert propose(cn, listed_content(), request_id=again) == first
    assert len(listed(cn)) == 1
    with pytest.raises(RequestIdReusedError):
        propose(cn, listed_content("Another"), request_id=again)


def test_four_eyes_where_the_policy_doesnt_say_otherwise(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    proposal = propose(cn, listed_content(), ids=["A"], list_name="un-sc").proposal_id
    exchange(*nodes)
    assert listed(cn) == listed(hk) == {}, "a proposal has no effect"
    with pytest.raises(PermissionDeniedError, match="four eyes"):
        decide(cn, proposal, actor="risk-engine")
    assert decide(cn, proposal) == 1
    exchange(*nodes)
    assert listed(cn) == listed(hk) == {"A": 1}
    with pytest.raises(IllegalTransitionError) as refused:
        decide(cn, proposal)
    assert refused.value.way_out == "Read the proposal's present state and choose a step that it allows."
    with pytest.raises(NotFoundError):
        decide(cn, str(uuid.uuid4()))


def test_a_rejected_proposal_has_no_effect_and_may_be_taken_back_by_its_proposer(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    for actor in ("chief", "risk-engine"):
        proposal = propose(cn, listed_content(), list_name="un-sc").proposal_id
        decide(cn, proposal, approve=False, actor=actor)
    assert listed(cn) == {}


def test_an_approval_is_judged_by_the_state_at_its_time(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    first, second = (propose(cn, listed_content(), ids=["A"], list_name="un-sc").proposal_id for _ in range(2))
    decide(cn, first)
    with pytest.raises(RevisionConflictError):
        decide(cn, second)


@dataclass
class _Propose:
    """A proposal in parts, as an import makes it: whether its changes follow is seen when their turn comes."""

    node: PaperNode
    proposal_id: str
    changes: Sequence[watchlist_pb2.WatchlistChange]
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        parts = [watchlist_pb2.WatchlistUpdate(changes=[change]).SerializeToString() for change in self.changes]
        append_parts(tx, self.node.lists, parts, self.proposal_id, list_name=LIST, note="", actor="risk-engine")


@pytest.mark.both_databases
def test_whoever_follows_the_changes_holds_what_is_listed_although_some_were_overtaken(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes

    def entered(entry_id: str, revision: int, name: str) -> watchlist_pb2.WatchlistChange:
        change = watchlist_pb2.WatchlistChange()
        change.entered.MergeFrom(
            watchlist_pb2.WatchlistEntry(list=LIST, id=entry_id, revision=revision, content=listed_content(name))
        )
        change.entered.published_at.CopyFrom(to_timestamp(cn.clock()))
        return change

    def ended(entry_id: str, revision: int) -> watchlist_pb2.WatchlistChange:
        end = watchlist_pb2.WatchlistTombstone(list=LIST, id=entry_id, revision=revision, end=1, reason="cleared")
        end.ended_at.CopyFrom(to_timestamp(cn.clock()))
        return watchlist_pb2.WatchlistChange(ended=end)

    propose(cn, listed_content("First A"), listed_content("First B"), listed_content("First C"), ids=["A", "B", "C"])
    late = str(uuid.uuid4())
    changes = [entered("A", 2, "Overtaken A"), ended("B", 1), ended("C", 1), entered("D", 1, "First D")]
    cn.writer.run(_Propose(cn, late, changes))
    propose(cn, listed_content("Second A"), ids=["A"], revision=1)
    propose(cn, listed_content("Second B"), ids=["B"], revision=1)
    decide(cn, late)
    exchange(*nodes)
    for node in (cn, hk):
        queries = node.list_queries
        followed: dict[str, tuple[int, str]] = {}
        position = 0
        while (response := queries.changes(position)[0]).changes:
            position = response.position
            for one in response.changes:
                if one.change.HasField("entered"):
                    entry = one.change.entered
                    followed[entry.id] = (entry.revision, entry.content.names[0].text)
                else:
                    del followed[one.change.ended.id]
        assert followed == {"A": (2, "Second A"), "B": (2, "Second B"), "D": (1, "First D")}
        found = queries.list(Pb.ListEntriesRequest()).entries
        assert followed == {one.entry.id: (one.entry.revision, one.entry.content.names[0].text) for one in found}
        assert position == queries.position()


def test_an_amended_entry_says_everywhere_when_it_was_first_published(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    propose(cn, listed_content(), listed_content(), ids=["A", "B"])
    first = read(cn, "A").entry
    assert not first.HasField("first_published_at")
    cn.clock.forward(DAY_MS)
    propose(cn, listed_content("Amended once"), ids=["A"], revision=1)
    propose(cn, listed_content("Amended twice"), ids=["A"], revision=2)
    importing = Import(cn.lists, Pb.ImportOpening(list=LIST), "risk-engine")
    rows = importing.check([Pb.ImportRow(id="B", content=listed_content("Imported"), line=1)])
    cn.writer.run(ImportRowsCommand(importing, rows)).take(importing)
    cn.writer.run(FinishImportCommand(importing))
    propose(cn, withdraw=[("A", 3)])
    propose(cn, listed_content("Again"), ids=["A"])
    exchange(*nodes)
    for node in (cn, hk):
        for entry_id, revision in (("A", 4), ("B", 2)):
            entry = read(node, entry_id).entry
            assert (entry.revision, entry.first_published_at) == (revision, first.published_at)
            assert to_ms(entry.published_at) - to_ms(entry.first_published_at) >= DAY_MS


def read(node: PaperNode, entry_id: str) -> Pb.GetEntryResponse:
    queries = node.list_queries
    node.settle()
    return queries.get(watchlist_pb2.WatchlistReference(publisher="cn", list=LIST, id=entry_id))


def test_an_entry_that_becomes_unreleasable_is_withdrawn_there(nodes: list[PaperNode]) -> None:
    cn, hk, mo = nodes
    propose(cn, listed_content(releasable_to=["hk", "mo"]), ids=["A"])
    exchange(*nodes)
    propose(cn, listed_content(releasable_to=["mo"]), ids=["A"], revision=1)
    exchange(*nodes)
    assert (listed(hk), listed(mo)) == ({}, {"A": 2})
    assert told(cn, "hk") == ["+A@1", "-A NOT_RELEASABLE"]
    propose(cn, listed_content(releasable_to=["mo", "hk"]), ids=["A"], revision=2)
    exchange(*nodes)
    assert listed(hk) == listed(mo) == {"A": 3}


def test_an_agreement_that_ends_withdraws_what_was_told_under_it(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    propose(cn, listed_content(), ids=["A"])
    exchange(*nodes)
    with_less = [
        replace(one, message_types=frozenset({"AlertEvent", "Disposition"})) if one.id == "cn-hk" else one
        for one in cn.trust.directory.agreements
    ]
    cn.trust = _version(cn.trust, agreements=tuple(with_less))
    propose(cn, listed_content("Unrelated", releasable_to=["mo"]), ids=["B"])
    exchange(*nodes)
    assert told(cn, "hk") == ["+A@1", "-A NOT_RELEASABLE"]
    assert listed(hk) == {}


def _reasons(recipient: PaperNode) -> list[str]:
    """Reasons of the ends that came from cn."""
    with recipient.database.read() as conn:
        feed = feeds.get(conn, FeedOrigin(FEDERATION, "cn", recipient.name, Channel.WATCHLIST))
        stored = feeds.read_entries(conn, feed.id, 0, feed.size)
    changes = [change for entry in stored for change in parse_event(entry.payload).update.changes]
    return [change.ended.reason for change in changes if change.WhichOneof("change") == "ended"]


def test_why_an_entry_was_withdrawn_is_told_as_far_as_the_agreement_goes(nodes: list[PaperNode]) -> None:
    cn, hk, mo = nodes
    propose(cn, listed_content(releasable_to=["hk", "mo"]), ids=["A"])
    exchange(*nodes)
    over = datetime.fromtimestamp(cn.clock.now / 1000, UTC)  # without a new version: nothing is compared again
    cn.trust = _version(
        cn.trust,
        agreements=tuple(
            replace(one, valid_until=over + timedelta(hours=1)) if one.id == "cn-hk" else one
            for one in cn.trust.directory.agreements
        ),
    )
    propose(cn, listed_content("Unrelated", releasable_to=["mo"]), ids=["B"])
    exchange(*nodes)
    cn.clock.forward(DAY_MS)
    propose(cn, withdraw=[("A", 1)])
    exchange(*nodes)
    assert told(cn, "hk") == ["+A@1", "-A WITHDRAWN"]
    assert (listed(hk), _reasons(hk), _reasons(mo)) == ({}, [""], ["cleared"])


def test_why_a_revision_was_withdrawn_is_told_to_those_who_had_it_alone(nodes: list[PaperNode]) -> None:
    cn, hk, mo = nodes
    propose(cn, listed_content(releasable_to=["hk", "mo"]), ids=["A"])
    exchange(*nodes)
    to_hk = FeedOrigin(FEDERATION, "cn", "hk", Channel.WATCHLIST)
    cn.writer.run(StateCommand(to_hk, FeedState.FORKED, "blocked meanwhile"))
    propose(cn, listed_content(releasable_to=["mo"]), ids=["A"], revision=1)
    propose(cn, withdraw=[("A", 2)])
    cn.writer.run(StateCommand(to_hk, FeedState.ACTIVE, ""))
    exchange(*nodes)
    assert (listed(hk), _reasons(hk), _reasons(mo)) == ({}, [""], ["cleared"])


def _version(trust: TrustedDirectory, **changes: Any) -> TrustedDirectory:
    """The next version of a directory, as if it had been signed."""
    directory = replace(trust.directory, version=trust.version + 1, **changes)
    made = object.__new__(TrustedDirectory)
    for name in TrustedDirectory.__slots__:
        setattr(made, name, directory if name == "directory" else getattr(trust, name))
    return made


def test_a_new_partner_gets_the_present_state_and_not_the_history(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    everything = cn.trust
    alone = [one for one in everything.directory.agreements if one.id != "cn-hk"]
    cn.trust = _version(everything, agreements=tuple(alone))
    for revision in range(3):
        propose(cn, listed_content(f"Placeholder {revision}", releasable_to=[]), ids=["A"], revision=revision)
    propose(cn, listed_content(releasable_to=[]), ids=["B"])
    propose(cn, withdraw=[("B", 1)])
    with cn.database.write() as conn:  # as before hk was ever a partner
        conn.execute(update(list_distribution).values(considered=None).where(list_distribution.c.partner == "hk"))
    cn.trust = _version(cn.trust, agreements=everything.directory.agreements)
    propose(cn, listed_content("Placeholder 3", releasable_to=["hk"]), ids=["A"], revision=3)
    exchange(*nodes)
    assert told(cn, "hk") == ["+A@4"]
    assert listed(hk) == {"A": 4}


def test_an_end_of_validity_ends_the_entry_everywhere(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    until = to_timestamp(cn.clock.now + DAY_MS)
    propose(cn, listed_content(valid_until=until), listed_content("For good"), ids=["A", "B"])
    exchange(*nodes)
    cn.clock.forward(2 * DAY_MS)
    assert cn.writer.run(ExpireListedCommand(cn.lists)) == 1
    exchange(*nodes)
    assert listed(cn) == listed(hk) == {"B": 1}
    assert told(cn, "hk")[-1] == "-A EXPIRED"
    assert cn.writer.run(ExpireListedCommand(cn.lists)) == 0


def test_every_objection_is_named(nodes: list[PaperNode]) -> None:
    content = listed_content(
        reason="", releasable_to=["cn", "xx"], purpose="gossip", valid_until=to_timestamp(nodes[0].clock.now - 1)
    )
    with pytest.raises(InvalidRequestError) as refused:
        propose(nodes[0], content, listed_content(releasable_to=["hk"], purpose="gossip"))
    fields = [v.field for v in refused.value.violations]
    assert "entries[0].content.reason" in fields
    assert fields.count("entries[0].content.releasable_to") == 2
    assert "entries[0].content.valid_until" in fields
    assert "entries[1].content.releasable_to" in fields


def bring(
    node: PaperNode, rows: dict[str, watchlist_pb2.WatchlistContent], *, prune: bool = False, list_name: str = LIST
) -> Pb.ImportEntriesResponse:
    """An import as the service does it."""
    opening = Pb.ImportOpening(list=list_name, prune=prune, prune_reason="not in the source")
    importing = Import(node.lists, opening, "importer")
    if not prune:
        count_listed(node.database, importing)
    take_rows(node, importing, rows)
    if prune:
        gone = vanished(node.database, importing)
        node.writer.run(EndRowsCommand(importing, gone)).take(importing)
        importing.response.withdrawn = len(gone)
    response: Pb.ImportEntriesResponse = node.writer.run(FinishImportCommand(importing))
    importing.end(complete=True)
    node.settle()
    return response


def take_rows(node: PaperNode, importing: Import, rows: dict[str, watchlist_pb2.WatchlistContent]) -> None:
    asked = [Pb.ImportRow(id=one, content=content, line=at) for at, (one, content) in enumerate(rows.items(), 1)]
    for at in range(0, len(asked), 100):
        counts = node.writer.run(ImportRowsCommand(importing, importing.check(asked[at : at + 100])))
        counts.take(importing)


def counted(response: Pb.ImportEntriesResponse) -> tuple[int, int, int, int, int]:
    return response.added, response.changed, response.unchanged, response.withdrawn, response.vanished


@pytest.mark.both_databases
def test_an_import_sends_changes_alone(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    rows = {f"E{number:04d}": listed_content(f"Placeholder {number}") for number in range(1_234)}
    assert counted(bring(cn, rows)) == (1_234, 0, 0, 0, 0)
    exchange(*nodes)
    before = len(told(cn, "hk"))
    assert before == len(listed(hk)) == 1_234
    assert counted(bring(cn, rows)) == (0, 0, 1_234, 0, 0)
    exchange(*nodes)
    assert len(told(cn, "hk")) == before
    for number in range(10):
        rows[f"E{number * 100:04d}"].remarks = "changed"
    del rows["E0555"]
    assert counted(bring(cn, rows)) == (0, 10, 1_223, 0, 1)
    assert counted(bring(cn, rows, prune=True)) == (0, 0, 1_233, 1, 0)
    exchange(*nodes)
    assert len(told(cn, "hk")) == before + 11
    with cn.database.read() as ours, hk.database.read() as theirs:
        assert watchlists.active_copies(ours, "hk") == 1_233
        assert watchlists.count(theirs) == 1_233


def test_bad_rows_are_told_and_the_rest_goes_on(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    importing = Import(cn.lists, Pb.ImportOpening(list=LIST), "importer")
    good = importing.check(
        [
            Pb.ImportRow(id="A", content=listed_content(), line=1),
            Pb.ImportRow(id="B", content=listed_content(reason=""), line=2),
            Pb.ImportRow(id="A", content=listed_content(), line=3),
        ]
    )
    assert [row.id for row, _, _ in good] == ["A"]
    told_of = [(one.line, one.id, [v.field for v in one.error.violations]) for one in importing.response.refused]
    assert told_of == [(2, "B", ["content.reason"]), (3, "A", ["id"])]


def test_an_entry_whose_row_is_refused_hasnt_vanished(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    rows = {"A": listed_content(), "B": listed_content("Second Placeholder"), "C": listed_content("Third")}
    bring(cn, rows)
    del rows["C"]
    response = bring(cn, {**rows, "B": listed_content(reason="")}, prune=True)
    assert (response.refused_count, response.withdrawn) == (1, 1)
    assert listed(cn) == {"A": 1, "B": 1}


@pytest.mark.both_databases
def test_an_import_into_a_list_with_four_eyes_is_one_proposal(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    rows = {f"E{number:04d}": listed_content(f"Placeholder {number}") for number in range(1_100)}
    response = bring(cn, rows, list_name="un-sc")
    assert listed(cn) == {}
    with cn.database.read() as conn:
        (waiting,) = proposal_rows.waiting_proposals(conn, after="", limit=10)
    assert (waiting.proposal_id, waiting.changes) == (response.proposal_id, 1_100)
    assert decide(cn, response.proposal_id) == 1_100
    exchange(*nodes)
    with hk.database.read() as conn:
        assert watchlists.count(conn) == 1_100
    assert bring(cn, rows, list_name="un-sc").proposal_id == "", "nothing to propose"


@pytest.mark.both_databases
@pytest.mark.parametrize("rows", [499, 500, 501, 1_000])
def test_an_import_of_any_size_ends_with_a_proposal_that_can_be_decided(nodes: list[PaperNode], rows: int) -> None:
    cn = nodes[0]
    response = bring(cn, {f"E{number:04d}": listed_content() for number in range(rows)}, list_name="un-sc")
    assert decide(cn, response.proposal_id) == rows


def open_import(node: PaperNode, rows: int = 1_100) -> Import:
    """An import into a list with four eyes, some parts of which are there and the last isn't."""
    importing = Import(node.lists, Pb.ImportOpening(list="un-sc"), "importer")
    take_rows(node, importing, {f"E{number:04d}": listed_content() for number in range(rows)})
    node.settle()
    return importing


def state_of(node: PaperNode, proposal_id: str) -> str:
    node.settle()
    with node.database.read() as conn:
        row = proposal_rows.proposal(conn, proposal_id)
    assert row is not None
    return row.state


@pytest.mark.both_databases
def test_a_proposal_whose_import_was_cut_off_is_rejected_by_the_gateway(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    cut_off, going_on = open_import(cn), open_import(cn)
    waiting = propose(cn, listed_content(), ids=["A"], list_name="un-sc").proposal_id
    cn.settle()
    assert cn.writer.run(EndCutOffCommand(cn.lists))
    assert {state_of(cn, one.proposal_id) for one in (cut_off, going_on)} == {"open"}, "neither has ended yet"
    cn.lists.cut_off = False
    cut_off.end(complete=False)
    assert cn.lists.cut_off
    assert cn.writer.run(EndCutOffCommand(cn.lists))
    assert state_of(cn, cut_off.proposal_id) == "rejected"
    assert state_of(cn, going_on.proposal_id) == "open"
    assert state_of(cn, waiting) == "complete"
    with cn.database.read() as conn:
        feed = feeds.get(conn, FeedOrigin(FEDERATION, "cn", "cn", Channel.LISTS))
        (last,) = feeds.read_entries(conn, feed.id, feed.size - 1, feed.size)
    decision = parse_decision(last.payload)
    assert (decision.actor, decision.rejected.remarks) == ("gateway", "its import was cut off")
    response: Pb.ImportEntriesResponse = cn.writer.run(FinishImportCommand(going_on))
    assert decide(cn, response.proposal_id) == 1_100
    again = bring(cn, {"Z": listed_content()}, list_name="un-sc")
    assert decide(cn, again.proposal_id) == 1


@pytest.mark.both_databases
def test_after_a_crash_no_import_is_under_way(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    importing = open_import(cn)
    cn.lists.importing.clear()  # as at a start
    assert cn.writer.run(EndCutOffCommand(cn.lists))
    assert state_of(cn, importing.proposal_id) == "rejected"
    before = projections(cn)
    with cn.database.write() as conn:
        cn.projector.clear(conn)
    cn.settle()
    assert projections(cn) == before


def test_imports_of_the_same_that_end_at_one_moment_are_one_proposal(nodes: list[PaperNode]) -> None:
    """Each looked for the other's proposal before either was there."""
    cn = nodes[0]
    rows = {f"E{at:04d}": listed_content() for at in range(1_100)}

    def all_rows() -> Import:
        importing = Import(cn.lists, Pb.ImportOpening(list="un-sc"), "importer")
        take_rows(cn, importing, rows)
        return importing

    def end(importing: Import) -> Pb.ImportEntriesResponse:
        response: Pb.ImportEntriesResponse = cn.writer.run(FinishImportCommand(importing))
        importing.end(complete=True)
        cn.settle()
        return response

    first, second = (end(importing) for importing in [all_rows(), all_rows()])
    assert (second.proposal_id, second.proposed_before) == (first.proposal_id, True)
    assert not first.proposed_before
    assert decide(cn, first.proposal_id) == 1_100
    rows["E0000"].remarks = "changed"
    other = end(all_rows())
    assert not other.proposed_before
    assert decide(cn, other.proposal_id, approve=False)
    third = end(all_rows())  # a rejected one isn't proposed any more
    assert not third.proposed_before
    with cn.database.write() as conn:
        cn.projector.clear(conn)
    cn.settle()
    assert end(all_rows()).proposal_id == third.proposal_id  # after a rebuild too
    with cn.database.write() as conn:  # as if software of an earlier version had decided the first one
        changes = update(list_imports).values(proposal_id=first.proposal_id)
        conn.execute(changes.where(list_imports.c.proposal_id == third.proposal_id))
    assert decide(cn, third.proposal_id, approve=False)
    assert not end(all_rows()).proposed_before


def test_a_part_that_isnt_projected_yet_isnt_missed(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    importing = Import(cn.lists, Pb.ImportOpening(list="un-sc"), "importer")
    cn.settle()
    with cn.database.write() as conn:
        rows = importing.check([Pb.ImportRow(id=f"E{at:04d}", content=listed_content()) for at in range(500)])
        tx = Transaction(conn, own_node="cn", signers=cn.signers, now_ms=cn.clock(), projector=cn.projector)
        ImportRowsCommand(importing, rows).execute(tx).take(importing)
        more = importing.check([Pb.ImportRow(id="Z", content=listed_content())])
        ImportRowsCommand(importing, more).execute(tx)
        tx.seal()
        importing.end(complete=False)
        assert not EndCutOffCommand(cn.lists).execute(tx)
    cn.settle()
    assert cn.writer.run(EndCutOffCommand(cn.lists))
    assert state_of(cn, importing.proposal_id) == "rejected"


@pytest.mark.parametrize("actor", ["chief", "importer"])
def test_an_import_under_way_can_be_rejected_but_not_approved(nodes: list[PaperNode], actor: str) -> None:
    cn = nodes[0]
    importing = open_import(cn)
    with pytest.raises(IllegalTransitionError, match="isn't complete"):
        decide(cn, importing.proposal_id, actor="chief")
    decide(cn, importing.proposal_id, approve=False, actor=actor)
    cn.settle()
    with pytest.raises(IllegalTransitionError, match="rejected while its import"):
        cn.writer.run(FinishImportCommand(importing))
    assert listed(cn) == {}
    with pytest.raises(IllegalTransitionError, match="was rejected before"):
        decide(cn, importing.proposal_id, approve=False)


@pytest.mark.both_databases
def test_what_has_vanished_is_counted_by_what_the_list_had(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    rows = {f"E{number:02d}": listed_content() for number in range(30)}
    bring(cn, rows)
    few = {
        "E01": listed_content("Changed"),
        "E02": listed_content(),
        "E03": listed_content(reason=""),
        "N": rows["E05"],
    }
    response = bring(cn, few)
    assert counted(response) == (1, 1, 1, 0, 27)
    assert response.refused_count == 1
    propose(cn, withdraw=[("E29", 1)])
    assert bring(cn, few).vanished == 26
    assert bring(cn, {}).vanished == 30


@pytest.mark.both_databases
def test_copies_arent_identical_while_changes_are_still_to_be_told(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    queries = cn.list_queries

    def compared(hidden: Hidden = NOTHING_HIDDEN) -> tuple[bool, int]:
        found = queries.compare("hk", hk.outgoing.position(queries.origin("hk")), hidden=hidden)
        return found.identical, found.untold

    propose(cn, listed_content(), ids=["A"])
    exchange(*nodes)
    assert compared() == (True, 0)
    advance = cn.projector.advance
    cn.projector.advance = lambda tx, limit, *, isolated=True: False  # type: ignore[method-assign]
    importing = Import(cn.lists, Pb.ImportOpening(list=LIST), "importer")
    take_rows(cn, importing, {f"E{at}": listed_content() for at in range(7)})
    cn.writer.run(FinishImportCommand(importing))
    assert compared() == (False, 7), "decided, and not projected"
    assert compared(frozenset({("cn", LIST)})) == (False, 0), "that there is something isn't hidden; what is"

    def places_alone(tx: Transaction, limit: int, *, isolated: bool = True) -> bool:
        waits = journal.head_position(tx.conn) > journal.projected_position(tx.conn)
        return waits and advance(tx, limit, isolated=isolated)

    cn.projector.advance = places_alone  # type: ignore[method-assign]
    cn.settle()
    assert compared() == (False, 7), "it has its place in the order, and isn't told"
    cn.projector.advance = advance  # type: ignore[method-assign]
    exchange(*nodes)
    assert compared() == (True, 0)
    proposal = propose(cn, listed_content(), ids=["U"], list_name="un-sc").proposal_id
    assert compared() == (True, 0), "a proposal has no effect"
    cn.projector.advance = lambda tx, limit, *, isolated=True: False  # type: ignore[method-assign]
    assert decide(cn, proposal) == 1
    assert compared() == (False, 1)
    cn.projector.advance = advance  # type: ignore[method-assign]
    exchange(*nodes)
    assert compared() == (True, 0)


def test_a_new_partner_has_everything_still_to_be_told(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    propose(cn, listed_content(), listed_content("Second"), ids=["A", "B"])
    exchange(*nodes)
    with cn.database.write() as conn:
        conn.execute(update(list_distribution).values(considered=None).where(list_distribution.c.partner == "hk"))
    queries = cn.list_queries
    assert queries.compare("hk", hk.outgoing.position(queries.origin("hk"))).untold == 2


@pytest.mark.both_databases
def test_everything_can_be_built_again(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    propose(cn, *(listed_content(f"Placeholder {at}") for at in range(5)), ids=list("ABCDE"))
    propose(cn, listed_content("Changed", releasable_to=["mo"]), ids=["A"], revision=1)
    propose(cn, withdraw=[("B", 1)])
    decide(cn, propose(cn, listed_content(), ids=["U"], list_name="un-sc").proposal_id)
    propose(cn, listed_content(), ids=["V"], list_name="un-sc")
    exchange(*nodes)
    for node in nodes:
        before, sizes = projections(node), _sizes(node)
        with node.database.write() as conn:
            node.projector.clear(conn)
        node.settle()
        assert projections(node) == before
        assert _sizes(node) == sizes, "and nothing is told twice"


def _sizes(node: PaperNode) -> dict[str, int]:
    with node.database.read() as conn:
        return {feed.origin.line: feed.size for feed in feeds.list_all(conn)}


def test_rows_are_tuples_in_the_order_of_their_tables_columns() -> None:
    assert watchlists.EntryRow._fields == tuple(list_entries.c.keys())
    assert watchlists.CopyRow._fields == tuple(list_copies.c.keys())


@pytest.mark.both_databases
def test_pages_of_large_entries_fit_into_a_message(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    names = [watchlist_pb2.ListedName(text=f"{at:03d} " + "Placeholder " * 40) for at in range(120)]
    for first in range(0, 90, 30):
        large = [listed_content(names=names) for _ in range(30)]
        propose(cn, *large, ids=[f"E{first + at:03d}" for at in range(30)])
        cn.settle()
    queries = cn.list_queries
    found: list[str] = []
    request = Pb.ListEntriesRequest(page_size=1000)
    while True:
        page = queries.list(request)
        assert 0 < page.ByteSize() <= limits.MAX_MESSAGE_BYTES
        found += [one.entry.id for one in page.entries]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    state, after = [], None
    while True:
        part = queries.full_state(after)
        state += [one.change.entered.id for one in part.changes]
        after = part.after
        if after is None:
            break
    assert found == state == [f"E{at:03d}" for at in range(90)]


def test_a_partners_forbidden_fields_are_refused_here(nodes: list[PaperNode]) -> None:
    """The sender's directory is older: its recipient judges by its own."""
    cn, hk, _ = nodes
    hk.trust = _version(
        hk.trust,
        agreements=tuple(
            replace(one, field_classes=frozenset()) if one.id == "cn-hk" else one
            for one in hk.trust.directory.agreements
        ),
    )
    propose(cn, listed_content(), ids=["A"])
    exchange(*nodes)
    assert listed(hk) == {}
    with cn.database.read() as conn:
        (copy,) = watchlists.copies_of(conn, LIST, "A")
        disposition = dispositions.find(conn, copy.feed_id, copy.idx)
    assert disposition is not None
    assert disposition.outcome == "rejected"
