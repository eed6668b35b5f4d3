import asyncio
from collections.abc import Iterator

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.contract.status import MAX_MESSAGE_BYTES, MAX_STATUS_BYTES, from_status, to_status
from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    IllegalTransitionError,
    InvalidRequestError,
    Kind,
    MarksBehindError,
    OverloadedError,
    PartnerError,
    ProofInvalidError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    Violation,
)
from gateway.rpc.calls import abort_with, from_partner, from_rpc_error


def all_classes(base: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield base
    for kind in base.__subclasses__():
        yield from all_classes(kind)


OWN_CLASSES = [kind for kind in all_classes() if kind.__module__ == errors.__name__]
CLASSES = [kind for kind in OWN_CLASSES if "reason" in vars(kind)]
SHOWN = [kind for kind in CLASSES if kind.kind not in (Kind.UNAUTHENTICATED, Kind.INTERNAL)]


def plain(kind: type[GatewayError], message: str = "what happened") -> GatewayError:
    error = kind.__new__(kind)
    GatewayError.__init__(error, message, metadata={"alert": "7"}, retry_after_s=1.5)
    if isinstance(error, InvalidRequestError):
        error.violations = ()
    return error


def test_reason_codes_are_distinct() -> None:
    reasons = [kind.reason for kind in CLASSES]
    assert len(set(reasons)) == len(reasons)
    assert set(OWN_CLASSES) - set(CLASSES) == {MarksBehindError}, "a caller needn't tell it from its base"


@pytest.mark.parametrize("kind", SHOWN, ids=lambda kind: kind.__name__)
def test_every_error_comes_back_as_its_own_class(kind: type[GatewayError]) -> None:
    back = from_status(to_status(plain(kind)))
    assert type(back) is kind
    assert (back.message, str(back), back.retry_after_s) == ("what happened", "what happened", 1.5)
    assert back.metadata == {"alert": "7"}


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind not in SHOWN], ids=lambda kind: kind.__name__)
def test_some_say_nothing_of_the_inside(kind: type[GatewayError]) -> None:
    status = to_status(plain(kind, "the database password is wrong"))
    assert b"password" not in status.SerializeToString()
    assert b"alert" not in status.SerializeToString()
    assert type(from_status(status)) is kind


def test_an_internal_error_keeps_its_incident() -> None:
    status = to_status(GatewayError("secret", metadata={"incident": "abc", "path": "/secret"}))
    assert from_status(status).metadata == {"incident": "abc"}


VIOLATIONS = (
    Violation("alert.goods[0].net_mass_kg", "double.gt", "value must be greater than 0"),
    Violation("alert.narrative[zh-Hans]", "string.max_len", "太长"),
)


def test_violations_come_back_with_field_rule_and_message() -> None:
    back = from_status(to_status(InvalidRequestError(VIOLATIONS)))
    assert isinstance(back, InvalidRequestError)
    assert back.violations == VIOLATIONS
    assert "violations_total" not in back.metadata


def test_the_step_of_a_verification_comes_back() -> None:
    back = from_status(to_status(ProofInvalidError("wrong root", step="6 root")))
    assert isinstance(back, ProofInvalidError)
    assert back.step == "6 root"


violations = st.lists(
    st.builds(Violation, st.text(max_size=400), st.text(max_size=400), st.text(max_size=400)), max_size=80
)


@given(st.text(max_size=600), violations)
def test_a_status_never_outgrows_its_limit(message: str, found: list[Violation]) -> None:
    status = to_status(InvalidRequestError(found, message))
    assert status.ByteSize() <= MAX_STATUS_BYTES
    assert len(status.message.encode()) <= MAX_MESSAGE_BYTES
    back = from_status(status)
    assert isinstance(back, InvalidRequestError)
    if len(back.violations) < len(found):
        assert back.metadata["violations_total"] == str(len(found))


def from_server(error: GatewayError) -> grpc.aio.AioRpcError:
    """What a client with gRPC's default options gets; no TLS, since only the trailers matter here."""

    async def run() -> grpc.aio.AioRpcError:
        async def fail(_request: bytes, context: grpc.aio.ServicerContext) -> None:
            await abort_with(context, error)

        server = grpc.aio.server()
        handlers = {"Fail": grpc.unary_unary_rpc_method_handler(fail)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Status", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await channel.unary_unary("/test.Status/Fail")(b"", timeout=5)
                return caught.value
        finally:
            await server.stop(0)

    return asyncio.run(run())


def test_the_largest_status_reaches_a_client_with_default_limits() -> None:
    many = [Violation(f"goods[{n}].描述", "string.max_len", "描述太长" * 40) for n in range(1_000)]
    error = from_server(InvalidRequestError(many, "错误" * 1_000))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    back = from_rpc_error(error)
    assert isinstance(back, InvalidRequestError)
    assert len(back.violations) >= 10
    assert back.violations[0].field == "goods[0].描述"
    assert back.metadata["violations_total"] == "1000"


def test_forty_usual_violations_all_arrive() -> None:
    usual = [Violation(f"alert.goods[{n}].net_mass_kg", "double.gt", "must be greater than 0") for n in range(40)]
    back = from_rpc_error(from_server(InvalidRequestError(usual)))
    assert isinstance(back, InvalidRequestError)
    assert back.violations == tuple(usual)


def test_a_retry_time_arrives() -> None:
    back = from_rpc_error(from_server(OverloadedError("slow down", retry_after_s=0.25)))
    assert isinstance(back, OverloadedError)
    assert back.retry_after_s == 0.25


def packed(message: ErrorInfo | RetryInfo | BadRequest) -> Any:
    detail = Any()
    detail.Pack(message)
    return detail


def test_reason_codes_of_other_domains_are_not_ours() -> None:
    foreign = packed(ErrorInfo(reason="ILLEGAL_TRANSITION", domain="other.example"))
    ours = packed(ErrorInfo(reason="ILLEGAL_TRANSITION", domain="gateway.customs"))
    newer = packed(ErrorInfo(reason="NOT_YET_INVENTED", domain="gateway.customs"))
    assert type(from_status(Status(code=14, details=[foreign]))) is UnavailableError
    assert type(from_status(Status(code=14, details=[newer]))) is UnavailableError
    assert type(from_status(Status(code=14, details=[ours]))) is IllegalTransitionError


@pytest.mark.parametrize(
    ("code", "kind"),
    [(16, UnauthenticatedError), (14, UnavailableError), (1, UnavailableError), (8, TooLargeError), (2, GatewayError)],
)
def test_a_status_without_details_goes_by_its_code(code: int, kind: type[GatewayError]) -> None:
    assert type(from_status(Status(code=code, message="m"))) is kind


def test_damaged_details_say_nothing_and_break_nothing() -> None:
    damaged = Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff")
    assert type(from_status(Status(code=14, message="m", details=[damaged]))) is UnavailableError
    contradiction = Status(code=5, message="m").SerializeToString()
    for trailer in (b"\xff\xff", contradiction):
        error = grpc.aio.AioRpcError(
            grpc.StatusCode.UNAVAILABLE,
            grpc.aio.Metadata(),
            grpc.aio.Metadata(("grpc-status-details-bin", trailer)),
            details="m",
        )
        assert type(from_rpc_error(error)) is UnavailableError


def test_a_connection_that_ends_under_a_write_may_be_tried_again() -> None:
    # gRPC's own words (grpc.aio), seen when a gateway is killed while something is being sent to it
    local = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), details="Internal error from Core"
    )
    assert isinstance(from_rpc_error(local), UnavailableError)


@pytest.mark.parametrize("kind", SHOWN, ids=lambda kind: kind.__name__)
def test_what_a_partner_says_is_never_told_as_an_error_of_the_own_node(kind: type[GatewayError]) -> None:
    """A denial there is none here: the caller's own right to this call isn't in question."""
    told = from_partner("hk", from_server(plain(kind)))
    assert "hk" in told.message
    assert "what happened" in told.message
    assert told.retry_after_s == 1.5
    if issubclass(kind, (UnavailableError, DeadlineExceededError)):
        assert type(told) is UnavailableError
    else:
        assert type(told) is PartnerError
        assert told.metadata == {"partner": "hk", "partner_reason": kind.reason}
        assert told.kind is Kind.FAILED_PRECONDITION
