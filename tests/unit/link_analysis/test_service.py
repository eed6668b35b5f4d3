"""Link graphs over real records, alerts and held answers, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.alerts.commands.following import FollowCommand, prepare_batch
from gateway.errors import NotFoundError, PermissionDeniedError
from gateway.history.service.names import NameSearch
from gateway.link_analysis.rules.things import Mention, Space, thing_of
from gateway.link_analysis.service.answers import held_answers, held_records
from gateway.link_analysis.service.graphs import FoundGraph, GraphLimits, GraphSearch
from gateway.link_analysis.service.indexer import LinkIndexer
from gateway.link_analysis.service.records import RecordLookup, ShipmentPeriod
from gateway.link_analysis.service.shown import GraphPainter, is_behind
from gateway.link_analysis.tables import terms
from gateway.link_analysis.tables.schema import link_terms
from gateway.v1 import alert_pb2, history_pb2, link_analysis_service_pb2, link_graph_pb2, party_pb2, shipment_pb2
from tests.support.answers import CONTAINER, pairs
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes
from tests.support.recording import index, purge_command, record, searching
from tests.support.shipments import shipment

HUB = 20
STREET = "12 Kwai Fuk Road"
FORWARDER = "Harbour Forwarders Limited"


@pytest.fixture
def cn(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (node,):
        yield node


def lookup(node: PaperNode) -> RecordLookup:
    alert_names = NameSearch(node.database, terms).find
    return RecordLookup(node.database, search=searching(node), alert_names=alert_names, hub_records=HUB)


def settle(node: PaperNode) -> None:
    """Projects and indexes everything."""
    node.settle()
    index(node)
    while (batch := prepare_batch(node.database, [LinkIndexer()], limit=500)).parts:
        assert node.writer.run(FollowCommand(batch.parts)) == [True]
    assert not behind(node)


def behind(node: PaperNode) -> bool:
    with node.database.read() as conn:
        return is_behind(conn)


def graph(node: PaperNode, seed: Mention, **limits: Any) -> FoundGraph:
    held = limits.pop("held", ())
    return GraphSearch(lookup(node)).of_thing(seed, GraphLimits(**limits), held)


def answer(node: PaperNode, found: FoundGraph, edges: int = 300) -> link_analysis_service_pb2.GetLinkGraphResponse:
    return GraphPainter(node.database, lookup(node), hub_records=HUB).response(found, edges)


def labels(found: FoundGraph) -> set[str]:
    return {node.label for node in found.shown}


def party(name: str, role: Any = party_pb2.PARTY_ROLE_CONSIGNEE, street: str = "", **numbers: str) -> party_pb2.Party:
    made = party_pb2.Party(role=role, names=[party_pb2.Name(text=name)] if name else [])
    for scheme, value in numbers.items():
        made.identifiers.add(scheme=scheme, value=value)
    if street:
        made.addresses.add(street=street, city="Kwai Chung", territory="HK")
    return made


def goes(record_id: str, *parties: party_pb2.Party, container: str = "", plate: str = "") -> shipment_pb2.Shipment:
    """A shipment that names these alone."""
    made = shipment(record_id)
    for name in ("parties", "equipment", "means", "route", "events"):
        made.ClearField(name)
    made.parties.extend(parties)
    if container:
        made.equipment.add(id=container)
    if plate:
        made.means.add(mode=3).registrations.add(scheme="hk_vehicle_plate", value=plate)
    return made


def named(name: str) -> Mention:
    return Mention(Space.PARTY, (name,), (), "")


def a_container(number: str) -> Mention:
    return Mention(Space.CONTAINER, (), (("iso6346", number),), "")


def test_a_container_connects_the_parties_of_its_shipments_and_alerts(cn: PaperNode) -> None:
    record(cn, goes("R-1", party("Alpha Metals Limited"), container="CSQU3054383"))
    record(cn, goes("R-2", party("Beta Trading Limited"), container="CSQU 305438-3", plate="AB 1234"))
    alert_id = cn.publish("hk")  # names CSQU3054383
    settle(cn)
    found = graph(cn, a_container("CSQU3054383"))
    assert labels(found) == {"CSQU3054383", "Alpha Metals Limited", "Beta Trading Limited", "AB 1234"}
    shown = answer(cn, found)
    seed = shown.nodes[0]
    assert seed.seed
    assert seed.expanded
    assert seed.records == 3
    assert seed.marks[0].in_alert.alert_id == alert_id
    assert seed.marks[0].alert_status == alert_pb2.ALERT_STATUS_PUBLISHED
    assert {source.WhichOneof("source") for source in seed.sources} == {"record_id", "alert"}
    edge = next(e for e in shown.edges if shown.nodes[1].id in (e.from_node, e.to_node))
    assert edge.sources[0].record_id in ("R-1", "R-2")
    assert {edge.sources[0].field, edge.sources[0].to_field} == {"equipment[0]", "parties[0]"}
    assert "consignee" in edge.because
    assert not shown.omitted_nodes


def test_a_second_step_goes_on_from_what_the_first_found(cn: PaperNode) -> None:
    record(cn, goes("R-1", party("Alpha Metals Limited"), container="CSQU3054383"))
    record(cn, goes("R-2", party("Alpha Metals Limited"), plate="AB 1234"))
    record(cn, goes("R-3", party("Gamma Trading Limited"), plate="AB1234"))
    settle(cn)
    assert "AB 1234" not in labels(graph(cn, a_container("CSQU3054383")))
    assert "Gamma Trading Limited" not in labels(graph(cn, a_container("CSQU3054383"), depth=2))
    assert "Gamma Trading Limited" in labels(graph(cn, a_container("CSQU3054383"), depth=3))


def test_an_address_connects_parties_in_shipments(cn: PaperNode) -> None:
    record(cn, goes("R-1", party("Alpha Metals Limited", street=STREET)))
    record(cn, goes("R-2", party("Beta Trading Limited", street=STREET.upper())))
    settle(cn)
    found = graph(cn, named("Alpha Metals Limited"), depth=2)
    assert "Beta Trading Limited" in labels(found)


def test_names_that_agree_only_when_compared_are_two_nodes_with_the_comparison(cn: PaperNode) -> None:
    record(cn, goes("R-1", party("深圳市宏达金属有限公司"), container="CSQU3054383"))
    settle(cn)
    found = graph(cn, named("Shenzhen Hongda Metals Co Ltd"))
    shown = answer(cn, found)
    assert {node.label for node in shown.nodes} >= {"Shenzhen Hongda Metals Co Ltd", "深圳市宏达金属有限公司"}
    (edge,) = [edge for edge in shown.edges if edge.HasField("names")]
    assert 0 < edge.names.score <= 1
    assert edge.names.because
    assert "may be one" in edge.because
    assert "CSQU3054383" in labels(found)  # what the other is connected with is shown too


@pytest.mark.both_databases
def test_a_name_in_an_alert_is_found_by_its_other_script(cn: PaperNode) -> None:
    content = {"subject": alert_pb2.Subject(parties=[party("深圳市宏达金属有限公司")])}
    alert_id = cn.publish("hk", **content)
    settle(cn)
    found = graph(cn, named("Shenzhen Hongda Metals Co Ltd"))
    assert any(key[-1] == alert_id for key in found.linked.records)


def test_a_hub_is_shown_and_not_expanded(cn: PaperNode) -> None:
    agent = party(FORWARDER, party_pb2.PARTY_ROLE_DECLARANT)
    for number in range(HUB + 5):
        record(cn, goes(f"R-{number}", agent, party(f"Trader Number {number} Limited")))
    record(cn, goes("R-X", agent, party("Alpha Metals Limited"), container="CSQU3054383"))
    settle(cn)
    found = graph(cn, a_container("CSQU3054383"), depth=3)
    assert labels(found) == {"CSQU3054383", "Alpha Metals Limited", FORWARDER}
    shown = answer(cn, found)
    hub = next(node for node in shown.nodes if node.label == FORWARDER)
    assert hub.hub
    assert hub.more_records
    assert not hub.expanded
    assert hub.thing.kind == link_graph_pb2.LINK_NODE_KIND_DECLARANT
    assert shown.hub_records == HUB


def test_limits_leave_out_the_least_connected_and_say_so(cn: PaperNode) -> None:
    for number in range(8):
        record(cn, goes(f"R-{number}", party(f"Trader Number {number} Limited"), container="CSQU3054383"))
    record(cn, goes("R-9", party("Trader Number 3 Limited"), container="CSQU3054383"))
    settle(cn)
    found = graph(cn, a_container("CSQU3054383"), nodes=4)
    assert len(found.shown) == 4
    assert "Trader Number 3 Limited" in labels(found)
    shown = answer(cn, found, edges=2)
    assert (shown.omitted_nodes, shown.omitted_edges, len(shown.edges)) == (5, 1, 2)
    assert shown.nodes[0].omitted_neighbours == 5


def test_kinds_are_chosen(cn: PaperNode) -> None:
    record(cn, goes("R-1", party("Alpha Metals Limited"), container="CSQU3054383", plate="AB 1234"))
    settle(cn)
    wanted = frozenset({link_graph_pb2.LINK_NODE_KIND_VEHICLE})
    found = graph(cn, a_container("CSQU3054383"), kinds=wanted)
    assert labels(found) == {"CSQU3054383", "AB 1234"}
    assert not found.omitted


def test_a_period_bounds_shipments(cn: PaperNode) -> None:
    record(cn, goes("R-1", party("Alpha Metals Limited", street=STREET), container="CSQU3054383"))
    settle(cn)
    declared = goes("R-1").declared_at.seconds * 1000
    for period, count in ((ShipmentPeriod(declared, declared + 1), 3), (ShipmentPeriod(declared + 1), 1)):
        assert len(graph(cn, a_container("CSQU3054383"), period=period).shown) == count
        address = Mention(Space.ADDRESS, (f"{STREET}, Kwai Chung, HK",), (), "")
        assert len(graph(cn, address, period=period).shown) == count


def test_the_same_request_has_the_same_answer_and_a_node_can_be_gone_on_from(cn: PaperNode) -> None:
    record(cn, goes("R-1", party("Alpha Metals Limited", street=STREET), container="CSQU3054383", plate="AB 1234"))
    cn.publish("hk")
    settle(cn)
    one, other = (answer(cn, graph(cn, a_container("CSQU3054383"), depth=2)) for _ in range(2))
    assert one == other
    node_id = next(node.id for node in one.nodes if node.label == "AB 1234")
    seed = thing_of(node_id)
    assert seed is not None
    assert "Alpha Metals Limited" in labels(graph(cn, Mention(*seed, field="")))
    party_id = next(node.id for node in one.nodes if node.label == "Alpha Metals Limited")
    by_name = thing_of(party_id)
    assert by_name is not None
    assert graph(cn, Mention(*by_name, field="")).shown[0].label == "Alpha Metals Limited"  # not as its id has it


def test_a_record_and_an_alert_are_where_a_graph_begins(cn: PaperNode) -> None:
    record(cn, goes("R-1", party("Alpha Metals Limited"), container="CSQU3054383"))
    alert_id = cn.publish("hk")
    settle(cn)
    records = lookup(cn)
    found = GraphSearch(records).of_record(records.shipment("R-1"), GraphLimits())
    assert {node.label for node in found.shown if node.is_seed} == {"CSQU3054383", "Alpha Metals Limited"}
    found = GraphSearch(records).of_record(records.alert("cn", alert_id), GraphLimits())
    assert "Alpha Metals Limited" in labels(found)
    with pytest.raises(NotFoundError):
        records.shipment("R-2")
    with pytest.raises(NotFoundError):
        records.alert("hk", alert_id)


def test_what_isnt_indexed_yet_is_told(cn: PaperNode) -> None:
    settle(cn)
    cn.publish("hk")
    record(cn, goes("R-1", party("Alpha Metals Limited", street=STREET)))
    cn.settle()
    assert behind(cn)
    shown = answer(cn, graph(cn, named("Alpha Metals Limited")))
    assert (shown.unindexed_records, shown.unindexed_links) == (1, 1)
    settle(cn)
    shown = answer(cn, graph(cn, named("Alpha Metals Limited")))
    assert (shown.unindexed_records, shown.unindexed_links) == (0, 0)


@pytest.mark.both_databases
def test_erased_records_leave_the_index(cn: PaperNode) -> None:
    made = goes("R-1", party("Alpha Metals Limited", street=STREET))
    made.retention_class = "short"
    record(cn, made)
    settle(cn)
    assert _terms(cn) == 1
    cn.clock.forward(10**11)
    cn.writer.run(purge_command(cn))
    assert _terms(cn) == 0
    assert len(graph(cn, named("Alpha Metals Limited")).shown) == 1


def _terms(node: PaperNode) -> int:
    with node.database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(link_terms)).scalar_one())


def test_refs_are_found_in_all_cells_the_newest_first(cn: PaperNode) -> None:
    cells, step = 40, 1 << terms.CELL_BITS
    written = [(terms.ALERT, cell * step + at, [7]) for cell in range(0, cells, 3) for at in (0, step - 1)]
    other = [(terms.ALERT, step, [8]), (terms.SHIPMENT, 90 * step, [7]), (terms.ALERT, 5, [9]), (terms.ALERT, 5, [9])]
    with cn.database.write() as conn:
        terms.add(conn, terms.unpacked(terms.packed([*written, *other])))
    newest = sorted((ref for _, ref, _ in written), reverse=True)
    with cn.database.read() as conn:
        for most in (1, 3, 500):
            assert terms.refs(conn, [7], terms.ALERT, most) == newest[:most]
        assert terms.refs(conn, [7, 8, 9], terms.ALERT, 500) == sorted([*newest, step, 5], reverse=True)
        assert terms.refs(conn, [7], terms.SHIPMENT, 5) == [90 * step]
        assert terms.refs(conn, [1], terms.ALERT, 5) == []
    with cn.database.write() as conn:
        terms.forget_shipments(conn, [90 * step, step])
    with cn.database.read() as conn:
        assert terms.refs(conn, [7], terms.SHIPMENT, 5) == []
        assert terms.refs(conn, [8], terms.ALERT, 5) == [step]


def test_a_batch_of_before_a_rebuild_is_not_written(cn: PaperNode) -> None:
    cn.publish("hk")
    cn.settle()
    (command,) = prepare_batch(cn.database, [LinkIndexer()], limit=500).parts
    assert cn.writer.run(command) is True
    assert cn.writer.run(command) is False
    with cn.database.write() as conn:
        cn.projector.clear(conn)
    assert _terms(cn) == 0
    settle(cn)
    assert _terms(cn) == 1


def test_answers_are_for_the_purpose_and_case_that_they_were_asked_for(cn: PaperNode) -> None:
    grounds = history_pb2.QueryGrounds(purpose="export_control", legal_basis="Article 7", case_reference="CASE 1")
    with pytest.raises(NotFoundError):
        held_records(cn.database, [alert_pb2.AnswerReference(node="hk", query_id="none")], grounds)


def test_a_held_answer_is_looked_at_when_it_is_named(tmp_path: Path, make_database: MakeDatabase) -> None:
    with pairs(tmp_path, make_database) as both:
        both.record(goes("HK-1", party("Alpha Metals Limited"), container=CONTAINER))
        query = both.ask().question.query
        reference = alert_pb2.AnswerReference(node="hk", query_id=query.query_id)
        held = held_records(both.cn.database, [reference], query.grounds)
        assert [one.key for one in held] == [("answer", "hk", query.query_id, "HK-1")]
        found = graph(both.cn, a_container(CONTAINER), held=held)
        assert "Alpha Metals Limited" in labels(found)
        assert "Alpha Metals Limited" not in labels(graph(both.cn, a_container(CONTAINER)))
        other = history_pb2.QueryGrounds()
        other.CopyFrom(query.grounds)
        other.case_reference = "ANOTHER"
        with pytest.raises(PermissionDeniedError):
            held_records(both.cn.database, [reference], other)


def fill_hub(node: PaperNode, count: int) -> None:
    """So many shipments of one forwarder, each for a trader."""
    agent = party(FORWARDER, party_pb2.PARTY_ROLE_DECLARANT)
    for number in range(count):
        record(node, goes(f"R-{number:02}", agent, party(f"Trader Number {number:02} Limited")))


def pages(node: PaperNode, seed: Mention, **limits: Any) -> list[FoundGraph]:
    """All pages of a hub, at most ten."""
    held, search = limits.pop("held", ()), GraphSearch(lookup(node))
    found = [search.page_of_hub(seed, GraphLimits(**limits), held)]
    while (further := found[-1].further) is not None and len(found) < 10:
        found.append(search.page_of_hub(seed, GraphLimits(**limits), held, further))
    return found


@pytest.mark.both_databases
def test_a_hub_is_shown_in_pages_the_newest_records_first_and_each_once(cn: PaperNode) -> None:
    fill_hub(cn, HUB + 25)
    alert_id = cn.publish("hk", subject=alert_pb2.Subject(parties=[party(FORWARDER)]))
    settle(cn)
    first, second = pages(cn, named(FORWARDER))
    assert len(first.linked.records) == 30  # bounded, however many there are
    newest = [key[-1] for key in first.linked.records]
    assert newest == [alert_id, *(f"R-{number:02}" for number in range(44, 15, -1))]
    assert [key[-1] for key in second.linked.records] == [f"R-{number:02}" for number in range(15, -1, -1)]
    shown = answer(cn, first)
    hub = shown.nodes[0]
    assert (hub.label, hub.hub, hub.expanded, hub.total_records) == (FORWARDER, True, True, 46)
    assert len(shown.edges) == 30  # the alert names a container too
    assert all(edge.sources for edge in shown.edges)


def test_a_page_of_a_hub_has_what_there_is_room_for_and_the_next_goes_on_with_the_rest(cn: PaperNode) -> None:
    fill_hub(cn, HUB + 5)
    settle(cn)
    found = pages(cn, named(FORWARDER), nodes=11)
    assert [len(page.shown) for page in found] == [11, 11, 6]
    assert not any(page.omitted for page in found)
    assert len(set[str]().union(*map(labels, found))) == HUB + 6


def test_an_address_is_a_hub_that_is_shown_in_pages(cn: PaperNode) -> None:
    for number in range(HUB + 15):
        record(cn, goes(f"R-{number:02}", party(f"Trader Number {number:02} Limited", street=STREET)))
    settle(cn)
    address = Mention(Space.ADDRESS, (f"{STREET}, Kwai Chung, HK",), (), "")
    unexpanded = answer(cn, graph(cn, address)).nodes[0]
    assert (unexpanded.hub, unexpanded.expanded, unexpanded.total_records) == (True, False, HUB + 15)
    assert [len(page.linked.records) for page in pages(cn, address)] == [30, 5]
    declared = goes("R-1").declared_at.seconds * 1000
    assert [len(page.shown) for page in pages(cn, address, period=ShipmentPeriod(declared + 1))] == [1]


def test_a_hub_says_how_many_records_name_it(cn: PaperNode) -> None:
    fill_hub(cn, HUB + 3)
    record(cn, goes("R-X", party(FORWARDER), container="CSQU3054383"))
    settle(cn)
    shown = answer(cn, graph(cn, a_container("CSQU3054383")))
    assert [node.total_records for node in shown.nodes] == [0, 0]  # not looked at from there
    shown = answer(cn, graph(cn, a_container("CSQU3054383"), depth=2))
    assert {node.label: node.total_records for node in shown.nodes} == {"CSQU3054383": 0, FORWARDER: HUB + 4}


def test_held_answers_are_listed_for_their_purpose_and_case(tmp_path: Path, make_database: MakeDatabase) -> None:
    with pairs(tmp_path, make_database) as both:
        both.record(goes("HK-1", party("Alpha Metals Limited"), container=CONTAINER))
        query = both.ask().question.query
        (listed,), more = held_answers(both.cn.database, query.grounds)
        assert (listed.answer.node, listed.answer.query_id, listed.records) == ("hk", query.query_id, 1)
        assert (listed.criteria, listed.asked_at) == (query.criteria, query.asked_at)
        assert not more
        for field in ("purpose", "case_reference"):
            other = history_pb2.QueryGrounds()
            other.CopyFrom(query.grounds)
            setattr(other, field, "another")
            assert held_answers(both.cn.database, other) == ([], False)
        held = held_records(both.cn.database, [listed.answer], query.grounds)
        first = pages(both.cn, a_container(CONTAINER), held=held)[0]
        assert "Alpha Metals Limited" in labels(first)
