"""Screening between running gateways: a name in another script, why it was found, and what its owner says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gateway.client import GatewayClient
from gateway.errors import UnavailableError
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.party_pb2 import Identifier, Name, Party
from gateway.v1.screening_pb2 import ScreenedSubject, ScreeningSubject
from gateway.v1.watchlist_pb2 import (
    HIT_OUTCOME_CONFIRMED,
    MATCH_CLASS_COMPATIBLE,
    MATCH_CLASS_IDENTICAL,
    WATCHLIST_KIND_CONTAINER,
    WATCHLIST_KIND_PERSON,
    ListedName,
)
from gateway.v1.watchlist_service_pb2 import ProposedEntry
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.history_calls import worker_processes
from tests.support.nodes import listed_content

SETTINGS = "\n[lists.minerals]\nfour_eyes = false\n[lists.strict]\nfour_eyes = false\ncompatible = 0.99\nstrong = 1.0\n"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("screening"), settings=SETTINGS):
        made.start("cn", "hk")
        made.run(_list(made))
        yield made


async def _list(federation: Federation) -> None:
    entries = {
        "company": listed_content("示例稀土有限公司"),
        "person": listed_content(kind=WATCHLIST_KIND_PERSON, names=[ListedName(text="黃小明", script="Hant")]),
        "box": listed_content(
            kind=WATCHLIST_KIND_CONTAINER,
            names=[],
            identifiers=[Identifier(scheme="iso6346", value="CSQU3054383")],
        ),
    }
    async with federation.client("cn", "publisher") as risk, federation.client("hk", "officer") as hk:
        proposed = [ProposedEntry(id=one, content=content) for one, content in entries.items()]
        await risk.watchlist.propose("minerals", entries=proposed)
        await risk.watchlist.propose("strict", entries=[ProposedEntry(id="twin", content=entries["person"])])

        async def ready() -> bool:
            return bool((await screened(hk, containers=["CSQU3054383"])).hits)

        await eventually(ready, what="the lists at hk")


async def screened(client: GatewayClient, *names: str, **fields: object) -> ScreenedSubject:
    subject = ScreeningSubject(names=[Name(text=name) for name in names], **fields)  # type: ignore[arg-type]
    (found,) = await client.screening.screen([subject])
    return found


def test_a_node_without_lists_answers_that_nothing_is_listed(nodes: Federation) -> None:
    nodes.start("mo")

    async def run() -> None:
        async with nodes.client("mo", "officer") as mo:
            found = await screened(mo, "示例稀土有限公司", reference="X-1")
            assert (found.reference, list(found.hits)) == ("X-1", [])

    nodes.run(run())


def test_a_consignee_in_another_script_is_found_and_explained(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("hk", "officer") as hk:
            for given in ("示例稀土有限公司", "示例稀土股份有限公司", "Shili Xitu Co., Ltd."):
                (hit, *_) = (await screened(hk, given)).hits
                assert (hit.entry.publisher, hit.entry.list, hit.entry.id) == ("cn", "minerals", "company"), given
                assert hit.explanation.listed == "示例稀土有限公司"
                assert hit.explanation.because
                assert hit.explanation.tokens
                assert sum(part.weight for part in hit.explanation.parts) == pytest.approx(1, abs=1e-4)
            (identical, *_) = (await screened(hk, "示例稀土有限公司")).hits
            assert identical.match_class == MATCH_CLASS_IDENTICAL
            (romanised, *_) = (await screened(hk, "Wong Siu Ming", kind=WATCHLIST_KIND_PERSON)).hits
            assert (romanised.entry.id, romanised.match_class) == ("person", MATCH_CLASS_COMPATIBLE)
            hits = (await screened(hk, "Wong Siu Ming", "Wong Siu-Meng", kind=WATCHLIST_KIND_PERSON)).hits
            assert "twin" not in [one.entry.id for one in hits], "the list's own thresholds are higher"
            assert (await screened(hk, "Placeholder Fruit Trading Limited")).hits == []

    nodes.run(run())


def test_many_are_screened_over_one_stream_in_their_order(nodes: Federation) -> None:
    async def run() -> None:
        subjects = [
            ScreeningSubject(reference=str(at), containers=["CSQU3054383" if at % 2 else "MSCU1234566"])
            for at in range(250)
        ]
        async with nodes.client("hk", "officer") as hk:
            found = [one async for one in hk.screening.screen_many(subjects, batch=40)]
        assert [one.reference for one in found] == [str(at) for at in range(250)]
        assert [bool(one.hits) for one in found] == [bool(at % 2) for at in range(250)]

    nodes.run(run())


def test_a_caller_that_leaves_leaves_its_answer_to_nobody(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("hk", "officer") as hk:

            async def asked(number: int) -> str:
                found = await screened(hk, "示例稀土有限公司", reference=f"party {number}")
                return found.reference

            for _ in range(5):
                calls = [asyncio.create_task(asked(number)) for number in range(20)]
                await asyncio.sleep(0.005)
                for call in calls[::2]:
                    call.cancel()
                stayed = await asyncio.gather(*calls[1::2])
                assert stayed == [f"party {number}" for number in range(1, 20, 2)]

    nodes.run(run())


def test_a_hit_reaches_the_owner_and_its_answer_comes_back(nodes: Federation) -> None:
    async def run() -> None:
        async with (
            nodes.client("hk", "officer") as hk,
            nodes.client("cn", "officer") as cn,
            nodes.client("hk", "auditor") as auditor,
        ):
            (hit, *_) = (await screened(hk, "示例稀土有限公司")).hits
            subject = Party(names=[Name(text="示例稀土有限公司")])
            reported = await hk.screening.report(hit, subject=subject, purpose="export_control", case_reference="HK-1")

            async def arrived() -> bool:
                return any([one.hit.hit_id == reported.hit_id async for one in cn.screening.hits()])

            await eventually(arrived, what="the hit at cn")
            await cn.screening.answer("hk", reported.hit_id, HIT_OUTCOME_CONFIRMED, remarks="The exporter of case 17")

            async def answered() -> bool:
                return [one.outcome async for one in auditor.screening.hits()] == [HIT_OUTCOME_CONFIRMED]

            await eventually(answered, what="the outcome at hk")
            counted = {one.list: one for one in await auditor.screening.statistics()}
            assert (counted["minerals"].publisher, counted["minerals"].hits, counted["minerals"].confirmed) == (
                "cn",
                1,
                1,
            )
            assert counted["strict"].hits == 0

    nodes.run(run())


def test_an_alert_shows_what_of_it_is_listed(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "publisher") as risk, nodes.client("hk", "officer") as hk:
            content = alert()
            content.subject.ClearField("equipment")
            content.subject.equipment.add(id="CSQU3054383")
            content.subject.parties.add(role=5).names.add(text="示例稀土股份有限公司")
            content.subject.parties.add(role=3).names.add(text="Placeholder Fruit Trading Limited")
            published = await risk.publish(content, ["hk"])
            wanted = AlertReference(publisher="cn", alert_id=published.alert_id)

            async def shown() -> list[tuple[str, str]]:
                found = await hk.get_alert(wanted)
                assert found.screened
                return [(one.field, one.hit.entry.id) for one in found.hits]

            found = await eventually(shown, what="the alert at hk")
            assert found == [("subject.parties[0]", "company"), ("subject.equipment[0]", "box")]

    nodes.run(run())
    hk = Cli(nodes, "hk")
    (listed, *_) = hk.json("officer", "alert", "list")
    text = hk.run("officer", "alert", "show", f"cn/{listed['alert']['id']}").stdout
    assert "On watchlists" in text
    assert "cn/minerals/box" in text


def test_after_a_restart_it_is_the_same(nodes: Federation) -> None:
    hk = nodes["hk"]
    hk.stop()
    assert (hk.data / "screening.sqlite3").exists()
    hk.start()

    async def run() -> None:
        async with nodes.client("hk", "officer") as client:

            async def found() -> bool:
                try:
                    return bool((await screened(client, "示例稀土有限公司")).hits)
                except UnavailableError:
                    return False

            await eventually(found, what="the index")

    nodes.run(run())


def test_a_screening_process_that_is_killed_is_started_again(nodes: Federation) -> None:
    (process,) = worker_processes(nodes, "hk", "screening")
    process.kill()

    async def run() -> None:
        async with nodes.client("hk", "officer") as hk, nodes.client("cn", "publisher") as risk:
            await risk.publish(alert(), ["hk"])  # alerts go on

            async def found() -> bool:
                return bool((await screened(hk, "示例稀土有限公司")).hits)

            await eventually(found, what="the index after the kill")

    nodes.run(run())
    (again,) = worker_processes(nodes, "hk", "screening")
    assert again.pid != process.pid


def test_the_process_ends_with_its_node(nodes: Federation) -> None:
    (process,) = worker_processes(nodes, "hk", "screening")
    nodes["hk"].kill()
    process.wait(timeout=30)
    nodes.start("hk")

    async def run() -> None:
        async with nodes.client("hk", "officer") as hk:

            async def found() -> bool:
                return bool((await screened(hk, "示例稀土有限公司")).hits)

            await eventually(found, what="the index after the kill")

    nodes.run(run())


def test_the_command_says_why(nodes: Federation) -> None:
    hk = Cli(nodes, "hk")
    done = hk.run("officer", "watchlist", "screen", "Shili Xitu Co., Ltd.", code=3)
    assert "cn/minerals/company" in done.stdout
    assert "示例稀土有限公司" in done.stdout
    assert " ~ " in done.stdout
    assert hk.run("officer", "watchlist", "screen", "Placeholder Fruit", code=0).stdout == "Nothing found.\n"
    hk.run("officer", "watchlist", "screen", code=2)
    purpose = ("--purpose", "export_control")
    refused = hk.run("officer", "watchlist", "report", "cn/minerals/company", "Fruit", *purpose, code=2)
    assert "have no hit on" in refused.output
    hk.run("officer", "watchlist", "report", "cn/minerals/company", "示例稀土有限公司", *purpose)
    listed = hk.json("officer", "watchlist", "hits", "--filter", "outcome = none")
    assert [one["hit"]["entry"]["id"] for one in listed] == ["company"]
    assert [one["list"] for one in hk.json("officer", "watchlist", "statistics")] == ["minerals", "strict"]
