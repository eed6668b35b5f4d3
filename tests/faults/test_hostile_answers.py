"""A partner that answers questions about shipments wrongly, or asks what it mustn't, at a whole node.

The node runs in the test's process, with its real listeners, TLS and database; the partners are played by the test.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from gateway.client import GatewayClient
from gateway.contract.messages import to_ms
from gateway.errors import AgreementForbidsError, MalformedError
from gateway.evidence.service.answer_export import stored_records
from gateway.feed.service.alarms import ANSWER_WRONG
from gateway.history.codec.signed_texts import Statement, parse_query, query_digest
from gateway.history.rpc.query_client import MOST_AT_ONCE
from gateway.history.rules.provable_numbers import provable_keys
from gateway.history.service.queries import QuerySigner
from gateway.history.tables import answers
from gateway.node.assembly.node import Node
from gateway.rpc.calls import abort_with, from_rpc_error
from gateway.tlog.checkpoint import sign_checkpoint
from gateway.tlog.merkle import Tree, leaf_hash
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.directory import FieldClass
from gateway.trust.service.directory_versions import accept
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import exchange_service_pb2_grpc, history_pb2
from tests.support.federation import Federation, eventually, with_logs
from tests.support.history_calls import (
    COMPLETE,
    CONTAINER,
    DENIED,
    FAILED,
    PARTIAL,
    TIMED_OUT,
    UNREACHABLE,
    Found,
    HistoryCaller,
    agreements,
    calling,
    recorded,
)
from tests.support.key_trees import ProvingPartner
from tests.support.partner import Partner
from tests.support.shipments import grounds, shipment

BY_UCR = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value="6CN9144030071526726XG-1")])


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    yield from with_logs(tmp_path)


@dataclass
class Reply:
    """What hk answers: right, unless a test makes it wrong."""

    query: history_pb2.HistoryQuery
    data: bytes
    records: list[bytes]
    statement: Statement
    key: Any
    after: list[pb.QueryHistoryResponse] = field(default_factory=list)
    ends: bool = True
    hangs: bool = False
    breaks: bool = False
    denies: str = ""
    unknown: str = ""
    followed: list[history_pb2.SearchCriteria] = field(default_factory=list)
    proof: pb.CompletenessProof | None = None

    def over(self, records: list[bytes]) -> None:
        """Another statement, over these."""
        tree = Tree.empty().append([leaf_hash(one) for one in records]).tree
        self.statement = replace(self.statement, count=tree.size, root=tree.root)

    def note(self) -> bytes:
        return sign_checkpoint(self.statement.checkpoint(), self.key.named(self.statement.origin))


Spoil = Callable[[Reply], None]


class FakeAnswerer(exchange_service_pb2_grpc.ExchangeServiceServicer):
    """hk's gateway in the hands of a test: of an earlier version unless it answers `at_once`."""

    def __init__(self, federation: Federation) -> None:
        self.at_once = False
        self.asked_at_once: list[history_pb2.HistoryQuery] = []
        self.key = load_signing_key(federation.folder.node("hk").log_key, name="unnamed")
        self.spoil: Spoil = lambda reply: None
        self.asked: list[pb.QueryHistoryRequest] = []
        self.cancelled = asyncio.Event()

    async def QueryHistory(self, request: pb.QueryHistoryRequest, context: Any) -> AsyncIterator[Any]:
        self.asked.append(request)
        reply = self._right(request)
        self.spoil(reply)
        if reply.unknown:
            await abort_with(context, MalformedError(reply.unknown))
        if reply.denies:
            await abort_with(context, AgreementForbidsError(reply.denies))
        yield pb.QueryHistoryResponse(records=pb.AnswerRecords(records=reply.records))
        if reply.hangs:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if reply.breaks:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        if reply.ends:
            yield pb.QueryHistoryResponse(end=pb.AnswerEnd(statement=reply.note(), proof=reply.proof))
        for message in reply.after:
            yield message

    async def AskHistory(self, request: pb.AskHistoryRequest, context: Any) -> pb.AskHistoryResponse:
        if not self.at_once:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "it isn't served here")
        self.asked_at_once.append(parse_query(request.query))
        reply = self._right(request)
        self.spoil(reply)
        if reply.denies:
            await abort_with(context, AgreementForbidsError(reply.denies))
        answer = pb.AskHistoryResponse(records=pb.AnswerRecords(records=reply.records))
        if reply.ends:
            answer.end.statement = reply.note()
            answer.end.followed.extend(reply.followed)
        return answer

    def _right(self, request: pb.QueryHistoryRequest | pb.AskHistoryRequest) -> Reply:
        query = parse_query(request.query)
        records = [
            history_pb2.HistoryRecord(
                node="hk", revision=1, position=at + 1, shipment=shipment(f"HK-{at}")
            ).SerializeToString(deterministic=True)
            for at in range(3)
        ]
        statement = Statement(
            federation=FEDERATION,
            answerer="hk",
            asker="cn",
            query_id=query.query_id,
            count=0,
            root=bytes(32),
            digest=query_digest(request.query),
            as_of=3,
            withheld=0,
            more_before=0,
            hit=None,
            answered_at_ms=to_ms(query.asked_at),
        )
        reply = Reply(query, request.query, records, statement, self.key)
        reply.over(records)
        return reply


@asynccontextmanager
async def answering(federation: Federation) -> AsyncIterator[FakeAnswerer]:
    folder = federation.folder.node("hk")
    everyone = b"".join(node.folder.ca.read_bytes() for node in federation.nodes.values())
    credentials = grpc.ssl_server_credentials(
        [(folder.key.read_bytes(), folder.certificate.read_bytes())], everyone, require_client_auth=True
    )
    server = grpc.aio.server()
    fake = FakeAnswerer(federation)
    exchange_service_pb2_grpc.add_ExchangeServiceServicer_to_server(fake, server)  # type: ignore[no-untyped-call]
    server.add_secure_port(f"127.0.0.1:{federation['hk'].peer_port}", credentials)
    await server.start()
    try:
        yield fake
    finally:
        await server.stop(0)


@dataclass
class Scene:
    """cn, its officer, and hk as the test has it."""

    federation: Federation
    node: Node
    hk: FakeAnswerer
    officer: HistoryCaller
    operator: GatewayClient

    async def search(self, spoil: Spoil, **request: Any) -> Found:
        self.hk.spoil = spoil
        return await self.officer.search(nodes=["cn", "hk"], **request)

    async def alarms(self) -> dict[str, str]:
        return {alarm.code: alarm.message for alarm in (await self.operator.node.status()).alarms}


@asynccontextmanager
async def scene(federation: Federation) -> AsyncIterator[Scene]:
    async with (
        federation.inside("cn") as node,
        answering(federation) as hk,
        calling(federation, "cn", "officer") as officer,
        federation.client("cn", "operator") as operator,
    ):
        await recorded(federation, "cn", shipment("CN-1"))
        yield Scene(federation, node, hk, officer, operator)


def right(_: Reply) -> None:
    pass


def changed_record(reply: Reply) -> None:
    reply.records[1] = reply.records[1].replace(b"zinc", b"tin ")


def left_out(reply: Reply) -> None:
    del reply.records[0]


def reordered(reply: Reply) -> None:
    reply.records.reverse()


def replayed(reply: Reply) -> None:
    reply.statement = replace(reply.statement, query_id="019bbf30-0000-7000-8000-000000000000")


def of_another_question(reply: Reply) -> None:
    reply.statement = replace(reply.statement, digest=bytes(32))


def under_another_name(reply: Reply) -> None:
    record = history_pb2.HistoryRecord.FromString(reply.records[0])
    record.node = "cn"
    reply.records = [record.SerializeToString(deterministic=True)]
    reply.over(reply.records)


def without_statement(reply: Reply) -> None:
    reply.ends = False


def goes_on(reply: Reply) -> None:
    reply.after.append(pb.QueryHistoryResponse(records=pb.AnswerRecords(records=reply.records)))


def says_it_twice(reply: Reply) -> None:
    reply.after.append(pb.QueryHistoryResponse(end=pb.AnswerEnd(statement=reply.note())))


def empty_message(reply: Reply) -> None:
    reply.ends = False
    reply.after = [pb.QueryHistoryResponse(), pb.QueryHistoryResponse(end=pb.AnswerEnd(statement=reply.note()))]


def message_of_no_records(reply: Reply) -> None:
    reply.ends = False
    ended = pb.QueryHistoryResponse(end=pb.AnswerEnd(statement=reply.note()))
    reply.after = [pb.QueryHistoryResponse(records=pb.AnswerRecords()), ended]


def too_many(reply: Reply) -> None:
    reply.records *= 400
    reply.over(reply.records)


def test_an_answer_altered_on_its_way_counts_for_nothing(federation: Federation) -> None:
    mo_key = load_signing_key(federation.folder.node("mo").log_key, name="unnamed")

    def by_another(reply: Reply) -> None:
        reply.key = mo_key

    wrong: list[Spoil] = [
        changed_record,
        left_out,
        reordered,
        replayed,
        of_another_question,
        by_another,
        under_another_name,
        without_statement,
        goes_on,
        says_it_twice,
        empty_message,
        message_of_no_records,
        too_many,
    ]

    async def run() -> None:
        async with scene(federation) as at:
            found = await at.search(right)
            assert (found.status("cn"), found.status("hk"), found.count) == (COMPLETE, COMPLETE, 4)
            assert ANSWER_WRONG not in await at.alarms()
            for spoil in wrong:
                found = await at.search(spoil)
                answer = found.answers["hk"]
                assert (answer.status, answer.count) == (FAILED, 0), spoil.__name__
                assert (found.status("cn"), found.count) == (COMPLETE, 1)
                assert answer.query_id in (await at.alarms())[ANSWER_WRONG]
                # In an order by declaration nothing of it is even shown.
                for order in (1, 3):
                    ordered = await at.search(spoil, order=order)
                    assert (ordered.status("hk"), ordered.ids("hk")) == (FAILED, []), spoil.__name__
            found = await at.search(changed_record)
            with at.node.database.read() as conn:
                kept = answers.find(conn, answers.ASKED, found.answers["hk"].query_id)
                records = stored_records(answers.records(conn, found.answers["hk"].query_id))
            assert kept is not None
            assert (kept.outcome, kept.actor, kept.partner) == ("failed", "system/cn/officer", "hk")
            assert kept.statement == found.answers["hk"].statement
            assert b"tin  ingots" in b"".join(records)
            async with federation.client("cn", "auditor") as auditor:

                async def told() -> bool:
                    events = [one async for one in auditor.evidence.audit_events(filter="reason = ANSWER_FAILED")]
                    return len(events) == 3 * len(wrong) + 1

                await eventually(told, what="audit events of wrong answers")
            assert (await at.search(right)).status("hk") == COMPLETE

    federation.run(run())


def of_an_earlier_version(reply: Reply) -> None:
    """Refuses what it doesn't know, and has 3 records with more before them unless the criteria say a time."""
    query = reply.query
    if query.HasField("match_declared_from") or query.HasField("match_declared_until"):
        reply.unknown = "query: it has fields that this gateway doesn't know; ask without them"
    elif not (query.criteria.HasField("declared_from") or query.criteria.HasField("declared_until")):
        reply.statement = replace(reply.statement, more_before=2)


def test_a_partner_of_an_earlier_version_is_put_in_order_too(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            found = await at.search(of_an_earlier_version, order=3, page_size=3)
            assert (found.status("hk"), found.answers["hk"].reason) == (PARTIAL, "")
            # All were declared at one time: then by node.
            assert [record.shipment.record_id for record in found.records] == ["CN-1", "HK-0", "HK-1"]
            asked = [parse_query(one.query) for one in at.hk.asked]
            assert [one.HasField("match_declared_from") for one in asked] == [False, True, False]
            assert asked[2].criteria.declared_from == asked[1].match_declared_from
            further = await at.search(of_an_earlier_version, order=3, page_size=3, page_token=found.token)
            assert (further.ids("hk"), further.token) == (["HK-2"], "")
            # It isn't asked again so soon what it doesn't know.
            assert not any(
                one.HasField("match_declared_from") for one in (parse_query(each.query) for each in at.hk.asked[3:])
            )

    federation.run(run())


def test_a_wrong_answer_in_one_message_counts_for_nothing_either(federation: Federation) -> None:
    """And an answer that is right may say to have followed what it likes: it counts for nothing but what it is."""

    def far_too_many_followed(reply: Reply) -> None:
        reply.followed = [history_pb2.SearchCriteria(containers=[CONTAINER])] * 9

    def nonsense_followed(reply: Reply) -> None:
        reply.followed = [history_pb2.SearchCriteria(commodity_codes=["nonsense"])]

    wrong: list[Spoil] = [
        changed_record,
        left_out,
        reordered,
        replayed,
        of_another_question,
        under_another_name,
        without_statement,
        too_many,
    ]

    async def run() -> None:
        async with scene(federation) as at, federation.client("cn", "officer") as officer:
            at.hk.at_once = True
            found = await at.search(right)
            assert (found.status("hk"), found.count) == (COMPLETE, 4)
            assert not at.hk.asked  # no stream
            for spoil in wrong:
                found = await at.search(spoil)
                assert (found.status("hk"), found.ids("hk")) == (FAILED, []), spoil.__name__
                assert found.answers["hk"].query_id in (await at.alarms())[ANSWER_WRONG]
            for spoil, status in ((right, COMPLETE), (far_too_many_followed, FAILED), (nonsense_followed, FAILED)):
                at.hk.spoil = spoil
                trace = (await officer.history.trace(BY_UCR, grounds(), nodes=["cn", "hk"])).trace
                assert {one.status for one in trace.answers if one.node == "hk"} == {status}, spoil.__name__

    federation.run(run())


def test_a_partner_that_may_not_be_asked_for_more_is_asked_what_the_caller_asks(federation: Federation) -> None:
    """And one of an earlier version isn't asked to follow links."""

    def denies_more(reply: Reply) -> None:
        reply.denies = "no seals here (hk-cn: article 3)" if reply.query.alternatives else ""

    async def run() -> None:
        async with scene(federation) as at, federation.client("cn", "officer") as officer:

            async def traced() -> tuple[set[str], list[int]]:
                trace = (await officer.history.trace(BY_UCR, grounds(), nodes=["cn", "hk"])).trace
                legs = {leg.record.node for leg in trace.legs}
                return legs, [one.status for one in trace.answers if one.node == "hk"]

            at.hk.at_once, at.hk.spoil = True, denies_more
            legs, statuses = await traced()
            assert legs == {"cn", "hk"}
            assert statuses[0] == COMPLETE
            first, second, *_ = at.hk.asked_at_once
            assert (len(first.alternatives), len(second.alternatives)) == (4, 0)  # what else CN-1 names
            assert first.criteria == second.criteria == BY_UCR
            assert first.follow
            at.hk.at_once, at.hk.spoil = False, right
            assert await traced() == ({"cn", "hk"}, [COMPLETE] * len(at.hk.asked))
            assert at.hk.asked
            assert not any(parse_query(one.query).follow for one in at.hk.asked)

    federation.run(run())


def test_a_partner_that_falls_silent_breaks_off_or_denies_is_told(federation: Federation) -> None:
    def hangs(reply: Reply) -> None:
        reply.hangs = True

    def breaks(reply: Reply) -> None:
        reply.breaks = True

    def denies(reply: Reply) -> None:
        reply.denies = "no agreement here (hk-cn: Alerts alone, article 3)"

    async def run() -> None:
        async with scene(federation) as at:
            found = await at.search(hangs, partner_timeout_ms=700)
            assert (found.status("cn"), found.status("hk")) == (COMPLETE, TIMED_OUT)
            assert found.ids("hk") == ["HK-0", "HK-1", "HK-2"]  # what came before is given
            await asyncio.wait_for(at.hk.cancelled.wait(), 5)  # and hk was told that nobody waits any more
            at.hk.asked.clear()
            at.hk.spoil = hangs
            asking = asyncio.gather(
                *(at.officer.search(nodes=["hk"], partner_timeout_ms=4_000) for _ in range(MOST_AT_ONCE + 5))
            )

            async def all_places_taken() -> bool:
                return len(at.hk.asked) == MOST_AT_ONCE

            await eventually(all_places_taken, what="questions at hk")
            await asyncio.sleep(0.5)
            assert len(at.hk.asked) == MOST_AT_ONCE  # the others wait for a place, so feeds keep theirs
            assert {one.status("hk") for one in await asking} == {TIMED_OUT}
            found = await at.search(denies)
            assert (found.status("cn"), found.status("hk")) == (COMPLETE, DENIED)
            assert found.answers["hk"].reason == "hk: no agreement here (hk-cn: Alerts alone, article 3)"
            found = await at.search(breaks)
            assert (found.status("cn"), found.status("hk")) == (COMPLETE, UNREACHABLE)
            assert ANSWER_WRONG not in await at.alarms()

    federation.run(run())


def test_a_partner_that_proves_and_leaves_a_record_out_is_caught(federation: Federation) -> None:
    """hk's tree has three records under the container, and nothing under others."""
    container = history_pb2.SearchCriteria(containers=[CONTAINER])
    keys = provable_keys([container], frozenset(FieldClass))
    told = [f"HK-{at}" for at in range(3)]

    async def run() -> None:
        async with scene(federation) as at:
            partner = ProvingPartner(at.hk.key, {keys[0]: told})

            def proof(reply: Reply, ids: list[str]) -> pb.CompletenessProof:
                return partner.proof(keys, ids, until_ms=to_ms(reply.query.asked_at))

            def proves(reply: Reply) -> None:
                reply.statement = replace(reply.statement, as_of=to_ms(reply.query.asked_at))
                reply.proof = proof(reply, told)

            def leaves_out(reply: Reply) -> None:
                proves(reply)
                reply.records = reply.records[:2]
                reply.over(reply.records)

            def hides(reply: Reply) -> None:
                leaves_out(reply)
                reply.proof = proof(reply, told[:2])

            def makes_another_tree(reply: Reply) -> None:
                leaves_out(reply)
                other = ProvingPartner(at.hk.key, {keys[0]: told[:2]})
                reply.proof = other.proof(keys, told[:2], until_ms=to_ms(reply.query.asked_at))

            found = await at.search(proves)
            assert found.answers["hk"].HasField("proven_until")
            assert (found.count, found.answers["hk"].untold) == (4, 0)
            found = await at.search(hides)  # which shows
            assert (found.count, found.answers["hk"].untold) == (3, 1)
            assert ANSWER_WRONG not in await at.alarms()
            for lie, why in ((leaves_out, "a record that the answer hasn't"), (makes_another_tree, "two trees")):
                found = await at.search(lie)
                assert (found.status("hk"), found.answers["hk"].count) == (FAILED, 0), lie.__name__
                assert why in (await at.alarms())[ANSWER_WRONG]

    federation.run(run())


def test_what_is_not_proved_is_no_leg_of_a_trace(federation: Federation) -> None:
    def hangs(reply: Reply) -> None:
        reply.hangs = True

    def breaks(reply: Reply) -> None:
        reply.breaks = True

    async def run() -> None:
        async with scene(federation) as at, federation.client("cn", "officer") as officer:
            criteria = history_pb2.SearchCriteria(containers=[CONTAINER])

            async def traced(spoil: Spoil) -> tuple[set[str], list[history_pb2.NodeAnswer]]:
                at.hk.spoil = spoil
                response = await officer.history.trace(criteria, grounds(), nodes=["cn", "hk"], partner_timeout_ms=500)
                legs, answers_ = response.trace.legs, response.trace.answers
                return {leg.record.node for leg in legs}, [one for one in answers_ if one.node == "hk"]

            nodes, told = await traced(right)
            assert nodes == {"cn", "hk"}
            assert {one.status for one in told} == {COMPLETE}
            for spoil, status in ((hangs, TIMED_OUT), (breaks, UNREACHABLE), (changed_record, FAILED)):
                nodes, told = await traced(spoil)
                assert nodes == {"cn"}, spoil.__name__
                assert [one.status for one in told] == [status]  # and it isn't asked again

    federation.run(run())


def test_a_question_of_another_is_not_answered(federation: Federation) -> None:
    """mo puts a question that hk has signed; hk puts one to mo; hk changes one; and cn answers none of them."""

    async def run() -> None:
        async with federation.inside("cn") as node:
            await recorded(federation, "cn", shipment("CN-1"))
            trust = accept(
                federation.folder.directory.read_bytes(),
                now=federation.directory.issued_at,
                anchors=federation.folder.anchors,
            )
            key = load_signing_key(federation.folder.node("hk").log_key, name="unnamed")
            asker = QuerySigner(node="hk", trust=lambda: trust, signer_for=key.named, clock=node._clock)

            def question(partner: str = "cn") -> pb.QueryHistoryRequest:
                made = asker.sign(
                    partner,
                    grounds=grounds(),
                    criteria=history_pb2.SearchCriteria(containers=[CONTAINER]),
                    mode=history_pb2.ANSWER_MODE_RECORDS,
                )
                return pb.QueryHistoryRequest(query=made.data, note=made.note)

            async def answer(by: Partner, request: pb.QueryHistoryRequest) -> str:
                try:
                    messages = [one async for one in by.stub.QueryHistory(request, timeout=10)]
                except grpc.aio.AioRpcError as error:
                    return from_rpc_error(error).reason
                assert [one.HasField("end") for one in messages] == [True]  # so few come with their statement
                return f"{sum(len(one.records.records) for one in messages)} records"

            async def at_once(by: Partner, request: pb.QueryHistoryRequest) -> str:
                asked = pb.AskHistoryRequest(query=request.query, note=request.note)
                try:
                    message = await by.stub.AskHistory(asked, timeout=10)
                except grpc.aio.AioRpcError as error:
                    return from_rpc_error(error).reason
                assert message.HasField("end")
                return f"{len(message.records.records)} records"

            hk, mo = Partner(federation, "hk", "cn"), Partner(federation, "mo", "cn")
            try:
                first, second = question(), question()
                assert await answer(mo, first) == "SIGNATURE_INVALID"
                assert await answer(hk, question("mo")) == "SIGNATURE_INVALID"
                changed = question()
                changed.query = changed.query.replace(CONTAINER.encode(), b"CSQU3054384")
                assert await answer(hk, changed) == "SIGNATURE_INVALID"
                assert await answer(hk, pb.QueryHistoryRequest(query=b"x")) == "INVALID_REQUEST"
                assert await answer(hk, first) == "1 records"
                assert await answer(hk, first) == await at_once(hk, first) == "REQUEST_ID_REUSED"
                assert await at_once(mo, second) == await at_once(hk, changed) == "SIGNATURE_INVALID"
                assert await at_once(hk, second) == "1 records"
                assert await at_once(hk, second) == await answer(hk, second) == "REQUEST_ID_REUSED"
                # hk goes on asking under a directory that is no longer in force at cn.
                agreements(federation, id="cn-hk", message_types=frozenset({"AlertEvent"}), clause="Alerts, article 3")

                refused = question()

                async def denied() -> bool:
                    nonlocal refused
                    refused = question()
                    return await answer(hk, refused) == "AGREEMENT_FORBIDS"

                await eventually(denied, what="the new directory at cn")
                async with federation.client("cn", "auditor") as auditor:

                    async def told() -> bool:
                        events = [one async for one in auditor.evidence.audit_events(filter="result = deny")]
                        found = [one for one in events if one.reason == "AGREEMENT_FORBIDS"]
                        return any(
                            (one.principal, one.purpose, one.case_reference)
                            == ("gateway/hk", "export_control", "SZ-2026-17")
                            and "Alerts, article 3" in one.details["detail"]
                            and "CEPA art. 5" in one.details["detail"]
                            and sha256(refused.query).hexdigest() in one.details["subject_ids"]
                            and one.details["bytes"] == str(len(refused.query))
                            for one in found
                        )

                    await eventually(told, what="the denial in cn's audit log")
                with node.database.read() as conn:
                    ids = answers.ids_after(conn, answers.ANSWERED, "", 1_000)
                    outcomes = [row.outcome for one in ids if (row := answers.find(conn, answers.ANSWERED, one))]
                assert set(outcomes) == {"answered"}  # of what was refused the audit log has the digest
            finally:
                await hk.close()
                await mo.close()

    federation.run(run())
