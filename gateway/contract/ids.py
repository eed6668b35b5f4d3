"""Canonical UUIDs, feed origins and SPIFFE identities."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.errors import InvalidRequestError, MalformedError, Violation

MAX_NAME_CHARS = 253
"""Longest federation name in characters, a DNS name (RFC 1035, RFC 2181)."""

MAX_ORIGIN_CHARS = MAX_NAME_CHARS + 2 * 33 + 16 + 5
"""Longest origin line in characters, checked before parsing."""

MAX_EPOCH = 9_999
"""Largest number of an epoch: each takes a version of the directory."""

MAX_SPIFFE_CHARS = 2048
"""Longest SPIFFE id in bytes (SPIFFE-ID section 2.3)."""

UUID7_RANDOM_BYTES = 10
"""Random bytes for `uuid7`: 74 bits are used (RFC 9562 section 5.7)."""

CORRECT_NAME = "Correct the name."
"""What helps where a name isn't one."""

_NODE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SYSTEM = re.compile(r"[a-z][a-z0-9-]{0,63}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_FEDERATION = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LATER_EPOCH = re.compile(r"[2-9]|[1-9][0-9]{1,3}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_UUID_BEGINNING = re.compile(r"[0-9a-f]{1,8}(-[0-9a-f]{0,4}){0,3}(-[0-9a-f]{0,12})?")
_SPIFFE = "spiffe://"


class Channel(StrEnum):
    """Content of a feed. Separate feeds keep urgent alerts from waiting behind others and behind a long list."""

    ALERTS_A = "alerts-a"
    """Alerts of priority A, and their steps."""
    ALERTS_B = "alerts-b"
    """Alerts of priority B in earlier releases, which gave them a feed of their own."""
    ALERTS = "alerts"
    """Alerts of priorities B and C, and all alerts for a partner that takes no urgent feed."""
    WATCHLIST = "watchlist"
    LICENCES = "licences"
    """Export licences, their uses, and what followed these."""
    RISK_PROFILES = "risk-profiles"
    """Risk profiles, their adoption, and what their hits came to."""
    LISTS = "lists"
    """A node's own lists and decisions; publisher and recipient are the same."""
    RECORDS = "records"
    """Digests of recorded shipments; local too."""
    AUDIT = "audit"
    """Heads of the audit log's hash chain; local too."""
    LICENCE_REGISTER = "licence-register"
    """What a node did with licences, and who decided that; local too."""
    PROFILE_REGISTER = "profile-register"
    """The same of risk profiles."""


URGENT_ALERTS = (Channel.ALERTS_A, Channel.ALERTS_B)
"""Channels that a publisher uses once the recipient has opened them: older gateways don't know them."""

EARLIER = (Channel.ALERTS_B,)
"""Channels of earlier releases: what is in their feeds is delivered, read and proven, but nobody begins one."""

ALERT_CHANNELS = (*URGENT_ALERTS, Channel.ALERTS)
"""Channels of alerts, most urgent first."""

BETWEEN_NODES = (*ALERT_CHANNELS, Channel.LICENCES, Channel.RISK_PROFILES, Channel.WATCHLIST)
"""Channels between partners, most urgent first."""

KEPT = (
    Channel.LISTS,
    Channel.RECORDS,
    Channel.AUDIT,
    Channel.LICENCE_REGISTER,
    Channel.PROFILE_REGISTER,
)
"""Local channels."""


def uuid7(unix_ms: int, random: bytes) -> str:
    """A version 7 UUID (RFC 9562 section 5.7), ordered by time for index writes.

    Args:
        unix_ms: milliseconds since 1970, 0 to 2**48 - 1.
        random: 10 bytes from a cryptographic source.

    Raises:
        ValueError: an argument is out of range.
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
    """Canonical RFC 9562 UUIDs: lower case, hyphens, no braces."""
    return _UUID.fullmatch(text) is not None


def begins_uuid(text: str, *, least: int) -> bool:
    """Whether a UUID may begin with this text of at least `least` characters; a whole one does too."""
    return len(text) >= least and _UUID_BEGINNING.fullmatch(text) is not None


def uuid_bytes(text: str) -> bytes:
    """Converts a checked UUID to 16 bytes."""
    return bytes.fromhex(text.replace("-", ""))


def uuid7_unix_ms(text: str) -> int:
    """The claimed time in milliseconds since 1970; raises MalformedError."""
    if not is_uuid(text) or text[14] != "7":
        raise MalformedError(f"{text[:40]!r} is not a version 7 UUID in lower case with hyphens")
    return int(text[:8] + text[9:13], 16)


def claimed_unix_ms(text: str) -> int | None:
    """The claimed time of an id that somebody else chose, in milliseconds since 1970; None where it says none."""
    try:
        return uuid7_unix_ms(text)
    except MalformedError:
        return None


def is_node_name(text: str) -> bool:
    """Valid: a lower-case letter, then up to 31 of a-z, 0-9 and hyphen."""
    return _NODE.fullmatch(text) is not None


def is_federation_name(text: str) -> bool:
    """Valid: a lower-case DNS name, also the SPIFFE trust domain."""
    return len(text) <= MAX_NAME_CHARS and _FEDERATION.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class FeedOrigin:
    """A feed's name, `<federation>/<publisher>/<recipient>/<channel>`: the origin line of its checkpoints.

    Attributes:
        epoch: 1 at first; a later one, `<channel>.<epoch>`, is a feed that begins anew in place of a forked one.
        line: the origin line, e.g. `gba.customs.example/cn/hk/alerts`; put together once, as feeds are keys everywhere.

    Raises:
        MalformedError: a part is invalid, or a node would publish to itself.
    """

    federation: str
    publisher: str
    recipient: str
    channel: Channel
    epoch: int = 1
    line: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _require_federation(self.federation, "federation")
        _require_node(self.publisher, "publisher")
        _require_node(self.recipient, "recipient")
        object.__setattr__(self, "channel", _channel(self.channel))
        if (self.publisher == self.recipient) != (self.channel in KEPT):
            raise MalformedError(
                "a feed leads to another node, and a node's own lists, records, audit heads and register to itself; "
                f"{self.channel.value} of {self.publisher!r} can't lead to {self.recipient!r}"
            )
        if not 1 <= self.epoch <= MAX_EPOCH:
            raise MalformedError(f"a feed's epoch is a number from 1 to {MAX_EPOCH}")
        ending = f".{self.epoch}" if self.epoch > 1 else ""
        line = f"{self.federation}/{self.publisher}/{self.recipient}/{self.channel.value}{ending}"
        object.__setattr__(self, "line", line)

    def __hash__(self) -> int:
        return hash(self.line)

    @property
    def reverse(self) -> FeedOrigin:
        """The feed between the same nodes in the other direction."""
        return FeedOrigin(self.federation, self.recipient, self.publisher, self.channel, self.epoch)

    @property
    def related(self) -> tuple[FeedOrigin, ...]:
        """This feed and those on which its entries may depend, in a fixed order: both ways, all feeds of alerts."""
        channels = ALERT_CHANNELS if self.channel in ALERT_CHANNELS else (self.channel,)
        return tuple(replace(way, channel=channel) for channel in channels for way in sorted((self, self.reverse)))

    def __str__(self) -> str:
        return self.line

    @classmethod
    def parse(cls, line: str) -> FeedOrigin:
        """Parses exactly what `line` returns; raises MalformedError."""
        if len(line) > MAX_ORIGIN_CHARS:
            raise MalformedError(f"the origin line has {len(line)} characters, at most {MAX_ORIGIN_CHARS} are allowed")
        parts = line.split("/")
        if len(parts) != 4:
            raise MalformedError(f"{line!r} is not a feed origin <federation>/<publisher>/<recipient>/<channel>")
        channel, point, epoch = parts[3].partition(".")
        if point and not _LATER_EPOCH.fullmatch(epoch):
            raise MalformedError(f"{epoch[:20]!r} is not the number of a later epoch of a feed")
        return cls(parts[0], parts[1], parts[2], _channel(channel), int(epoch or 1))

    @classmethod
    def of_request(cls, line: str) -> FeedOrigin:
        """Parses a request's field `origin`; raises InvalidRequestError."""
        try:
            return cls.parse(line)
        except MalformedError as error:
            raise InvalidRequestError([Violation("origin", "origin.form", error.message)]) from error


def server_name(federation: str, node: str) -> str:
    """DNS name in a gateway's certificate: `<node>.<federation>`."""
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
    """An authority's system: `spiffe://<trust domain>/system/<node>/<name>`."""

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
    """Parses exactly what `.uri` of the two identities returns.

    Raises:
        MalformedError: not a canonical id (no port, query, escapes, upper case).
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
            f"{what} {text[:80]!r} must start with a lower-case letter and have at most 32 of a-z, 0-9 and hyphen",
            way_out=CORRECT_NAME,
        )


def _require_federation(text: str, what: str) -> None:
    if not is_federation_name(text):
        raise MalformedError(f"{what} {text[:80]!r} is not a DNS name in lower case", way_out=CORRECT_NAME)
