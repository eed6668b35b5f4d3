"""A link graph in words: what an edge rests on, why to look at a node, what isn't shown, and its fields in words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, islice
from zoneinfo import ZoneInfo

import pytest

from gateway.console.current import CurrentPage, set_current_page
from gateway.console.form import Form
from gateway.console.languages import ReaderLocale
from gateway.console.pages.network.question import MOST_EDGES, MOST_NODES, read_question
from gateway.console.templating import new_environment
from gateway.console.views.network import field_text, network_view
from gateway.translation.messages import in_language
from gateway.v1.alert_pb2 import ALERT_STATUS_CLOSED, AlertReference, AnswerReference
from gateway.v1.link_analysis_service_pb2 import GetLinkGraphResponse
from gateway.v1.link_graph_pb2 import (
    LINK_NODE_KIND_CONTAINER,
    LINK_NODE_KIND_PARTY,
    LinkedThing,
    LinkGraphEdge,
    LinkGraphNode,
    LinkMark,
    LinkNameComparison,
    LinkSource,
)
from gateway.v1.watchlist_pb2 import MATCH_CLASS_IDENTICAL, WatchlistReference

ZONE = ZoneInfo("Asia/Macau")


@pytest.fixture(autouse=True)
def page() -> Iterator[None]:
    set_current_page(CurrentPage(ReaderLocale("en", ZONE), "", ""))
    with in_language("en"):
        yield


def graph() -> GetLinkGraphResponse:
    source = LinkSource(record_id="R/1", field="equipment[0]", to_field="parties[1]", to_role="consignee")
    container = LinkGraphNode(
        id="container:id::CSQU3054383",
        thing=LinkedThing(kind=LINK_NODE_KIND_CONTAINER),
        label="CSQU3054383",
        seed=True,
        expanded=True,
        omitted_neighbours=2,
        marks=[
            LinkMark(in_alert=AlertReference(publisher="cn", alert_id="a-1"), alert_status=ALERT_STATUS_CLOSED),
        ],
    )
    party = LinkGraphNode(
        id="party:name::alpha",
        thing=LinkedThing(kind=LINK_NODE_KIND_PARTY, names=["Alpha", "甲公司"]),
        label="Alpha",
        hub=True,
        more_records=True,
        marks=[
            LinkMark(
                on_list=WatchlistReference(publisher="cn", list="minerals", id="W 1"),
                match_class=MATCH_CLASS_IDENTICAL,
                because="It may be it.",
            )
        ],
    )
    both = LinkGraphEdge(from_node=container.id, to_node=party.id, records=5, sources=[source] * 5)
    return GetLinkGraphResponse(nodes=[container, party], edges=[both], omitted_nodes=3, lists_not_screened=True)


def test_an_edge_says_how_many_records_and_what_stands_where() -> None:
    container, party = network_view(graph()).nodes
    (edge,) = container.edges
    assert edge.text.startswith("5 records name both")
    assert edge.anchor == party.anchor
    assert edge.sources[0].where == "container – consignee"
    assert edge.sources[0].href == "/history/records/R%2F1"
    assert (len(edge.sources), edge.more) == (3, 2)
    assert party.edges[0].label == "CSQU3054383"


def test_names_that_were_compared_are_an_unsure_edge_with_the_score() -> None:
    found = graph()
    del found.edges[:]
    names = LinkNameComparison(from_name="Alpha", to_name="甲公司", score=0.91, because="strong: a reading")
    found.edges.add(from_node=found.nodes[0].id, to_node=found.nodes[1].id, names=names)
    view = network_view(found)
    assert "Alpha and 甲公司 may be one: strong: a reading (score 0.91)" in view.nodes[0].edges[0].text
    assert "edge compared" in view.picture.wide


def test_marks_lead_to_the_alert_and_to_the_entry() -> None:
    container, party = network_view(graph()).nodes
    assert (container.marks[0].tag, container.marks[0].href) == ("Alert of CN: Closed", "/alerts/cn/a-1")
    assert party.marks[0].kind == "bad"
    assert party.marks[0].href == "/watchlists/entry/cn/minerals/W%201"


def test_what_isnt_shown_is_said() -> None:
    view = network_view(graph())
    container, party = view.nodes
    assert container.state == "2 more connections of it aren't shown."
    assert "isn't followed" in party.state
    assert [problem.split()[0] for problem in view.problems] == ["3", "Lists"]
    assert party.facts == ["甲公司"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("subject.equipment[0]", "container"),
        ("parties[1].addresses[2]", "address 3"),
        ("events[4].equipment_id", "container"),
        ("something.new[1]", "something.new[1]"),
    ],
)
def test_fields_are_named_in_words(path: str, words: str) -> None:
    assert field_text(path) == words


def asked(**values: str) -> Form:
    grounds = {"purpose": "export_control", "legal_basis": "Article 7", "case_reference": "CASE 1"}
    return Form.with_values({**grounds, **values})


@pytest.mark.parametrize(
    ("begin", "what", "seed"),
    [
        ("record", "R-1", {"record_id": "R-1"}),
        ("alert", "cn/0190", {"seed": AlertReference(publisher="cn", alert_id="0190")}),
        ("entry", "cn/minerals/W/1", {"seed": WatchlistReference(publisher="cn", list="minerals", id="W/1")}),
    ],
)
def test_where_it_begins(begin: str, what: str, seed: dict[str, object]) -> None:
    form = asked(begin=begin, what=what, depth="2")
    question = read_question(form, ZONE)
    assert form.is_good
    assert seed.items() <= question.arguments.items()
    assert question.arguments["depth"] == 2


def test_things_begin_with_names_or_numbers() -> None:
    named = read_question(asked(begin="party", what="Alpha\n 甲公司 "), ZONE).arguments["seed"]
    assert list(named.names) == ["Alpha", "甲公司"]
    numbered = read_question(asked(begin="party", what="9144", scheme="uscc"), ZONE).arguments["seed"]
    assert (numbered.identifiers[0].scheme, numbered.identifiers[0].value) == ("uscc", "9144")
    ship = read_question(asked(begin="vessel", what="IMO 9074729"), ZONE).arguments["seed"]
    assert ship.identifiers[0].value == "IMO 9074729"


def test_a_node_goes_before_what_the_form_said_and_the_reasons_stay() -> None:
    question = read_question(asked(begin="party", what="Alpha", node_id="party:name::alpha"), ZONE)
    assert question.arguments["node_id"] == "party:name::alpha"
    assert question.hidden["purpose"] == ["export_control"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"begin": "alert", "what": "0190"}, "what"),
        ({"begin": "entry", "what": "cn/minerals"}, "what"),
        ({"begin": "party", "what": ""}, "what"),
        ({"begin": "party", "what": "x", "scheme": "USCC!"}, "scheme"),
        ({"begin": "party", "what": "x", "declared_from": "soon"}, "declared_from"),
        ({"begin": "party", "what": "x", "answers": "hk"}, "answers"),
        ({"begin": "party", "what": "x", "purpose": ""}, "purpose"),
    ],
)
def test_problems_stand_at_their_field(values: dict[str, str], field: str) -> None:
    form = asked(**values)
    read_question(form, ZONE)
    assert field in form.problems


def test_answers_are_named_by_authority_and_query() -> None:
    question = read_question(asked(begin="container", what="CSQU3054383", answers="hk/q1\nmo/q2"), ZONE)
    wanted = [AnswerReference(node="hk", query_id="q1"), AnswerReference(node="mo", query_id="q2")]
    assert question.arguments["answers"] == wanted


def test_the_largest_graph_of_a_page_has_room_in_150_kb() -> None:
    """Without pictures, and with 20 kB for what is around it on every page."""
    found = GetLinkGraphResponse()
    for number in range(MOST_NODES):
        label = f"Example Trading Company Number {number} Limited"
        thing = LinkedThing(kind=LINK_NODE_KIND_PARTY, names=[label, "示例国际贸易有限公司"])
        node = found.nodes.add(id=f"party:name::{label.lower()}", thing=thing, label=label, seed=not number, records=20)
        node.marks.add(in_alert=AlertReference(publisher="cn", alert_id="01a21a6a-07e0-72fd-bdff-42dab6c6777e"))
        for at in range(10):
            node.sources.add(record_id=f"CN-EXP-2026-{at:06}", field="parties[1]", role="consignee").at.seconds = 10**9
    for one, other in islice(combinations(found.nodes, 2), MOST_EDGES):
        edge = found.edges.add(from_node=one.id, to_node=other.id, records=12)
        for at in range(10):
            edge.sources.add(record_id=f"CN-EXP-2026-{at:06}", role="consignee", to_field="parties[0]")
    form = asked(begin="party", what="Alpha", depth="2")
    view = network_view(found)
    environment = new_environment(lambda name: f"/static/{name}")
    assert environment.loader is not None
    source = environment.loader.get_source(environment, "network/graph.html")[0].partition("\n")[2]  # without its base
    page_alone = environment.from_string('{% import "components/page.html" as page %}' + source)
    size = len(
        page_alone.render(view=view, question=read_question(form, ZONE), form=form, kinds=[], depths=[]).encode()
    )
    assert size - len(view.picture.wide) - len(view.picture.narrow) < 130_000
