"""Ends a call with an error's status, and reads a failed call's error."""

from __future__ import annotations

from typing import NoReturn

import grpc
import grpc.aio

from gateway.contract.status import DETAILS_KEY, from_failed_call, to_status
from gateway.errors import DeadlineExceededError, GatewayError, PartnerError, UnavailableError

_CODES = {code.value[0]: code for code in grpc.StatusCode}


async def abort_with(context: grpc.aio.ServicerContext[object, object], error: GatewayError) -> NoReturn:
    """Ends the call with the error's status; raises what gRPC raises for that."""
    status = to_status(error)
    await context.abort(
        _CODES[status.code], status.message, trailing_metadata=((DETAILS_KEY, status.SerializeToString()),)
    )


def from_rpc_error(error: grpc.aio.AioRpcError) -> GatewayError:
    """The error of `gateway.errors` for a failed call."""
    return from_failed_call(error.code().value[0], error.details() or "", error.trailing_metadata() or ())


def from_partner(partner: str, error: grpc.aio.AioRpcError) -> GatewayError:
    """The error of a call of this node that a partner refused or didn't answer; the caller here did nothing wrong."""
    told = from_rpc_error(error)
    if isinstance(told, (UnavailableError, DeadlineExceededError)):
        return UnavailableError(f"{partner} can't be reached: {told.message}", retry_after_s=told.retry_after_s)
    return PartnerError(
        f"{partner} answered {told.reason}: {told.message}",
        metadata={"partner": partner, "partner_reason": told.reason},
        retry_after_s=told.retry_after_s,
    )
