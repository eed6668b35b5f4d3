"""Hashes and verifies passwords with Argon2id (RFC 9106, the choice for little memory), by argon2-cffi."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.profiles import RFC_9106_LOW_MEMORY


class Passwords:
    """About 0.2 s of processors, in four threads, and 64 MiB for each call."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        """What is stored of a password."""
        return self._hasher.hash(password)

    def matches(self, stored: str, password: str) -> bool:
        """Compares with a stored hash; an empty one takes as long, and never matches."""
        try:
            self._hasher.verify(stored or self._nobody, password)
        except (Argon2Error, InvalidHashError):
            return False
        return bool(stored)
