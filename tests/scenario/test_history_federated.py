"""Shipment history over three nodes: one search asks all, and each node's answer is told for itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.client import GatewayClient
from gateway.evidence.service.files import read_bundle
from gateway.history.rpc.search_pages import SearchPosition, encode_positions
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import alert_pb2, evidence_service_pb2, goods_pb2, history_pb2, options_pb2, shipment_pb2
from gateway.v1 import history_service_pb2 as pb
from tests.support.command_line import Cli
from tests.support.federation import NODES, Federation, eventually, with_logs
from tests.support.history_calls import (
    COMPLETE,
    DENIED,
    PARTIAL,
    TIMED_OUT,
    UNREACHABLE,
    Found,
    HistoryCaller,
    agreements,
    calling,
    recorded,
    search_request,
)
from tests.support.shipments import shipment
from tests.support.stopwatch import Stopwatch

INSPECTED, PAGED, PADDED = "MSKU9070323", "TGHU0000008", "OOLU0000003"
"""Containers of tests that record more."""
NAME = history_pb2.SearchCriteria(party_names=["Wang Tat Metals"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three nodes with one record of the same container each, for the tests of this module."""
    for made in with_logs(tmp_path_factory.mktemp("shared")):
        with_records(made)
        yield made


@pytest.fixture
def three(shared: Federation) -> Iterator[Federation]:
    """The shared nodes, left as they were: all run, connections are whole, and the first agreements are in force.

    A test that records more does so under a container of its own.
    """
    before = shared.directory
    yield shared
    for sender in NODES:
        for recipient in NODES:
            if sender != recipient:
                shared.between(sender, recipient).heal()
    stopped = [name for name in NODES if shared[name].process is None]
    if stopped:
        shared.start(*stopped)
    if shared.directory != before:
        shared.put_directory(replace(before, version=shared.directory.version + 1))
    if stopped or shared.directory != before:
        shared.run(as_before(shared))


def with_records(federation: Federation) -> None:
    """Starts all nodes and records a shipment at each."""
    federation.start()

    async def record() -> None:
        for node in NODES:
            await recorded(federation, node, shipment(f"{node.upper()}-1"))

    federation.run(record())


async def as_before(federation: Federation) -> None:
    """Waits until every node has the directory in its file, and all answer each other."""
    for node in NODES:
        async with federation.client(node, "operator") as operator, calling(federation, node, "officer") as officer:

            async def has_directory(operator: GatewayClient = operator) -> bool:
                return (await operator.node.directory()).version == federation.directory.version

            async def all_answer(officer: HistoryCaller = officer) -> bool:
                found = await officer.search()
                return all(found.status(each) == COMPLETE for each in NODES)

            await eventually(has_directory, what=f"the first agreements at {node}")
            await eventually(all_answer, what=f"answers to {node}")


def in_container(record_id: str, container: str, **changes: Any) -> shipment_pb2.Shipment:
    """The tests' shipment in another container, so that other tests don't find it."""
    return shipment(record_id, equipment=[goods_pb2.Equipment(id=container)], **changes)


def test_a_search_asks_all_and_says_of_each_how_it_went(three: Federation) -> None:
    async def run() -> None:
        async with calling(three, "cn", "officer") as officer:
            grounds = history_pb2.QueryGrounds(purpose="smuggling", legal_basis="CEPA art. 6", case_reference="SZ-18")
            found = await officer.search(grounds=grounds)
        assert {node: found.ids(node) for node in ("cn", "hk", "mo")} == {
            "cn": ["CN-1"],
            "hk": ["HK-1"],
            "mo": ["MO-1"],
        }
        assert found.count == 3
        assert not found.token
        for node in ("hk", "mo"):
            answer = found.answers[node]
            assert (answer.status, answer.count, answer.reason, answer.withheld) == (COMPLETE, 1, "", 0)
            assert answer.as_of_position == answer.searched_until.ToMilliseconds()
            assert f"/{node}/cn/history/{answer.query_id}\n1\n".encode() in answer.statement
            (record,) = [one for one in found.records if one.node == node]
            assert (record.revision, record.position) == (1, 0)
            assert not record.withheld
        assert found.status("cn") == COMPLETE
        assert found.answers["cn"].as_of_position == 1
        assert found.answers["cn"].HasField("searched_until")
        async with three.client("hk", "auditor") as auditor:
            events = [one async for one in auditor.evidence.audit_events(filter="principal = gateway/cn")]
        query_id = found.answers["hk"].query_id
        kinds = {one.reason: one for one in events if one.details.get("subject_ids") == query_id and one.purpose}
        assert kinds.keys() >= {"QUESTION_ACCEPTED", "ANSWERED"}
        for one in kinds.values():
            assert (one.purpose, one.case_reference) == ("smuggling", "SZ-18")
            assert "CEPA art. 6" in one.details["detail"]
            assert one.method.endswith("AskHistory")
        assert kinds["ANSWERED"].details["records"] == "1"
        async with three.client("cn", "auditor") as auditor:

            async def told() -> bool:
                events = [one async for one in auditor.evidence.audit_events(filter="principal = system/cn/officer")]
                reasons = sorted(one.reason for one in events if one.case_reference == "SZ-18")
                return reasons == sorted(["SEARCH", *["QUESTION_SENT"] * 2, *["ANSWER_COMPLETE"] * 3])

            await eventually(told, what="cn's audit events")

    three.run(run())


def test_a_slow_partner_delays_nobody(three: Federation) -> None:
    async def run() -> None:
        async with calling(three, "cn", "officer") as officer:
            await officer.search()  # connections are open
            three.between("cn", "mo").delay(0.8)
            found, times = Found(), {}
            with Stopwatch() as watch:
                async for message in officer.stub.SearchShipments(search_request(partner_timeout_ms=1_000)):
                    found.take(message)
                    times.update({answer.node: watch.so_far_s for answer in message.answers})
            assert (found.status("cn"), found.status("hk"), found.status("mo")) == (COMPLETE, COMPLETE, TIMED_OUT)
            assert max(times["cn"], times["hk"]) / watch.slowdown < 0.8
            assert max(times["cn"], times["hk"]) < times["mo"]
            assert times["mo"] > 0.9
            assert times["mo"] / watch.slowdown < 1.5
            assert found.answers["mo"].elapsed_ms >= 900
            # The call's own time ends first: it is kept, and still says who didn't answer.
            found = await officer.search(timeout_s=0.9)
            assert (found.status("hk"), found.status("mo")) == (COMPLETE, TIMED_OUT)

    three.run(run())


def test_what_the_agreement_does_not_allow_is_denied_with_its_clause(three: Federation) -> None:
    clause = "Arrangement on alerts, article 3: alerts alone"
    agreements(three, id="hk-cn", message_types=frozenset({"AlertEvent", "Disposition"}), clause=clause)

    async def run() -> None:
        async with calling(three, "cn", "officer") as officer:

            async def denied() -> Found | None:
                found = await officer.search()
                return found if found.status("hk") == DENIED else None

            found = await eventually(denied, what="the new directory at cn")
            assert found is not None
            assert clause in found.answers["hk"].reason
            assert found.ids("hk") == []
            assert found.status("mo") == COMPLETE
        async with three.client("cn", "auditor") as auditor:
            events = [one async for one in auditor.evidence.audit_events(filter="result = deny")]
        searches = [one for one in events if one.method.endswith("SearchShipments")]
        (event, *_) = [one for one in searches if clause in one.details["detail"]]
        assert (event.reason, event.purpose, event.case_reference) == (
            "AGREEMENT_FORBIDS",
            "export_control",
            "SZ-2026-17",
        )

    three.run(run())


def test_an_agreement_on_hits_alone_gives_no_record(three: Federation) -> None:
    agreements(three, id="hk-cn", message_types=frozenset({"AlertEvent", "HistoryHit"}), clause="Hits alone, article 9")

    async def run() -> None:
        async with calling(three, "cn", "officer") as officer:

            async def hit_only() -> Found | None:
                found = await officer.search()
                return found if "Hits alone, article 9" in found.answers["hk"].reason else None

            found = await eventually(hit_only, what="the new directory")
            assert found is not None
            answer = found.answers["hk"]
            assert (answer.status, answer.hit, answer.count, found.ids("hk")) == (COMPLETE, True, 0, [])
            assert b"\nhit\n" in answer.statement
            nothing = history_pb2.SearchCriteria(containers=["MSKU0000000"])
            found = await officer.search(criteria=nothing)
            assert (found.status("hk"), found.answers["hk"].hit) == (COMPLETE, False)
            assert b"\nno-hit\n" in found.answers["hk"].statement
            # Asked for no more than that, every node says no more.
            found = await officer.search(mode=history_pb2.ANSWER_MODE_HIT)
            assert not found.records
            assert [found.answers[node].hit for node in ("cn", "hk", "mo")] == [True, True, True]

    three.run(run())


def test_a_field_that_may_not_come_is_listed_by_path_and_class(three: Federation) -> None:
    agreements(three, id="hk-cn", field_classes=frozenset({FieldClass.COMMERCIAL, FieldClass.INVESTIGATIVE}))

    async def run() -> None:
        async with calling(three, "cn", "officer") as officer:

            async def withheld() -> Found | None:
                found = await officer.search()
                return found if found.answers["hk"].withheld else None

            found = await eventually(withheld, what="the new directory")
            assert found is not None
            (record,) = [one for one in found.records if one.node == "hk"]
            assert {(one.path, one.disclosure_class) for one in record.withheld} == {
                ("parties.names.text", options_pb2.DISCLOSURE_CLASS_PERSONAL),
                ("parties.identifiers.value", options_pb2.DISCLOSURE_CLASS_PERSONAL),
            }
            assert found.answers["hk"].withheld == 2
            assert [party.role for party in record.shipment.parties] == [party.role for party in shipment().parties]
            assert not record.shipment.parties[0].names[0].text
            # A name can't be asked for where none may be told: that it was found would tell it.
            named = await officer.search(criteria=NAME)
            assert named.status("hk") == DENIED
            assert "criteria.party_names" in named.answers["hk"].reason
            assert named.ids("mo") == ["MO-1"]

    three.run(run())


def test_a_place_of_inspection_is_found_by_those_alone_who_may_know_of_inspections(three: Federation) -> None:
    inspected = shipment_pb2.ShipmentInspection(
        result=alert_pb2.FINDING_RESULT_CONFIRMED,
        inspected_at=shipment().declared_at,
        place=goods_pb2.Place(unlocode="HKKWN", territory="HK"),
    )
    where = history_pb2.SearchCriteria(containers=[INSPECTED], places=["HKKWN"])
    anywhere = history_pb2.SearchCriteria(containers=[INSPECTED])
    agreements(three, id="hk-cn", field_classes=frozenset({FieldClass.COMMERCIAL, FieldClass.PERSONAL}))

    async def run() -> None:
        plain = in_container("HK-PLAIN", INSPECTED)
        await recorded(three, "hk", plain, in_container("HK-INSPECTED", INSPECTED, inspections=[inspected]))
        async with calling(three, "mo", "officer") as mo, calling(three, "cn", "officer") as cn:

            async def taken_over() -> bool:
                return bool((await cn.search(criteria=anywhere)).answers["hk"].withheld)

            await eventually(taken_over, what="the new directory")
            assert (await mo.search(criteria=where)).ids("hk") == ["HK-INSPECTED"]
            unseen = await cn.search(criteria=where)
            assert (unseen.status("hk"), unseen.ids("hk")) == (COMPLETE, [])
            hit = await cn.search(criteria=where, mode=history_pb2.ANSWER_MODE_HIT)
            assert (hit.status("hk"), hit.answers["hk"].hit) == (COMPLETE, False)
            one, other = (await cn.search(criteria=anywhere)).records
            assert (one.node, other.node) == ("hk", "hk")
            assert one.withheld == other.withheld  # of the inspected one and the plain one

    three.run(run())


def test_pages_go_on_at_every_node_that_had_more(three: Federation) -> None:
    paged: dict[str, Any] = {"criteria": history_pb2.SearchCriteria(containers=[PAGED]), "page_size": 10}

    async def run() -> None:
        for node, count in (("cn", 1), ("hk", 26), ("mo", 5)):
            made = [in_container(f"{node.upper()}-P{at:02}", PAGED, parties=[]) for at in range(count)]
            await recorded(three, node, *made)
        async with calling(three, "cn", "officer") as officer:
            found = await officer.search(**paged)
            assert (found.status("cn"), found.status("hk"), found.status("mo")) == (COMPLETE, PARTIAL, COMPLETE)
            pages = [found]
            while pages[-1].token:
                pages.append(await officer.search(**paged, page_token=pages[-1].token))
                assert list(pages[-1].answers) == ["hk"]
            records = [one for page in pages for one in page.ids("hk")]
            assert len(records) == len(set(records)) == 26
            assert [one.status("hk") for one in pages] == [PARTIAL, PARTIAL, COMPLETE]
            one_day_later = [in_container(f"HK-T{at}", PAGED, parties=[]) for at in range(3)]
            for at, one in enumerate(one_day_later):
                one.declared_at.seconds += (1, 3, 2)[at] * 86_400
            await recorded(three, "hk", *one_day_later)
            only = paged | {"nodes": ["hk"], "page_size": 3}
            newest = await officer.search(order=pb.SEARCH_ORDER_DECLARED_DESC, **only)
            oldest = await officer.search(order=pb.SEARCH_ORDER_DECLARED_ASC, **only)
            assert newest.ids("hk") == ["HK-T1", "HK-T2", "HK-T0"]
            assert oldest.ids("hk") == newest.ids("hk")[::-1]

    three.run(run())


def test_what_is_there_at_once_comes_in_one_message(three: Federation) -> None:
    async def run() -> None:
        async with calling(three, "cn", "officer") as officer:
            call = officer.stub.SearchShipments(search_request(nodes=["cn"]))
            (message,) = [one async for one in call]
            assert [one.shipment.record_id for one in message.records.records] == ["CN-1"]
            assert [(one.node, one.status, one.count) for one in message.answers] == [("cn", COMPLETE, 1)]
            assert message.end.count == 1
            # Where only nodes had more that are no partners any more, there is nothing left but the end.
            gone = search_request()
            gone.page_token = encode_positions(gone, {"xx": SearchPosition(5, 5)})
            (message,) = [one async for one in officer.stub.SearchShipments(gone)]
            assert (message.HasField("end"), message.end.next_page_token, len(message.answers)) == (True, "", 0)

    three.run(run())


def test_who_leaves_ends_the_work_at_the_partner(three: Federation) -> None:
    many = [padded(f"HK-{at:04}") for at in range(500)]
    leaves = history_pb2.QueryGrounds(purpose="export_control", legal_basis="CEPA art. 5", case_reference="SZ-LEAVES")

    async def run() -> None:
        await recorded(three, "hk", *many)
        async with calling(three, "cn", "officer") as officer:
            three.between("cn", "hk").delay(0.2)
            # At 64 kB in 200 ms the answer takes 46 s: neither its end nor a partner's time is what ends the work.
            call = officer.stub.SearchShipments(
                search_request(
                    criteria=history_pb2.SearchCriteria(containers=[PADDED]),
                    grounds=leaves,
                    nodes=["hk"],
                    page_size=500,
                    partner_timeout_ms=60_000,
                )
            )
            first = await call.read()
            assert first.records.records
            call.cancel()

        async def cancelled() -> dict[str, str] | None:
            async with three.client("hk", "auditor") as auditor:
                events = [one async for one in auditor.evidence.audit_events(filter="principal = gateway/cn")]
            ended = [one for one in events if one.case_reference == "SZ-LEAVES" and one.reason == "CANCELLED"]
            found = [dict(one.details) for one in ended]
            return found[0] if found else None

        details = await eventually(cancelled, what="the end of hk's work")
        assert details is not None
        assert 0 < int(details["records"]) < 500

    three.run(run())


def padded(record_id: str) -> shipment_pb2.Shipment:
    """A shipment of some 30 kB, so that an answer of many doesn't fit into what a connection holds on its way."""
    made = in_container(record_id, PADDED, parties=[])
    for at in range(30):
        goods = made.goods.add(sequence=at + 2, description="x" * 1_000)
        goods.codes.add(code="7901110000", scheme="tariff", territory="CN")
    return made


def test_a_partner_that_is_down_is_told_and_the_others_answer(three: Federation) -> None:
    """The last that shares the nodes: mo's processes are slow to start again on a busy machine."""
    three["mo"].stop()

    async def run() -> None:
        async with calling(three, "cn", "officer") as officer:
            found = await officer.search()
        assert (found.status("cn"), found.status("hk"), found.status("mo")) == (COMPLETE, COMPLETE, UNREACHABLE)
        assert found.answers["mo"].reason
        assert not found.answers["mo"].statement
        assert len(found.records) == 2

    three.run(run())


def test_what_was_told_is_proved_later_and_offline(federation: Federation, tmp_path: Path) -> None:
    with_records(federation)

    async def ask() -> Found:
        async with calling(federation, "cn", "officer") as officer:
            return await officer.search()

    found = federation.run(ask())
    query_id = found.answers["hk"].query_id
    told = tmp_path / "told.zip"
    cn, hk = Cli(federation, "cn"), Cli(federation, "hk")
    cn.run("officer", "evidence", "export", "--answer", query_id, "--record", "HK-1", "--out", told)
    trusted = ("--directory", federation.folder.directory)
    said = cn.run("", "evidence", "verify", told, *trusted).output
    assert f"asked under query {query_id} for export_control" in " ".join(said.split())
    assert "Record HK-1, revision 1, was in the answer of 1 record, as its number 0." in " ".join(said.split())
    asked = cn.json("", "evidence", "verify", told, *trusted, "--record", "HK-2")
    assert asked["verified"]
    assert asked["evidence"]["said"]["HK-2"].startswith("Record HK-2 was not in the answer of 1 record")
    assert asked["evidence"]["answerer"] == "hk"
    # Who answered shows the same, and each gateway verifies the other's.
    theirs = tmp_path / "theirs.zip"
    hk.run("auditor", "evidence", "export", "--answer", query_id, "--out", theirs)
    files = [evidence_service_pb2.EvidenceFile(name=name, content=content) for name, content in _files(theirs)]

    async def verify() -> evidence_service_pb2.VerifyEvidenceResponse:
        async with federation.client("cn", "auditor") as auditor:
            return await auditor.evidence.verify(files)

    assert federation.run(verify()).verified
    cn.run("officer", "evidence", "export", "--answer", query_id, "--out", told, code=2)  # it is there already
    cn.run("officer", "evidence", "export", "--answer", "019bbf30-0000-7000-8000-000000000000", code=2)
    cn.run("officer", "evidence", "export", code=2)

    # Somebody changes it in the stopped node's database.
    assert "2 answers about them" in cn.run("", "verify").output
    federation["cn"].stop()
    with closing(sqlite3.connect(federation["cn"].database)) as database, database:
        (records,) = database.execute(
            "SELECT records FROM history_answer_records WHERE query_id = ?", (query_id,)
        ).fetchone()
        changed = records.replace(b"zinc", b"tin ")
        database.execute("UPDATE history_answer_records SET records = ? WHERE query_id = ?", (changed, query_id))
    output = cn.run("", "verify", code=1).output
    assert "10 answers" in output
    assert query_id in output
    refused = cn.run("", "evidence", "export", "--answer", query_id, "--from-database", "--out", "x.zip", code=1)
    assert "verify" in refused.output


def _files(path: Path) -> list[tuple[str, bytes]]:
    return list(read_bundle(path).files.items())
