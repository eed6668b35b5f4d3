"""Canonical base64 and decimals of the C2SP text formats.

Input that doesn't round-trip is refused, so that no second spelling can sidestep a signature or an identity over bytes.
"""

from __future__ import annotations

import base64
import binascii

from gateway.errors import MalformedError

HASH_BYTES = 32
"""SHA-256."""


def encode_base64(data: bytes) -> bytes:
    """Standard base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data)


def decode_base64(text: bytes, what: str) -> bytes:
    """Decodes standard base64; errors name the field `what`.

    Raises:
        MalformedError: another alphabet, wrong padding or non-zero unused bits.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise MalformedError(f"{what} isn't standard base64") from error
    if base64.b64encode(data) != text:
        raise MalformedError(f"{what} isn't canonical base64")
    return data


def decode_hash(text: bytes, what: str) -> bytes:
    """Decodes a base64 SHA-256 hash; raises MalformedError."""
    data = decode_base64(text, what)
    if len(data) != HASH_BYTES:
        raise MalformedError(f"{what} has {len(data)} bytes; a SHA-256 hash has {HASH_BYTES}")
    return data


def decode_decimal(text: bytes, what: str, maximum: int) -> int:
    """Decodes an ASCII decimal up to `maximum`, without sign or leading zeroes; raises MalformedError."""
    if len(text) > len(str(maximum)) or not text.isdigit():
        raise MalformedError(f"{what} isn't a decimal number of at most {maximum}")
    value = int(text)
    if str(value).encode() != text:
        raise MalformedError(f"{what} has leading zeroes")
    if value > maximum:
        raise MalformedError(f"{what} is larger than {maximum}")
    return value


def decode_text(data: bytes, what: str) -> str:
    """Decodes UTF-8 strictly; raises MalformedError."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what} isn't valid UTF-8") from error


def encode_text(text: str, what: str) -> bytes:
    """Encodes UTF-8 strictly (no lone surrogates); raises MalformedError."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError(f"{what} has characters that UTF-8 can't carry") from error


def has_control_characters(data: bytes, *, newline_allowed: bool) -> bool:
    """Checks UTF-8 bytes for characters below U+0020."""
    # One pass in C: a note is checked on every batch.
    controls = _CONTROLS_BUT_NEWLINE if newline_allowed else _CONTROLS
    return len(data.translate(None, controls)) != len(data)


_CONTROLS = bytes(range(0x20))
_CONTROLS_BUT_NEWLINE = _CONTROLS.replace(b"\n", b"")
