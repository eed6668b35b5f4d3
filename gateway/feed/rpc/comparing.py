"""Finds out by proofs where a recipient's copy of an own feed and this database part.

A recipient that holds more than this database may hold more of the same history, or another one; its position alone
doesn't tell. Its checkpoint has this node's signature (`Outgoing.agree_on_position`), so:

1. The recipient proves that its tree begins with the entries here: then this database is behind.
2. Otherwise there are two histories, both signed here, and the largest size of which 1 holds is the last common one.
"""

from __future__ import annotations

import asyncio

from gateway.contract.ids import FeedOrigin
from gateway.errors import FeedForkedError, ProofInvalidError
from gateway.feed.service.sender import Outgoing
from gateway.plurals import counted
from gateway.tlog.proofs import verify_consistency
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import feed_pb2
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub

COMMON = "they are the same up to"
"""In the reason of a fork that was compared."""

PROOF_S = 10.0
"""Longest wait for a proof, in seconds."""


async def require_one_history(
    stub: ExchangeServiceStub, outgoing: Outgoing, origin: FeedOrigin, position: feed_pb2.FeedPosition
) -> None:
    """Blocks a feed as forked unless the recipient's entries and those here are one history; steps 1 and 2.

    Args:
        position: the recipient's, with this node's signature.

    Raises:
        FeedForkedError: there are two histories.
        grpc.aio.AioRpcError: no answer.
    """
    size = await asyncio.to_thread(outgoing.size, origin)
    common = await _last_common_size(stub, outgoing, origin, position, min(size, position.size))
    if common == min(size, position.size):
        return
    reason = (
        f"{origin.recipient} holds {counted(position.size, 'entry')} of this node's, and this database {size} others: "
        f"{COMMON} {common}"
    )
    await asyncio.to_thread(outgoing.block_as_forked, origin, reason)
    raise FeedForkedError(f"feed {origin}: {reason}", metadata={"origin": origin.line, "common_size": str(common)})


async def _last_common_size(
    stub: ExchangeServiceStub, outgoing: Outgoing, origin: FeedOrigin, position: feed_pb2.FeedPosition, most: int
) -> int:
    if await _begins_alike(stub, outgoing, origin, position, most):
        return most
    least = 0
    while least + 1 < most:
        middle = (least + most) // 2
        if await _begins_alike(stub, outgoing, origin, position, middle):
            least = middle
        else:
            most = middle
    return least


async def _begins_alike(
    stub: ExchangeServiceStub, outgoing: Outgoing, origin: FeedOrigin, position: feed_pb2.FeedPosition, size: int
) -> bool:
    """Step 1 for the first `size` entries."""
    root = await asyncio.to_thread(outgoing.root_at, origin, size)
    hashes: list[bytes] = []
    if 0 < size < position.size:
        request = pb.GetConsistencyProofRequest(origin=origin.line, old_size=size, new_size=position.size)
        hashes = list((await stub.GetConsistencyProof(request, timeout=PROOF_S)).hashes)
    try:
        verify_consistency(size, root, position.size, position.root, hashes)
    except ProofInvalidError:
        return False
    return True
