"""Reads the permission table strictly, since a slip would grant access."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

from gateway.errors import ConfigurationError
from gateway.trust.rules.permissions import Approval, Permission, PermissionTable, Role

PERMISSIONS_FILE = "permissions.toml"

MAX_WEIGHT = 1_000
"""Most small calls that a call may weigh."""

_KEYS = {"roles", "peers", "persons", "approval", "before_sign_in", "weight"}
_KEY_NAMES = "`roles`, `peers`, `persons`, `approval`, `before_sign_in` and `weight`"
_METHOD = re.compile(r"/[A-Za-z_][A-Za-z0-9_.]*/[A-Za-z_][A-Za-z0-9_]*")


@cache
def load_permissions() -> PermissionTable:
    """The packaged table.

    Raises:
        ConfigurationError: missing or wrong.
    """
    try:
        text = resources.files("gateway.trust.codec").joinpath(PERMISSIONS_FILE).read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{PERMISSIONS_FILE} is missing from the installation") from error
    return parse_permissions(text)


def parse_permissions(text: str) -> PermissionTable:
    """Parses TOML with one table `methods`: full method name to `{ roles = [...], peers = true, weight = 1 }`.

    Each row names a role, peers or persons. Unknown roles and keys are refused.

    Raises:
        ConfigurationError: not such a table; names the row.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{PERMISSIONS_FILE}: {error}") from error
    rows = document.get("methods")
    if set(document) != {"methods"} or not isinstance(rows, dict):
        raise ConfigurationError(f"{PERMISSIONS_FILE}: expected the table [methods] and nothing else")
    return PermissionTable({method: _permission(method, row) for method, row in rows.items()})


def _permission(method: str, row: object) -> Permission:
    if not _METHOD.fullmatch(method):
        raise ConfigurationError(f"{PERMISSIONS_FILE}: {method!r} isn't a full method name /package.Service/Method")
    if not isinstance(row, dict) or not set(row) <= _KEYS:
        raise ConfigurationError(f"{PERMISSIONS_FILE}: {method}: expected only {_KEY_NAMES}")
    roles, peers, weight = row.get("roles", []), row.get("peers", False), row.get("weight", 1)
    persons = row.get("persons", False)
    if not isinstance(roles, list) or not isinstance(peers, bool) or not isinstance(persons, bool):
        raise ConfigurationError(
            f"{PERMISSIONS_FILE}: {method}: `roles` is a list of texts, `peers` and `persons` are true or false"
        )
    before_sign_in = row.get("before_sign_in", False)
    if not isinstance(before_sign_in, bool) or (before_sign_in and roles != [Role.CONSOLE.value]):
        raise ConfigurationError(f"{PERMISSIONS_FILE}: {method}: `before_sign_in` is true for consoles alone")
    if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= MAX_WEIGHT:
        raise ConfigurationError(f"{PERMISSIONS_FILE}: {method}: `weight` is a number from 1 to {MAX_WEIGHT}")
    if not roles and not peers and not persons:
        raise ConfigurationError(f"{PERMISSIONS_FILE}: {method}: names nobody; give roles, peers or persons")
    approval = _approval(method, row.get("approval", False))
    admitted = frozenset(_role(method, role) for role in roles)
    return Permission(admitted, peers, float(weight), persons, approval, before_sign_in)


def _approval(method: str, value: object) -> Approval:
    if isinstance(value, bool):
        return Approval.ALWAYS if value else Approval.NEVER
    if value != Approval.BY_CONTENT:
        raise ConfigurationError(f'{PERMISSIONS_FILE}: {method}: `approval` is true, false or "{Approval.BY_CONTENT}"')
    return Approval.BY_CONTENT


def _role(method: str, role: object) -> Role:
    try:
        return Role(str(role))
    except ValueError as error:
        known = ", ".join(Role)
        raise ConfigurationError(f"{PERMISSIONS_FILE}: {method}: {role!r} isn't a role ({known})") from error
