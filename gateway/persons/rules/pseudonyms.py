"""Names of persons as a partner sees them: the same for one partner, unlinked between partners."""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256

PSEUDONYM_PREFIX = "person/~"
"""Begins a pseudonym: no name has a tilde."""

_BYTES = 10
"""80 bits: two persons of one authority don't meet."""


def pseudonym(key: bytes, *, partner: str, person: str) -> str:
    """E.g. `person/~7f3k2m9qab5ncwyz`: HMAC-SHA-256 of partner and name, in base32."""
    digest = hmac.new(key, f"{partner}\0{person}".encode(), sha256).digest()
    return PSEUDONYM_PREFIX + base64.b32encode(digest[:_BYTES]).decode().rstrip("=").lower()
