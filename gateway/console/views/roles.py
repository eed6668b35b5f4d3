"""Roles of persons, and how they signed in, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.person_pb2 import (
    SIGN_IN_METHOD_ENROLMENT,
    SIGN_IN_METHOD_ID_TOKEN,
    SIGN_IN_METHOD_PASSKEY,
    SIGN_IN_METHOD_PASSWORD,
    SIGN_IN_METHOD_PASSWORD_AND_PASSKEY,
)

ROLES: Final = {
    "officer": (N_("Officer"), N_("Answers alerts: acknowledges, asks, reports findings.")),
    "analyst": (N_("Analyst"), N_("Searches history, traces and screens.")),
    "publisher": (N_("Publisher"), N_("Publishes alerts and proposes list entries.")),
    "supervisor": (N_("Supervisor"), N_("Approves lists, places holds; may break the glass.")),
    "auditor": (N_("Auditor"), N_("Reads everything that was done, and changes nothing.")),
    "operator": (N_("Operator"), N_("Runs the gateway and looks after accounts.")),
}
"""Name and explanation of each role, in the order of forms."""


_WAYS: Final[Mapping[int, str]] = {
    SIGN_IN_METHOD_PASSWORD: N_("Password"),
    SIGN_IN_METHOD_PASSWORD_AND_PASSKEY: N_("Password and passkey"),
    SIGN_IN_METHOD_PASSKEY: N_("Passkey"),
    SIGN_IN_METHOD_ID_TOKEN: N_("Identity provider"),
    SIGN_IN_METHOD_ENROLMENT: N_("Enrolment link"),
}


def way_text(way: int) -> str:
    """How somebody signed in, in the reader's language."""
    return _(_WAYS[way]) if way in _WAYS else "—"


def role_text(role: str) -> str:
    """A role's name in the reader's language."""
    return _(ROLES[role][0]) if role in ROLES else role


def role_texts(roles: Iterable[str]) -> list[str]:
    """Roles in the order of forms."""
    known = set(roles)
    return [role_text(role) for role in ROLES if role in known]


def role_options() -> list[tuple[str, str, str]]:
    """Choices of a form: value, name, explanation."""
    return [(role, _(name), _(explanation)) for role, (name, explanation) in ROLES.items()]
