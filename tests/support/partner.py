"""A partner's gateway in the hands of a test: real certificate, real keys, the real contract, and any intent.

What it sends is made from a tree of its own, so that a batch is right unless a test makes it wrong.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc.aio

from gateway.contract.channel_options import channel_options
from gateway.contract.ids import GatewayIdentity
from gateway.contract.messages import to_timestamp
from gateway.errors import GatewayError
from gateway.feed.codec import make_entry
from gateway.rpc.calls import from_rpc_error
from gateway.rpc.listener.tls import channel_credentials
from gateway.rpc.peers import LineTimes, Peers
from gateway.tlog.checkpoint import Checkpoint, cosign, sign_checkpoint
from gateway.tls.credentials import TlsFiles, TlsSource
from gateway.trust.pki.keys import Ed25519Signer, load_signing_key
from gateway.trust.rules.directory import Directory, receipts_key_name
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import alert_pb2, exchange_service_pb2_grpc, feed_pb2
from gateway.v1 import exchange_service_pb2 as pb
from tests.support import merkle_oracle
from tests.support.federation import Federation, alert, new_id, origin

NOW_MS = 1_770_000_000_000
SALT = bytes(range(32))


def entry(payload: bytes, *, type_name: str = "AlertEvent", format: int = 1) -> feed_pb2.Entry:
    """An entry that matches its header."""
    made = make_entry(type_name, payload, salt=SALT, recorded_at_ms=NOW_MS)
    header = feed_pb2.EntryHeader.FromString(made.header)
    header.format = format
    return feed_pb2.Entry(header=header.SerializeToString(deterministic=True), salt=SALT, payload=payload)


def publication(publisher: str = "hk", recipient: str = "cn", **content: Any) -> alert_pb2.AlertEvent:
    """The event that publishes an alert."""
    event = alert_pb2.AlertEvent(occurred_at=to_timestamp(NOW_MS), actor="risk-engine")
    published = event.published
    published.id, published.revision, published.publisher, published.recipient = new_id(), 1, publisher, recipient
    published.published_at.CopyFrom(to_timestamp(NOW_MS))
    published.content.CopyFrom(alert(**content))
    return event


def an_alert(**content: Any) -> feed_pb2.Entry:
    """An entry with a good alert from hk to cn."""
    return entry(publication(**content).SerializeToString())


def leaf(one: feed_pb2.Entry) -> bytes:
    return sha256(b"\x00" + one.header).digest()


class Partner:
    """Speaks to a node's peer port as the gateway `name`, in one event loop.

    Args:
        credentials: files of another certificate than the gateway's own, and its key.
    """

    def __init__(
        self, federation: Federation, name: str, node: str, *, credentials: tuple[Path, Path] | None = None
    ) -> None:
        folder = federation.folder.node(name)
        self.name = name
        self.node = node
        self.feed = origin(name, node)
        self.log_key = load_signing_key(folder.log_key, name=self.feed)
        self.receipts_key = load_signing_key(folder.receipts_key, name=receipts_key_name(FEDERATION, name))
        certificate, key = credentials or (folder.certificate, folder.key)
        self.channel = grpc.aio.secure_channel(
            f"127.0.0.1:{federation[node].peer_port}",
            channel_credentials(federation[node].folder.ca.read_bytes(), certificate.read_bytes(), key.read_bytes()),
            options=channel_options(server_name=f"{node}.{FEDERATION}"),
        )
        self.stub = exchange_service_pb2_grpc.ExchangeServiceStub(self.channel)
        self.entries: list[feed_pb2.Entry] = []

    def batch(self, entries: Sequence[feed_pb2.Entry], *, signer: Ed25519Signer | None = None) -> feed_pb2.Batch:
        """A right batch that goes on where the last one ended."""
        first = len(self.entries)
        self.entries.extend(entries)
        return feed_pb2.Batch(
            origin=self.feed,
            first_index=first,
            entries=entries,
            checkpoint=self.checkpoint(self.entries, signer=signer),
        )

    def checkpoint(self, entries: Sequence[feed_pb2.Entry], *, signer: Ed25519Signer | None = None) -> bytes:
        """The signed checkpoint over entries from index 0 on."""
        root = merkle_oracle.root([leaf(one) for one in entries])
        return sign_checkpoint(Checkpoint(self.feed, len(entries), root), signer or self.log_key)

    def head(self, entries: Sequence[feed_pb2.Entry]) -> feed_pb2.FeedPosition:
        """What this partner says of its own feed with these entries."""
        root = merkle_oracle.root([leaf(one) for one in entries])
        return feed_pb2.FeedPosition(
            origin=self.feed, size=len(entries), root=root, cosigned_checkpoint=self.checkpoint(entries)
        )

    async def send(self, *batches: feed_pb2.Batch, feed: str = "") -> list[feed_pb2.Receipt]:
        """Pushes batches over one stream; returns their receipts.

        Raises:
            GatewayError: what the node answered instead.
        """
        call = self.stub.Replicate()
        try:
            await call.write(pb.ReplicateRequest(open=pb.FeedOpening(origin=feed or self.feed)))
            await self.read(call, "position")
            receipts = []
            for one in batches:
                await call.write(pb.ReplicateRequest(batch=one))
                receipts.append((await self.read(call, "receipt")).receipt)
            return receipts
        except grpc.aio.AioRpcError as error:  # of a write: the node had answered before
            raise from_rpc_error(error) from None
        finally:
            call.cancel()

    @asynccontextmanager
    async def fetching(self, position: feed_pb2.FeedPosition) -> AsyncIterator[Any]:
        """An open stream in which the node sends its own feed to this partner, after its position.

        Raises:
            GatewayError: what the node answered instead, also to a write or a read in the block.
        """
        call = self.stub.Fetch()
        try:
            opening = pb.FetchOpening(origin=position.origin, first_index=position.size, position=position)
            await call.write(pb.FetchRequest(open=opening))
            await self.read(call, "position")
            yield call
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        finally:
            call.cancel()

    async def read(self, call: Any, kind: str) -> Any:
        """The next message of a stream, which must be of this kind; raises what the node answered instead."""
        try:
            response = await call.read()
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        assert response is not grpc.aio.EOF, "the node ended the stream without an error"
        assert response.WhichOneof("message") == kind
        return response

    def receipt(self, batch: feed_pb2.Batch, *, signer: Ed25519Signer | None = None) -> pb.FetchRequest:
        """What a recipient says that has stored a batch."""
        line = cosign(batch.checkpoint, signer or self.receipts_key, NOW_MS // 1000)
        size = batch.first_index + len(batch.entries)
        return pb.FetchRequest(receipt=feed_pb2.Receipt(origin=batch.origin, size=size, cosignature=line))

    async def close(self) -> None:
        await self.channel.close()


class _Recipient(exchange_service_pb2_grpc.ExchangeServiceServicer):
    """Takes pushes at `position`, and shows `own_head` of its own feed with `proof` when it is asked.

    With a `refusal` it answers each push with this text as its error, numbered.
    """

    def __init__(self, position: feed_pb2.FeedPosition) -> None:
        self.position = position
        self.own_head = feed_pb2.FeedPosition()
        self.proof: list[bytes] = []
        self.opened = 0
        self.refusal = ""
        self.asked: list[pb.GetConsistencyProofRequest] = []

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Any) -> pb.GetCheckpointResponse:
        return pb.GetCheckpointResponse(position=self.own_head)

    async def GetConsistencyProof(
        self, request: pb.GetConsistencyProofRequest, context: Any
    ) -> pb.GetConsistencyProofResponse:
        self.asked.append(request)
        return pb.GetConsistencyProofResponse(hashes=self.proof)

    async def Replicate(self, request_iterator: AsyncIterator[pb.ReplicateRequest], context: Any) -> Any:
        self.opened += 1
        if self.refusal:
            await context.abort(grpc.StatusCode.INTERNAL, f"no. {self.opened}{self.refusal}")
        yield pb.ReplicateResponse(position=self.position)
        async for _ in request_iterator:
            pass


@asynccontextmanager
async def recipient(federation: Federation, name: str, position: feed_pb2.FeedPosition) -> AsyncIterator[_Recipient]:
    """The gateway `name` as a server that answers each opening of a push with this position and takes nothing."""
    servicer = _Recipient(position)
    async with serving(federation, name, servicer):
        yield servicer


@asynccontextmanager
async def serving(
    federation: Federation, name: str, servicer: exchange_service_pb2_grpc.ExchangeServiceServicer
) -> AsyncIterator[None]:
    """The gateway `name` as a server at its port, with its certificate and a test's handlers."""
    folder = federation.folder.node(name)
    everyone = b"".join(node.folder.ca.read_bytes() for node in federation.nodes.values())
    credentials = grpc.ssl_server_credentials(
        [(folder.key.read_bytes(), folder.certificate.read_bytes())], everyone, require_client_auth=True
    )
    server = grpc.aio.server()
    exchange_service_pb2_grpc.add_ExchangeServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    server.add_secure_port(f"127.0.0.1:{federation[name].peer_port}", credentials)
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


def peers_of(federation: Federation, name: str, directory: Callable[[], Directory]) -> Peers:
    """The channels of the gateway `name` to the others' ports, with its certificate and a directory of a test."""
    folder = federation[name].folder
    return Peers(
        own=name,
        directory=directory,
        tls=TlsSource(
            TlsFiles(certificate=folder.certificate, key=folder.key),
            identity=GatewayIdentity(FEDERATION, name),
            trust_anchors=folder.ca.read_bytes,
            clock=lambda: datetime.now(UTC),
        ),
        endpoints={other: f"127.0.0.1:{node.peer_port}" for other, node in federation.nodes.items()},
        line=lambda partner: LineTimes(),
    )


async def refusal(federation_call: Any) -> GatewayError:
    """The error that an awaitable ends with."""
    try:
        result = await federation_call
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    except GatewayError as error:
        return error
    raise AssertionError(f"it wasn't refused: {result!r}")
