"""Signed notes and verifier keys (C2SP signed-note) for the signature types 0x01, 0x04 and 0x06.

Trust a note's text only after `open_note` has returned it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from gateway.errors import ConfigurationError, GatewayError, MalformedError, SignatureInvalidError, TooLargeError
from gateway.plurals import counted
from gateway.tlog import ml_dsa
from gateway.tlog.encoding import decode_base64, decode_text, encode_base64, encode_text, has_control_characters
from gateway.tlog.ml_dsa import MlDsaSigner

VerifiedT = TypeVar("VerifiedT")

MAX_NOTE_BYTES = 1 << 20
"""Largest note in bytes: several directories of some hundred keys."""

MAX_SIGNATURES = 64
"""Most signatures of a note; the specification requires at least 16, and each costs a verification."""

MAX_TIMESTAMP = 2**63 - 1
"""Largest cosignature time in POSIX seconds (C2SP tlog-cosignature)."""

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
"""Of Ed25519 (RFC 8032)."""

KEY_ID_BYTES = 4
_TIMESTAMP_BYTES = 8
_LINE_START = "— ".encode()

_SMALL_ORDER_Y = frozenset(
    bytes.fromhex(y)
    for y in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
"""Encodings of the y coordinates of the points of order 1, 2, 4 and 8 (RFC 8032, section 5.1)."""


class SignatureType(IntEnum):
    """Signature type of a key (C2SP signed-note, section Signature types)."""

    ED25519 = 0x01
    COSIGNATURE = 0x04
    ML_DSA_44 = 0x06
    """Of a log or a cosigner, on checkpoints alone; it holds against a quantum computer."""


class Signer(Protocol):
    """A named Ed25519 private key.

    Thread-safe and stateless; equal messages get equal signatures (RFC 8032). Hardware modules may be slow.
    """

    @property
    def name(self) -> str:
        """Not empty, no Unicode spaces, no plus sign."""
        ...

    @property
    def public_key(self) -> bytes:
        """32 bytes (RFC 8032)."""
        ...

    @property
    def second(self) -> MlDsaSigner | None:
        """The same signer's key of the second algorithm, which signs checkpoints too; None without one."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Signs a message, 64 bytes (RFC 8032)."""
        ...


@dataclass(frozen=True, slots=True)
class Verifier:
    """A named public key with its signature type.

    Attributes:
        public_key: Ed25519, 32 bytes, or ML-DSA-44, 1,312.
        algorithm: signature type byte.
        second: keys of the second algorithm, under the same name, of which one must have signed a checkpoint too;
            none where the first is enough.
        second_since: POSIX seconds; a cosignature of an earlier time needs no second one.
        key_id: 4 bytes, SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4].

    Raises:
        MalformedError: an invalid key name, an unsupported type, a key of the wrong length or of small order.
    """

    name: str
    public_key: bytes
    algorithm: SignatureType = SignatureType.ED25519
    second: tuple[Verifier, ...] = field(default=(), compare=False)
    second_since: int = field(default=0, compare=False)
    key_id: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        _require_key_name(self.name)
        object.__setattr__(self, "algorithm", _signature_type(self.algorithm))
        if self.algorithm is SignatureType.ML_DSA_44:
            _public_key(self.algorithm, self.public_key)  # refuses another length
        else:
            _require_strong_key(self.public_key)
        object.__setattr__(self, "key_id", key_id(self.name, self.algorithm, self.public_key))

    @classmethod
    def from_vkey(cls, vkey: str) -> Verifier:
        """Parses a verifier key: `<name>+<hex key id>+<base64(type ‖ public key)>`.

        Raises:
            MalformedError: not in canonical form, a type other than 0x01, 0x04 and 0x06, or a wrong key id.
        """
        name, _, rest = vkey.partition("+")
        _, _, material = rest.partition("+")
        data = decode_base64(encode_text(material, "verifier key"), "verifier key")
        verifier = cls(name, data[1:], _signature_type(data[0] if data else 0))
        if verifier.to_vkey() != vkey:
            raise MalformedError(f"verifier key of {name!r}: its key id or its form is wrong")
        return verifier

    def to_vkey(self) -> str:
        """Formats the verifier key."""
        material = encode_base64(bytes([self.algorithm]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """A signature line of any type: key name, 4-byte key id, and at least one byte of signature."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> bytes:
        """The line with its newline: `— <name> <base64(key id ‖ signature)>`."""
        name = encode_text(self.name, "key name")
        return _LINE_START + name + b" " + encode_base64(self.key_id + self.signature) + b"\n"


@dataclass(frozen=True, slots=True)
class UnverifiedNote:
    """A note in canonical form with unchecked signatures."""

    unverified_text: bytes
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        """Encodes the note byte for byte as parsed."""
        return b"%b\n%b" % (self.unverified_text, b"".join(signature.line() for signature in self.signatures))


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A known key's signature; `timestamp` (POSIX seconds) for the types 0x04 and 0x06 alone."""

    verifier: Verifier
    timestamp: int | None


@dataclass(frozen=True, slots=True)
class VerifiedNote:
    """A note's text with its verified signatures, in the note's order; `lines` has unverified ones too."""

    text: bytes
    signatures: tuple[VerifiedSignature, ...]
    lines: tuple[NoteSignature, ...]


def key_id(name: str, algorithm: SignatureType, public_key: bytes) -> bytes:
    """SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]."""
    return sha256(encode_text(name, "key name") + b"\n" + bytes([algorithm]) + public_key).digest()[:KEY_ID_BYTES]


def sign_note(text: bytes, signers: Sequence[Signer]) -> bytes:
    """Signs a text with a type 0x01 signature of each signer, at least one.

    Args:
        text: UTF-8 that ends in a newline and has no other control characters.

    Raises:
        MalformedError: not a note's text, or an invalid key name.
        TooLargeError: the note would exceed a limit of `parse_note`.
    """
    _require_text(text)
    if not signers:
        raise MalformedError("a note needs at least one signer")
    note = UnverifiedNote(text, tuple(_sign(text, signer) for signer in signers)).encode()
    _require_limits(len(note), len(signers))
    return note


def parse_note(note: bytes) -> UnverifiedNote:
    """Parses a note without verifying it.

    Raises:
        TooLargeError: longer than MAX_NOTE_BYTES, or more than MAX_SIGNATURES signatures.
        MalformedError: not in canonical form.
    """
    _require_limits(len(note), 0)
    end = note.rfind(b"\n\n") + 1
    if not end:
        raise MalformedError("a note needs an empty line before its signatures")
    text, lines = note[:end], note[end + 1 :].split(b"\n")
    _require_text(text)
    if lines.pop() or not lines:
        raise MalformedError("a note ends with signature lines, each with its newline")
    _require_limits(len(note), len(lines))
    return UnverifiedNote(text, tuple(parse_signature_line(line + b"\n") for line in lines))


def parse_signature_line(line: bytes) -> NoteSignature:
    """Parses a signature line; raises MalformedError unless it is canonical and ends in a newline."""
    _require_limits(len(line), 1)
    start, dash, rest = line.partition(_LINE_START)
    name_bytes, _, signature = rest.partition(b" ")
    if start or not dash or not signature.endswith(b"\n"):
        raise MalformedError("a signature line reads '— <key name> <base64>'")
    name = decode_text(name_bytes, "key name")
    _require_key_name(name)
    data = decode_base64(signature[:-1], f"signature of {name!r}")
    if len(data) <= KEY_ID_BYTES:
        raise MalformedError(f"signature of {name!r}: nothing follows the key id")
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def add_signature(note: bytes, line: bytes) -> bytes:
    """Adds a signature line unless the note has it. Verifies nothing.

    Raises MalformedError or TooLargeError.
    """
    signature = parse_signature_line(line)
    if signature in parse_note(note).signatures:
        return note
    longer = note + line
    parse_note(longer)
    return longer


def open_note(note: bytes, verifiers: Iterable[Verifier], threshold: int = 1) -> VerifiedNote:
    """Verifies a note.

    1. Parse it: canonical form, within the limits.
    2. Keep signatures whose name and key id both belong to a known key; ignore others.
    3. Verify each of these over the text's bytes, repeated ones too; one invalid signature fails the note.
    4. At least `threshold` different public keys have signed (a key under two names counts once).

    Raises:
        MalformedError, TooLargeError: step 1.
        SignatureInvalidError: step 3 or 4.
        ConfigurationError: the threshold is below 1, or two known keys share name and key id.
    """
    known = _by_name_and_id(verifiers)
    if threshold < 1:
        raise ConfigurationError("a threshold below 1 would accept unsigned notes")
    unverified = parse_note(note)  # 1
    verified = tuple(
        verify_signature(unverified.unverified_text, signature, verifier)  # 3
        for signature in unverified.signatures
        if (verifier := known.get((signature.name, signature.key_id)))  # 2
    )
    signed = len({signature.verifier.public_key for signature in verified})
    if signed < threshold:  # 4
        raise SignatureInvalidError(
            f"signed by {counted(signed, 'known key')}; {threshold} are needed", step="threshold"
        )
    return VerifiedNote(unverified.unverified_text, verified, unverified.signatures)


def verify_signature(text: bytes, signature: NoteSignature, verifier: Verifier) -> VerifiedSignature:
    """Verifies one signature over a note's text.

    Raises:
        SignatureInvalidError: another key's, of the wrong length, or not over this text.
    """
    step = f"signature of {verifier.name}"
    if (signature.name, signature.key_id) != (verifier.name, verifier.key_id):
        raise SignatureInvalidError("the signature names another key", step=step)
    raw, timestamp, message, needed = signature.signature, None, text, SIGNATURE_BYTES
    if verifier.algorithm is not SignatureType.ED25519:
        timestamp, raw = int.from_bytes(raw[:_TIMESTAMP_BYTES], "big"), raw[_TIMESTAMP_BYTES:]
        if timestamp > MAX_TIMESTAMP:
            raise SignatureInvalidError("its time is beyond 2^63 - 1", step=step)
        if verifier.algorithm is SignatureType.ML_DSA_44:
            message, needed = _ml_dsa_message(text, verifier.name, timestamp, step), ml_dsa.SIGNATURE_BYTES
        else:
            message = cosigned_message(text, timestamp)
    # Signature and preceding fields must fill the line's data exactly.
    if len(raw) != needed:
        raise SignatureInvalidError(f"it has {len(raw)} bytes of {needed}", step=step)
    try:
        _public_key(verifier.algorithm, verifier.public_key).verify(raw, message)
    except InvalidSignature as error:
        raise SignatureInvalidError("it isn't this key's signature over this text", step=step) from error
    return VerifiedSignature(verifier, timestamp)


def first_verified(
    verifiers: Iterable[Verifier], verify: Callable[[Verifier], VerifiedT], without: Callable[[], GatewayError]
) -> VerifiedT:
    """What `verify` returns of the first key that it doesn't refuse.

    Raises:
        GatewayError: why the last key was refused; `without` any key, what that makes.
    """
    refusal: GatewayError | None = None
    for verifier in verifiers:
        try:
            return verify(verifier)
        except GatewayError as error:
            refusal = error
    raise refusal or without()


def cosigned_message(text: bytes, timestamp: int) -> bytes:
    """Message of a type 0x04 signature (C2SP tlog-cosignature, Ed25519 signed message)."""
    return b"cosignature/v1\ntime %d\n%b" % (timestamp, text)


def _ml_dsa_message(text: bytes, name: str, timestamp: int, step: str) -> bytes:
    try:
        return ml_dsa.signed_message(text, name, timestamp)
    except MalformedError as error:
        raise SignatureInvalidError(error.message, step=step) from error


def _sign(text: bytes, signer: Signer) -> NoteSignature:
    _require_key_name(signer.name)
    return NoteSignature(signer.name, key_id(signer.name, SignatureType.ED25519, signer.public_key), signer.sign(text))


def _by_name_and_id(verifiers: Iterable[Verifier]) -> dict[tuple[str, bytes], Verifier]:
    known: dict[tuple[str, bytes], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise ConfigurationError(f"two known keys share the name {verifier.name!r} and a key id")
    return known


@lru_cache(maxsize=1024)
def _public_key(algorithm: SignatureType, data: bytes) -> Ed25519PublicKey | MLDSA44PublicKey:
    if algorithm is SignatureType.ML_DSA_44:
        return ml_dsa.public_key(data)
    return Ed25519PublicKey.from_public_bytes(data)


def _require_key_name(name: str) -> None:
    data = encode_text(name, "key name")
    # `split` cuts at every Unicode space, and drops empty parts.
    if name.split() != [name] or "+" in name or has_control_characters(data, newline_allowed=False):
        raise MalformedError(f"key name {name!r} is empty or has a space, a plus sign or a control character")


def _require_strong_key(public_key: bytes) -> None:
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise MalformedError(f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, not {len(public_key)}")
    # Under such a key one signature fits many texts, so its owner could disown all.
    if public_key[:-1] + bytes([public_key[-1] & 0x7F]) in _SMALL_ORDER_Y:
        raise MalformedError("an Ed25519 public key of small order proves nothing")


def _signature_type(value: int) -> SignatureType:
    try:
        return SignatureType(value)
    except ValueError as error:
        raise MalformedError(f"signature type 0x{value:02x}; 0x01, 0x04 and 0x06 are supported") from error


def _require_limits(note_bytes: int, signatures: int) -> None:
    if note_bytes > MAX_NOTE_BYTES:
        raise TooLargeError(f"a note of {note_bytes} bytes; at most {MAX_NOTE_BYTES} are read")
    if signatures > MAX_SIGNATURES:
        raise TooLargeError(f"a note with {counted(signatures, 'signature')}; at most {MAX_SIGNATURES} are read")


def _require_text(text: bytes) -> None:
    if not text.endswith(b"\n"):
        raise MalformedError("a note's text ends with a newline")
    if has_control_characters(text, newline_allowed=True):
        raise MalformedError("a note's text has no control characters but newlines")
    decode_text(text, "note")
