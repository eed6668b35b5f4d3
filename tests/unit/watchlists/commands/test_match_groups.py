"""Open matches that are alike: counted by entry and by party, and dismissed together, up to what was seen."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.contract.ids import uuid7
from gateway.errors import InvalidRequestError, NotFoundError, RequestIdReusedError
from gateway.feed.service.writing.transaction import Transaction
from gateway.v1 import match_pb2, party_pb2, screening_pb2, watchlist_pb2
from gateway.watchlists.commands import match_groups
from gateway.watchlists.commands.match_groups import DismissMatchesCommand
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.service.match_groups import MatchGroupQueries
from gateway.watchlists.service.match_queries import MatchQueries
from gateway.watchlists.tables import matches
from gateway.watchlists.tables.matches import MatchRow
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes

ENTRY, PARTY = match_pb2.MATCH_GROUPING_ENTRY, match_pb2.MATCH_GROUPING_PARTY
IDENTICAL, STRONG = watchlist_pb2.MATCH_CLASS_IDENTICAL, watchlist_pb2.MATCH_CLASS_STRONG


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        yield made[0]


def row(
    at: int, entry: str, party: str, *, list_name: str = "minerals", match_class: int = STRONG, status: str = "open"
) -> MatchRow:
    subject = screening_pb2.ScreeningSubject(names=[party_pb2.Name(text=party)])
    reference = watchlist_pb2.WatchlistReference(publisher="hk", list=list_name, id=entry)
    hit = screening_pb2.ScreeningHit(
        entry=reference,
        match_class=match_class,  # type: ignore[arg-type]
        explanation=screening_pb2.MatchExplanation(given=party, listed=entry),
    )
    return MatchRow(
        match_id=uuid7(1_700_000_000_000 + at, at.to_bytes(10, "big")),
        key=at.to_bytes(32, "big"),
        source="shipment",
        source_publisher="cn",
        source_id=f"S-{at}",
        source_revision=1,
        field="parties[0]",
        subject=subject.SerializeToString(deterministic=True),
        publisher="hk",
        list=list_name,
        entry_id=entry,
        match_class=match_class,
        hit=hit.SerializeToString(deterministic=True),
        found_at=1_700_000_000_000 + at,
        backward=0,
        status=status,
    )


@dataclass(frozen=True)
class Keep:
    rows: list[MatchRow]
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        matches.write(tx.conn, self.rows, [])


def keep(node: PaperNode, *rows: MatchRow) -> None:
    node.writer.run(Keep(list(rows)))


def groups(
    node: PaperNode, by: match_pb2.MatchGrouping.ValueType, *, hidden: Hidden = NOTHING_HIDDEN, **asked: object
) -> match_pb2.ListMatchGroupsResponse:
    request = match_pb2.ListMatchGroupsRequest(by=by, **asked)  # type: ignore[arg-type]
    return MatchGroupQueries(node.database).list(request, hidden=hidden)


def counts(response: match_pb2.ListMatchGroupsResponse) -> list[tuple[str, int, int, int]]:
    return [(one.newest.hit.explanation.listed, one.matches, one.identical, one.others) for one in response.groups]


def dismissal(
    one: MatchRow, by: match_pb2.MatchGrouping.ValueType, newest: MatchRow
) -> match_pb2.DismissMatchesRequest:
    return match_pb2.DismissMatchesRequest(
        request_id=str(uuid.uuid4()),
        match_id=one.match_id,
        by=by,
        newest_match_id=newest.match_id,
        reason="other firms of that name",
    )


def dismiss(
    node: PaperNode, request: match_pb2.DismissMatchesRequest, hidden: Hidden = NOTHING_HIDDEN
) -> tuple[int, int]:
    done = node.writer.run(DismissMatchesCommand(request, "system/cn/desk", "desk", hidden))
    return done.dismissed, done.left


def statuses(node: PaperNode) -> dict[str, str]:
    found = MatchQueries(node.database).list(match_pb2.ListMatchesRequest()).matches
    names = {number: name.removeprefix("MATCH_STATUS_").lower() for name, number in match_pb2.MatchStatus.items()}
    return {match.source.id: names[match.status] for match in found}


@pytest.mark.both_databases
def test_open_matches_are_counted_by_entry_and_by_party(node: PaperNode) -> None:
    keep(
        node,
        row(1, "wide", "Alpha"),
        row(2, "wide", "Beta"),
        row(3, "wide", "Alpha", match_class=IDENTICAL),
        row(4, "narrow", "Alpha"),
        row(5, "narrow", "Gamma", status="dismissed"),
        row(6, "closed", "Alpha", list_name="operations"),
    )
    hidden = frozenset({("hk", "operations")})
    assert counts(groups(node, ENTRY, hidden=hidden)) == [("wide", 3, 1, 2), ("narrow", 1, 0, 1)]
    by_party = groups(node, PARTY, hidden=hidden)
    assert [(one.newest.hit.explanation.given, one.matches, one.others) for one in by_party.groups] == [
        ("Alpha", 3, 2),
        ("Beta", 1, 1),
    ]
    assert by_party.groups[0].newest.source.id == "S-4"
    assert by_party.groups[0].first_found_at.ToMilliseconds() == 1_700_000_000_001
    assert len(groups(node, PARTY).groups[0:1]) == 1
    assert groups(node, PARTY).groups[0].matches == 4


@pytest.mark.both_databases
def test_pages_hold_each_group_once(node: PaperNode) -> None:
    keep(node, *(row(at, f"entry-{at % 7}", f"Party {at}") for at in range(1, 16)))
    read, token = list[tuple[str, int, int, int]](), ""
    while True:
        page = groups(node, ENTRY, page_size=2, page_token=token)
        read += counts(page)
        token = page.next_page_token
        if not token:
            break
    assert len({entry for entry, *_ in read}) == len(read) == 7
    assert [number for _entry, number, *_ in read] == [3, 2, 2, 2, 2, 2, 2]
    with pytest.raises(InvalidRequestError):
        groups(node, PARTY, page_size=2, page_token=groups(node, ENTRY, page_size=2).next_page_token)


@pytest.mark.both_databases
def test_a_group_is_dismissed_with_one_reason_up_to_what_was_seen(node: PaperNode) -> None:
    rows = [row(at, "wide", f"Party {at}") for at in range(1, 6)]
    keep(node, *rows, row(6, "other", "Party 1"), row(7, "wide", "Decided", status="confirmed"))
    keep(node, later := row(8, "wide", "Later"))

    request = dismissal(rows[0], ENTRY, rows[-1])
    assert dismiss(node, request) == (5, 1)
    assert dismiss(node, request) == (5, 1), "the same request has its effect once"
    assert statuses(node) == {
        **{f"S-{at}": "dismissed" for at in range(1, 6)},
        "S-6": "open",
        "S-7": "confirmed",
        "S-8": "open",
    }
    with node.database.read() as conn:
        one = matches.find(conn, rows[2].match_id)
    assert one is not None
    assert (one.decided_by, one.reason) == ("desk", "other firms of that name")
    changed = match_pb2.DismissMatchesRequest()
    changed.CopyFrom(request)
    changed.reason = "something else"
    with pytest.raises(RequestIdReusedError):
        dismiss(node, changed)
    assert counts(groups(node, ENTRY, match_id=later.match_id)) == [("wide", 1, 0, 1)]
    assert counts(groups(node, ENTRY, match_id=rows[0].match_id)) == [("wide", 1, 0, 1)], "by a decided one too"


def test_a_party_is_dismissed_with_all_its_entries_and_found_by_one_match(node: PaperNode) -> None:
    keep(node, first := row(1, "A", "Alpha"), second := row(2, "B", "Alpha"), row(3, "A", "Beta"))
    queries = MatchQueries(node.database)
    alike = queries.list(match_pb2.ListMatchesRequest(filter=f'party_of = "{first.match_id}" AND status = open'))
    assert {match.source.id for match in alike.matches} == {"S-1", "S-2"}
    nothing = match_pb2.ListMatchesRequest(filter='party_of = "none"')
    assert not queries.list(nothing).matches
    assert dismiss(node, dismissal(first, PARTY, second)) == (2, 0)
    assert statuses(node) == {"S-1": "dismissed", "S-2": "dismissed", "S-3": "open"}


def test_one_call_takes_a_bounded_number(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_groups, "MAX_DISMISSED", 3)
    rows = [row(at, "wide", f"Party {at}") for at in range(1, 6)]
    keep(node, *rows)
    assert dismiss(node, dismissal(rows[0], ENTRY, rows[-1])) == (3, 2)
    assert dismiss(node, dismissal(rows[0], ENTRY, rows[-1])) == (2, 0)


def test_hidden_matches_are_neither_found_nor_dismissed(node: PaperNode) -> None:
    keep(node, seen := row(1, "A", "Alpha"), hidden_one := row(2, "X", "Alpha", list_name="operations"))
    hidden = frozenset({("hk", "operations")})
    with pytest.raises(NotFoundError):
        dismiss(node, dismissal(hidden_one, ENTRY, hidden_one), hidden)
    with pytest.raises(NotFoundError):
        groups(node, ENTRY, hidden=hidden, match_id=hidden_one.match_id)
    assert dismiss(node, dismissal(seen, PARTY, hidden_one), hidden) == (1, 0)
    assert statuses(node) == {"S-1": "dismissed", "S-2": "open"}
