"""Encodes and checks entries of a feed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

from google.protobuf.message import DecodeError, Message

from gateway.contract import limits
from gateway.contract.ids import ALERT_CHANNELS, Channel, FeedOrigin
from gateway.errors import GatewayError, MalformedError, TooLargeError, VerificationError
from gateway.v1 import feed_pb2

FORMAT = 1
"""Version of the entry header."""

FORMAT_AFTER = 2
"""Version of an entry header with dependencies on other feeds of alerts."""

FORMATS = (FORMAT, FORMAT_AFTER)

_LEAF_PREFIX = b"\x00"

_DISPOSITION = "disposition"
"""Event kind of a recipient's answer, in every channel between nodes."""


class UnknownKindError(GatewayError):
    """This version doesn't know the entry's type, kind or format."""

    reason = "UNKNOWN_TYPE"


@dataclass(frozen=True)
class EntryFormat:
    """Message type of one channel's entries; its one oneof names the kinds of events.

    Attributes:
        items: most items in one message; fewer of such entries are projected at once.
        make_disposition: wraps a disposition in a message; None where the channel leads to no partner.
    """

    channel: Channel
    message: type[Message]
    items: int = 1
    make_disposition: Callable[[feed_pb2.Disposition, int], Message] | None = None

    @property
    def type_name(self) -> str:
        return str(self.message.DESCRIPTOR.name)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Known kinds of events, in order."""
        (oneof,) = self.message.DESCRIPTOR.oneofs
        return tuple(sorted(field.name for field in oneof.fields))

    def kind_of(self, event: Message) -> str:
        """The event's kind; empty when unknown."""
        (oneof,) = self.message.DESCRIPTOR.oneofs
        return event.WhichOneof(oneof.name) or ""

    def parse(self, header: bytes, payload: bytes) -> Message | None:
        """Parses an entry's event; None when it was erased.

        Raises:
            UnknownKindError: a newer version may know the type, kind or format.
            MalformedError: header or payload is malformed.
        """
        parsed = parse_header(header)
        if parsed.format not in FORMATS:
            raise UnknownKindError(f"entry format {parsed.format} is newer than {FORMATS[-1]}")
        if parsed.type != self.type_name:
            raise UnknownKindError(f"entry type {parsed.type!r} isn't known here")
        if not payload:
            return None
        try:
            event = self.message.FromString(payload)
        except DecodeError as error:
            raise MalformedError(f"the payload isn't a serialised {self.type_name}") from error
        if not self.kind_of(event):
            raise UnknownKindError(f"a {self.type_name} of a kind that isn't known here")
        return event

    def disposition_of(self, event: Message) -> feed_pb2.Disposition | None:
        if self.make_disposition is None or self.kind_of(event) != _DISPOSITION:
            return None
        disposition: feed_pb2.Disposition = getattr(event, _DISPOSITION)
        return disposition


@dataclass(frozen=True, slots=True, order=True)
class CausalDependency:
    """Entries of another feed of alerts between the same nodes, of which `size` come before an entry."""

    reverse: bool
    channel: Channel
    size: int

    def feed_of(self, origin: FeedOrigin) -> FeedOrigin:
        """The feed that is meant by an entry of `origin`."""
        return replace(origin.reverse if self.reverse else origin, channel=self.channel)


@dataclass(frozen=True, slots=True)
class EncodedEntry:
    """An entry as stored and sent.

    Attributes:
        header: canonical EntryHeader bytes; the leaf commits to these.
        salt: 32 random bytes, empty after erasure.
        payload: serialised message, empty after erasure.
        leaf: SHA-256(0x00 ‖ header), 32 bytes.
        follows: entries of the reverse feed on which this one depends; 0 for none.
        after: dependencies on other feeds.
    """

    header: bytes
    salt: bytes
    payload: bytes
    leaf: bytes
    follows: int = 0
    after: tuple[CausalDependency, ...] = ()

    @property
    def size_bytes(self) -> int:
        return len(self.header) + len(self.salt) + len(self.payload)


def make_entry(
    type_name: str,
    payload: bytes,
    *,
    salt: bytes,
    recorded_at_ms: int,
    follows: int = 0,
    after: Iterable[CausalDependency] = (),
) -> EncodedEntry:
    """Encodes a new entry.

    Args:
        type_name: message name without package, e.g. `AlertEvent`.
        payload: serialised message.
        salt: 32 random bytes.
        recorded_at_ms: milliseconds since 1970.
        follows: entries of the reverse feed on which this one depends; 0 for none.
        after: dependencies on other feeds, each feed at most once.

    Raises:
        TooLargeError: the payload exceeds MAX_PAYLOAD_BYTES.
    """
    if len(payload) > limits.MAX_PAYLOAD_BYTES:
        raise TooLargeError(f"the message has {len(payload)} bytes; at most {limits.MAX_PAYLOAD_BYTES} are allowed")
    ordered = tuple(sorted(after))
    header = feed_pb2.EntryHeader(
        format=FORMAT_AFTER if ordered else FORMAT,
        type=type_name,
        payload_digest=sha256(salt + payload).digest(),
        recorded_at_unix_ms=recorded_at_ms,
        follows=follows,
        after=[feed_pb2.CausalDependency(channel=d.channel, reverse=d.reverse, size=d.size) for d in ordered],
    ).SerializeToString(deterministic=True)
    return EncodedEntry(header, salt, payload, sha256(_LEAF_PREFIX + header).digest(), follows, ordered)


def check_entry(entry: feed_pb2.Entry) -> EncodedEntry:
    """Checks a received entry against its header: canonical, within limits, salt and payload as committed.

    Accepts an entry with an erased payload (salt and payload empty): its leaf still counts.

    Raises:
        MalformedError: the header isn't canonical, the salt isn't 32 bytes long, or a limit is exceeded.
        VerificationError: payload and salt don't match the digest.
    """
    header = entry.header
    parsed = parse_header(header)
    payload, salt = entry.payload, entry.salt
    if len(payload) > limits.MAX_PAYLOAD_BYTES:
        raise TooLargeError(f"a payload has {len(payload)} bytes; at most {limits.MAX_PAYLOAD_BYTES} are allowed")
    if salt or payload:
        # A salt of any length would let bytes move between salt and payload: one leaf for many payloads.
        if len(salt) != limits.SALT_BYTES:
            raise MalformedError(f"a salt has {len(salt)} bytes instead of {limits.SALT_BYTES}")
        if sha256(salt + payload).digest() != parsed.payload_digest:
            raise VerificationError("the payload doesn't match the digest in its header", step="payload digest")
    leaf = sha256(_LEAF_PREFIX + header).digest()
    return EncodedEntry(header, salt, payload, leaf, parsed.follows, dependencies_of(parsed))


def parse_header(header: bytes) -> feed_pb2.EntryHeader:
    """Parses a header that must serialise to the same bytes again.

    Accepts any format number: entries of a newer format are stored and held.

    Raises:
        MalformedError: too long, not an EntryHeader, or not canonical.
    """
    if len(header) > limits.MAX_HEADER_BYTES:
        raise TooLargeError(f"an entry header has {len(header)} bytes; at most {limits.MAX_HEADER_BYTES} are allowed")
    try:
        parsed = feed_pb2.EntryHeader.FromString(header)
    except DecodeError as error:
        raise MalformedError("an entry header isn't a serialised EntryHeader") from error
    if parsed.format in FORMATS:
        parsed.DiscardUnknownFields()  # these formats have none
    if parsed.SerializeToString(deterministic=True) != header:
        raise MalformedError("an entry header isn't in canonical form")
    if len(parsed.payload_digest) != sha256().digest_size:
        raise MalformedError(f"an entry header's digest has {len(parsed.payload_digest)} bytes instead of 32")
    if parsed.follows > limits.MAX_FOLLOWS:
        raise MalformedError(f"an entry header follows {parsed.follows} entries; no feed has that many")
    if parsed.format in FORMATS and bool(dependencies_of(parsed)) != (parsed.format == FORMAT_AFTER):
        raise MalformedError(f"an entry header of format {parsed.format} has {len(parsed.after)} other dependencies")
    return parsed


def dependencies_of(header: feed_pb2.EntryHeader) -> tuple[CausalDependency, ...]:
    """Dependencies on other feeds; those of a newer format count too.

    Raises:
        MalformedError: an unknown channel or impossible size, or not in order, each feed at most once.
    """
    if not header.after:
        return ()
    dependencies = tuple(_dependency(stated) for stated in header.after)
    feeds = [(dependency.reverse, dependency.channel) for dependency in dependencies]
    if feeds != sorted(set(feeds)):
        raise MalformedError("an entry header's dependencies aren't in order, each feed at most once")
    return dependencies


def _dependency(stated: feed_pb2.CausalDependency) -> CausalDependency:
    if stated.channel not in ALERT_CHANNELS:
        raise MalformedError(f"an entry header depends on {stated.channel[:40]!r}, which is no channel of alerts")
    if not 0 < stated.size <= limits.MAX_FOLLOWS:
        raise MalformedError(f"an entry header depends on {stated.size} entries; no feed has that many")
    return CausalDependency(stated.reverse, Channel(stated.channel), stated.size)
