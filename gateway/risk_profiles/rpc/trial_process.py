"""Tries a profile in the history process, slice by slice until a deadline."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from gateway.contract.messages import to_timestamp
from gateway.risk_profiles.service.trial import TrialSlice
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.v1 import risk_profile_pb2
from gateway.v1 import risk_profile_service_pb2 as pb

TRY_PROFILE: Final = "try profile"
"""Handler; arguments as of ProfileTrial.slice, its result: a TrialSlice."""

SLICE_TIMEOUT_S = 60.0
"""Seconds for a slice, which takes some ten milliseconds: the process may be starting or busy."""

TRIAL_S = 10.0
"""Seconds after which no further slice is begun."""

MOST_IDS = 20
"""Keys of records in an answer."""

_NEWEST = 1 << 62


async def try_profile(
    process: WorkerProcess, profile: risk_profile_pb2.RiskProfile, values: dict[str, float], *, since_ms: int
) -> pb.TryRiskProfileResponse:
    """What a profile would have hit since a time (milliseconds since 1970), the newest records first.

    Raises:
        UnavailableError: the process has just ended.
        GatewayError: as ProfileTrial.slice.
    """
    if not process.is_ready:
        await asyncio.wrap_future(await asyncio.to_thread(process.start))
    response = pb.TryRiskProfileResponse(version=profile.version, since=to_timestamp(since_ms))
    data, before, until = profile.SerializeToString(deterministic=True), _NEWEST, time.monotonic() + TRIAL_S
    while before and time.monotonic() < until:
        call = process.call(TRY_PROFILE, data, values, before, since_ms, caller=TRY_PROFILE)
        tried: TrialSlice = await asyncio.wrap_future(call)
        response.records += tried.records
        response.hits += len(tried.hits)
        response.failed += tried.failed
        response.record_ids.extend(tried.hits[: MOST_IDS - len(response.record_ids)])
        before = tried.before
    response.complete = not before
    return response
