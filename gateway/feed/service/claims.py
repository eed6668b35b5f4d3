"""Signs what this node holds of a partner's feed, and compares what recipients of own feeds claim with their receipts.

A claim is a note with the recipient's timestamped cosignature (C2SP tlog-cosignature) over the feed's name with
`/claim` behind it, the size, and the root; a recipient that was restored adds when. Nobody can take it for a receipt,
since no log has that name. Steps, at each opening of an exchange:

1. A receipts key of the recipient that is valid now has signed the claim; it is for this feed, and for the size and
   root of the position that it comes with. Otherwise the position is refused.
2. It is compared with the recipient's receipts of more entries: the newest beside the marks and in the database, and
   the largest one there that is old enough.
3. A smaller claim denies a receipt, unless it may be older, or its recipient says that it was restored (`excuse`).
4. Both notes and the directory are kept (evidence.service.claim_check verifies them), and an alarm says so. Whether the
   feed goes on is decided as without a claim.

A gateway of an earlier release claims nothing, and its position counts as before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.contract.limits import MAX_CLOCK_SKEW_MS
from gateway.contract.messages import clipped_moment
from gateway.errors import GatewayError, MalformedError, SignatureInvalidError
from gateway.feed.service.alarms import RECEIPT_DENIED, Alarms
from gateway.feed.service.continuity.releases import Releases
from gateway.feed.service.quarantine_evidence import CLAIM, PROBLEM, RECEIPT, keep_evidence
from gateway.feed.tables import feeds, heads
from gateway.plurals import counted
from gateway.tlog.checkpoint import Checkpoint, parse_checkpoint_body, sign_held, verify_cosignature
from gateway.tlog.encoding import decode_decimal
from gateway.tlog.note import Signer, Verifier, parse_note
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import feed_pb2

log = logging.getLogger(__name__)

TOLERANCE_S: Final = MAX_CLOCK_SKEW_MS // 1000
"""Seconds by which a claim must be later than the receipt that it denies: clocks are set, openings race receipts."""

MOST_DENIALS: Final = 20
"""Denied receipts of a feed whose evidence is kept: a partner can cause more, and they prove nothing more."""

MOST_COMPARED: Final = 50_000
"""Newest entries among which an older receipt is looked for, so that no claim makes the database read a whole feed."""

MAX_CLAIM_BYTES: Final = 4096
"""Longest claim, in bytes: a feed's name, a head and a signature take some 450."""

_NAME_END: Final = "/claim"
_RESTORED: Final = "restored "
_LAST_S: Final = 253_402_300_799
"""End of the year 9999, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a recipient has signed that it holds. Times in seconds since 1970, by its clock.

    Attributes:
        size, root: of the feed at the recipient.
        restored_at: when its database was last restored; 0 for never. What it had signed until then may be lost.
        others: lines that this release doesn't know.
    """

    origin: FeedOrigin
    size: int
    root: bytes
    claimed_at: int
    restored_at: int = 0
    others: tuple[str, ...] = ()

    def sign(self, signer: Signer) -> bytes:
        """The note, signed with the recipient's receipts key."""
        return sign_held(self.head, signer, self.claimed_at)

    @property
    def head(self) -> Checkpoint:
        """The note's text."""
        lines = (f"{_RESTORED}{self.restored_at}",) if self.restored_at else ()
        return Checkpoint(claim_name(self.origin), self.size, self.root, (*lines, *self.others))


def claim_name(origin: FeedOrigin) -> str:
    """First line of a claim; no feed has such a name."""
    return origin.line + _NAME_END


def claimed_feed(note: bytes) -> FeedOrigin:
    """The feed that an unverified note claims something of; raises MalformedError."""
    name = parse_checkpoint_body(parse_note(note).unverified_text).origin
    if not name.endswith(_NAME_END):
        raise MalformedError(f"{name!r} isn't the name of a claim")
    return FeedOrigin.parse(name.removesuffix(_NAME_END))


def verify_claim(note: bytes, verifier: Verifier, origin: FeedOrigin) -> Claim:
    """The claim that this key of the recipient has signed, and nobody else.

    Raises:
        MalformedError: not a claim on this feed in canonical form.
        SignatureInvalidError: not signed by this key.
    """
    if len(note) > MAX_CLAIM_BYTES:
        raise MalformedError(f"a claim of {len(note)} bytes; at most {MAX_CLAIM_BYTES} are read")
    if len(parse_note(note).signatures) != 1:  # a second one, unchecked, could be changed unnoticed
        raise MalformedError("a claim has one signature")
    signed = verify_cosignature(note, replace(verifier, second=()))
    head = signed.checkpoint
    if head.origin != claim_name(origin):
        raise MalformedError(f"the claim is {head.origin!r}, not on {origin}")
    restored_at, others = 0, head.extensions
    if others and others[0].startswith(_RESTORED):
        line = others[0].removeprefix(_RESTORED).encode()
        restored_at, others = decode_decimal(line, "restored line of the claim", _LAST_S), others[1:]
    require_time(signed.timestamp, "claim")
    claim = Claim(origin, head.size, head.root, signed.timestamp, restored_at, others)
    if claim.head != head:
        raise MalformedError("the claim isn't in canonical form")
    return claim


def require_time(seconds: int, of: str) -> None:
    """Raises MalformedError for a signed time beyond the calendar."""
    if seconds > _LAST_S:
        raise MalformedError(f"the time of the {of} is after the year 9999")


def excuse(claim: Claim, receipted: int, receipted_at: int) -> str:
    """Why a claim doesn't deny a receipt; empty if it does.

    Args:
        receipted: entries that the recipient has receipted.
        receipted_at: when, by its clock, in seconds since 1970.
    """
    if claim.size >= receipted:
        return f"the claim of {counted(claim.size, 'entry')} isn't below the receipt of {receipted}"
    if claim.others:
        return "the claim has lines that this release doesn't know"
    if claim.claimed_at < receipted_at + TOLERANCE_S:
        return (
            f"the claim isn't {TOLERANCE_S // 60} minutes later than the receipt, by the recipient's clock: it may be "
            "the older one"
        )
    if receipted_at <= claim.restored_at + TOLERANCE_S and claim.restored_at:
        return (
            f"the recipient says in its claim that it was restored at {moment(claim.restored_at)}: it may have lost "
            "what it had receipted before"
        )
    return ""


def denial(origin: FeedOrigin, receipted: int, receipted_at: int, claim: Claim) -> str:
    """What both notes prove, without a full stop. Arguments are as of `excuse`."""
    return (
        f"{origin.recipient} has signed at {moment(receipted_at)} that it holds {counted(receipted, 'entry')} of "
        f"{origin}, and at {moment(claim.claimed_at)} that it holds {claim.size}"
    )


def moment(seconds: int) -> str:
    """A signed time for people, in UTC."""
    return clipped_moment(seconds * 1000).strftime("%Y-%m-%d %H:%M:%S UTC")


@dataclass(frozen=True, slots=True)
class _Receipt:
    """A recipient's receipt, with its signed time in seconds since 1970."""

    size: int
    at: int
    note: bytes


class Claims:
    """Signs and judges claims. Thread-safe."""

    def __init__(
        self,
        *,
        node: str,
        signer: Callable[[], Signer],
        trust: Callable[[], TrustedDirectory],
        clock: Callable[[], int],
        releases: Releases | None,
        evidence_root: Path,
        alarms: Alarms,
    ) -> None:
        """`signer` gives the receipts key of now, `clock` milliseconds since 1970; `releases` keep receipts."""
        self._node = node
        self._signer = signer
        self._trust = trust
        self._clock = clock
        self._releases = releases
        self._evidence_root = evidence_root
        self._alarms = alarms
        self._explained: dict[FeedOrigin, int] = {}  # the last receipt of which the log says why nothing denies it

    def signed(
        self, origin: FeedOrigin, position: feed_pb2.FeedPosition, *, read_at_ms: int, restored_at_ms: int
    ) -> bytes:
        """The claim of a partner's feed that stands here as in a position; empty for an own feed.

        Args:
            read_at_ms: before the position was read, in milliseconds since 1970. A later time would be wrong: another
                replica may have receipted more since, while this process stood still.
            restored_at_ms: when this database was last restored, likewise; 0 for never.
        """
        if origin.recipient != self._node or origin.publisher == self._node:
            return b""
        claimed_at, restored_at = read_at_ms // 1000, restored_at_ms // 1000
        return Claim(origin, position.size, position.root, claimed_at, restored_at).sign(self._signer())

    def judge(self, conn: Connection, origin: FeedOrigin, position: feed_pb2.FeedPosition) -> None:
        """Steps 1 to 4 for the position of an own feed's recipient.

        Raises:
            MalformedError, SignatureInvalidError: step 1.
        """
        if not position.claim:
            return
        claim = self._verified(origin, position)  # 1
        now_ms = self._clock()
        self._alarms.compare_clocks(origin.recipient, claim.claimed_at * 1000, not_before_ms=now_ms)  # it is fresh
        notes = self._receipts(conn, origin, claim)  # 2
        receipts = [receipt for note in notes if (receipt := self._opened(origin, note)) is not None]
        reasons = [excuse(claim, receipt.size, receipt.at) for receipt in receipts]  # 3
        if all(reasons):
            self._log_once(origin, claim, receipts, reasons)
            return
        receipt = receipts[reasons.index("")]
        proved = denial(origin, receipt.size, receipt.at, claim)  # 4
        self._alarms.set(
            RECEIPT_DENIED,
            origin.line,
            f"{proved}: it was restored from an older backup, or hides what it has received; ask its operator; "
            f"{self._kept(origin, receipt, position.claim, proved)}",
        )

    def _verified(self, origin: FeedOrigin, position: feed_pb2.FeedPosition) -> Claim:
        refusal: GatewayError | None = None
        for verifier in self._trust().cosign_verifiers(origin.recipient, clipped_moment(self._clock())):
            try:
                claim = verify_claim(position.claim, verifier, origin)
            except SignatureInvalidError as error:
                refusal = SignatureInvalidError(_wrong(origin, error.message), step="claim")
            except GatewayError as error:
                raise MalformedError(_wrong(origin, error.message)) from error
            else:
                if (claim.size, claim.root) != (position.size, position.root):
                    raise MalformedError(_wrong(origin, "it is of another size or root than the position"))
                return claim
        raise refusal or SignatureInvalidError(
            f"the directory names no receipts key of {origin.recipient} that is valid now", step="receipts key"
        )

    def _receipts(self, conn: Connection, origin: FeedOrigin, claim: Claim) -> Iterator[bytes]:
        """Cosigned checkpoints of more than is claimed: the one beside the marks, the newest, and one old enough."""
        kept = None if self._releases is None else self._releases.receipt_of(origin)
        if kept is not None and kept.size > claim.size:
            yield kept.note
        feed = feeds.find(conn, origin)
        if feed is None or feed.receipted_size <= claim.size:
            return
        above = max(claim.size, feed.receipted_size - MOST_COMPARED)
        for by_ms in (_LAST_S * 1000, (claim.claimed_at - TOLERANCE_S) * 1000):
            stored = heads.receipted_by(conn, feed.id, above, by_ms)
            if stored is not None:
                yield stored.cosigned_note

    def _opened(self, origin: FeedOrigin, note: bytes) -> _Receipt | None:
        """A stored receipt with its time; None where its key is no longer known."""
        for verifier in self._trust().every_cosign_verifier(origin.recipient):
            try:
                signed = verify_cosignature(note, verifier)
            except GatewayError:
                continue
            return _Receipt(signed.checkpoint.size, signed.timestamp, note)
        return None

    def _log_once(self, origin: FeedOrigin, claim: Claim, receipts: Sequence[_Receipt], reasons: Sequence[str]) -> None:
        """Once for each receipt: a partner can open exchanges without end."""
        largest = max((receipt.size for receipt in receipts), default=0)
        if largest > self._explained.get(origin, 0):
            self._explained[origin] = largest
            log.warning(
                "%s claims %s of %s, and has receipted %d: %s",
                origin.recipient,
                counted(claim.size, "entry"),
                origin,
                largest,
                reasons[0],
            )

    def _kept(self, origin: FeedOrigin, receipt: _Receipt, claim: bytes, proved: str) -> str:
        """Keeps the evidence, once for each receipt; says where it is."""
        name = f"{origin.line.replace('/', '_')}-denied-"
        folder = self._evidence_root / f"{name}{receipt.size}"
        last = folder / PROBLEM  # written last: it tells that the others are there
        try:
            if not last.exists():
                if len(list(self._evidence_root.glob(f"{name}*"))) >= MOST_DENIALS:
                    return f"the evidence of {MOST_DENIALS} such receipts is in {self._evidence_root}"
                notes = {RECEIPT: receipt.note, CLAIM: claim}
                keep_evidence(folder, notes, directory=self._trust().note, origin=origin, problem=proved)
                log.critical("feed %s: %s; evidence in %s", origin, proved, folder)
        except OSError as error:
            return f"the evidence can't be kept in {folder}: {error.strerror}"
        return f"the evidence is in {folder}"


def _wrong(origin: FeedOrigin, reason: str) -> str:
    return f"the claim of {origin.recipient} on {origin} isn't right: {reason}"
