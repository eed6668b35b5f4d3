"""A partner that has as much stored as it can: at a whole node, over its real port, across restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing, suppress
from hashlib import sha256

import grpc.aio
import pytest

from gateway.client import GatewayClient
from gateway.db.database import Database
from gateway.errors import GatewayError, OverloadedError
from gateway.feed.rpc import links
from gateway.feed.service.alarms import QUOTA
from gateway.history.service.queries import QuerySigner
from gateway.history.tables import answers
from gateway.node.assembly.node import system_clock_ms
from gateway.rpc.calls import from_rpc_error
from gateway.trust import tables as audit
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.audit import AuditResult
from gateway.trust.service.directory_versions import accept
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import history_pb2
from gateway.v1.evidence_service_pb2 import AuditEvent
from tests.support.federation import Federation, alert, eventually, origin
from tests.support.history_calls import COMPLETE, CONTAINER, FAILED, agreements, calling, recorded
from tests.support.partner import Partner, an_alert, refusal
from tests.support.shipments import grounds, shipment

DAY_S = 24 * 3600


def with_quotas(federation: Federation, quotas: str, node: str = "cn") -> Federation:
    config = federation[node].config
    config.write_text(f"quotas = {{{quotas}}}\n" + config.read_text("utf-8"), "utf-8")
    return federation


class Asker:
    """Signs hk's questions to cn, under the directory as it is now."""

    def __init__(self, federation: Federation, clock: Callable[[], int] = system_clock_ms) -> None:
        trust = accept(
            federation.folder.directory.read_bytes(),
            now=federation.directory.issued_at,
            anchors=federation.folder.anchors,
        )
        key = load_signing_key(federation.folder.node("hk").log_key, name="unnamed")
        self._signer = QuerySigner(node="hk", trust=lambda: trust, signer_for=key.named, clock=clock)

    def question(self, *, padding: int = 0) -> pb.QueryHistoryRequest:
        made = self._signer.sign(
            "cn",
            grounds=grounds(),
            criteria=history_pb2.SearchCriteria(containers=[CONTAINER]),
            alternatives=[history_pb2.SearchCriteria(containers=[CONTAINER])] * padding,
            mode=history_pb2.ANSWER_MODE_RECORDS,
        )
        return pb.QueryHistoryRequest(query=made.data, note=made.note)


async def ask(hk: Partner, request: pb.QueryHistoryRequest) -> GatewayError | int:
    """The refusal, or the number of records."""
    try:
        return sum([len(one.records.records) async for one in hk.stub.QueryHistory(request, timeout=20)])
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)


def kept(database: Database) -> list[answers.AnswerRow]:
    with database.read() as conn:
        ids = answers.ids_after(conn, answers.ANSWERED, "", 10_000)
        return [row for one in ids if (row := answers.find(conn, answers.ANSWERED, one))]


async def audit_events(auditor: GatewayClient, **where: str) -> list[AuditEvent]:
    terms = " AND ".join(f"{name} = {value}" for name, value in where.items())
    return [one async for one in auditor.evidence.audit_events(filter=terms)]


def test_a_feed_over_its_bound_waits_across_restarts_and_others_go_on(federation: Federation) -> None:
    with_quotas(federation, "alert_entries = 5")

    async def run() -> None:
        hk, mo = Partner(federation, "hk", "cn"), Partner(federation, "mo", "cn")
        try:
            async with federation.inside("cn"), federation.client("cn", "operator") as operator:
                await hk.send(hk.batch([an_alert() for _ in range(4)]))
                beyond = hk.batch([an_alert() for _ in range(2)])
                refused = await refusal(hk.send(beyond))
                assert isinstance(refused, OverloadedError)
                assert 0 < (refused.retry_after_s or 0) <= DAY_S

                async def told() -> bool:
                    alarms = (await operator.node.status()).alarms
                    return any(one.code == QUOTA and "hk has had 4 of 5" in one.message for one in alarms)

                await eventually(told, what="the alarm")
                (used,) = (await operator.node.status()).partner_usage
                assert (used.partner, used.kind, used.items, used.max_items) == ("hk", "alerts", 4, 5)
                assert 0 < used.bytes < used.max_bytes
            async with federation.inside("cn"), federation.client("cn", "operator") as operator:
                assert isinstance(await refusal(hk.send(beyond)), OverloadedError)  # a restart resets nothing
                await mo.send(mo.batch([an_alert(publisher="mo")]))
                await eventually(told_again(operator), what="the alarm after the restart")
            config = federation["cn"].config
            config.write_text(config.read_text("utf-8").replace("alert_entries = 5", "alert_entries = 50"), "utf-8")
            async with federation.inside("cn"), federation.client("cn", "operator") as operator:
                assert len(await hk.send(beyond)) == 1  # nothing was lost
                assert federation["cn"].feed(hk.feed).size == 6
                assert QUOTA not in {alarm.code for alarm in (await operator.node.status()).alarms}
        finally:
            await hk.close()
            await mo.close()

    def told_again(operator: GatewayClient):  # type: ignore[no-untyped-def]
        async def told() -> bool:
            return any(alarm.code == QUOTA for alarm in (await operator.node.status()).alarms)

        return told

    federation.run(run())


def test_the_sender_of_a_feed_that_waits_is_told_and_goes_on_by_itself(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "FULL_BACKOFF_S", 0.2)
    with_quotas(federation, "alert_entries = 2", "hk")

    async def run() -> None:
        async with (
            federation.inside("cn"),
            federation.client("cn", "publisher") as risk,
            federation.client("cn", "operator") as operator,
        ):
            for _ in range(5):
                await risk.publish(alert(), ["hk"])
            async with federation.inside("hk"):

                async def told() -> bool:
                    listed = {link.origin: link for link in await operator.node.links()}
                    return "no more alerts of cn are stored today" in listed[origin("cn", "hk")].last_error

                await eventually(told, what="the reason at the sender")
                assert federation["hk"].feed(origin("cn", "hk")).size <= 2
            config = federation["hk"].config
            config.write_text(config.read_text("utf-8").replace("alert_entries = 2", "alert_entries = 200"), "utf-8")
            async with federation.inside("hk"):

                async def arrived() -> bool:
                    return federation["hk"].feed(origin("cn", "hk")).size == 5

                await eventually(arrived, what="the alerts that waited")

    federation.run(run())


@pytest.mark.parametrize("refused_by", ["agreement", "signature"])
def test_of_refused_questions_only_digests_are_kept(federation: Federation, refused_by: str) -> None:
    asker = Asker(federation)
    if refused_by == "agreement":
        agreements(federation, id="cn-hk", message_types=frozenset({"AlertEvent"}), clause="Alerts, article 3")

    async def run() -> None:
        async with federation.inside("cn") as node:
            hk = Partner(federation, "hk", "cn")
            questions = [asker.question(padding=30) for _ in range(100)]
            for one in questions:
                if refused_by == "signature":
                    one.note = one.note.replace(b"hk", b"mo")
                error = await ask(hk, one)
                assert isinstance(error, GatewayError)
            await hk.close()
        with closing(Database(node.settings.effective_database_url)) as database:
            assert kept(database) == []
        async with federation.inside("cn"), federation.client("cn", "auditor") as auditor:
            events = await audit_events(auditor, principal="gateway/hk", reason=error.reason)
            assert sum(one.occurrences for one in events) == 100
            assert len(events) == 2
            listed = ", ".join(one.details["subject_ids"] for one in events)
            assert all(sha256(one.query).hexdigest() in listed for one in questions)
            assert sum(int(one.details["bytes"]) for one in events) == sum(len(one.query) for one in questions)

    federation.run(run())


def test_answered_questions_have_a_bound(federation: Federation) -> None:
    with_quotas(federation, "questions = 3")

    async def run() -> None:
        async with federation.inside("cn") as node:
            await recorded(federation, "cn", shipment("CN-1"))
            hk, asker = Partner(federation, "hk", "cn"), Asker(federation)
            answered = [await ask(hk, asker.question()) for _ in range(3)]
            assert answered == [1, 1, 1]
            refused = await ask(hk, asker.question())
            assert isinstance(refused, OverloadedError)
            assert 0 < (refused.retry_after_s or 0) <= DAY_S
            assert len(kept(node.database)) == 3
            await hk.close()

    federation.run(run())


def test_an_answer_beyond_the_bound_is_not_kept_and_does_not_count(federation: Federation) -> None:
    with_quotas(federation, "answer_records = 3")

    async def run() -> None:
        async with federation.inside("hk"), federation.inside("cn") as node, calling(federation, "cn", "officer") as cn:
            await recorded(federation, "hk", shipment("HK-1"), shipment("HK-2"))

            async def answered() -> bool:
                return (await cn.search(nodes=["hk"])).status("hk") == COMPLETE

            await eventually(answered, what="hk's first answer")
            beyond = (await cn.search(nodes=["hk"])).answers["hk"]
            assert (beyond.status, beyond.count) == (FAILED, 0)
            assert "can't be kept as evidence: no more answers of hk" in beyond.reason
            with node.database.read() as conn:
                assert answers.records(conn, beyond.query_id) == []

    federation.run(run())


def test_polling_leaves_a_bounded_audit_log(federation: Federation) -> None:
    async def run() -> None:
        async with federation.inside("cn") as node, federation.client("cn", "officer") as officer:
            hk = Partner(federation, "hk", "cn")

            async def poll(number: int) -> None:
                await hk.stub.GetCheckpoint(pb.GetCheckpointRequest(origin=hk.feed))
                with suppress(grpc.aio.AioRpcError):
                    await hk.stub.GetCheckpoint(pb.GetCheckpointRequest(origin=f"{hk.feed}{number}"))
                await officer.list_alerts_page(page_size=1)

            for first in range(0, 400, 40):
                await asyncio.gather(*map(poll, range(first, first + 40)))
            with node.database.read() as conn:
                during = audit.read_head(conn).seq
            await hk.close()
        database = Database(node.settings.effective_database_url)
        with database.read() as conn:
            events = [stored.event for stored in audit.list_events(conn, limit=1_000)]
            audit.verify_chain(conn)
        database.close()
        assert during < 20
        for method, result in (("GetCheckpoint", AuditResult.ALLOW), ("ListAlerts", AuditResult.ALLOW)):
            of_method = [one for one in events if one.method.endswith(method) and one.result is result]
            assert sum(one.occurrences for one in of_method) == 400
            assert len(of_method) == 2
        failed = [one for one in events if one.method.endswith("GetCheckpoint") and one.result is not AuditResult.ALLOW]
        assert sum(one.occurrences for one in failed) == 400
        assert len(failed) < 10

    federation.run(run())
