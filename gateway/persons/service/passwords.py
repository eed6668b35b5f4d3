"""Hashes and verifies passwords with Argon2id (RFC 9106, the choice for little memory), and refuses easy ones.

By argon2-cffi and zxcvbn, whose lists are of common passwords, words and names, with dates and rows of keys.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.profiles import RFC_9106_LOW_MEMORY
from zxcvbn import zxcvbn

from gateway.errors import InvalidRequestError, Violation

_FEWEST_CHARACTERS = 5
"""Fewest different characters of a password."""

_LEAST_SCORE = 3
"""Of zxcvbn's 0 to 4: more than 10^8 guesses."""

_MOST_RATED = 20
"""Characters that are rated: 0.4 s at worst, where 72 may take seven seconds. A longer password must begin well."""


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


def require_password(
    password: str, *, name: str, least_chars: int, known: Sequence[str] = (), field: str = "password"
) -> None:
    """Requires a password that isn't guessed soon; up to 0.4 s, not for an event loop.

    Args:
        known: what others know of the person, its name as shown for one.

    Raises:
        InvalidRequestError: it is too short, or says what is tried first.
    """
    problem = ""
    if len(password) < least_chars:
        problem = f"has {len(password)} characters; at least {least_chars} are needed"
    elif len(set(password)) < _FEWEST_CHARACTERS:
        problem = "repeats a few characters"
    elif name in password.casefold():
        problem = "contains the name"
    elif zxcvbn(password[:_MOST_RATED], user_inputs=[name, *known])["score"] < _LEAST_SCORE:
        problem = "is easy to guess: common words, names, dates or rows of keys"
    if problem:
        raise InvalidRequestError([Violation(field, "password.strong", problem)])
