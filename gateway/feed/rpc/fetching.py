"""Reads from a partner once: its position in a feed, and an own feed that it holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeVar, cast

import grpc.aio

from gateway.contract.ids import FeedOrigin
from gateway.rpc.calls import from_partner, write_to
from gateway.rpc.peers import Peers
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import feed_pb2

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


async def fetch_all(peers: Peers, origin: FeedOrigin, first: int) -> AsyncIterator[feed_pb2.Batch]:
    """Fetches an own feed back from its recipient, from `first` on."""
    stub = await peers.stub(origin.recipient)
    call = stub.Fetch()
    try:
        opening = pb.FetchOpening(origin=origin.line, first_index=first, until_current=True)
        await write_to(call, pb.FetchRequest(open=opening))
        await call.done_writing()
        async for response in responses_of(call):
            if response.WhichOneof("message") == "batch":
                yield response.batch
    except grpc.aio.AioRpcError as error:
        raise from_partner(origin.recipient, error) from error
    finally:
        call.cancel()


async def position_at(peers: Peers, origin: FeedOrigin, partner: str) -> feed_pb2.FeedPosition:
    """A partner's claimed position in a feed."""
    stub = await peers.stub(partner)
    try:
        response: pb.GetCheckpointResponse = await stub.GetCheckpoint(pb.GetCheckpointRequest(origin=origin.line))
    except grpc.aio.AioRpcError as error:
        raise from_partner(partner, error) from error
    return response.position


async def responses_of(call: grpc.aio.StreamStreamCall[RequestT, ResponseT]) -> AsyncIterator[ResponseT]:
    """Messages of a stream; gRPC forbids iteration together with `write`."""
    while (response := await call.read()) is not grpc.aio.EOF:
        yield cast("ResponseT", response)
