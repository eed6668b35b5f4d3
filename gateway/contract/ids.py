"""Names of things: UUIDs, feed origins and SPIFFE identities, as values that exist only in their canonical form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import MalformedError

MAX_NAME_CHARS = 253
"""Longest federation name in characters: it is a DNS name, and those end here (RFC 1035, RFC 2181)."""

MAX_ORIGIN_CHARS = MAX_NAME_CHARS + 2 * 33 + 16
"""Longest origin line in characters; longer input is refused before it is parsed."""

MAX_SPIFFE_CHARS = 2048
"""Longest SPIFFE id in bytes, as the SPIFFE-ID standard section 2.3 has it."""

UUID7_RANDOM_BYTES = 10
"""Bytes of randomness that `uuid7` takes; 74 of the 80 bits end up in the id (RFC 9562 section 5.7)."""

_NODE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SYSTEM = re.compile(r"[a-z][a-z0-9-]{0,63}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_FEDERATION = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SPIFFE = "spiffe://"


class Channel(StrEnum):
    """What a feed carries. Separate feeds keep an urgent alert from waiting behind a long list."""

    ALERTS = "alerts"
    WATCHLIST = "watchlist"
    LISTS = "lists"
    """A node's own lists and who decided them; kept for itself, so its publisher is its recipient."""
    RECORDS = "records"
    """What a node recorded of shipments, as digests; kept for itself too."""


BETWEEN_NODES = (Channel.ALERTS, Channel.WATCHLIST)
"""Channels whose feeds lead to partners, the most urgent first."""

KEPT = (Channel.LISTS, Channel.RECORDS)
"""Channels whose feeds a node keeps for itself."""


def uuid7(unix_ms: int, random: bytes) -> str:
    """Builds a UUID version 7 (RFC 9562 section 5.7): ids made later sort later, which keeps index writes ordered.

    Args:
        unix_ms: milliseconds since 1970-01-01T00:00:00Z, 0 to 2**48 - 1.
        random: 10 bytes from a cryptographic source.

    Raises:
        ValueError: an argument is out of range, which is a defect of the caller.
    """
    if not 0 <= unix_ms < 1 << 48:
        raise ValueError(f"unix_ms {unix_ms} doesn't fit into 48 bits")
    if len(random) != UUID7_RANDOM_BYTES:
        raise ValueError(f"uuid7 takes {UUID7_RANDOM_BYTES} random bytes, got {len(random)}")
    noise = int.from_bytes(random, "big")
    rand_a = noise >> 68
    rand_b = noise & ((1 << 62) - 1)
    digits = f"{unix_ms << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID of RFC 9562 in its canonical form: lower case, hyphens, no braces."""
    return _UUID.fullmatch(text) is not None


def uuid_bytes(text: str) -> bytes:
    """The 16 bytes of a UUID whose form was checked before."""
    return bytes.fromhex(text.replace("-", ""))


def uuid7_unix_ms(text: str) -> int:
    """The time in a version 7 UUID, in milliseconds since 1970-01-01T00:00:00Z, as its maker claims it.

    Raises:
        MalformedError: the text isn't a canonical UUID of version 7.
    """
    if not is_uuid(text) or text[14] != "7":
        raise MalformedError(f"{text[:40]!r} is not a version 7 UUID in lower case with hyphens")
    return int(text[:8] + text[9:13], 16)


def is_node_name(text: str) -> bool:
    """Whether the text may name a node: a lower-case letter, then up to 31 of a-z, 0-9 and hyphen."""
    return _NODE.fullmatch(text) is not None


def is_federation_name(text: str) -> bool:
    """Whether the text may name a federation: a DNS name in lower case. It is the SPIFFE trust domain as well."""
    return len(text) <= MAX_NAME_CHARS and _FEDERATION.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class FeedOrigin:
    """The name of a feed: `<federation>/<publisher>/<recipient>/<channel>`, the origin line of its checkpoints.

    Raises:
        MalformedError: a part breaks its rule, or a node would publish to itself.
    """

    federation: str
    publisher: str
    recipient: str
    channel: Channel

    def __post_init__(self) -> None:
        _require_federation(self.federation, "federation")
        _require_node(self.publisher, "publisher")
        _require_node(self.recipient, "recipient")
        object.__setattr__(self, "channel", _channel(self.channel))
        if (self.publisher == self.recipient) != (self.channel in KEPT):
            raise MalformedError(
                f"a feed leads to another node, and a node's own lists and records to itself; {self.channel.value} of "
                f"{self.publisher!r} can't lead to {self.recipient!r}"
            )

    @property
    def line(self) -> str:
        """The origin line, e.g. `gba.customs.example/cn/hk/alerts`."""
        return f"{self.federation}/{self.publisher}/{self.recipient}/{self.channel.value}"

    @property
    def reverse(self) -> FeedOrigin:
        """The feed between the same two nodes in the other direction."""
        return FeedOrigin(self.federation, self.recipient, self.publisher, self.channel)

    def __str__(self) -> str:
        return self.line

    @classmethod
    def parse(cls, line: str) -> FeedOrigin:
        """Reads an origin line; the inverse of `line`, and accepts nothing that `line` doesn't write.

        Raises:
            MalformedError: the text isn't the name of a feed.
        """
        if len(line) > MAX_ORIGIN_CHARS:
            raise MalformedError(f"the origin line has {len(line)} characters, at most {MAX_ORIGIN_CHARS} are allowed")
        parts = line.split("/")
        if len(parts) != 4:
            raise MalformedError(f"{line!r} is not a feed origin <federation>/<publisher>/<recipient>/<channel>")
        return cls(parts[0], parts[1], parts[2], _channel(parts[3]))


def server_name(federation: str, node: str) -> str:
    """The DNS name in every gateway's certificate, whatever host it runs on: `<node>.<federation>`."""
    return f"{node}.{federation}"


@dataclass(frozen=True, slots=True)
class GatewayIdentity:
    """A partner's gateway: `spiffe://<trust domain>/gateway/<node>`."""

    trust_domain: str
    node: str

    def __post_init__(self) -> None:
        _require_federation(self.trust_domain, "trust domain")
        _require_node(self.node, "node")

    @property
    def uri(self) -> str:
        return f"{_SPIFFE}{self.trust_domain}/gateway/{self.node}"

    def __str__(self) -> str:
        return self.uri


@dataclass(frozen=True, slots=True)
class SystemIdentity:
    """A system of one authority, a caller of its own gateway: `spiffe://<trust domain>/system/<node>/<name>`."""

    trust_domain: str
    node: str
    name: str

    def __post_init__(self) -> None:
        _require_federation(self.trust_domain, "trust domain")
        _require_node(self.node, "node")
        if _SYSTEM.fullmatch(self.name) is None:
            raise MalformedError(
                f"system name {self.name[:80]!r} must start with a lower-case letter "
                "and have at most 64 of a-z, 0-9 and hyphen"
            )

    @property
    def uri(self) -> str:
        return f"{_SPIFFE}{self.trust_domain}/system/{self.node}/{self.name}"

    def __str__(self) -> str:
        return self.uri


def parse_spiffe(uri: str) -> GatewayIdentity | SystemIdentity:
    """Reads the identity in a certificate's URI SAN; accepts exactly what `.uri` of the two identities writes.

    Raises:
        MalformedError: no SPIFFE id of a gateway or a system in canonical form (no port, query, escapes, upper case).
    """
    if len(uri) > MAX_SPIFFE_CHARS:
        raise MalformedError(f"the SPIFFE id has {len(uri)} characters, at most {MAX_SPIFFE_CHARS} are allowed")
    if uri.startswith(_SPIFFE):
        match uri.removeprefix(_SPIFFE).split("/"):
            case [trust_domain, "gateway", node]:
                return GatewayIdentity(trust_domain, node)
            case [trust_domain, "system", node, name]:
                return SystemIdentity(trust_domain, node, name)
    raise MalformedError(
        f"{uri[:200]!r} is neither spiffe://<trust domain>/gateway/<node> "
        "nor spiffe://<trust domain>/system/<node>/<name>"
    )


def _channel(text: str) -> Channel:
    try:
        return Channel(text)
    except ValueError:
        known = ", ".join(Channel)
        raise MalformedError(f"channel {text[:40]!r} is unknown; the channels are {known}") from None


def _require_node(text: str, what: str) -> None:
    if not is_node_name(text):
        raise MalformedError(
            f"{what} {text[:80]!r} must start with a lower-case letter and have at most 32 of a-z, 0-9 and hyphen"
        )


def _require_federation(text: str, what: str) -> None:
    if not is_federation_name(text):
        raise MalformedError(f"{what} {text[:80]!r} is not a DNS name in lower case")
