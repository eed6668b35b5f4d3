"""The interceptor before all four kinds of handlers, over real TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from structlog.testing import capture_logs

from gateway.contract.limits import MAX_MESSAGE_BYTES
from gateway.errors import (
    ConfigurationError,
    GatewayError,
    IllegalTransitionError,
    InvalidRequestError,
    MalformedError,
    OverloadedError,
    UnauthenticatedError,
    Violation,
)
from gateway.rpc.calls import current_call, from_rpc_error
from gateway.rpc.fairness.limits import Limits
from gateway.rpc.listener.server import COME_BACK_S, build_server
from gateway.rpc.listener.tls import server_credentials
from gateway.trust.rules.audit import AuditResult
from gateway.trust.service.audit_queue import AuditQueue
from gateway.v1.evidence_service_pb2 import ListAuditEventsRequest
from tests.support import listeners
from tests.support.listeners import (
    LIMITS,
    SERVICE,
    Credentials,
    Federation,
    RunningNode,
    at_node,
    call,
    echo,
    gateway_of,
    system_of,
)


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


@pytest.fixture
def partner(federation: Federation) -> Credentials:
    return federation.issue(gateway_of("hk"))


async def failure(awaitable: Any) -> GatewayError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return from_rpc_error(caught.value)


def test_all_four_kinds_are_admitted_and_recorded(federation: Federation, partner: Credentials) -> None:
    async def test(node: RunningNode) -> None:
        channel = node.channel(partner, node.peer)
        assert await call(channel, b"1") == b"gateway/hk 1"
        stream = channel.unary_stream(f"/{SERVICE}/ServerStream")(b"1,2")
        assert [part async for part in stream] == [b"gateway/hk 1", b"gateway/hk 2"]
        written = channel.unary_stream(f"/{SERVICE}/Written")(b"1")
        assert [part async for part in written] == [b"gateway/hk 1"]
        assert await channel.stream_unary(f"/{SERVICE}/ClientStream")(iter([b"1", b"2"])) == b"gateway/hk 1,2"
        both = channel.stream_stream(f"/{SERVICE}/Both")(iter([b"1", b"2"]))
        assert [part async for part in both] == [b"gateway/hk 1", b"gateway/hk 2"]
        assert [(one.method.rpartition("/")[2], one.reason, one.result) for one in node.events()] == [
            ("Unary", "", AuditResult.ALLOW),
            ("ServerStream", "STREAM_OPENED", AuditResult.ALLOW),
            ("Written", "STREAM_OPENED", AuditResult.ALLOW),
            ("ClientStream", "STREAM_OPENED", AuditResult.ALLOW),
            ("Both", "STREAM_OPENED", AuditResult.ALLOW),
        ]

    at_node(federation, test)


async def every_kind(channel: grpc.aio.Channel) -> list[GatewayError]:
    """The failure of one call of each kind."""

    async def drained(stream: Any) -> None:
        async for _ in stream:
            pass

    return [
        await failure(call(channel)),
        await failure(drained(channel.unary_stream(f"/{SERVICE}/ServerStream")(b"1"))),
        await failure(drained(channel.unary_stream(f"/{SERVICE}/Written")(b"1"))),
        await failure(channel.stream_unary(f"/{SERVICE}/ClientStream")(iter([b"1"]))),
        await failure(drained(channel.stream_stream(f"/{SERVICE}/Both")(iter([b"1"])))),
    ]


def test_errors_of_handlers_reach_the_caller_with_all_they_say(federation: Federation, partner: Credentials) -> None:
    found = (Violation("goods[0].net_mass_kg", "double.gt", "too little"), Violation("case", "string.min_len", "empty"))

    async def fail(_request: bytes) -> bytes:
        raise InvalidRequestError(found)

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = fail
        failures = await every_kind(node.channel(partner, node.peer))
        assert [getattr(one, "violations", None) for one in failures] == [found] * 5
        failed = [one for one in node.events() if one.result is not AuditResult.ALLOW]
        assert [(one.result, one.reason) for one in failed] == [(AuditResult.ERROR, "INVALID_REQUEST")] * 5

    at_node(federation, test)


def test_unexpected_errors_show_nothing_and_are_logged_with_an_incident(
    federation: Federation, partner: Credentials
) -> None:
    async def fail(_request: bytes) -> bytes:
        raise KeyError("/secret/path")

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = fail
        with capture_logs() as logs:
            failures = await every_kind(node.channel(partner, node.peer))
        assert [one.message for one in failures] == ["internal error; the gateway's log has the details"] * 5
        assert [one.metadata["incident"] for one in failures] == [entry["incident"] for entry in logs]
        assert len({entry["incident"] for entry in logs}) == 5
        assert all(isinstance(entry["exc_info"], KeyError) for entry in logs)
        assert all("secret" not in one.detail for one in node.events())

    at_node(federation, test)


def test_a_handler_may_deny_and_the_audit_log_says_so(federation: Federation, partner: Credentials) -> None:
    async def deny(_request: bytes) -> bytes:
        raise UnauthenticatedError("the key of this feed isn't yours")

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = deny
        assert (await failure(call(node.channel(partner, node.peer)))).message == "unauthenticated"
        (event,) = node.events()
        assert (event.principal, event.result, event.detail) == (
            "gateway/hk",
            AuditResult.DENY,
            "the key of this feed isn't yours",
        )

    at_node(federation, test)


def test_a_handler_records_what_it_does_before_it_does_it(federation: Federation, partner: Credentials) -> None:
    async def test(node: RunningNode) -> None:
        async def publish(request: bytes) -> bytes:
            current_call().record(
                purpose="export_control", case_reference="C-7", subject_ids=["a1", "a2"], counts={"recipients": 2}
            )
            if request == b"fails":
                raise IllegalTransitionError("withdrawn")
            return str(len(node.audit)).encode()

        node.handlers.behaviour = publish
        channel = node.channel(partner, node.peer)
        assert await call(channel) == b"1"
        await failure(call(channel, b"fails"))
        first, second, third = node.events()
        assert (first.purpose, first.case_reference, first.subject_ids) == ("export_control", "C-7", ("a1", "a2"))
        assert first.counts == (("recipients", 2),)
        assert (second.result, third.result, third.reason) == (
            AuditResult.ALLOW,
            AuditResult.ERROR,
            "ILLEGAL_TRANSITION",
        )

    at_node(federation, test)


def test_what_cannot_be_recorded_is_not_answered(
    federation: Federation, partner: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "AuditQueue", lambda: AuditQueue(capacity=1))

    async def test(node: RunningNode) -> None:
        async def change(request: bytes) -> bytes:
            current_call().record(subject_ids=["x"])
            changed.append(request)
            return request

        changed: list[bytes] = []
        node.handlers.behaviour = change
        channel = node.channel(partner, node.peer)
        assert await call(channel) == b"x"
        refused = await failure(call(channel))
        stream = await failure(channel.stream_stream(f"/{SERVICE}/Both")(iter([b"1"])).read())
        assert [type(one) for one in (refused, stream)] == [OverloadedError, OverloadedError]
        assert refused.retry_after_s == 1.0
        assert len(changed) == 1
        node.handlers.behaviour = echo
        assert await call(channel) == b"gateway/hk x"  # without effect: one of a series
        events = node.events()
        assert [one.result for one in events].count(AuditResult.ERROR) == 2
        node.handlers.behaviour = change
        assert await call(channel) == b"x"

    at_node(federation, test)


def test_equal_calls_without_effect_are_one_event_with_a_count(federation: Federation, partner: Credentials) -> None:
    async def test(node: RunningNode) -> None:
        channel = node.channel(partner, node.peer)
        for _ in range(30):
            await call(channel)
        for _ in range(5):
            stream = channel.stream_stream(f"/{SERVICE}/Both")(iter([b"1"]))
            await stream.read()
            stream.cancel()
        events = node.events()
        assert [(one.reason, one.occurrences) for one in events if one.method.endswith("Unary")] == [("", 1), ("", 29)]
        opened = [(one.reason, one.occurrences) for one in events if one.method.endswith("Both")]
        assert opened == [("STREAM_OPENED", 1), ("STREAM_OPENED", 4)]

    at_node(federation, test)


def test_requests_are_parsed_after_the_caller_was_admitted(
    federation: Federation, partner: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []

    def parse(request: bytes) -> bytes:
        parsed.append(request)
        ListAuditEventsRequest.FromString(request)
        return request

    monkeypatch.setattr(listeners, "_parsed", parse)
    stranger = federation.forge("mo", gateway_of("hk").uri, claimed=gateway_of("hk"))

    async def test(node: RunningNode) -> None:
        assert isinstance(await failure(call(node.channel(stranger, node.peer), b"\xff\xff")), UnauthenticatedError)
        assert parsed == []
        channel = node.channel(partner, node.peer)
        assert isinstance(await failure(call(channel, b"\xff\xff")), MalformedError)
        assert parsed == [b"\xff\xff"]
        assert node.handlers.handled == 0
        stream = channel.stream_unary(f"/{SERVICE}/ClientStream")(iter([b"\xff\xff"]))
        assert isinstance(await failure(stream), MalformedError)

    at_node(federation, test)


def test_a_message_beyond_the_limit_is_refused_before_it_is_parsed(
    federation: Federation, partner: Credentials
) -> None:
    async def test(node: RunningNode) -> None:
        channel = grpc.aio.secure_channel(
            f"127.0.0.1:{node.peer.port}",
            grpc.ssl_channel_credentials(federation.cas["cn"].certificate_pem, partner.key, partner.certificate),
        )
        node.channels.append(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, b"x" * (MAX_MESSAGE_BYTES + 1))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert node.handlers.handled == 0
        assert await call(channel) == b"gateway/hk x"

    at_node(federation, test)


def test_a_flood_by_one_caller_is_limited_and_others_are_not(federation: Federation, partner: Credentials) -> None:
    few = Limits(calls_per_s=5, burst=10, concurrent_calls=10, concurrent_streams=2)
    other = federation.issue(gateway_of("mo"))

    async def test(node: RunningNode) -> None:
        channel = node.channel(partner, node.peer)
        results = await asyncio.gather(*(call(channel) for _ in range(40)), return_exceptions=True)
        refused = [one for one in results if isinstance(one, grpc.aio.AioRpcError)]
        assert 20 <= len(refused) <= 30
        error = from_rpc_error(refused[0])
        assert isinstance(error, OverloadedError)
        assert error.retry_after_s is not None
        assert 0.1 <= error.retry_after_s <= 1.0
        assert await call(node.channel(other, node.peer)) == b"gateway/mo x"
        await asyncio.sleep(max(error.retry_after_s, 1 / few.calls_per_s))  # others came in on a slow machine meanwhile
        assert await call(channel) == b"gateway/hk x"
        denied = [one for one in node.events() if one.result is AuditResult.DENY]
        assert {one.reason for one in denied} == {"OVERLOADED"}
        assert sum(dict(one.counts).get("repeated", 1) for one in denied) == len(refused)

    at_node(federation, test, limits=lambda _: few)


def test_streams_at_once_are_limited_and_a_closed_one_makes_room(federation: Federation, partner: Credentials) -> None:
    two = Limits(calls_per_s=1_000, burst=1_000, concurrent_calls=10, concurrent_streams=2)

    async def test(node: RunningNode) -> None:
        channel = node.channel(partner, node.peer)
        streams = [channel.stream_stream(f"/{SERVICE}/Both")() for _ in range(2)]
        for stream in streams:
            await stream.write(b"1")
            await stream.read()
        refused = await failure(channel.stream_stream(f"/{SERVICE}/Both")(iter([b"1"])).read())
        assert isinstance(refused, OverloadedError)
        assert refused.retry_after_s == 1.0
        assert await call(channel) == b"gateway/hk x"
        streams[0].cancel()
        await asyncio.sleep(0.1)
        third = channel.stream_stream(f"/{SERVICE}/Both")()
        await third.write(b"3")
        assert await third.read() == b"gateway/hk 3"

    at_node(federation, test, limits=lambda _: two)


def test_cancelled_calls_give_back_what_they_took(federation: Federation, partner: Credentials) -> None:
    two = Limits(calls_per_s=1_000, burst=1_000, concurrent_calls=2, concurrent_streams=2)
    started = asyncio.Event()

    async def hang(request: bytes) -> bytes:
        if request != b"hang":
            return request
        started.set()
        await asyncio.sleep(30)
        return b"never"

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = hang
        channel = node.channel(partner, node.peer)
        for _ in range(5):
            started.clear()
            running = channel.unary_unary(f"/{SERVICE}/Unary")(b"hang")
            await started.wait()
            running.cancel()
            await asyncio.sleep(0.02)
        assert await call(channel) == b"x"

    at_node(federation, test, limits=lambda _: two)


def test_a_stream_lives_through_many_rechecks(federation: Federation, partner: Credentials) -> None:
    async def test(node: RunningNode) -> None:
        stream = node.channel(partner, node.peer).stream_stream(f"/{SERVICE}/Both")()
        for _ in range(3):
            await stream.write(b"1")
            assert await stream.read() == b"gateway/hk 1"
            await asyncio.sleep(0.05)
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF

    at_node(federation, test, recheck_s=0.01)


def test_a_stop_waits_for_a_unary_call_and_tells_streams_to_come_back(
    federation: Federation, partner: Credentials
) -> None:
    began, released = asyncio.Event(), asyncio.Event()

    async def wait(request: bytes) -> bytes:
        if request == b"slow":
            began.set()
            await released.wait()
        if request == b"endless":
            await asyncio.Event().wait()
        return request

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = wait
        channel = node.channel(partner, node.peer)
        stream = channel.stream_stream(f"/{SERVICE}/Both")()
        await stream.write(b"1")
        assert await stream.read() == b"1"
        watch = channel.unary_stream(f"/{SERVICE}/ServerStream")(b"1,endless")
        assert await watch.read()
        slow = asyncio.ensure_future(call(channel, b"slow", seconds=20))
        await began.wait()
        stopping = asyncio.ensure_future(
            node.peer.stop(3_600.0, unary_calls=node.unary_calls[0], streams=node.streams[0])
        )
        await asyncio.sleep(0.1)
        assert not stopping.done()
        released.set()
        assert await slow == b"slow"
        await asyncio.wait_for(stopping, 10)
        for ended in (stream, watch):
            assert await ended.code() is grpc.StatusCode.UNAVAILABLE
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await ended.read()
            error = from_rpc_error(raised.value)
            assert (error.reason, error.retry_after_s) == ("NODE_STOPPING", COME_BACK_S)

    at_node(federation, test)


def test_a_handler_that_would_block_the_loop_is_not_served(federation: Federation, partner: Credentials) -> None:
    async def test(node: RunningNode) -> None:
        error = await failure(call(node.channel(partner, node.peer), method="Blocking"))
        assert error.reason == "METHOD_UNKNOWN"
        stranger = federation.issue(system_of("cn", "stranger"))
        error = await failure(call(node.channel(stranger, node.local), method="Blocking"))
        assert error.reason == "UNAUTHENTICATED"
        assert node.handlers.handled == 0

    at_node(federation, test)


def test_outside_a_call_there_is_no_call() -> None:
    with pytest.raises(UnauthenticatedError, match="no authenticated call"):
        current_call()


def test_a_port_in_use_is_refused_not_shared(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        with pytest.raises(ConfigurationError, match="can't listen on"):
            build_server(
                bind=f"127.0.0.1:{node.peer.port}",
                credentials=server_credentials(node.source),
                limits=LIMITS,
                interceptors=[],
                services={},
            )

    at_node(federation, test)
