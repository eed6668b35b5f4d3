"""Parties that partners name are large: pages and watches of hits and matches still fit into messages."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contract.limits import MAX_MESSAGE_BYTES
from gateway.v1 import match_pb2, party_pb2, screening_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.commands.hits import HitQueries, ReportHitCommand
from gateway.watchlists.commands.proposals import ProposeCommand
from gateway.watchlists.rules.matches import MatchStatus, SourceKind
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.service.match_queries import MatchQueries
from gateway.watchlists.tables import matches
from gateway.watchlists.tables.matches import MatchRow
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, exchange, listed_content, paper_nodes

pytestmark = pytest.mark.both_databases

LIST = "minerals"
LARGE = party_pb2.Party(
    role=party_pb2.PARTY_ROLE_EXPORTER,
    names=[party_pb2.Name(text="\N{CJK UNIFIED IDEOGRAPH-754C}" * 512) for _ in range(32)],
    addresses=[party_pb2.Address(street="\N{CJK UNIFIED IDEOGRAPH-754C}" * 512) for _ in range(16)],
)
"""About 70 KiB."""
COUNT = 80
ROOM = MAX_MESSAGE_BYTES - 64 * 1024


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        made[0].policies[LIST] = ListPolicy(four_eyes=False)
        yield made


def test_hits_come_over_several_pages(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    entry = pb.ProposedEntry(id="A", content=listed_content())
    proposal = pb.ProposeEntriesRequest(request_id=str(uuid.uuid4()), list=LIST, entries=[entry])
    cn.writer.run(ProposeCommand(cn.lists, proposal, "system/cn/risk", "risk"))
    exchange(cn, hk)
    for _ in range(COUNT):
        report = pb.ReportHitRequest(
            request_id=str(uuid.uuid4()),
            revision=1,
            match_class="MATCH_CLASS_STRONG",
            purpose="export_control",
            subject=LARGE,
        )
        report.entry.publisher, report.entry.list, report.entry.id = "cn", LIST, "A"
        hk.writer.run(ReportHitCommand(hk.lists, hk.lists.agreements, report, "system/hk/desk", "desk"))
    exchange(cn, hk)
    ids: set[str] = set()
    request = pb.ListHitsRequest(page_size=1000)
    while True:
        page = HitQueries(cn.database).list(request)
        assert page.ByteSize() < ROOM
        ids.update(hit.hit.hit_id for hit in page.hits)
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert len(ids) == COUNT


def match(number: int) -> MatchRow:
    return MatchRow(
        match_id=str(uuid.UUID(int=number)),
        key=number.to_bytes(32),
        source=SourceKind.ALERT.value,
        source_publisher="hk",
        source_id=str(uuid.UUID(int=1)),
        source_revision=1,
        field=f"subject.parties[{number}]",
        subject=screening_pb2.ScreeningSubject(names=LARGE.names, addresses=LARGE.addresses).SerializeToString(),
        publisher="cn",
        list=LIST,
        entry_id="A",
        match_class=1,
        hit=screening_pb2.ScreeningHit().SerializeToString(),
        found_at=1,
        backward=0,
        status=MatchStatus.OPEN.value,
    )


def test_matches_come_over_several_pages_and_messages(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    with cn.database.write() as conn:
        matches.write(conn, [match(number) for number in range(COUNT)], [])
    queries, request, position = MatchQueries(cn.database), match_pb2.ListMatchesRequest(page_size=1000), 0
    listed: list[str] = []
    while True:
        page = queries.list(request)
        assert page.ByteSize() < ROOM
        listed += [one.match_id for one in page.matches]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    watched: list[str] = []
    while (response := queries.changes(position)[0]).changes:
        assert response.ByteSize() < ROOM
        watched += [one.match_id for one in response.changes]
        position = response.position
    assert listed[::-1] == watched == [str(uuid.UUID(int=number)) for number in range(COUNT)]
