"""Cosigns checkpoints of partners' feeds as a witness (C2SP tlog-witness, add-checkpoint), and keeps contradictions.

A witness sees a feed's name, sizes, roots and times, and no entry. Its steps:

1. The body is canonical, and its checkpoint is of a feed that the caller publishes to a third node.
2. A log key of the publisher's that counts now has signed the checkpoint.
3. The proof begins at the size that was cosigned last; otherwise the answer is that size, and nothing is signed.
4. The proof leads from the root that was cosigned last to this one. Otherwise both are kept, and that is an alarm.
5. Size and checkpoint are committed before the cosignature is made: after a crash no other tree of that size passes 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from gateway.contract.ids import KEPT, FeedOrigin
from gateway.contract.json_document import JsonValue
from gateway.errors import (
    GatewayError,
    InvalidRequestError,
    MalformedError,
    PermissionDeniedError,
    ProofInvalidError,
    SignatureInvalidError,
    Violation,
)
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import witnesses
from gateway.feed.tables.witnesses import WitnessConflict, WitnessedLog
from gateway.plurals import counted
from gateway.tlog.checkpoint import Checkpoint, cosign, unverified_checkpoint, verify_checkpoint
from gateway.tlog.consistency_file import ConsistencyProof, parse_consistency_file
from gateway.tlog.merkle import EMPTY_ROOT
from gateway.tlog.note import Signer, first_verified
from gateway.tlog.policy import WitnessPolicy, parse_policy
from gateway.tlog.proofs import verify_consistency
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_versions import TrustedDirectory

WITNESS_POLICY: Final = "witness_policy"
"""Extension of the directory: a tlog-policy, as text."""


def witness_key_name(federation: str, node: str) -> str:
    """Name of a node's key as a witness."""
    return f"{federation}/{node}/witness"


def policy_of(directory: Directory) -> WitnessPolicy | None:
    """The directory's witness policy; None without one. Raises MalformedError."""
    text: JsonValue = directory.extensions.get(WITNESS_POLICY)
    if text is None:
        return None
    if not isinstance(text, str):
        raise MalformedError("the directory's witness_policy isn't a text")
    return parse_policy(text)


def third_witnesses(policy: WitnessPolicy, origin: FeedOrigin) -> frozenset[str]:
    """Names of the witnesses that are no party to a feed; those of its two nodes don't count."""
    parties = {witness_key_name(origin.federation, node) for node in (origin.publisher, origin.recipient)}
    return frozenset(name for name, key in policy.witnesses.items() if key.name not in parties)


@dataclass(frozen=True, slots=True)
class WitnessedSize:
    """What step 3 or 5 came to: the largest size that counts as cosigned, and whether it is the one that was asked."""

    size: int
    is_asked: bool


class Witness:
    """Steps of a witness. Thread-safe."""

    def __init__(self, node: str, *, trust: Callable[[], TrustedDirectory], signer: Signer) -> None:
        self._node = node
        self._trust = trust
        self._signer = signer

    def prepare(self, caller: str, body: bytes, *, now_ms: int) -> WitnessCommand:
        """Steps 1 and 2; the command for the others.

        Raises:
            InvalidRequestError: the body isn't canonical.
            PermissionDeniedError: the feed isn't one of the caller's to a third node.
            SignatureInvalidError: step 2.
        """
        try:
            proof = parse_consistency_file(body)
            shown = unverified_checkpoint(proof.checkpoint_note)
            origin = FeedOrigin.parse(shown.origin)
        except MalformedError as error:
            raise InvalidRequestError([Violation("body", "witness.body", error.message)]) from error
        if proof.old_size > shown.size:
            too_large = f"is {proof.old_size}, beyond the checkpoint's {shown.size}"
            raise InvalidRequestError([Violation("body", "witness.old_size", too_large)])
        trust = self._trust()
        strangers = {caller, self._node}
        if (
            origin.publisher != caller
            or origin.recipient in strangers
            or origin.channel in KEPT
            or not {origin.publisher, origin.recipient} <= trust.directory.nodes.keys()
        ):
            raise PermissionDeniedError(f"{origin} isn't a feed of {caller} to a third node")
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        verified = first_verified(
            trust.log_verifiers(origin, now),
            lambda verifier: verify_checkpoint(proof.checkpoint_note, verifier, origin.line),
            lambda: SignatureInvalidError(f"the directory names no log key of {caller} that counts now"),
        )
        return WitnessCommand(proof, body, verified.checkpoint)

    def cosign(self, command: WitnessCommand, *, now_ms: int) -> bytes:
        """The cosignature on what the command has committed."""
        return cosign(command.proof.checkpoint_note, self._signer, now_ms // 1000)


@dataclass(frozen=True, slots=True)
class WitnessCommand:
    """Steps 3 to 5; the result is WitnessedSize, or the error of step 4, whose evidence is committed with it."""

    proof: ConsistencyProof
    body: bytes
    shown: Checkpoint
    weight: int = field(default=1, init=False)

    def execute(self, tx: Transaction) -> WitnessedSize | ProofInvalidError:
        origin, size = self.shown.origin, self.shown.size
        before = witnesses.held(tx.conn, origin)
        held = Checkpoint(origin, 0, EMPTY_ROOT) if before is None else unverified_checkpoint(before.note)
        if held.size not in (self.proof.old_size, size):  # 3
            return WitnessedSize(held.size, is_asked=False)
        try:
            if size == held.size and self.shown.root == held.root:
                return WitnessedSize(size, is_asked=True)
            verify_consistency(held.size, held.root, size, self.shown.root, self.proof.hashes)  # 4
        except GatewayError as error:
            if before is not None:
                witnesses.add_conflict(tx.conn, WitnessConflict(origin, before.note, self.body), tx.now_ms)
            return ProofInvalidError(
                f"the checkpoint of {counted(size, 'entry')} of {origin} isn't shown to continue the one of "
                f"{held.size} that was cosigned: {error.message}"
            )
        witnesses.move(tx.conn, origin, WitnessedLog(size, self.proof.checkpoint_note))  # 5
        return WitnessedSize(size, is_asked=True)
