"""Calls of HistoryService at a running node, as an own system makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import grpc.aio
import psutil

from gateway.contract.channel_options import channel_options
from gateway.rpc.calls import from_rpc_error
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import history_pb2, history_service_pb2_grpc, shipment_pb2
from gateway.v1 import history_service_pb2 as pb
from tests.support.federation import Federation, eventually
from tests.support.forked_workers import shown_name
from tests.support.shipments import grounds, items

CONTAINER = "CSQU3054383"
COMPLETE = history_pb2.ANSWER_STATUS_COMPLETE
PARTIAL = history_pb2.ANSWER_STATUS_PARTIAL
DENIED = history_pb2.ANSWER_STATUS_DENIED
TIMED_OUT = history_pb2.ANSWER_STATUS_TIMED_OUT
UNREACHABLE = history_pb2.ANSWER_STATUS_UNREACHABLE
FAILED = history_pb2.ANSWER_STATUS_FAILED


@dataclass
class Found:
    """What came of a search."""

    records: list[history_pb2.HistoryRecord] = field(default_factory=list)
    answers: dict[str, history_pb2.NodeAnswer] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    token: str = ""
    count: int = 0

    def ids(self, node: str) -> list[str]:
        return [one.shipment.record_id for one in self.records if one.node == node]

    def status(self, node: str) -> int:
        return self.answers[node].status

    def take(self, message: pb.SearchShipmentsResponse) -> None:
        """Adds a message of the stream."""
        self.records.extend(message.records.records)
        for answer in message.answers:
            assert answer.node not in self.answers
            self.answers[answer.node] = answer
            self.order.append(answer.node)
        if message.HasField("end"):
            self.token, self.count = message.end.next_page_token, message.end.count


class HistoryCaller:
    """A system at its own node."""

    def __init__(self, stub: history_service_pb2_grpc.HistoryServiceStub) -> None:
        self.stub = stub

    async def record(self, *shipments: shipment_pb2.Shipment) -> int:
        """Records; returns the last position."""

        async def requests() -> AsyncIterator[pb.RecordShipmentsRequest]:
            for at in range(0, len(shipments), 100):
                yield items(*shipments[at : at + 100])

        position = 0
        async for response in self.stub.RecordShipments(requests()):
            assert not response.refused, response.refused
            position = max(position, response.position)
        return position

    async def search(self, *, timeout_s: float = 20.0, **request: Any) -> Found:
        """Searches to the end, by default for the container of the tests' shipment.

        Raises:
            GatewayError: what the node answered instead.
        """
        found = Found()
        try:
            async for message in self.stub.SearchShipments(search_request(**request), timeout=timeout_s):
                found.take(message)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        return found


def search_request(**request: Any) -> pb.SearchShipmentsRequest:
    """A search for the container of the tests' shipment, or for other criteria."""
    request.setdefault("criteria", history_pb2.SearchCriteria(containers=[CONTAINER]))
    request.setdefault("grounds", grounds())
    return pb.SearchShipmentsRequest(**request)


@asynccontextmanager
async def calling(federation: Federation, node: str, system: str, *, port: int = 0) -> AsyncIterator[HistoryCaller]:
    """A system of the node over a channel of its own."""
    at = federation[node]
    async with grpc.aio.secure_channel(
        f"127.0.0.1:{port or at.local_port}",
        at.credentials(system),
        options=channel_options(server_name=f"{node}.{FEDERATION}"),
    ) as channel:
        yield HistoryCaller(history_service_pb2_grpc.HistoryServiceStub(channel))


async def recorded(federation: Federation, node: str, *shipments: shipment_pb2.Shipment) -> None:
    """Records shipments at a node and waits until the last is found."""
    async with calling(federation, node, "publisher") as system, calling(federation, node, "officer") as officer:
        await system.record(*shipments)
        last = history_pb2.SearchCriteria(record_ids=[shipments[-1].record_id])

        async def indexed() -> bool:
            return bool((await officer.search(criteria=last, nodes=[node])).records)

        await eventually(indexed, what=f"records of {node}")


def agreements(federation: Federation, **changes: Sequence[str] | frozenset[str] | str) -> None:
    """Changes the agreement that is named by `id` and signs the next directory: every node takes it within a second."""
    wanted = changes.pop("id")
    directory = federation.directory
    changed = tuple(
        replace(one, **changes) if one.id == wanted else one  # type: ignore[arg-type]
        for one in directory.agreements
    )
    federation.put_directory(replace(directory, version=directory.version + 1, agreements=changed))


def worker_processes(federation: Federation, node: str, name: str) -> list[psutil.Process]:
    """Worker processes of a node with a name."""
    found = []
    for process in psutil.Process(federation[node].pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if name in process.cmdline() or process.name() == shown_name(name):
                found.append(process)
    return found


@contextmanager
def index_stopped(federation: Federation, *nodes: str) -> Iterator[None]:
    """The processes that prepare records for the index stand still; they exist once something was recorded."""
    stopped = [process for node in nodes for process in worker_processes(federation, node, "history")]
    assert len(stopped) == len(nodes)
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()
