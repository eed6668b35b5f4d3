"""Own entries that derive from a partner's alert: they go to others only with its publisher's consent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import InvalidRequestError
from gateway.v1 import alert_pb2, watchlist_pb2
from gateway.watchlists.rules.policies import ListPolicy
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, exchange, listed_content, paper_nodes
from tests.unit.watchlists.commands.test_onward_reports import GRANTED, PROHIBITED, answer, ask, publish_from_mo
from tests.unit.watchlists.commands.test_proposals import LIST, _version, bring, distributed, listed, propose, told


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        made[1].policies[LIST] = ListPolicy(four_eyes=False)
        yield made


@pytest.fixture
def source(nodes: list[PaperNode]) -> alert_pb2.AlertReference:
    return alert_pb2.AlertReference(publisher="mo", alert_id=publish_from_mo(nodes))


def content(
    source: alert_pb2.AlertReference, *recipients: str, reason: str = "Named by mo"
) -> watchlist_pb2.WatchlistContent:
    return listed_content(derived_from=[source], releasable_to=recipients, reason=reason)


def consent(nodes: list[PaperNode], source: alert_pb2.AlertReference) -> None:
    answer(nodes, source.alert_id, ask(nodes, source.alert_id, "cn"), GRANTED)


def test_an_entry_goes_to_a_third_authority_with_consent_alone(
    nodes: list[PaperNode], source: alert_pb2.AlertReference
) -> None:
    cn, hk, mo = nodes
    with pytest.raises(InvalidRequestError) as refused:
        propose(hk, content(source, "mo", "cn"), ids=["A"])
    (violation,) = refused.value.violations
    assert (violation.field, violation.rule) == ("entries[0].content.derived_from", "PERMISSION_DENIED")
    assert f"mo doesn't allow alert {source.alert_id} to be passed on to cn" in violation.message
    propose(hk, content(source, "mo"), ids=["A"])
    consent(nodes, source)
    propose(hk, content(source, "mo", "cn"), ids=["A"], revision=1)
    exchange(*nodes)
    assert listed(cn, "hk") == listed(mo, "hk") == {"A": 2}
    for node, sources in ((hk, [source]), (cn, []), (mo, [])):
        reference = watchlist_pb2.WatchlistReference(publisher="hk", list=LIST, id="A")
        assert list(node.list_queries.get(reference).entry.content.derived_from) == sources


def test_an_entry_allows_no_more_onward_transfer_than_its_source(
    nodes: list[PaperNode], source: alert_pb2.AlertReference
) -> None:
    hk = nodes[1]
    consent(nodes, source)
    wide = content(source, "cn")
    wide.handling.onward_transfer = alert_pb2.ONWARD_TRANSFER_FEDERATION
    with pytest.raises(InvalidRequestError, match="allows more than mo does"):
        propose(hk, wide, ids=["A"])


def test_an_amendment_keeps_what_the_entry_derives_from(
    nodes: list[PaperNode], source: alert_pb2.AlertReference
) -> None:
    hk = nodes[1]
    propose(hk, content(source), ids=["A"])
    with pytest.raises(InvalidRequestError, match="keeps alert mo/"):
        propose(hk, listed_content(releasable_to=["cn"]), ids=["A"], revision=1)
    response = bring(hk, {"A": listed_content(releasable_to=["cn"])})
    assert [violation.rule for violation in response.refused[0].error.violations] == ["derived_from.kept"]
    assert (response.refused_count, response.vanished) == (1, 0)
    assert listed(hk, "hk") == {"A": 1}


def test_an_entry_that_comes_again_keeps_what_it_derived_from(
    nodes: list[PaperNode], source: alert_pb2.AlertReference
) -> None:
    """Withdrawn and entered again, amended once more, and by an import after pruning."""
    hk = nodes[1]
    consent(nodes, source)
    propose(hk, content(source, "cn"), ids=["A"])
    propose(hk, withdraw=[("A", 1)])
    exchange(*nodes)
    without = listed_content(releasable_to=["cn"])
    with pytest.raises(InvalidRequestError, match="keeps alert mo/"):
        propose(hk, without, ids=["A"])
    assert bring(hk, {"A": without}).refused_count == 1
    propose(hk, content(source, "cn"), ids=["A"])
    bring(hk, {"B": listed_content(releasable_to=[])}, prune=True)
    assert listed(hk, "hk") == {"B": 1}
    with pytest.raises(InvalidRequestError, match="keeps alert mo/"):
        propose(hk, without, ids=["A"])
    exchange(*nodes)
    assert told(hk, "cn") == ["+A@1", "-A WITHDRAWN", "+A@2", "-A WITHDRAWN"]
    for change in distributed(hk, "cn"):
        assert not change.ended.derived_from, "a partner doesn't learn of the source"


def test_an_imported_row_is_held_to_the_same_rule(nodes: list[PaperNode], source: alert_pb2.AlertReference) -> None:
    hk = nodes[1]
    rows = {"A": content(source, "cn"), "B": content(source, "mo"), "C": listed_content(releasable_to=["cn"])}
    response = bring(hk, rows)
    assert [(row.id, row.error.violations[0].field) for row in response.refused] == [("A", "content.derived_from")]
    assert (response.added, listed(hk, "hk")) == (2, {"B": 1, "C": 1})
    consent(nodes, source)
    assert bring(hk, rows).added == 1
    assert bring(hk, rows).unchanged == 3
    exchange(*nodes)
    assert listed(nodes[0], "hk") == {"A": 1, "C": 1}


def test_a_copy_ends_when_consent_has_ended_and_lists_are_compared_again(
    nodes: list[PaperNode], source: alert_pb2.AlertReference
) -> None:
    cn, hk, mo = nodes
    consent(nodes, source)
    propose(hk, content(source, "cn"), ids=["A"])
    exchange(*nodes)
    assert listed(cn, "hk") == {"A": 1}
    mo.amend(source.alert_id, 2, handling=PROHIBITED, case_reference="MORE")
    exchange(*nodes)
    hk.trust = _version(hk.trust)
    propose(hk, listed_content(releasable_to=[]), ids=["B"])
    exchange(*nodes)
    assert told(hk, "cn") == ["+A@1", "-A NOT_RELEASABLE"]
    assert listed(cn, "hk") == {}
