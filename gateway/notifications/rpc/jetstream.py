"""Publishes changes to a stream of NATS JetStream, which answers each when it is stored and drops ids that it knows."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from gateway.errors import ConfigurationError, UnavailableError
from gateway.notifications.codec.outbox import OutboxMessage

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

ANSWER_S: Final = 5.0
"""Seconds for a connection, and for an answer."""

CLOSE_S: Final = 1.0
"""Seconds to end a connection."""

RECONNECT_S: Final = 0.1
"""Seconds between the two attempts to connect."""

DUPLICATES_S: Final = 24 * 3600.0
"""Seconds for which a stream that the gateway makes knows ids: a node that was killed starts within that time."""

NOT_FOUND: Final = 404
"""JetStream's code where there is no such stream."""


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """A stream and how to reach it.

    Attributes:
        url: nats://host:port or tls://host:port.
        prefix: of subjects, before the node's name.
        ca, certificate, key: PEM files for TLS; None for the system's CAs and no certificate of its own.
        credentials: file of NATS credentials (JWT and seed); None where none is needed.
        create: whether to make the stream where it is missing.
    """

    url: str
    stream: str
    prefix: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    credentials: Path | None = None
    user: str = ""
    password: str = ""
    create: bool = True


class JetStreamPublisher:
    """Connects at the first publication, and again after a failure."""

    def __init__(self, address: StreamAddress) -> None:
        self._address = address
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._problem = ""

    @property
    def target(self) -> str:
        parts = urlsplit(self._address.url)
        return f"{parts.hostname}:{parts.port or 4222}"

    async def publish(self, messages: Sequence[OutboxMessage]) -> None:
        """Publishes with `Nats-Msg-Id`; raises UnavailableError when one isn't answered."""
        import nats.errors  # noqa: PLC0415  the extra `nats`, imported where the settings name a server

        try:
            stream = await self._connected()
            for answer in await asyncio.gather(
                *(self._publish_one(stream, message) for message in messages), return_exceptions=True
            ):
                if isinstance(answer, BaseException):
                    raise answer
        except (nats.errors.Error, OSError, TimeoutError) as error:
            await self.close()
            problem, self._problem = self._problem or str(error) or type(error).__name__, ""
            raise UnavailableError(f"{self.target}: {problem}") from error

    async def close(self) -> None:
        client, self._client, self._stream = self._client, None, None
        if client is not None:
            with suppress(TimeoutError):  # nats-py waits for ever for a connection whose TLS handshake has failed
                async with asyncio.timeout(CLOSE_S):
                    await client.close()

    async def _note(self, error: Exception) -> None:
        """Keeps what the connection says: the failed publication says less."""
        self._problem = str(error)

    async def _publish_one(self, stream: JetStreamContext, message: OutboxMessage) -> None:
        await stream.publish(
            f"{self._address.prefix}.{message.subject}",
            message.body,
            timeout=ANSWER_S,
            stream=self._address.stream,
            headers={"Nats-Msg-Id": message.id, "Content-Type": "application/json"},
        )

    async def _connected(self) -> JetStreamContext:
        if self._stream is not None and self._client is not None and self._client.is_connected:
            return self._stream
        await self.close()
        address = self._address
        options: dict[str, Any] = {
            "allow_reconnect": False,
            "connect_timeout": ANSWER_S,
            "max_reconnect_attempts": 1,  # at connecting; 0 stands for ever
            "reconnect_time_wait": RECONNECT_S,
            "error_cb": self._note,
        }
        if address.credentials is not None:
            options["user_credentials"] = str(address.credentials)
        if address.user:
            options |= {"user": address.user, "password": address.password}
        client: Client = _library().aio.client.Client()
        if urlsplit(address.url).scheme == "tls":
            options["tls"] = self._tls()
            client = _tls_client()
        self._client = client
        async with asyncio.timeout(2 * ANSWER_S):
            await client.connect(address.url, **options)
        stream = client.jetstream(timeout=ANSWER_S)
        await self._require_stream(stream)
        self._stream = stream
        return stream

    async def _require_stream(self, stream: JetStreamContext) -> None:
        from nats.js.errors import NotFoundError as StreamNotFoundError  # noqa: PLC0415  the extra, see above

        try:
            await stream.stream_info(self._address.stream)
        except StreamNotFoundError:
            if not self._address.create:
                raise
            await stream.add_stream(
                name=self._address.stream, subjects=[f"{self._address.prefix}.>"], duplicate_window=DUPLICATES_S
            )

    def _tls(self) -> ssl.SSLContext:
        address = self._address
        context = ssl.create_default_context(cafile=None if address.ca is None else str(address.ca))
        if address.certificate is not None:
            context.load_cert_chain(str(address.certificate), None if address.key is None else str(address.key))
        return context


def _tls_client() -> Client:
    """A client that says nothing about itself to a server that offers no TLS.

    nats-py goes on without TLS there, whatever the URL says: somebody between could take the password and the changes.
    """
    from nats.aio.client import Client as AnyClient  # noqa: PLC0415  the extra, see above
    from nats.errors import SecureConnRequiredError  # noqa: PLC0415

    class TlsClient(AnyClient):
        def _connect_command(self) -> bytes:
            if not self._server_info.get("tls_required"):
                raise SecureConnRequiredError
            return bytes(super()._connect_command())

    return TlsClient()


def _library() -> Any:
    """nats-py; raises ConfigurationError without it."""
    try:
        import nats.aio.client  # noqa: PLC0415  the extra `nats`
    except ImportError as error:
        way_out = "Install the gateway's wheel with the extra: pip install 'WHEEL[nats]'."
        raise ConfigurationError("the outbox to NATS needs the package nats-py", way_out=way_out) from error
    return nats
