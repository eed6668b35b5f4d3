"""What is recorded and not indexed yet: every answer about shipments tells it, and may wait for it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
import pytest
from google.protobuf.json_format import MessageToJson

from gateway.contract.ids import UUID7_RANDOM_BYTES, uuid7
from gateway.contract.messages import to_timestamp
from gateway.errors import NotFoundError, UnavailableError
from gateway.history.codec.signed_texts import encode_query, query_digest, question_origin, question_text
from gateway.rpc.calls import from_rpc_error
from gateway.tlog.note import sign_note
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2, history_pb2
from tests.support import consignments as case
from tests.support.command_line import Cli
from tests.support.federation import Federation, with_logs
from tests.support.history_calls import (
    COMPLETE,
    PARTIAL,
    Found,
    calling,
    index_stopped,
    recorded,
    search_request,
)
from tests.support.partner import Partner
from tests.support.shipments import grounds, shipment

WHY = ("--purpose", "export_control", "--legal-basis", "CEPA art. 5", "--case", "SZ-2026-17")
TOLD = "1 record recorded and not indexed yet"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """cn and hk with a record each, so that their processes run."""
    for made in with_logs(tmp_path_factory.mktemp("lag")):
        made.start("cn", "hk")

        async def record(federation: Federation = made) -> None:
            for node in ("cn", "hk"):
                await recorded(federation, node, shipment(f"{node.upper()}-0"))

        made.run(record())
        yield made


async def record(nodes: Federation, record_id: str) -> None:
    """Records at each node, under an id of its own."""
    for node in ("cn", "hk"):
        async with calling(nodes, node, "publisher") as publisher:
            await publisher.record(shipment(f"{node.upper()}-{record_id}"))


def test_answers_of_both_nodes_tell_what_they_lack_until_it_is_indexed(nodes: Federation, tmp_path: Path) -> None:
    async def run() -> str:
        async with calling(nodes, "cn", "officer") as officer:
            with index_stopped(nodes, "cn", "hk"):
                await record(nodes, "1")
                found = await officer.search(nodes=["cn", "hk"], wait_indexed_ms=0)
                for node in ("cn", "hk"):
                    answer = found.answers[node]
                    assert (answer.status, answer.unindexed, answer.reason) == (PARTIAL, 1, TOLD)
                    assert f"{node.upper()}-1" not in found.ids(node)
                    assert answer.searched_until.ToMilliseconds() < answer.answered_at.ToMilliseconds()
                assert b"\nunindexed 1\nrecords\n" in found.answers["hk"].statement
                assert not found.token
                elsewhere = history_pb2.SearchCriteria(containers=["MSKU0000000"])
                other = await officer.search(nodes=["cn", "hk"], criteria=elsewhere)
                assert (other.status("cn"), other.status("hk")) == (COMPLETE, COMPLETE)
                waiting = asyncio.create_task(officer.search(nodes=["cn", "hk"], wait_indexed_ms=15_000, timeout_s=60))
                await asyncio.sleep(0)
            waited: Found = await waiting
            for node in ("cn", "hk"):
                assert (waited.status(node), waited.answers[node].unindexed) == (COMPLETE, 0)
                assert f"{node.upper()}-1" in waited.ids(node)
            return found.answers["hk"].query_id

    query_id = nodes.run(run())
    bundle = tmp_path / "told.zip"
    cn = Cli(nodes, "cn")
    cn.run("officer", "evidence", "export", "--answer", query_id, "--out", bundle)
    said = " ".join(cn.run("", "evidence", "verify", bundle, "--directory", nodes.folder.directory).output.split())
    assert "1 record that may match was recorded and not indexed yet" in said
    assert "these were all" not in said


def test_commands_say_what_is_missing_and_leave_no_file_that_is_in_the_way(nodes: Federation, tmp_path: Path) -> None:
    cn, html = Cli(nodes, "cn"), tmp_path / "case.html"
    ucr = "6CN-LAG-1"
    new = shipment("CN-LAG", references=[case.reference(case.UCR, ucr)])
    file = tmp_path / "new.jsonl"
    file.write_text(MessageToJson(new, preserving_proto_field_name=True, indent=None) + "\n")
    nowait = ("--wait-indexed", "0")
    with index_stopped(nodes, "cn"):
        cn.run("publisher", "history", "import", file)
        searched = cn.run("officer", "history", "search", "--ucr", ucr, "--node", "cn", *nowait, *WHY, code=3)
        assert "Nothing found in what is indexed." in searched.output
        assert TOLD in searched.output
        arguments = ("--ucr", ucr, "--node", "cn,hk", "--html", html, "--draft", tmp_path / "draft.json", *WHY)
        traced = cn.run("officer", "history", "trace", *arguments, *nowait, code=3, width=80)
        said = " ".join(traced.output.split())
        assert f"No record of this consignment was found. Searched for UCR {ucr}" in said
        assert f"cn: {TOLD}" in said
        assert "wasn't written: no record of this consignment was found" in said
        assert not list(tmp_path.glob("*.html"))
        missing = cn.run("officer", "history", "show", "CN-LAG", *nowait, code=2)
        assert "recorded and not indexed yet" in missing.output
    cn.run("publisher", "history", "import", file, "--wait")
    shown = cn.json("officer", "history", "show", "CN-LAG", *nowait)
    assert shown["record"]["shipment"]["record_id"] == "CN-LAG"
    cn.run("officer", "history", "trace", *arguments, *nowait)
    assert ucr in html.read_text(encoding="utf-8")
    none = ("--ucr", "6CN-NONE", "--node", "cn,hk", "--html", tmp_path / "none.html", *WHY)
    nothing = cn.run("officer", "history", "trace", *none)
    assert "Searched for UCR 6CN-NONE" in nothing.output
    assert not (tmp_path / "none.html").exists()


def test_a_record_says_what_of_it_waits(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "officer") as officer, calling(nodes, "cn", "publisher") as publisher:
            with index_stopped(nodes, "cn"):
                await publisher.record(shipment("CN-0", package_count=77), shipment("CN-NEW"))
                behind = await officer.history.get("CN-0", wait_indexed_s=0)
                assert (behind.unindexed, behind.record.revision) == (1, 1)
                with pytest.raises(NotFoundError, match="recorded and not indexed yet"):
                    await officer.history.get("CN-NEW", wait_indexed_s=0)
                with pytest.raises(NotFoundError, match="there is no record"):
                    await officer.history.get("CN-NEVER")
                assert (await officer.history.risk_hits_page()).unevaluated >= 2
            current = await officer.history.get("CN-0", wait_indexed_s=30)
            assert (current.unindexed, current.record.revision) == (0, 2)

    nodes.run(run())


def test_a_gateway_of_an_earlier_version_gets_no_answer_that_it_would_take_for_complete(nodes: Federation) -> None:
    async def ask(partner: Partner, *, reads: bool) -> bytes:
        now_ms = time.time_ns() // 1_000_000
        query = history_pb2.HistoryQuery(
            query_id=uuid7(now_ms, os.urandom(UUID7_RANDOM_BYTES)),
            federation=FEDERATION,
            asker="cn",
            answerer="hk",
            asked_at=to_timestamp(now_ms),
            grounds=grounds(),
            criteria=search_request().criteria,
        )
        origin = question_origin(FEDERATION, "cn", "hk")
        data = encode_query(query)
        note = sign_note(question_text(origin, query.query_id, query_digest(data)), [partner.log_key.named(origin)])
        request = exchange_service_pb2.QueryHistoryRequest(query=data, note=note, reads_unindexed=reads)
        return b"".join([response.end.statement async for response in partner.stub.QueryHistory(request)])

    async def run() -> None:
        partner = Partner(nodes, "cn", "hk")
        try:
            with index_stopped(nodes, "hk"):
                await record(nodes, "2")
                assert b"\nunindexed 1\n" in await ask(partner, reads=True)
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await ask(partner, reads=False)
                assert isinstance(from_rpc_error(refused.value), UnavailableError)
            async with calling(nodes, "hk", "officer") as officer:
                await officer.search(nodes=["hk"], wait_indexed_ms=30_000)
            assert b"\ncomplete\n" in await ask(partner, reads=False)
        finally:
            await partner.close()

    nodes.run(run())
