"""A link graph in words: what an edge rests on, why to look at a node, what isn't shown, and its fields in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations, islice
from zoneinfo import ZoneInfo

import pytest

from gateway.console.current import CurrentPage, set_current_page
from gateway.console.form import Form
from gateway.console.languages import ReaderLocale
from gateway.console.pages.network.question import MOST_EDGES, MOST_NODES, read_question
from gateway.console.templating import new_environment
from gateway.console.views.network import answer_options, field_text, network_view
from gateway.console.views.partner_question import PartnerQuestion
from gateway.translation.messages import in_language
from gateway.v1.alert_pb2 import ALERT_STATUS_CLOSED, AlertReference, AnswerReference
from gateway.v1.history_pb2 import SearchCriteria
from gateway.v1.link_analysis_service_pb2 import GetLinkGraphResponse
from gateway.v1.link_graph_pb2 import (
    LINK_NODE_KIND_ADDRESS,
    LINK_NODE_KIND_CONTAINER,
    LINK_NODE_KIND_PARTY,
    LINK_NODE_KIND_VEHICLE,
    LINK_NODE_KIND_VESSEL,
    LinkedThing,
    LinkGraphEdge,
    LinkGraphNode,
    LinkMark,
    LinkNameComparison,
    LinkNodeKind,
    LinkSource,
)
from gateway.v1.party_pb2 import Identifier
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
    assert "Alpha and 甲公司 may be one: strong: a reading (score 91 %)" in view.nodes[0].edges[0].text
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


def asked(**values: str | list[str]) -> Form:
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
        ({"begin": "party", "what": "x", "purpose": ""}, "purpose"),
    ],
)
def test_problems_stand_at_their_field(values: dict[str, str], field: str) -> None:
    form = asked(**values)
    read_question(form, ZONE)
    assert field in form.problems


def test_answers_are_chosen_each_once_and_the_newest_count() -> None:
    chosen = ["hk/q1", "mo/q2", "hk/q1"]
    question = read_question(asked(begin="container", what="CSQU3054383", answers=chosen), ZONE)
    wanted = [AnswerReference(node="hk", query_id="q1"), AnswerReference(node="mo", query_id="q2")]
    assert question.arguments["answers"] == wanted
    many = read_question(asked(node_id="n", answers=[f"hk/q{number}" for number in range(20)]), ZONE)
    assert [one.query_id for one in many.arguments["answers"]] == [f"q{number}" for number in range(4, 20)]


def test_held_answers_are_listed_in_words_and_a_chosen_one_stays() -> None:
    found = graph()
    criteria = SearchCriteria(containers=["CSQU3054383"])
    held = found.held_answers.add(answer=AnswerReference(node="hk", query_id="q1"), criteria=criteria, records=3)
    held.asked_at.FromDatetime(datetime(2026, 7, 1, 20, tzinfo=UTC))  # the day after in the reader's zone
    options = answer_options(found, ["mo/q2"])
    assert [value for value, _text, _hint in options] == ["hk/q1", "mo/q2"]
    assert options[0][1] == "HK, 2 Jul 2026: container CSQU3054383 (3 records)"
    assert "MO" in options[1][1]


def test_a_hub_says_in_how_many_records_it_stands_and_can_be_shown() -> None:
    found = graph()
    hub = found.nodes[1]
    assert not network_view(found).nodes[1].is_closed_hub  # its name may be any of too many
    hub.total_records = 1_204
    view = network_view(found).nodes[1]
    assert view.is_closed_hub
    assert "1204 records" in view.state
    hub.total_records = 5_000
    assert "or more" in network_view(found).nodes[1].state
    question = read_question(asked(begin="party", what="x", hub=hub.id, page_token="next"), ZONE)
    wanted = {"node_id": hub.id, "in_pages": True, "page_token": "next"}
    assert wanted.items() <= question.arguments.items()
    assert question.hidden["hub"] == [hub.id]
    assert "page_token" not in question.hidden


@pytest.mark.parametrize(
    ("kind", "names", "numbers", "criterion", "values"),
    [
        (LINK_NODE_KIND_PARTY, ["Alpha  Ltd", "甲公司"], ["9144"], "party_names", ("Alpha Ltd", "甲公司")),
        (LINK_NODE_KIND_PARTY, [], ["9144"], "party_identifiers", ("9144",)),
        (LINK_NODE_KIND_CONTAINER, [], ["CSQU3054383"] * 2, "containers", ("CSQU3054383",)),
        (LINK_NODE_KIND_VEHICLE, [], ["AB 1234"], "registrations", ("AB 1234",)),
        (LINK_NODE_KIND_VESSEL, ["Example Star"], [], "vessel", ("Example Star",)),
    ],
)
def test_what_partners_are_asked_about_a_node(
    kind: LinkNodeKind.ValueType, names: list[str], numbers: list[str], criterion: str, values: tuple[str, ...]
) -> None:
    identifiers = [Identifier(scheme="s", value=value) for value in numbers]
    node = LinkGraphNode(id="some:id::A B", thing=LinkedThing(kind=kind, names=names, identifiers=identifiers))
    question = PartnerQuestion.of_node(node)
    assert question == PartnerQuestion("node_id", "some:id::A B", criterion, values)
    assert PartnerQuestion.read(question.text) == question
    node.hub = True
    of_hub = PartnerQuestion.of_node(node)
    assert of_hub is not None
    assert of_hub.begin == "hub"


def test_nothing_is_asked_about_an_address_or_by_another_value() -> None:
    address = LinkGraphNode(id="a", thing=LinkedThing(kind=LINK_NODE_KIND_ADDRESS, names=["12 Kwai Fuk Road"]))
    assert PartnerQuestion.of_node(address) is None
    for text in ("", "node_id a", "node_id a\nreferences\nx", "what a\ncontainers\nx", "node_id \ncontainers\nx"):
        assert PartnerQuestion.read(text) is None


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
    found.partners.extend(["hk", "mo"])  # who can be asked about each node, and about each record of a node
    question = read_question(form, ZONE)
    rendered = page_alone.render(
        view=view, question=question, form=form, kinds=[], depths=[], found=found, answers=[], page_number=1
    )
    assert rendered.count('name="about"') > MOST_NODES
    size = len(rendered.encode())
    assert size - len(view.picture.wide) - len(view.picture.narrow) < 130_000
