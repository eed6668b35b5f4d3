"""Ends a call with an error's status, and reads a failed call's error."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

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


async def write_to(call: grpc.aio.StreamStreamCall[Any, Any], message: object) -> None:
    """Writes to a stream that the other side may have ended meanwhile, for which grpc.aio has an error of asyncio.

    Raises:
        grpc.aio.AioRpcError: the status with which the call has ended.
        UnavailableError: it has ended without an error.
    """
    try:
        await call.write(message)
    except asyncio.InvalidStateError as error:
        code = await call.code()
        if code is grpc.StatusCode.OK:
            raise UnavailableError("the partner has ended the stream") from error
        raise grpc.aio.AioRpcError(
            code, await call.initial_metadata(), await call.trailing_metadata(), await call.details()
        ) from error
