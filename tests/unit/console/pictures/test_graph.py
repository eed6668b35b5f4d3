"""Any graph is drawn alike each time, says what is joined by what, and links to pages of the console alone."""

from __future__ import annotations

import math
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.console.pictures.graph import MAX_NODES, GraphEdge, GraphNode, graph
from gateway.console.pictures.layout import layout
from gateway.console.pictures.svg import element, link
from tests.support.console.pictures import check_svg, texts_of

names = st.integers(0, 12).map(str)
nodes = st.lists(
    st.builds(GraphNode, names, st.text(max_size=60), st.text(max_size=12), st.text(max_size=20), st.booleans()),
    max_size=14,
    unique_by=lambda node: node.id,
)
edges = st.lists(st.builds(GraphEdge, names, names, st.text(max_size=60), st.booleans()), max_size=30)


@settings(max_examples=30, deadline=None)
@given(nodes, edges)
def test_any_graph_gives_valid_pictures(shown: list[GraphNode], joined: list[GraphEdge]) -> None:
    drawn = graph(shown, joined, title="Graph")
    check_svg(drawn.wide)
    check_svg(drawn.narrow)
    assert graph(shown, joined, title="Graph") == drawn
    known = {node.id for node in shown}
    assert len(drawn.rows) == sum(e.start in known and e.end in known and e.start != e.end for e in joined)


@settings(max_examples=50, deadline=None)
@given(st.lists(names, unique=True), st.lists(st.tuples(names, names)))
def test_layout_is_within_its_frame(shown: list[str], joined: list[tuple[str, str]]) -> None:
    spots = layout(shown, joined)
    assert set(spots) == set(shown)
    assert all(0 <= value <= 1 and math.isfinite(value) for spot in spots.values() for value in spot)


def large() -> tuple[list[GraphNode], list[GraphEdge]]:
    chosen = random.Random(7)
    shown = [GraphNode(str(at), f"Company {at} 有限公司", "Party", is_root=at == 0) for at in range(MAX_NODES + 5)]
    joined = [GraphEdge(str(at), str(chosen.randrange(at)), "declared together") for at in range(1, MAX_NODES + 5)]
    return shown, joined


def test_large_graph_is_small_and_quick_and_says_what_it_left_out() -> None:
    start = time.process_time()
    drawn = graph(*large(), title="Graph")
    assert time.process_time() - start < 3
    check_svg(drawn.wide)
    check_svg(drawn.narrow)
    assert drawn.notes == ("5 more aren't drawn.",)


def test_nodes_of_a_graph_keep_apart() -> None:
    shown, joined = large()
    spots = layout([node.id for node in shown[:30]], [(edge.start, edge.end) for edge in joined[:29]], ["0"])
    places = list(spots.values())
    assert min(math.dist(a, b) for at, a in enumerate(places) for b in places[:at]) > 0.02


def test_labels_and_links() -> None:
    shown = [
        GraphNode("a", "<b>A</b>", "Party", target="/network?node=a"),
        GraphNode("b", "B", "Vessel", note="on a list"),
    ]
    drawn = graph(shown, [GraphEdge("a", "b", "both in declaration 7", is_sure=False)], title="Graph")
    root = check_svg(drawn.wide)
    assert root.attrib["role"] == "group"
    assert 'href="/network?node=a"' in drawn.wide
    assert "<b>A</b>" in texts_of(drawn.wide)
    assert drawn.rows == (("<b>A</b>", "B", "both in declaration 7"),)


@pytest.mark.parametrize("target", ["javascript:alert(1)", "//evil.example", "https://evil.example", "", "/\\evil"])
def test_links_lead_into_the_console_alone(target: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        link(target, "x")


@pytest.mark.parametrize("name", ["style", "script", "foreignObject"])
def test_what_the_content_policy_forbids_is_not_made(name: str) -> None:
    with pytest.raises(ValueError, match="not allowed"):
        element(name)
    with pytest.raises(ValueError, match="not allowed"):
        element("rect", style="fill: red")
