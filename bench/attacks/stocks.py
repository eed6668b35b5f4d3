"""What a node holds beside alerts, for attacks that need it."""

from __future__ import annotations

from bench import lists, shipment_records
from bench.nodes import NodeProcess

ENTRIES = 5_000
SHIPMENTS = 20_000


async def listed(node: NodeProcess) -> None:
    """ENTRIES on a list of the node, and its screening process ready."""
    rows = lists.rows_of(ENTRIES)
    async with node.client() as client:
        await lists.import_rows(lists.stub_of(client), rows)
        await lists.screening_ready(lists.stub_of(client))


async def recorded(node: NodeProcess) -> None:
    """SHIPMENTS recorded at the node."""
    records = list(shipment_records.shipments(SHIPMENTS, node=node.name))
    async with node.client() as client:
        async for batch in client.history.record(records):
            assert not batch.refused
