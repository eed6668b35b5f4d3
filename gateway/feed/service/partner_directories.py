"""What partners say of themselves when a feed opens: their version of the directory, and that a feed is quarantined.

A revocation takes effect only at nodes where the version that contains it is in force.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from gateway.contract.ids import FeedOrigin
from gateway.errors import DirectoryChangedError, GatewayError, MisbehaviourError, QuarantinedError
from gateway.feed.service.alarms import DIRECTORY_VERSIONS, QUARANTINED_AT_PARTNER, Alarms
from gateway.trust.service.directory_versions import NO_REVOCATIONS, TrustedDirectory
from gateway.v1 import feed_pb2


@dataclass(frozen=True, slots=True)
class PartnerDirectory:
    """The directory that a partner says it uses.

    Attributes:
        version: in force at the partner.
        digest: SHA-256 of its text.
        known_version: the newest that the partner has verified, whose revocations count there; 0 if it doesn't say so.
        revocations_digest: over the revocations by their owners that count there; empty if it doesn't say so.
        said_at: when the partner said so, in milliseconds since 1970.
    """

    partner: str
    version: int
    digest: bytes
    known_version: int
    revocations_digest: bytes
    said_at: int


class PartnerDirectories:
    """The partners' statements since this process started; raises an alarm for each that differs from this node's.

    Thread-safe.
    """

    def __init__(self, *, trust: Callable[[], TrustedDirectory], alarms: Alarms, clock: Callable[[], int]) -> None:
        self._trust = trust
        self._alarms = alarms
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[str, PartnerDirectory] = {}
        self._splits: dict[str, tuple[int, bytes, bytes]] = {}
        self._listeners: list[Callable[[], None]] = []

    def on_statement(self, listener: Callable[[], None]) -> None:
        """Calls `listener` when a partner has stated its version, in the thread of `note`."""
        self._listeners.append(listener)

    def held(self) -> feed_pb2.HeldDirectory:
        """This node's statement to its partners."""
        trusted = self._trust()
        return feed_pb2.HeldDirectory(
            version=trusted.version,
            digest=trusted.digest,
            known_version=trusted.known_version,
            revocations_digest=trusted.owners_digest,
        )

    def current(self) -> Callable[[], None]:
        """A check for an open connection.

        It raises DirectoryChangedError once another version is in force than now, or more is revoked, so that the
        connection is opened again and both sides state their versions.
        """
        before = self._trust()

        def require_current() -> None:
            now = self._trust()
            if now.directory is before.directory:
                return
            if now.version != before.version:
                raise DirectoryChangedError(f"version {now.version} of the directory is in force here now")
            if now.owners_digest != before.owners_digest:
                raise DirectoryChangedError("what an authority revoked by itself was taken here")
            raise DirectoryChangedError(f"version {now.known_version} of the directory was offered here")

        return require_current

    def note(self, partner: str, held: feed_pb2.HeldDirectory) -> None:
        """Records a partner's statement, if there is one: gateways of earlier releases make none."""
        if held.version:
            with self._lock:
                self._said[partner] = PartnerDirectory(
                    partner, held.version, held.digest, held.known_version, held.revocations_digest, self._clock()
                )
            self.compare()
            for listener in self._listeners:
                listener()

    def note_past(self, partner: str, version: int, *, digest: bytes, own: bytes) -> None:
        """Compares the digest that a partner states of an earlier version with this node's; empty ones say nothing."""
        with self._lock:
            if digest and own and digest != own:
                self._splits[partner] = version, digest, own
            elif self._splits.get(partner, (0,))[0] == version:  # of another version this says nothing
                del self._splits[partner]
        self.compare()

    def lacks_revocations(self, said: PartnerDirectory) -> bool:
        """Whether a partner lacks revocations by their owners that count here.

        One on a later version may have all of them in that; one on an earlier version may have more.
        """
        own = self._trust()
        if own.owners_digest == NO_REVOCATIONS or said.version > own.version:
            return False
        if said.version < own.version:
            return said.revocations_digest in (b"", NO_REVOCATIONS)
        return said.revocations_digest != own.owners_digest

    def compare(self) -> None:
        """Raises and clears alarms by what is known now; to be called when this node's version changes."""
        own = self.held()
        with self._lock:
            splits = dict(self._splits)
        found = {said.partner: _difference(said, own, splits.get(said.partner)) for said in self.listed()}
        self._alarms.keep(DIRECTORY_VERSIONS, {partner: (text, 0) for partner, text in found.items() if text})

    def listed(self) -> list[PartnerDirectory]:
        """What each partner in the directory has said last, by name."""
        members = self._trust().directory.nodes
        with self._lock:
            return [self._said[partner] for partner in sorted(self._said) if partner in members]


def _difference(said: PartnerDirectory, own: feed_pb2.HeldDirectory, split: tuple[int, bytes, bytes] | None) -> str:
    """Why a partner's version isn't this node's; empty where it is."""
    partner = said.partner
    if said.version == own.version and said.digest != own.digest:
        split = said.version, said.digest, own.digest
    elif split is not None and said.version == own.version > split[0]:  # both have the same one in force since
        split = None
    if split is not None:
        version, theirs, ours = split
        return (
            f"{partner} has another version {version} of the directory than this node, SHA-256 {theirs.hex()} there "
            f"and {ours.hex()} here: compare both with all authorities"
        )
    if said.version < own.version <= said.known_version:
        return (
            f"{partner} has version {said.version} of the directory, this node {own.version}: what version "
            f"{own.version} revokes is refused at {partner} already, the rest waits until it has put that in force"
        )
    if said.version < own.version:
        return (
            f"{partner} has version {said.version} of the directory, this node {own.version}: what version "
            f"{own.version} revokes still counts at {partner} until it has put that in force"
        )
    if own.version < said.version <= own.known_version:
        return (
            f"{partner} has version {said.version} of the directory, this node {own.version}: what version "
            f"{said.version} revokes is refused here already, the rest waits until it is put in force"
        )
    if said.version > own.version:
        return (
            f"{partner} says that it has version {said.version} of the directory, this node {own.version}: what "
            f"version {said.version} revokes still counts here until it is put in force"
        )
    return ""


MAX_REASON_CHARS = 1_024
"""Longest reason kept, in characters: partners write them."""


class RecipientQuarantine:
    """Our feeds of which a recipient has said so, with an alarm for each. Thread-safe."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms

    def refused(self, origin: FeedOrigin, error: GatewayError) -> bool:
        """Whether a recipient's refusal tells of a quarantine, which is an alarm then."""
        if not isinstance(error, (QuarantinedError, MisbehaviourError)):
            return False
        reason = error.message
        for prefix in (f"{origin} is in quarantine at its recipient: ", f"{origin}: "):
            reason = reason.removeprefix(prefix)
        self.note(origin, reason)
        return True

    def note(self, origin: FeedOrigin, reason: str) -> None:
        """Takes the recipient's word."""
        message = f"{origin} is in quarantine at its recipient: {reason[:MAX_REASON_CHARS]}"
        self._alarms.set(QUARANTINED_AT_PARTNER, origin.line, message)

    def ended(self, origin: FeedOrigin) -> None:
        """The recipient takes the feed, or another replica asks it now."""
        self._alarms.clear(QUARANTINED_AT_PARTNER, origin.line)

    def has(self, origin: FeedOrigin) -> bool:
        """Whether the recipient has said so, as far as this process knows."""
        return any(
            alarm.subject == origin.line for alarm in self._alarms.list() if alarm.code == QUARANTINED_AT_PARTNER
        )
