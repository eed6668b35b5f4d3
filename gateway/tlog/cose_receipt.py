"""COSE receipts of inclusion (RFC 9942, verifiable data structure RFC9162_SHA256), for verifiers that read no notes.

A receipt is a COSE_Sign1 whose payload, the tree's root, is detached: a verifier computes it from the record and the
proof. RFC 9942 leaves the proof's tree size and index unsigned, and some proofs fit several; the claims `size` and
`index` in the protected header sign them.

    18([<< {1: -8, 4: key id, 15: {1: issuer, 2: origin, 6: time, "size": …, "index": …}, 395: 1} >>,
        {396: {-1: [<< [size, index, [hash, …]] >>]}}, nil, signature])

What is signed starts with the bytes 84 6a, no UTF-8 text, so that it is neither a note nor anything else of a log key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.errors import MalformedError, SignatureInvalidError, TooLargeError
from gateway.tlog.checkpoint import Checkpoint
from gateway.tlog.encoding import HASH_BYTES
from gateway.tlog.merkle import MAX_TREE_SIZE
from gateway.tlog.note import KEY_ID_BYTES, MAX_TIMESTAMP, SIGNATURE_BYTES, SignatureType, Signer, Verifier, key_id
from gateway.tlog.proof_file import MAX_HASHES
from gateway.tlog.proofs import inclusion_root, verify_inclusion

MAX_RECEIPT_BYTES: Final = 4096
"""Largest receipt in bytes: 63 hashes and two names."""

_MAX_NAME_CHARS: Final = 255
_MAX_DEPTH: Final = 8
_SIGN1: Final = 18
_EDDSA: Final = -8
_RFC9162_SHA256: Final = 1


class _Label:
    """Of header parameters (RFC 9052, 9597, 9942), of proofs and of claims."""

    ALG: Final = 1
    KID: Final = 4
    CLAIMS: Final = 15
    VDS: Final = 395
    PROOFS: Final = 396
    INCLUSION: Final = -1
    ISSUER: Final = 1
    SUBJECT: Final = 2
    ISSUED_AT: Final = 6
    SIZE: Final = "size"
    INDEX: Final = "index"


@dataclass(frozen=True, slots=True)
class CoseReceipt:
    """A receipt's content, unverified.

    Attributes:
        issuer: who keeps the log.
        origin: the log's name.
        key_id: of the log's key under that name, 4 bytes, as in checkpoints.
        signed_at: by the issuer's clock, POSIX seconds.
        size: entries of the tree.
        index: number of the entry, from 0.
        hashes: inclusion proof, 32 bytes each, the leaf's sibling first.
        signature: 64 bytes, Ed25519.

    Raises:
        MalformedError: a value is out of range.
    """

    issuer: str
    origin: str
    key_id: bytes
    signed_at: int
    size: int
    index: int
    hashes: tuple[bytes, ...]
    signature: bytes = field(default=bytes(SIGNATURE_BYTES))

    def __post_init__(self) -> None:
        for what, text in (("issuer", self.issuer), ("origin", self.origin)):
            if not isinstance(text, str) or not 0 < len(text) <= _MAX_NAME_CHARS:
                raise MalformedError(f"a COSE receipt's {what} is text of 1 to {_MAX_NAME_CHARS} characters")
        _require_integer("time", self.signed_at, 0, MAX_TIMESTAMP)
        _require_integer("tree size", self.size, 1, MAX_TREE_SIZE)
        _require_integer("index", self.index, 0, self.size - 1)
        _require_bytes("key id", self.key_id, KEY_ID_BYTES)
        _require_bytes("signature", self.signature, SIGNATURE_BYTES)
        if len(self.hashes) > MAX_HASHES:
            raise MalformedError(f"an inclusion proof has at most {MAX_HASHES} hashes")
        for digest in self.hashes:
            _require_bytes("hash", digest, HASH_BYTES)

    @property
    def protected(self) -> bytes:
        """The protected header, serialised."""
        claims = {
            _Label.ISSUER: self.issuer,
            _Label.SUBJECT: self.origin,
            _Label.ISSUED_AT: self.signed_at,
            _Label.SIZE: self.size,
            _Label.INDEX: self.index,
        }
        return _dumps({_Label.ALG: _EDDSA, _Label.KID: self.key_id, _Label.CLAIMS: claims, _Label.VDS: _RFC9162_SHA256})

    def signed_bytes(self, root: bytes) -> bytes:
        """What the signature is over: the Sig_structure of RFC 9052, section 4.4."""
        return _dumps(["Signature1", self.protected, b"", root])

    def encode(self) -> bytes:
        """The receipt in deterministic CBOR (RFC 8949, section 4.2.1)."""
        proof = _dumps([self.size, self.index, list(self.hashes)])
        unprotected = {_Label.PROOFS: {_Label.INCLUSION: [proof]}}
        return _dumps(cbor2.CBORTag(_SIGN1, [self.protected, unprotected, None, self.signature]))


def sign_cose_receipt(
    head: Checkpoint, index: int, hashes: tuple[bytes, ...], leaf_hash: bytes, *, issuer: str, at: int, signer: Signer
) -> bytes:
    """Signs a receipt for an entry of a tree whose head the log has signed before.

    Args:
        hashes, leaf_hash: as for `verify_inclusion`.
        at: POSIX seconds.
        signer: the log's key, named as the log.

    Raises:
        ProofInvalidError: the proof doesn't lead from the leaf to the head's root.
        MalformedError: a value can't be encoded.
    """
    verify_inclusion(leaf_hash, index, head.size, hashes, head.root)
    signed_by = key_id(head.origin, SignatureType.ED25519, signer.public_key)
    unsigned = CoseReceipt(issuer, head.origin, signed_by, at, head.size, index, hashes)
    return replace(unsigned, signature=signer.sign(unsigned.signed_bytes(head.root))).encode()


def parse_cose_receipt(data: bytes) -> CoseReceipt:
    """Parses a receipt in the form above, without verifying it.

    Raises:
        TooLargeError: longer than MAX_RECEIPT_BYTES.
        MalformedError: another form, e.g. another verifiable data structure, or not deterministic CBOR.
    """
    if len(data) > MAX_RECEIPT_BYTES:
        raise TooLargeError(f"a COSE receipt of {len(data)} bytes; at most {MAX_RECEIPT_BYTES} are read")
    if data[:1] != bytes([0xC0 | _SIGN1]):
        raise MalformedError("a COSE receipt starts with the tag 18 of COSE_Sign1")
    match _loads(data[1:], "a COSE receipt"):
        case [bytes(protected), {_Label.PROOFS: {_Label.INCLUSION: [bytes(proof)]}}, None, bytes(signature)]:
            pass
        case _:
            raise MalformedError("a COSE receipt has a protected header, one inclusion proof, no payload, a signature")
    match _loads(protected, "the protected header"):
        case {
            _Label.ALG: alg,
            _Label.KID: kid,
            _Label.CLAIMS: {
                _Label.ISSUER: issuer,
                _Label.SUBJECT: origin,
                _Label.ISSUED_AT: at,
                _Label.SIZE: signed_size,
                _Label.INDEX: signed_index,
            },
            _Label.VDS: vds,
        }:
            _require_known(alg, vds)
        case _:
            raise MalformedError("the protected header needs alg, kid, the claims of a feed, and vds")
    match _loads(proof, "the inclusion proof"):
        case [size, index, [*hashes]] if (size, index) == (signed_size, signed_index):
            receipt = CoseReceipt(issuer, origin, kid, at, size, index, tuple(hashes), signature)
        case _:
            raise MalformedError("the inclusion proof isn't of the size and index in the protected header")
    if receipt.encode() != data:
        raise MalformedError("a COSE receipt isn't deterministic CBOR, or has more in it than is read")
    return receipt


def verify_cose_receipt(data: bytes, leaf_hash: bytes, verifier: Verifier) -> CoseReceipt:
    """Verifies a receipt with the log's key.

    Args:
        leaf_hash: 32 bytes, computed from the record's bytes.
        verifier: an Ed25519 key, named as the log.

    Raises:
        MalformedError: not a receipt in the form above.
        ProofInvalidError: a tree of its size has no such proof.
        SignatureInvalidError: of another log or key, or the key hasn't signed the root that the proof leads to.
    """
    receipt, step = parse_cose_receipt(data), f"signature of {verifier.name}"
    named = (receipt.origin, receipt.key_id) == (verifier.name, verifier.key_id)
    if not named or verifier.algorithm is not SignatureType.ED25519:
        raise SignatureInvalidError("the receipt names another log or key", step=step)
    root = inclusion_root(leaf_hash, receipt.index, receipt.size, receipt.hashes)
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public_key).verify(receipt.signature, receipt.signed_bytes(root))
    except InvalidSignature as error:
        raise SignatureInvalidError(
            "the key hasn't signed the root that the proof leads to from this record", step=step
        ) from error
    return receipt


def _require_known(alg: object, vds: object) -> None:
    if alg != _EDDSA:
        raise MalformedError(f"alg {alg!r}; only -8 (EdDSA) is read")
    if vds != _RFC9162_SHA256:
        raise MalformedError(f"verifiable data structure {vds!r}; only 1 (RFC9162_SHA256) is read")


def _require_integer(what: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise MalformedError(f"a COSE receipt's {what} is a number from {least} to {most}")


def _require_bytes(what: str, value: object, count: int) -> None:
    if not isinstance(value, bytes) or len(value) != count:
        raise MalformedError(f"a COSE receipt's {what} has {count} bytes")


def _dumps(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


class _NoTags(dict[int, Callable[..., Any]]):
    """Refuses every tag, since some cost more than their bytes; COSE_Sign1's is cut off before."""

    def __missing__(self, tag: int) -> Callable[..., Any]:
        raise MalformedError(f"CBOR tag {tag} in a COSE receipt")


def _loads(data: bytes, what: str) -> Any:
    try:
        return cbor2.loads(
            data,
            semantic_decoders=_NoTags(),
            max_depth=_MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except (cbor2.CBORError, ValueError, TypeError) as error:
        raise MalformedError(f"{what} isn't CBOR, is cut or nested too deeply: {error}") from error
