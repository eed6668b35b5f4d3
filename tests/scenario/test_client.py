"""The typed client against running gateways: the guide's code, and streams over a network that fails."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client import AlertReference, GatewayClient, new_alert
from gateway.contract.limits import BATCH_BYTES
from gateway.errors import (
    ConfigurationError,
    InvalidRequestError,
    PermissionDeniedError,
    PositionUnknownError,
    RequestIdReusedError,
    TooLargeError,
    UnavailableError,
)
from gateway.v1.alert_service_pb2 import PublishAlertRequest
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.proxy import Network, Proxy

GUIDE = Path(__file__).parents[2] / "docs" / "integrating.md"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("client")):
        made.start("cn", "hk")
        yield made


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


def through(nodes: Federation, proxy: Proxy, node: str, system: str) -> GatewayClient:
    """A client whose connections go through the proxy."""
    return nodes.client_at(proxy.port, node, system)


def requests(case: str, count: int) -> list[PublishAlertRequest]:
    return [new_alert(alert(case_reference=f"{case}-{number}"), ["hk"]) for number in range(count)]


async def cases_at(client: GatewayClient, case: str) -> list[str]:
    """Case references of the alerts published so far, in the order of the node's log."""
    return [
        change.event.published.content.case_reference
        async for change in client.watch(until_current=True)
        if change.event.published.content.case_reference.startswith(f"{case}-")
    ]


def guide() -> dict[str, Any]:
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(GUIDE), "exec"), names)  # noqa: S102  the guide is ours
    return names


def test_the_guides_code_does_what_the_guide_says(nodes: Federation, capsys: pytest.CaptureFixture[str]) -> None:
    code = guide()

    async def run() -> None:
        async with nodes.client("cn", "publisher") as cn, nodes.client("hk", "officer") as hk:
            alert_id = await code["publish"](cn)
            wrong = alert(case_reference="WRONG", purpose="Not A Purpose")
            problems = await code["publish_many"](cn, [code["antimony_declared_as_lead"](), wrong])
            assert len(problems) == 1
            assert problems[0].startswith("WRONG: content.purpose")

            async def arrived() -> bool:
                return len([each async for each in hk.list_alerts(filter="case_reference = CASE-2026-0001")]) >= 2

            await eventually(arrived)
            position = await code["follow"](hk, 0)
            assert f"new cn {alert_id}" in capsys.readouterr().out
            assert await code["follow"](hk, position) == position
            folder = nodes["hk"].folder
            files = (folder.ca, folder.system_certificate("officer"), folder.system_key("officer"))
            done = await code["acknowledge_all"](f"127.0.0.1:{nodes['hk'].local_port}", *map(str, files))
            assert done >= 2

    nodes.run(run())


def test_bulk_over_a_stream_that_is_cut_again_and_again_is_once_and_in_order(
    nodes: Federation, network: Network
) -> None:
    proxy = network.proxy(nodes["cn"].local_port)
    count = 1500

    async def run() -> None:
        async with through(nodes, proxy, "cn", "publisher") as cn, nodes.client("hk", "officer") as hk:
            proxy.cut_after(90_000, times=6)
            wanted = requests("CUT", count)
            outcomes = [outcome async for outcome in cn.publish_many(wanted, batch=50)]
            assert proxy.cuts >= 3
            assert [outcome.request.request_id for outcome in outcomes] == [request.request_id for request in wanted]
            ids = [outcome.result().alert_id for outcome in outcomes]
            assert len(set(ids)) == count

            async def arrived() -> bool:
                return len(await cases_at(hk, "CUT")) >= count

            await eventually(arrived)
            assert await cases_at(hk, "CUT") == [request.content.case_reference for request in wanted]

    nodes.run(run())


def test_refused_and_oversized_alerts_dont_stop_the_rest(nodes: Federation) -> None:
    oversized = new_alert(alert(case_reference="x" * (BATCH_BYTES + 1)), ["hk"])
    wrong = new_alert(alert(purpose="Not A Purpose", typologies=["NOT ONE"]), ["hk", "nobody"])
    good = requests("MIXED", 3)

    async def run() -> None:
        async with nodes.client("cn", "publisher") as cn:
            items = [oversized, good[0], wrong, oversized, good[1], good[0], oversized]
            outcomes = [each async for each in cn.publish_many(items, batch=2)]
            assert [type(each.refused) for each in outcomes] == [
                *(TooLargeError, type(None), InvalidRequestError, TooLargeError, type(None), type(None), TooLargeError)
            ]
            first, again = outcomes[1].result(), outcomes[5].result()  # the same request id
            assert (again.alert_id, again.entries) == (first.alert_id, first.entries)
            assert (first.published_before, again.published_before) == (False, True)
            refused = outcomes[2].refused
            assert isinstance(refused, InvalidRequestError)
            fields = {violation.field for violation in refused.violations}
            assert fields == {"content.purpose", "content.typologies[1]", "recipients"}
            with pytest.raises(TooLargeError):
                outcomes[0].result()
            alone = [each async for each in cn.publish_many([oversized] * 5, batch=2)]
            assert [type(each.refused) for each in alone] == [TooLargeError] * 5
            assert [each async for each in cn.publish_many([])] == []

    nodes.run(run())


def test_what_is_no_request_is_an_error_at_once(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "publisher") as cn:
            with pytest.raises(TypeError, match="PublishAlertRequest"):
                await anext(cn.publish_many([alert()]))  # type: ignore[list-item]  # a content

    nodes.run(run())


def test_a_slow_source_isnt_made_to_wait_for_a_full_batch(nodes: Federation) -> None:
    first, second = requests("SLOW", 2)

    async def run() -> None:
        answered = asyncio.Event()

        async def source() -> AsyncIterator[PublishAlertRequest]:
            yield first
            await asyncio.wait_for(answered.wait(), 20)
            yield second

        async with nodes.client("cn", "publisher") as cn:
            seen = 0
            async for outcome in cn.publish_many(source()):
                outcome.result()
                answered.set()
                seen += 1
            assert seen == 2

    nodes.run(run())


def test_an_error_of_the_source_comes_after_the_results_of_what_it_gave(nodes: Federation) -> None:
    def source() -> Iterator[PublishAlertRequest]:
        yield from requests("SOURCE", 3)
        raise KeyError("the caller's own")

    async def run() -> None:
        async with nodes.client("cn", "publisher") as cn:
            outcomes = cn.publish_many(source())
            for _ in range(3):
                (await anext(outcomes)).result()
            with pytest.raises(KeyError, match="the caller's own"):
                await anext(outcomes)

    nodes.run(run())


def test_a_stream_that_may_not_be_opened_is_refused_at_once(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "officer") as cn:
            with pytest.raises(PermissionDeniedError):
                _ = [each async for each in cn.publish_many(requests("DENIED", 1))]
            with pytest.raises(ValueError, match="batch"):
                cn.publish_many([], batch=501)
        async with nodes.client("cn", "operator") as cn:
            with pytest.raises(PermissionDeniedError):
                _ = [each async for each in cn.watch()]

    nodes.run(run())


def test_patience_ends_when_nobody_answers(nodes: Federation, network: Network) -> None:
    proxy = network.proxy(nodes["cn"].local_port)
    proxy.cut()

    async def run() -> None:
        async with through(nodes, proxy, "cn", "publisher") as cn:
            with pytest.raises(UnavailableError, match=f"127.0.0.1:{proxy.port}"):
                _ = [each async for each in cn.publish_many(requests("PATIENCE", 1), patience_s=0.5)]

    nodes.run(run())


def test_a_watch_over_a_network_that_fails_has_no_gap_and_no_double(nodes: Federation, network: Network) -> None:
    proxy = network.proxy(nodes["hk"].local_port)
    count, interruptions = 120, []

    async def publish() -> None:
        async with nodes.client("cn", "publisher") as cn:
            for number in range(count):
                await cn.publish(alert(case_reference=f"WATCH-{number}"), ["hk"])
                if number % 30 == 15:
                    proxy.cut()
                    await asyncio.sleep(0.3)
                    proxy.heal()

    async def run() -> None:
        positions, seen = [], []
        async with through(nodes, proxy, "hk", "officer") as hk:
            start = max([change.position async for change in hk.watch(until_current=True)], default=0)
            publishing = asyncio.create_task(publish())
            async for change in hk.watch(start, on_interruption=interruptions.append):
                positions.append(change.position)
                if change.event.WhichOneof("event") == "published":
                    seen.append(change.event.published.content.case_reference)
                if len(seen) == count:
                    break
            await publishing
        assert seen == [f"WATCH-{number}" for number in range(count)]
        assert positions == sorted(set(positions))
        assert len(interruptions) >= 2

    nodes.run(run())


def test_a_watch_refuses_a_position_that_isnt_the_gateways(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("hk", "officer") as hk:
            with pytest.raises(PositionUnknownError):
                _ = [each async for each in hk.watch(10**9)]

    nodes.run(run())


def test_unary_calls_are_retried_and_request_ids_make_that_safe(nodes: Federation, network: Network) -> None:
    proxy = network.proxy(nodes["cn"].local_port)

    async def run() -> None:
        async with through(nodes, proxy, "cn", "publisher") as cn:
            content = alert(case_reference="RETRY-1")
            request_id = "01890000-0000-7000-8000-0000000000aa"
            first = await cn.publish(content, ["hk"], request_id=request_id)
            proxy.cut()
            again = asyncio.create_task(cn.publish(content, ["hk"], request_id=request_id))
            await asyncio.sleep(0.3)
            proxy.heal()
            second = await again
            assert (first.published_before, second.published_before) == (False, True)
            assert second.alert_id == first.alert_id
            with pytest.raises(RequestIdReusedError):
                await cn.publish(alert(case_reference="RETRY-2"), ["hk"], request_id=request_id)

    nodes.run(run())


def test_lists_come_page_by_page_and_whole(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "publisher") as cn:
            wanted = (new_alert(alert(case_reference="PAGE"), ["hk"]) for _ in range(25))
            published = {each.result().alert_id async for each in cn.publish_many(wanted)}

            async def listed(page_size: int) -> list[str]:
                found = cn.list_alerts(filter="direction = out AND case_reference = PAGE", page_size=page_size)
                return [each.alert.id async for each in found]

            async def projected() -> bool:
                return len(await listed(500)) == 25

            await eventually(projected)
            small = await listed(7)
            assert len(small) == 25
            assert set(small) == published
            assert small == await listed(500)

    nodes.run(run())


def test_a_new_certificate_is_taken_without_a_new_client(nodes: Federation, tmp_path: Path) -> None:
    folder, place = nodes["cn"].folder, tmp_path / "system"
    place.mkdir()

    def become(system: str) -> None:
        for source, name in ((folder.system_certificate(system), "pem"), (folder.system_key(system), "key")):
            partial = place / f"partial.{name}"
            shutil.copy(source, partial)
            partial.replace(place / f"system.{name}")

    async def run() -> None:
        become("operator")
        address = f"127.0.0.1:{nodes['cn'].local_port}"
        files = {"certificate": place / "system.pem", "key": place / "system.key"}
        async with GatewayClient.connect(address, ca=folder.ca, **files) as client:
            first = client._connection.stubs
            assert (await client.node.status()).node == "cn"
            shutil.copy(place / "system.pem", place / "same.pem")
            (place / "same.pem").replace(place / "system.pem")  # another file, as after a renewal
            await asyncio.sleep(1.1)
            assert (await client.node.status()).node == "cn"
            assert client._connection.stubs is not first

    nodes.run(run())


def test_credentials_that_dont_fit_are_named_before_anything_is_sent(nodes: Federation) -> None:
    cn, hk = nodes["cn"].folder, nodes["hk"].folder

    def connect(**changes: Path) -> None:
        files = {"ca": cn.ca, "certificate": cn.system_certificate("officer"), "key": cn.system_key("officer")}
        GatewayClient.connect("127.0.0.1:1", **(files | changes))

    for changes, said in (
        ({"key": hk.system_key("officer")}, "doesn't belong to the certificate"),
        ({"certificate": cn.certificate, "key": cn.key}, "is the certificate of the gateway itself"),
        ({"certificate": cn.ca}, "ca.pem"),
        ({"ca": cn.system_certificate("officer")}, "CA"),
        ({"certificate": cn.path / "none.pem"}, "none.pem"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            connect(**changes)


def test_another_nodes_gateway_is_never_taken_for_the_own(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client_at(nodes["hk"].local_port, "cn", "officer", timeout_s=3) as client:
            with pytest.raises(UnavailableError):
                await client.get_alert(AlertReference(publisher="cn", alert_id="019bbf30-0000-7000-8000-000000000000"))

    nodes.run(run())
