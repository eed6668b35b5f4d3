"""A proposal as its approver sees it before the decision: counts, kinds, search, a sample, pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import InvalidRequestError, NotFoundError
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.commands.proposals import DecideCommand, ProposeCommand
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.service.proposal_queries import ProposalQueries
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, listed_content, paper_nodes

LIST = "previewed"
NEW, CHANGED, WITHDRAWN = (
    pb.PROPOSED_CHANGE_KIND_NEW,
    pb.PROPOSED_CHANGE_KIND_CHANGED,
    pb.PROPOSED_CHANGE_KIND_WITHDRAWN,
)


@pytest.fixture
def cn(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        yield made[0]


def propose(node: PaperNode, *entries: pb.ProposedEntry, withdraw: tuple[str, ...] = (), four_eyes: bool = True) -> str:
    node.policies[LIST] = ListPolicy(four_eyes=four_eyes)
    request = pb.ProposeEntriesRequest(
        request_id=str(uuid.uuid4()),
        list=LIST,
        entries=entries,
        withdrawals=[pb.ProposedWithdrawal(id=one, revision=1, reason="cleared") for one in withdraw],
    )
    node.lists.check(request)
    made = node.writer.run(ProposeCommand(node.lists, request, "system/cn/x", "x"))
    node.settle()
    return str(made.proposal_id)


def entry(entry_id: str, name: str, revision: int = 0) -> pb.ProposedEntry:
    return pb.ProposedEntry(id=entry_id, revision=revision, content=listed_content(name))


def preview(node: PaperNode, proposal_id: str, **asked: object) -> pb.PreviewProposalResponse:
    request = pb.PreviewProposalRequest(proposal_id=proposal_id, **asked)  # type: ignore[arg-type]
    return ProposalQueries(node.database, node=node.name).preview(request)


def ids(response: pb.PreviewProposalResponse) -> list[str]:
    return [one.change.entered.id or one.change.ended.id for one in response.changes]


@pytest.mark.both_databases
def test_a_preview_counts_each_kind_and_shows_what_the_entry_says_now(cn: PaperNode) -> None:
    propose(cn, entry("A", "First A"), entry("B", "First B"), four_eyes=False)
    proposal_id = propose(cn, entry("A", "Second A", 1), entry("C", "First C"), entry("D", "D"), withdraw=("B",))

    response = preview(cn, proposal_id)

    assert (response.added, response.changed, response.withdrawn) == (2, 1, 1)
    assert (response.counted, response.found, response.proposal.changes) == (4, 4, 4)
    assert {one: change.kind for one, change in zip(ids(response), response.changes, strict=True)} == {
        "A": CHANGED,
        "B": WITHDRAWN,
        "C": NEW,
        "D": NEW,
    }
    now = {one: change.present for one, change in zip(ids(response), response.changes, strict=True)}
    assert [name.text for name in now["A"].names] == ["First A"]
    assert [name.text for name in now["B"].names] == ["First B"]
    assert not response.changes[1].HasField("present")

    assert ids(preview(cn, proposal_id, kind=WITHDRAWN)) == ["B"]
    assert ids(preview(cn, proposal_id, search="first a")) == ["A"], "by the name of now"
    assert ids(preview(cn, proposal_id, search="SECOND")) == ["A"]
    assert ids(preview(cn, proposal_id, search="c", kind=NEW)) == ["C"]


def test_an_entry_that_had_ended_is_new(cn: PaperNode) -> None:
    propose(cn, entry("A", "First A"), four_eyes=False)
    propose(cn, withdraw=("A",), four_eyes=False)
    response = preview(cn, propose(cn, entry("A", "Again")))
    assert (response.added, response.changed) == (1, 0)


def test_pages_hold_every_change_once_and_a_sample_is_from_all_over(cn: PaperNode) -> None:
    everything = [f"E-{at:03}" for at in range(103)]
    proposal_id = propose(cn, *(entry(one, f"Name {one}") for one in everything))

    read, token = list[str](), ""
    while True:
        page = preview(cn, proposal_id, page_size=20, page_token=token)
        read += ids(page)
        token = page.next_page_token
        if not token:
            break
    assert read == everything

    sample = preview(cn, proposal_id, spread=True, page_size=10)
    assert len(sample.changes) == 10
    assert sample.next_page_token == ""
    assert ids(sample)[0] < "E-011" < ids(sample)[4] < ids(sample)[-1] > "E-090"

    first = preview(cn, proposal_id, page_size=20)
    with pytest.raises(InvalidRequestError):
        preview(cn, proposal_id, search="E", page_token=first.next_page_token)


def test_what_is_decided_or_hidden_isn_t_shown(cn: PaperNode) -> None:
    proposal_id = propose(cn, entry("A", "A"))
    queries = ProposalQueries(cn.database, node="cn")
    request = pb.PreviewProposalRequest(proposal_id=proposal_id)
    with pytest.raises(NotFoundError):
        queries.preview(request, hidden=frozenset({("cn", LIST)}))
    with pytest.raises(NotFoundError):
        queries.entries(proposal_id, hidden=frozenset({("cn", LIST)}))
    assert [one.id for one in queries.entries(proposal_id)] == ["A"]
    decision = pb.DecideProposalRequest(
        request_id=str(uuid.uuid4()), proposal_id=proposal_id, approve=False, remarks="no"
    )
    cn.writer.run(DecideCommand(cn.lists, decision, "system/cn/chief", "chief"))
    cn.settle()
    with pytest.raises(NotFoundError):
        queries.preview(request)
