"""Hides numbers and records in the tree of keys, and opens to a partner what it may know.

The tree maps the place of a number to its list of records. A place is an output of a verifiable random function over
the number's key, and a record's name in a list is SHA-256(opening ‖ record id): without the secret, or a proof for that
number, a place tells nothing of its number, nor a name of its record. Under one head a number has one place.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256

from gateway.tlog.vrf import SECRET_KEY_BYTES, VrfKey

NAME_BYTES = 32

MOST_RECORDS = 1_000
"""Most records in a list. A number with more has a list that says no more than that, and answers on it are as told."""

MANY = sha256(b"\x03many").digest()
"""Value of such a list."""

_PLACES_KEPT = 65_536
"""Places kept in memory, some 10 MB: the same traders and vehicles come again and again."""


class HiddenNames:
    """Places and names under a secret. Thread-safe."""

    def __init__(self, secret: bytes) -> None:
        self._vrf = VrfKey(secret[:SECRET_KEY_BYTES])
        self._secret = secret[SECRET_KEY_BYTES:]
        self.public_key = self._vrf.public_key
        self.place = lru_cache(maxsize=_PLACES_KEPT)(self._place)
        """The place of a key."""

    def prove_place(self, key: int) -> bytes:
        """The proof that a key has its place."""
        return self._vrf.prove(number_bytes(key))

    def opening(self, place: bytes, record_id: str) -> bytes:
        """What opens a record's name at a place; it opens no other name."""
        return hmac.digest(self._secret, place + record_id.encode(), "sha256")

    def name(self, place: bytes, record_id: str) -> bytes:
        """A record's name at a place."""
        return hidden_name(self.opening(place, record_id), record_id)

    def _place(self, key: int) -> bytes:
        return self._vrf.place(number_bytes(key))


SECRET_BYTES = 2 * SECRET_KEY_BYTES
"""Bytes of a secret: for places, and for names."""


def number_bytes(key: int) -> bytes:
    """A key (contract.shipment_keys) as input of the verifiable random function."""
    return key.to_bytes(8)


def hidden_name(opening: bytes, record_id: str) -> bytes:
    """A record's name in a list."""
    return sha256(b"\x02" + opening + record_id.encode()).digest()


def list_value(names: Sequence[bytes]) -> bytes:
    """The tree's value for a list of names in order."""
    return MANY if len(names) > MOST_RECORDS else sha256(b"\x04" + b"".join(names)).digest()


def split_names(data: bytes) -> list[bytes]:
    """The names of a stored list."""
    return [data[at : at + NAME_BYTES] for at in range(0, len(data), NAME_BYTES)]


def changed_names(there: bytes, value: bytes, added: Iterable[bytes], erased: Iterable[bytes]) -> tuple[bytes, bytes]:
    """A stored list and its value after a change: no value for an empty one; of too many a list doesn't change."""
    if value == MANY:
        return b"", MANY
    names = sorted(set(split_names(there)).difference(erased).union(added))
    if not names:
        return b"", b""
    value = list_value(names)
    return (b"" if value == MANY else b"".join(names)), value
