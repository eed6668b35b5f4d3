"""Connects to the gateway: credentials, channel, retries of unary calls and errors."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from gateway.client.diagnosis import Attempt, NoAnswerError, WrongGatewayError
from gateway.contract.channel_options import channel_options
from gateway.contract.ids import GatewayIdentity, SystemIdentity, server_name
from gateway.contract.status import answered, from_failed_call
from gateway.errors import (
    ConfigurationError,
    CredentialsError,
    GatewayError,
    InvalidRequestError,
    Kind,
    UnauthenticatedError,
    UnavailableError,
)
from gateway.tls.certificates import inspect_certificate
from gateway.tls.credentials import MAX_PEM_BYTES, TlsFiles, TlsSource, anchors_from_file, split_trust_anchors
from gateway.tls.floor import require_floor
from gateway.v1 import (
    alert_service_pb2_grpc,
    casework_service_pb2_grpc,
    evidence_service_pb2_grpc,
    figure_service_pb2_grpc,
    file_service_pb2_grpc,
    history_service_pb2_grpc,
    licence_service_pb2_grpc,
    link_analysis_service_pb2_grpc,
    node_service_pb2_grpc,
    notification_service_pb2_grpc,
    person_service_pb2_grpc,
    risk_profile_service_pb2_grpc,
    watchlist_service_pb2_grpc,
)

DEFAULT_TIMEOUT_S = 30.0
"""Seconds for a unary call with its retries."""

MAX_ATTEMPTS = 5
"""Most attempts of a unary call; gRPC allows no more."""

FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 2.0
"""Bounds in seconds of the pause before a retry, which doubles each time."""

CREDENTIALS_CHECK_S = 1.0
"""Seconds between checks of the credentials' files."""

WRONG_ANSWERS = 2
"""Looks in a row that find another than the caller's gateway until a stream ends: one may meet a gateway that stops."""

OLD_CHANNEL_GRACE_S = 30.0
"""Seconds for calls on a replaced channel to end."""

_PATH = "Correct the path, or make it: `gateway pki request`, then `gateway pki issue`."

ResponseT = TypeVar("ResponseT", bound=Message)

_ALERTS, _LISTS = "gateway.v1.AlertService", "gateway.v1.WatchlistService"
_HISTORY = "gateway.v1.HistoryService"
_NOTIFICATIONS = "gateway.v1.NotificationService"
_CASEWORK = "gateway.v1.CaseworkService"
_FILES = "gateway.v1.FileService"
_SERVICES = (
    _ALERTS,
    _CASEWORK,
    _FILES,
    _LISTS,
    _HISTORY,
    _NOTIFICATIONS,
    "gateway.v1.FigureService",
    "gateway.v1.LicenceService",
    "gateway.v1.LinkAnalysisService",
    "gateway.v1.NodeService",
    "gateway.v1.EvidenceService",
    "gateway.v1.PersonService",
    "gateway.v1.RiskProfileService",
)
_STREAMS = (
    (_ALERTS, "PublishAlerts"),
    (_ALERTS, "WatchAlerts"),
    (_CASEWORK, "WatchInbox"),
    (_FILES, "PutFile"),
    (_FILES, "ReadFile"),
    (_LISTS, "ImportEntries"),
    (_LISTS, "ScreenStream"),
    (_LISTS, "WatchEntries"),
    (_HISTORY, "RecordShipments"),
    (_HISTORY, "SearchShipments"),
    (_NOTIFICATIONS, "WatchNotifications"),
)
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": service} for service in _SERVICES],
                "retryPolicy": {
                    "maxAttempts": MAX_ATTEMPTS,
                    "initialBackoff": f"{FIRST_BACKOFF_S}s",
                    "maxBackoff": f"{LONGEST_BACKOFF_S}s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            },
            {"name": [{"service": service, "method": method} for service, method in _STREAMS]},
        ]
    }
)


@dataclass(frozen=True, slots=True)
class Stubs:
    """The services on one channel."""

    channel: grpc.aio.Channel
    alerts: alert_service_pb2_grpc.AlertServiceStub
    node: node_service_pb2_grpc.NodeServiceStub
    evidence: evidence_service_pb2_grpc.EvidenceServiceStub
    watchlist: watchlist_service_pb2_grpc.WatchlistServiceStub
    history: history_service_pb2_grpc.HistoryServiceStub
    files: file_service_pb2_grpc.FileServiceStub
    notifications: notification_service_pb2_grpc.NotificationServiceStub
    casework: casework_service_pb2_grpc.CaseworkServiceStub
    persons: person_service_pb2_grpc.PersonServiceStub
    figures: figure_service_pb2_grpc.FigureServiceStub
    link_analysis: link_analysis_service_pb2_grpc.LinkAnalysisServiceStub
    licences: licence_service_pb2_grpc.LicenceServiceStub
    risk_profiles: risk_profile_service_pb2_grpc.RiskProfileServiceStub

    @classmethod
    def on(cls, channel: grpc.aio.Channel) -> Stubs:
        return cls(
            channel,
            alert_service_pb2_grpc.AlertServiceStub(channel),
            node_service_pb2_grpc.NodeServiceStub(channel),
            evidence_service_pb2_grpc.EvidenceServiceStub(channel),
            watchlist_service_pb2_grpc.WatchlistServiceStub(channel),
            history_service_pb2_grpc.HistoryServiceStub(channel),
            file_service_pb2_grpc.FileServiceStub(channel),
            notification_service_pb2_grpc.NotificationServiceStub(channel),
            casework_service_pb2_grpc.CaseworkServiceStub(channel),
            person_service_pb2_grpc.PersonServiceStub(channel),
            figure_service_pb2_grpc.FigureServiceStub(channel),
            link_analysis_service_pb2_grpc.LinkAnalysisServiceStub(channel),
            licence_service_pb2_grpc.LicenceServiceStub(channel),
            risk_profile_service_pb2_grpc.RiskProfileServiceStub(channel),
        )


class Connection:
    """A connection to the gateway, for one event loop."""

    def __init__(
        self,
        address: str,
        *,
        ca: Path,
        certificate: Path,
        key: Path,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        local_address: str = "",
    ) -> None:
        """Reads the credentials; connects at the first call.

        `local_address` is the gateway's address by its settings, for messages when another doesn't answer.

        Raises:
            CredentialsError: a file is unreadable or not valid now, or they don't belong together.
        """
        self.address = address
        self.timeout_s = timeout_s
        identity = _identity(certificate)
        self.attempt = Attempt(
            address=address,
            ca=ca,
            certificate=certificate,
            key=key,
            identity=identity,
            local_address=local_address,
        )
        # Gateway certificates carry this name on any host, and only the authority's CA may sign them.
        self._server_name = server_name(identity.trust_domain, identity.node)
        self.node = identity.node
        _require_anchors(ca)
        self._source = TlsSource(
            TlsFiles(certificate=certificate, key=key),
            identity=identity,
            trust_anchors=anchors_from_file(ca),
            clock=lambda: datetime.now(UTC),
        )
        self._generation = 0
        self._stubs: Stubs | None = None
        self._checked_at_s = 0.0
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def stubs(self) -> Stubs:
        """Stubs on a channel with the credentials in force."""
        now_s = time.monotonic()
        if self._stubs is None or now_s - self._checked_at_s >= CREDENTIALS_CHECK_S:
            self._checked_at_s = now_s
            self._renew_channel()
        assert self._stubs is not None  # noqa: S101  # _renew_channel has made them
        return self._stubs

    async def unary(self, method: Any, request: Message, response_type: type[ResponseT]) -> ResponseT:
        """Makes a unary call; `response_type` is for the type checker. Raises GatewayError."""
        try:
            response: ResponseT = await method(request, timeout=self.timeout_s)
        except grpc.aio.AioRpcError as error:
            raise await explained(self.error(error)) from None
        return response

    async def refusal(self, method: Any, opening: Message, *lacking: str) -> GatewayError | None:
        """Why the gateway refuses a stream that begins so, whatever follows: gRPC loses it while something is sent.

        Args:
            opening: the stream's first message; nothing is done without the others.
            lacking: rules that an opening alone breaks.
        """
        try:
            await method(iter([opening]))
        except grpc.aio.AioRpcError as rpc_error:
            error = self.error(rpc_error)
            return None if is_transient(error) or _breaks_only(error, lacking) else error
        return None

    def error(self, error: grpc.aio.AioRpcError) -> GatewayError:
        """The error of `gateway.errors` for a failed call."""
        trailers = tuple(error.trailing_metadata() or ())
        failure = from_failed_call(error.code().value[0], error.details() or "", trailers)
        if type(failure) is UnavailableError and error.code() is grpc.StatusCode.UNAVAILABLE and not answered(trailers):
            return NoAnswerError(self.attempt, error.details() or "")
        if type(failure) is UnauthenticatedError:
            certificate, identity = self.attempt.certificate, self.attempt.identity
            return UnauthenticatedError(
                f"the gateway doesn't accept {certificate}, the certificate of {identity}",
                way_out="Its operator lists the system under [systems], or finds the reason in its log.",
            )
        return failure

    async def close(self) -> None:
        if self._stubs is not None:
            await self._stubs.channel.close()
            self._stubs = None
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _renew_channel(self) -> None:
        generation = self._source.generation
        if generation == self._generation:
            return
        self._generation = generation
        old, self._stubs = self._stubs, Stubs.on(self._new_channel())
        if old is not None:
            task = asyncio.get_running_loop().create_task(old.channel.close(OLD_CHANNEL_GRACE_S))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _new_channel(self) -> grpc.aio.Channel:
        material = self._source.current()
        require_floor()
        credentials = grpc.ssl_channel_credentials(
            material.trust_anchors_pem, material.key_pem, material.certificate_pem
        )
        options = channel_options(server_name=self._server_name)
        options += [("grpc.enable_retries", 1), ("grpc.service_config", _SERVICE_CONFIG)]
        return grpc.aio.secure_channel(self.address, credentials, options=options)


async def explained(error: GatewayError) -> GatewayError:
    """The error; of one that no gateway answered, what answers instead."""
    return await asyncio.to_thread(error.diagnosed) if isinstance(error, NoAnswerError) else error


def is_transient(error: GatewayError) -> bool:
    """Whether a repeated call may succeed."""
    return error.kind is Kind.UNAVAILABLE or error.retry_after_s is not None


def _breaks_only(error: GatewayError, rules: Collection[str]) -> bool:
    if not isinstance(error, InvalidRequestError) or not error.violations:
        return False
    return all(violation.rule in rules for violation in error.violations)


class Backoff:
    """Pauses between attempts: doubling, with jitter, shortest again after `reset`."""

    def __init__(self) -> None:
        self._failures = 0
        self._wrong = 0

    def reset(self) -> None:
        self._failures = self._wrong = 0

    async def pause(self, error: GatewayError) -> None:
        """Waits before the next attempt, at least as long as the gateway demands.

        Raises:
            WrongGatewayError: at WRONG_ANSWERS looks in a row, something else than the caller's gateway answered.
        """
        found = await explained(error)
        self._wrong = self._wrong + 1 if isinstance(found, WrongGatewayError) else 0
        if self._wrong >= WRONG_ANSWERS:
            raise found from None
        pause_s = min(FIRST_BACKOFF_S * 2**self._failures, LONGEST_BACKOFF_S)
        self._failures = min(self._failures + 1, 16)
        await asyncio.sleep(max(pause_s * random.uniform(0.8, 1.2), error.retry_after_s or 0.0))  # noqa: S311


def _require_anchors(ca: Path) -> None:
    """Raises CredentialsError, with the file's name, where it isn't a CA's certificate."""
    try:
        split_trust_anchors(anchors_from_file(ca)())
    except ConfigurationError as error:
        named = error.message if str(ca) in error.message else f"{ca}: {error.message}"
        raise CredentialsError(named, way_out="Give the authority's ca.pem.") from None


def _identity(certificate: Path) -> SystemIdentity:
    try:
        with certificate.open("rb") as file:
            stated = inspect_certificate(file.read(MAX_PEM_BYTES))
    except OSError as error:
        raise CredentialsError(f"{certificate}: {error.strerror}", way_out=_PATH) from error
    except GatewayError as error:
        raise CredentialsError(f"{certificate}: {error.message}") from error
    if isinstance(stated.identity, GatewayIdentity):
        raise CredentialsError(
            f"{certificate} is the certificate of the gateway itself; commands connect as one of its systems",
            way_out="Give a system's certificate and key: those in pki/systems.",
        )
    return stated.identity
