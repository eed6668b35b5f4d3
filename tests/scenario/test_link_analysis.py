"""Link graphs over real gateways: who may, lists that a role may not see, and what the audit log keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.client import AlertReference, GatewayClient
from gateway.errors import InvalidRequestError, MethodUnknownError, NotFoundError, PermissionDeniedError
from gateway.v1.history_pb2 import QueryGrounds
from gateway.v1.link_graph_pb2 import LINK_NODE_KIND_CONTAINER, LINK_NODE_KIND_PARTY, LinkedThing, LinkGraphNode
from gateway.v1.party_pb2 import Identifier
from gateway.v1.watchlist_pb2 import WatchlistReference
from gateway.v1.watchlist_service_pb2 import ProposedEntry
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.nodes import listed_content
from tests.support.shipments import shipment

COMPANY = "深圳市宏达金属有限公司"
SETTINGS = """
[link_analysis]
enabled = true
[lists.minerals]
four_eyes = false
[lists.sealed]
four_eyes = false
visible_to = ["publisher", "supervisor"]
"""
GROUNDS = QueryGrounds(purpose="export_control", legal_basis="Article 7", case_reference="CASE 42")
CONTAINER = LinkedThing(kind=LINK_NODE_KIND_CONTAINER, identifiers=[Identifier(scheme="iso6346", value="CSQU3054383")])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("links"), settings_of=lambda node: SETTINGS if node == "cn" else ""):
        made.start("cn", "hk")
        made.run(fill(made))
        yield made


async def fill(federation: Federation) -> None:
    """A shipment, an alert about its container, and its exporter on an open and on a sealed list."""
    async with federation.client("cn", "publisher") as risk, federation.client("cn", "supervisor") as supervisor:
        entry = ProposedEntry(id="company", content=listed_content(COMPANY))
        await risk.watchlist.propose("minerals", entries=[entry])
        await risk.watchlist.propose("sealed", entries=[entry])
        async for batch in risk.history.record([shipment("CN-EXP-1")]):
            assert not batch.refused
        await risk.publish(alert(), ["hk"])

        async def ready() -> bool:
            graph = await supervisor.link_analysis.graph(CONTAINER, grounds=GROUNDS)
            marks = [mark for node in graph.nodes for mark in node.marks]
            return not graph.unindexed_links and sum(mark.HasField("on_list") for mark in marks) >= 2

        await eventually(ready, what="the shipment, the alert and both lists in the graph")


async def exporter(client: GatewayClient) -> LinkGraphNode:
    graph = await client.link_analysis.graph(CONTAINER, grounds=GROUNDS)
    return next(node for node in graph.nodes if node.label == COMPANY)


def test_a_container_shows_its_parties_with_lists_and_alerts(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "officer") as client:
            graph = await client.link_analysis.graph(CONTAINER, grounds=GROUNDS)
            seed = graph.nodes[0]
            assert seed.seed
            assert seed.marks[0].HasField("in_alert")
            assert {source.WhichOneof("source") for source in seed.sources} == {"record_id", "alert"}
            assert COMPANY in [node.label for node in graph.nodes]
            assert all(edge.because and edge.sources for edge in graph.edges)

    nodes.run(run())


def test_a_hidden_list_gives_no_mark(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "officer") as officer, nodes.client("cn", "supervisor") as supervisor:
            shown = [mark.on_list.list for mark in (await exporter(officer)).marks]
            assert shown == ["minerals"]
            assert {mark.on_list.list for mark in (await exporter(supervisor)).marks} == {"minerals", "sealed"}
            sealed = WatchlistReference(publisher="cn", list="sealed", id="company")
            with pytest.raises(NotFoundError):
                await officer.link_analysis.graph(sealed, grounds=GROUNDS)
            from_entry = await supervisor.link_analysis.graph(sealed, grounds=GROUNDS)
            assert "CSQU3054383" in [node.label for node in from_entry.nodes]

    nodes.run(run())


def test_a_mark_says_in_words_how_well_the_name_agrees(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "analyst") as client:
            (mark,) = (await exporter(client)).marks
            assert mark.score > 0.9
            assert "cn/minerals/company" in mark.because
            assert "identical" in mark.because

    nodes.run(run())


def test_a_name_in_another_script_is_found_and_compared(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "analyst") as client:
            thing = LinkedThing(kind=LINK_NODE_KIND_PARTY, names=["Shenzhen Hongda Metals Co Ltd"])
            graph = await client.link_analysis.graph(thing, grounds=GROUNDS)
            compared = [edge for edge in graph.edges if edge.HasField("names")]
            assert compared
            assert {compared[0].names.from_name, compared[0].names.to_name} == {thing.names[0], COMPANY}

    nodes.run(run())


def test_a_record_an_alert_and_a_node_are_where_it_begins(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "officer") as client:
            (summary,) = [one async for one in client.list_alerts()]
            reference = AlertReference(publisher="cn", alert_id=summary.alert.id)
            assert (await client.link_analysis.graph(reference, grounds=GROUNDS)).nodes
            graph = await client.link_analysis.graph(record_id="CN-EXP-1", grounds=GROUNDS, depth=2)
            again = await client.link_analysis.graph(node_id=graph.nodes[0].id, grounds=GROUNDS)
            assert again.nodes[0].id == graph.nodes[0].id
            with pytest.raises(InvalidRequestError):
                await client.link_analysis.graph(node_id="what", grounds=GROUNDS)
            with pytest.raises(InvalidRequestError):
                await client.link_analysis.graph(CONTAINER, grounds=QueryGrounds(purpose="export_control"))

    nodes.run(run())


def test_pages_and_partners_come_where_they_are_asked_for(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "officer") as client:
            graph = await client.link_analysis.graph(CONTAINER, grounds=GROUNDS, with_partners=True)
            assert list(graph.partners) == ["hk", "mo"]  # whom agreements let cn ask
            assert not graph.held_answers  # nobody was asked for this case
            other = QueryGrounds(purpose="sanctions", legal_basis="Article 7", case_reference="CASE 42")
            assert not (await client.link_analysis.graph(CONTAINER, grounds=other, with_partners=True)).partners
            page = await client.link_analysis.graph(CONTAINER, grounds=GROUNDS, in_pages=True, max_nodes=2)
            assert page.nodes[0].expanded
            assert page.next_page_token
            token, thing = page.next_page_token, LinkedThing(kind=LINK_NODE_KIND_PARTY, names=[COMPANY])
            further = await client.link_analysis.graph(CONTAINER, grounds=GROUNDS, in_pages=True, page_token=token)
            assert further.edges != page.edges
            with pytest.raises(InvalidRequestError):  # another question's token
                await client.link_analysis.graph(thing, grounds=GROUNDS, in_pages=True, page_token=token)
            with pytest.raises(InvalidRequestError):
                await client.link_analysis.graph(record_id="CN-EXP-1", grounds=GROUNDS, in_pages=True)

    nodes.run(run())


@pytest.mark.parametrize("system", ["publisher", "auditor", "operator"])
def test_others_may_not_see_connections(nodes: Federation, system: str) -> None:
    async def run() -> None:
        async with nodes.client("cn", system) as client:
            with pytest.raises(PermissionDeniedError):
                await client.link_analysis.graph(CONTAINER, grounds=GROUNDS)

    nodes.run(run())


def test_without_the_setting_there_is_no_such_service(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("hk", "officer") as client:
            with pytest.raises(MethodUnknownError):
                await client.link_analysis.graph(CONTAINER, grounds=GROUNDS)

    nodes.run(run())


def test_the_audit_log_keeps_purpose_and_case(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "auditor") as client:

            async def told() -> bool:
                events = [event async for event in client.evidence.audit_events() if "GetLinkGraph" in event.method]
                return any((e.purpose, e.case_reference) == ("export_control", "CASE 42") for e in events)

            await eventually(told, what="the question in the audit log")

    nodes.run(run())
