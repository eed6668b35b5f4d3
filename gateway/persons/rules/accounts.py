"""Accounts of persons: names, roles, passwords."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import InvalidRequestError, PermissionDeniedError, Violation
from gateway.trust.rules.permissions import PERSON_ROLES, Role

MAX_NAME_CHARS = 64
MAX_PASSWORD_CHARS = 256

PERSON_NAME = re.compile(r"[a-z][a-z0-9]*([.-][a-z0-9]+)*")

LANGUAGES = ("", "en", "zh-Hans", "zh-Hant", "pt")
THEMES = ("", "light", "dark")

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")


class AccountSource(StrEnum):
    """Where an account is kept."""

    LOCAL = "local"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAccount:
    """A person of this authority; times in milliseconds since 1970, 0 for never.

    Attributes:
        subject: the provider's name for it; empty for a local account.
        user_handle: random bytes by which passkeys name it.
        password_hash: of argon2; empty without a password.
    """

    name: str
    display_name: str
    roles: frozenset[Role]
    source: AccountSource
    subject: str = ""
    email: str = ""
    disabled: bool = False
    added_at: int = 0
    signed_in_at: int = 0
    user_handle: bytes = b""
    password_hash: str = ""
    language: str = ""
    zone: str = ""
    theme: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyRow:
    """A passkey; times in milliseconds since 1970, `used_at` 0 for never; `public_key` is COSE."""

    credential_id: bytes
    person: str
    label: str
    public_key: bytes
    sign_count: int
    registered_at: int
    used_at: int
    backed_up: bool


def roles_of(names: Iterable[str]) -> frozenset[Role]:
    """Roles that a person may have.

    Raises:
        InvalidRequestError: another one is named.
    """
    known, names = {role.value: role for role in PERSON_ROLES}, list(names)
    problems = [
        Violation(f"roles[{at}]", "role.known", f"{name!r} isn't a role of persons ({', '.join(sorted(known))})")
        for at, name in enumerate(names)
        if name not in known
    ]
    if problems:
        raise InvalidRequestError(problems)
    return frozenset(known[name] for name in names)


def require_preferences(language: str, zone: str, theme: str) -> None:
    """Raises InvalidRequestError for what pages don't know."""
    problems = []
    if language not in LANGUAGES:
        problems.append(Violation("preferences.language", "language.known", f"is one of {', '.join(LANGUAGES[1:])}"))
    if theme not in THEMES:
        problems.append(Violation("preferences.theme", "theme.known", f"is one of {', '.join(THEMES[1:])}"))
    if zone and not (len(zone) <= MAX_NAME_CHARS and _ZONE.fullmatch(zone)):
        problems.append(Violation("preferences.zone", "zone.name", "is an IANA name, e.g. Asia/Hong_Kong"))
    if problems:
        raise InvalidRequestError(problems)


def require_other(caller: str, name: str) -> None:
    """Nobody changes their own roles or locks themselves out. Raises PermissionDeniedError."""
    if caller == name:
        raise PermissionDeniedError("nobody changes, disables or resets their own account; another operator does it")
