"""One search over three nodes in one order, page by page, and records with a release list of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.client import GatewayClient
from gateway.client.history import RecordOrAnswer
from gateway.errors import InvalidRequestError
from gateway.v1 import goods_pb2, history_pb2, shipment_pb2
from gateway.v1 import history_service_pb2 as pb
from gateway.v1 import node_service_pb2 as node_pb
from tests.support.command_line import Cli
from tests.support.federation import NODES, Federation, eventually, with_logs
from tests.support.history_calls import (
    COMPLETE,
    PARTIAL,
    UNREACHABLE,
    Found,
    HistoryCaller,
    calling,
    recorded,
)
from tests.support.shipments import DECLARED, grounds, shipment

OVERALL = pb.SEARCH_ORDER_OVERALL
_numbers = count(1)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("three")):
        made.start()
        yield made


@pytest.fixture
def container() -> str:
    """A container of the test's own."""
    return f"ABCU{next(_numbers):07}"


def of(container: str, record_id: str, minutes: float = 0, **changes: Any) -> shipment_pb2.Shipment:
    made = shipment(record_id, equipment=[goods_pb2.Equipment(id=container)], **changes)
    made.declared_at.FromMilliseconds(int(DECLARED.timestamp() * 1000 + minutes * 60_000))
    return made


def sought(container: str) -> history_pb2.SearchCriteria:
    return history_pb2.SearchCriteria(containers=[container])


async def interleaved(three: Federation, container: str, each: int = 12) -> list[str]:
    """Records of three nodes in turn, hk's recorded in the reverse order; their ids, newest declared first."""
    times = [(minute, node) for minute, node in enumerate(NODES * each)]
    for node in NODES:
        made = [of(container, f"{container}-{node}-{minute:03}", minute) for minute, at in times if at == node]
        await recorded(three, node, *(made[::-1] if node == "hk" else made))
    return [f"{container}-{node}-{minute:03}" for minute, node in reversed(times)]


def ids(found: Found) -> list[str]:
    return [record.shipment.record_id for record in found.records]


async def page(officer: HistoryCaller, container: str, size: int, token: str = "", **request: Any) -> Found:
    return await officer.search(criteria=sought(container), order=OVERALL, page_size=size, page_token=token, **request)


@asynccontextmanager
async def officer_of_cn(three: Federation) -> AsyncIterator[HistoryCaller]:
    async with calling(three, "cn", "officer") as officer:
        yield officer


def test_pages_are_in_one_order_and_stay_when_records_arrive(three: Federation, container: str) -> None:
    async def run() -> None:
        expected = await interleaved(three, container)
        async with officer_of_cn(three) as officer:
            pages = [await page(officer, container, 7)]
            assert ids(pages[0]) == expected[:7]
            assert {node: pages[0].status(node) for node in NODES} == dict.fromkeys(NODES, PARTIAL)
            assert sum(answer.count for answer in pages[0].answers.values()) == pages[0].count == 7
            for node, minute in (("cn", 500), ("hk", 20.5), ("mo", 3.5)):  # before, within and after the first page
                await recorded(three, node, of(container, f"{container}-{node}-new", minute))
            amended = of(container, f"{container}-mo-002", 2, incoterms="FOB")
            await recorded(three, "mo", amended)
            while pages[-1].token:
                pages.append(await page(officer, container, 7, pages[-1].token))
            assert [one for found in pages for one in ids(found)] == expected
            again = await page(officer, container, 7, pages[0].token)
            assert ids(again) == expected[7:14]
            anew = await page(officer, container, 100)
            assert ids(anew)[0] == f"{container}-cn-new"
            assert len(anew.records) == len(expected) + 3
            with pytest.raises(InvalidRequestError):
                await officer.search(criteria=sought("MSKU9070323"), order=OVERALL, page_token=pages[0].token)

    three.run(run())


def test_a_partner_that_is_away_is_named_and_its_records_come_later(three: Federation, container: str) -> None:
    async def run() -> None:
        expected = await interleaved(three, container, 4)
        of_mo = [one for one in expected if "-mo-" in one]
        others = [one for one in expected if "-mo-" not in one]
        async with officer_of_cn(three) as officer:
            three["mo"].stop()
            try:
                first = await page(officer, container, 5, partner_timeout_ms=3_000)
            finally:
                three.start("mo")
            assert ids(first) == others[:5]
            assert first.status("mo") == UNREACHABLE

            async def back() -> Found | None:
                found = await page(officer, container, 100, first.token)
                return found if found.status("mo") == COMPLETE else None

            rest = await eventually(back, what="mo")
            assert rest is not None
            assert ids(rest) == [one for one in expected if one in {*of_mo, *others[5:]}]
            assert not rest.token

    three.run(run())


def test_an_amended_record_stands_once_where_its_last_match_was_declared(three: Federation, container: str) -> None:
    """Of 30 records at hk, 10 were moved to another day, and 5 went into another container."""

    async def run() -> None:
        names = [f"{container}-{at:02}" for at in range(30)]
        await recorded(three, "hk", *(of(container, name, at) for at, name in enumerate(names)))
        await recorded(three, "hk", *(of(container, name, 5_000 - at) for at, name in enumerate(names[:10])))
        elsewhere = [of("TGHU0000008", name, 9_000 + at) for at, name in enumerate(names[10:15])]
        await recorded(three, "hk", *elsewhere)
        async with officer_of_cn(three) as officer:
            pages = [await page(officer, container, 4, nodes=["hk"])]
            while pages[-1].token:
                pages.append(await page(officer, container, 4, pages[-1].token, nodes=["hk"]))
        assert [one for found in pages for one in ids(found)] == names[:10] + names[:9:-1]

    three.run(run())


def test_client_and_command_line_go_on(three: Federation, container: str) -> None:
    expected = three.run(interleaved(three, container, 3))

    async def all_of(client: GatewayClient) -> Sequence[RecordOrAnswer]:
        found = client.history.search(sought(container), grounds(), order=OVERALL, page_size=4)
        return [item async for item in found]

    async def run() -> Sequence[RecordOrAnswer]:
        async with three.client("cn", "officer") as client:
            return await all_of(client)

    items = three.run(run())
    assert [one.shipment.record_id for one in items if isinstance(one, history_pb2.HistoryRecord)] == expected
    cn = Cli(three, "cn")
    asked = grounds()
    why = ("--purpose", asked.purpose, "--legal-basis", asked.legal_basis, "--case", asked.case_reference)
    command = ("history", "search", "--container", container, "--limit", "4", "--json", *why)
    lines = [json.loads(line) for line in cn.run("officer", *command).stdout.splitlines()]
    token = lines[-1]["end"]["next_page_token"]
    further = [json.loads(line) for line in cn.run("officer", *command, "--page", token).stdout.splitlines()]
    shown = [line["record"]["shipment"]["record_id"] for line in (*lines, *further) if "record" in line]
    assert shown == expected[:8]


def test_a_record_is_released_to_those_alone_whom_it_names(three: Federation, container: str, tmp_path: Path) -> None:
    reference = goods_pb2.ShipmentReference(kind=goods_pb2.SHIPMENT_REFERENCE_KIND_UCR, value=f"UCR-{container}")

    def released(record_id: str, *nodes: str) -> shipment_pb2.Shipment:
        to = shipment_pb2.ReleaseList(nodes=nodes)
        return of(container, f"{container}-{record_id}", releasable_to=to, references=[reference])

    async def run() -> None:
        made = (of(container, f"{container}-ALL", references=[reference]), released("HK", "hk"), released("NONE"))
        await recorded(three, "cn", *made)
        for node, expected in (("hk", ["ALL", "HK"]), ("mo", ["ALL"]), ("cn", ["ALL", "HK", "NONE"])):
            wanted = [f"{container}-{name}" for name in expected]
            async with calling(three, node, "officer") as officer, three.client(node, "officer") as client:
                for order in (pb.SEARCH_ORDER_UNSPECIFIED, OVERALL):
                    found = await officer.search(criteria=sought(container), order=order, nodes=["cn"])
                    assert (sorted(ids(found)), found.status("cn")) == (wanted, COMPLETE)
                    assert all(record.shipment.HasField("releasable_to") <= (node == "cn") for record in found.records)
                one = history_pb2.SearchCriteria(record_ids=[f"{container}-NONE"])
                hit = await officer.search(criteria=one, mode=history_pb2.ANSWER_MODE_HIT, nodes=["cn"])
                assert hit.answers["cn"].hit == (node == "cn")
                first = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=reference.value)])
                traced = await client.history.trace(first, grounds())
                assert sorted(leg.record.shipment.record_id for leg in traced.trace.legs) == wanted
        await recorded(three, "cn", released("HK", "mo"))
        async with calling(three, "hk", "officer") as officer:
            found = await officer.search(criteria=sought(container), nodes=["cn"])
        assert ids(found) == [f"{container}-ALL"]
        async with three.client("cn", "officer") as client:
            request = node_pb.ExplainAbsenceRequest(record_id=f"{container}-HK", purpose=grounds().purpose)
            why = {one.partner: one for one in (await client.node.explain_absence(request)).absences}
        assert (why["hk"].reason, list(why["hk"].released_to)) == (node_pb.ABSENCE_REASON_NOT_RELEASED, ["mo"])
        assert why["mo"].reason == node_pb.ABSENCE_REASON_ON_QUESTION

    three.run(run())
    cn = Cli(three, "cn")
    said = cn.run("officer", "why", "record", f"{container}-NONE", "hk", "--purpose", grounds().purpose).output
    assert "The record's own release list names nobody, so HK isn't shown it." in " ".join(said.split())
    shown = cn.json("officer", "history", "show", f"{container}-HK")
    assert shown["record"]["shipment"]["releasable_to"] == {"nodes": ["mo"]}
    file = tmp_path / "records.csv"
    rows = ["record_id,procedure,declared_at,containers,releasable_to"]
    rows += [
        f"{container}-F{at},export,2026-01-10T12:00:00+08:00,{container},{to}"
        for at, to in enumerate(("-", "hk;mo", ""))
    ]
    file.write_text("\n".join([*rows, ""]))
    cn.run("publisher", "history", "import", file)

    async def imported() -> bool:
        async with calling(three, "mo", "officer") as officer:
            found = await officer.search(criteria=sought(container), nodes=["cn"])
        return {f"{container}-F1", f"{container}-F2"} <= set(ids(found)) and f"{container}-F0" not in ids(found)

    asyncio.run(eventually(imported, what="the imported records"))
