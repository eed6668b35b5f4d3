"""Every method gets 32 hostile messages over real TLS: each ends with a clean status, and the node lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import grpc
import grpc.aio
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from gateway.contract.channel_options import channel_options
from gateway.contract.status import WRITE_FAILED
from gateway.rpc.calls import from_rpc_error
from gateway.rpc.listener.tls import channel_credentials
from gateway.trust.codec.permissions import load_permissions
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import (
    alert_service_pb2,
    casework_service_pb2,
    evidence_service_pb2,
    exchange_service_pb2,
    figure_service_pb2,
    file_service_pb2,
    history_service_pb2,
    link_analysis_service_pb2,
    node_service_pb2,
    notification_service_pb2,
    watchlist_service_pb2,
)
from tests.support.federation import Federation, NodeProcess, alert, origin, with_logs
from tests.support.files import KEPT
from tests.support.hostile_messages import MUTATIONS, hostile_messages

MODULES = (
    alert_service_pb2,
    casework_service_pb2,
    evidence_service_pb2,
    exchange_service_pb2,
    figure_service_pb2,
    file_service_pb2,
    history_service_pb2,
    link_analysis_service_pb2,
    node_service_pb2,
    notification_service_pb2,
    watchlist_service_pb2,
)
SETTINGS = KEPT + "[casework]\nenabled = true\n[notifications]\nenabled = true\n"
"""So that all services are there."""

AT_ONCE = 12
OF_AN_EARLIER_LOOP = "PollerCompletionQueue._handle_events"
"""In what is logged when gRPC tells the loop of an earlier test, which is closed, of a channel's end."""

TOLD = ("alarm DIRECTORY_REFUSED", "alarm REVOCATION_REFUSED")
"""How alarms begin about what a partner offers as a version or revocation and that is none; operators want them."""

SUSPENDED = "alarm LINK_SUSPENDED"
"""How the alarm begins about a link that a message of these has suspended, until another one resumes it."""

UNSENT = ("execute_batch", WRITE_FAILED)
"""What gRPC for Python says by itself where a node has refused a call before its message was sent, or a connection that
many calls share ended meanwhile."""

TRIES = 3
"""Times that a message is sent before gRPC's own word counts as the node's."""

OPEN_S = 0.5
"""Seconds after which a stream that stays open, such as a watch, is left."""


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[Federation]:
    """Nodes with all services."""
    yield from with_logs(tmp_path, settings=SETTINGS)


class Ending(NamedTuple):
    """How a call ended: OK, or the status with the error's reason."""

    method: str
    mutation: str
    code: grpc.StatusCode
    reason: str


def methods() -> Iterator[MethodDescriptor]:
    for module in MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def path_of(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


@asynccontextmanager
async def channels(federation: Federation) -> AsyncIterator[dict[str, grpc.aio.Channel]]:
    """A channel of bytes by role, and `peer`: hk's gateway."""
    node = federation["cn"]
    async with AsyncExitStack() as stack:
        made = {role: _local(node, role) for role in ("publisher", "officer", "analyst", "supervisor")}
        made |= {role: _local(node, role) for role in ("auditor", "operator")}
        made["peer"] = _peer(federation)
        for channel in made.values():
            await stack.enter_async_context(channel)
        yield made


def _local(node: NodeProcess, role: str) -> grpc.aio.Channel:
    options = channel_options(server_name=f"{node.name}.{FEDERATION}")
    return grpc.aio.secure_channel(f"127.0.0.1:{node.local_port}", node.credentials(role), options=options)


def _peer(federation: Federation) -> grpc.aio.Channel:
    hk, cn = federation.folder.node("hk"), federation["cn"]
    credentials = channel_credentials(cn.folder.ca.read_bytes(), hk.certificate.read_bytes(), hk.key.read_bytes())
    options = channel_options(server_name=f"cn.{FEDERATION}")
    return grpc.aio.secure_channel(f"127.0.0.1:{cn.peer_port}", credentials, options=options)


def numbers_of(method: MethodDescriptor) -> Iterable[tuple[str, bytes]]:
    """Requests with one number at a limit of its type, or of a database's, and nothing else."""
    for field in method.input_type.fields:
        if field.cpp_type not in (FieldDescriptor.CPPTYPE_UINT64, FieldDescriptor.CPPTYPE_INT64):
            continue
        for number in (
            (2**63 - 1, 2**63, 2**64 - 1) if field.cpp_type == FieldDescriptor.CPPTYPE_UINT64 else (2**63 - 1,)
        ):
            message = message_factory.GetMessageClass(method.input_type)()
            if field.is_repeated:
                getattr(message, field.name).append(number)
            else:
                setattr(message, field.name, number)
            yield f"{field.name}={number}", message.SerializeToString()


def messages_of(method: MethodDescriptor) -> Iterable[tuple[str, bytes]]:
    return hostile_messages(method.input_type).items()


def role_of(method: MethodDescriptor) -> str:
    """Who may call it, so that the message gets as far as it can."""
    permission = load_permissions()[path_of(method)]
    return "peer" if permission.peers else min(role.value for role in permission.roles)


async def end_of(
    channel: grpc.aio.Channel, method: MethodDescriptor, message: bytes, tries: int = TRIES
) -> tuple[grpc.StatusCode, str]:
    """Sends the message, reads what comes, and says how the call ended."""
    call = channel.stream_stream(path_of(method))(timeout=60)
    try:
        await call.write(message)
        await call.done_writing()
        while await asyncio.wait_for(call.read(), 60 if not method.server_streaming else OPEN_S) is not grpc.aio.EOF:
            pass
    except TimeoutError:
        call.cancel()
        return grpc.StatusCode.OK, "still open"
    except grpc.aio.AioRpcError:
        pass
    code, details = await call.code(), await call.details()
    if code is grpc.StatusCode.OK:
        return code, ""
    if code is grpc.StatusCode.INTERNAL and tries > 1 and any(words in (details or "") for words in UNSENT):
        return await end_of(channel, method, message, tries - 1)
    error = grpc.aio.AioRpcError(code, await call.initial_metadata(), await call.trailing_metadata(), details)
    return code, from_rpc_error(error).reason if code is not grpc.StatusCode.INTERNAL else str(details)


async def endings_of(
    federation: Federation, of_method: Callable[[MethodDescriptor], Iterable[tuple[str, bytes]]]
) -> list[Ending]:
    """How the calls of every method with these messages end; cn goes on after them."""
    endings: list[Ending] = []
    async with federation.inside("cn"), channels(federation) as by_role:
        turns = asyncio.Semaphore(AT_ONCE)

        async def attempt(method: MethodDescriptor, mutation: str, message: bytes) -> None:
            async with turns:
                code, reason = await end_of(by_role[role_of(method)], method, message)
            endings.append(Ending(path_of(method), mutation, code, reason))

        await asyncio.gather(*(attempt(method, *message) for method in methods() for message in of_method(method)))
        async with federation.client("cn", "publisher") as risk:
            await risk.publish(alert(), ["hk"])
    return endings


def assert_clean(endings: list[Ending], caplog: pytest.LogCaptureFixture) -> None:
    defects = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert [ending for ending in endings if ending.code in defects] == []
    assert [ending for ending in endings if ending.code is not grpc.StatusCode.OK and not ending.reason] == []
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    suspended = any(each.method.endswith("/SuspendLink") and each.code is grpc.StatusCode.OK for each in endings)
    told = (*TOLD, SUSPENDED) if suspended else TOLD
    assert [error for error in errors if OF_AN_EARLIER_LOOP not in error and not error.startswith(told)] == []


def test_numbers_at_their_limits_end_with_a_clean_status(
    everything: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    endings = everything.run(endings_of(everything, numbers_of))
    assert {ending.code for ending in endings} == {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.OUT_OF_RANGE,
    }, endings
    assert len(endings) >= 30
    assert_clean(endings, caplog)


def test_hostile_messages_end_with_a_clean_status(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    """The status of each tells what was wrong; none is a defect of ours."""
    caplog.set_level(logging.ERROR)
    endings = federation.run(endings_of(federation, messages_of))
    assert len(endings) == len(list(methods())) * len(MUTATIONS) >= 1_792
    assert_clean(endings, caplog)
    assert federation["cn"].feed(origin("cn", "hk")).size == 1, "the last alert, and nothing of all that before"
    assert federation["cn"].feed(origin("hk", "cn")).size == 0
