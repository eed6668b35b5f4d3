"""Encodes and parses heads of the tree of keys, checkpoints whose size is the head's number, and proofs by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from gateway.errors import GatewayError, MalformedError, SignatureInvalidError
from gateway.tlog.checkpoint import Checkpoint, parse_checkpoint_body, verify_checkpoint
from gateway.tlog.encoding import decode_base64, decode_decimal, encode_base64
from gateway.tlog.note import Verifier, parse_note
from gateway.v1 import exchange_service_pb2

_KEY, _UNTIL = "vrf ", "until "
_MAX_UNIX_MS = 253_402_300_799_999
"""End of the year 9999."""


def head_origin(federation: str, node: str) -> str:
    """First line of a node's heads, and its key's name."""
    return f"{federation}/{node}/key-tree"


@dataclass(frozen=True, slots=True)
class KeyTreeHead:
    """A head of a node's tree of keys.

    Attributes:
        number: when it was made, in milliseconds since 1970, and above the one before; one number has one root.
        vrf_key: of the verifiable random function that gives numbers their places, 33 bytes.
        until_ms: everything recorded before is in the tree, by the node's clock, in milliseconds since 1970.
    """

    federation: str
    node: str
    number: int
    root: bytes
    vrf_key: bytes
    until_ms: int

    def checkpoint(self) -> Checkpoint:
        lines = (f"{_KEY}{encode_base64(self.vrf_key).decode()}", f"{_UNTIL}{self.until_ms}")
        return Checkpoint(head_origin(self.federation, self.node), self.number, self.root, lines)

    @property
    def tree(self) -> bytes:
        """What one number has one of: root and key."""
        return self.root + self.vrf_key

    @property
    def until(self) -> datetime:
        return datetime.fromtimestamp(self.until_ms / 1000, UTC)


def verified_head(note: bytes, federation: str, node: str, keys: Sequence[bytes]) -> KeyTreeHead:
    """The head in a note that one of these log keys signed.

    Raises:
        SignatureInvalidError, MalformedError: another text or key.
    """
    origin = head_origin(federation, node)
    refused: GatewayError = SignatureInvalidError(f"the directory names no log key of {node} for that time")
    for key in keys:
        try:
            verify_checkpoint(note, Verifier(origin, key), origin)
        except SignatureInvalidError as error:
            refused = error
            continue
        return unverified_head(note, federation, node)
    raise SignatureInvalidError(f"the head of its tree isn't signed by {node}: {refused.message}") from refused


def unverified_head(note: bytes, federation: str, node: str) -> KeyTreeHead:
    """The head in a note, whose signature the caller verifies; raises MalformedError."""
    checkpoint = parse_checkpoint_body(parse_note(note).unverified_text)
    if len(checkpoint.extensions) != 2:
        raise MalformedError("a head of a tree of keys has two more lines: its key, and until when it goes")
    key, until = checkpoint.extensions
    head = KeyTreeHead(
        federation,
        node,
        checkpoint.size,
        checkpoint.root,
        decode_base64(key.removeprefix(_KEY).encode(), "key of the head"),
        decode_decimal(until.removeprefix(_UNTIL).encode(), "until line of the head", _MAX_UNIX_MS),
    )
    if head.checkpoint() != checkpoint:
        raise MalformedError("the head isn't in canonical form")
    return head


@dataclass(frozen=True, slots=True)
class ClaimedProof:
    """A proof that an answer is complete, unverified, and what it claims.

    Attributes:
        until_ms: of its head.
        untold: records that it lists and doesn't open.
    """

    message: exchange_service_pb2.CompletenessProof
    until_ms: int
    untold: int


def claimed_proof(data: bytes, federation: str, node: str) -> ClaimedProof:
    """The proof of a node in a file; raises MalformedError."""
    try:
        proof = exchange_service_pb2.CompletenessProof.FromString(data)
    except DecodeError as error:
        raise MalformedError("completeness.binpb: not a CompletenessProof of the contract") from error
    untold = sum(not listed.opening for key in proof.keys for listed in key.records)
    return ClaimedProof(proof, unverified_head(proof.head, federation, node).until_ms, untold)
