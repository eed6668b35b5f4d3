"""What a node holds beside alerts, for attacks that need it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import grpc.aio

from bench import lists, shipment_records
from bench.nodes import NodeProcess
from gateway.v1.screening_pb2 import ScreeningSubject, ScreenPartiesRequest
from gateway.v1.watchlist_service_pb2_grpc import WatchlistServiceStub

ENTRIES = 5_000
SHIPMENTS = 20_000

_POLL_S = 0.2


async def listed(node: NodeProcess) -> None:
    """ENTRIES on a list of the node, and its screening process ready."""
    rows = lists.rows_of(ENTRIES)
    async with node.client() as client:
        await lists.import_rows(lists.stub_of(client), rows)
        await _screening(lists.stub_of(client))


async def _screening(stub: WatchlistServiceStub) -> None:
    subject = ScreeningSubject(vessels=["NOBODY'S VESSEL"])
    while True:
        with suppress(grpc.aio.AioRpcError):  # while the index is loaded
            if (await stub.ScreenParties(ScreenPartiesRequest(subjects=[subject]))).position:
                return
        await asyncio.sleep(_POLL_S)


async def recorded(node: NodeProcess) -> None:
    """SHIPMENTS recorded at the node."""
    records = list(shipment_records.shipments(SHIPMENTS, node=node.name))
    async with node.client() as client:
        async for batch in client.history.record(records):
            assert not batch.refused
