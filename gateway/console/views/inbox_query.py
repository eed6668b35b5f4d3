"""What a list of the inbox is asked for: from the address line to a filter and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from gateway.v1.alert_pb2 import AlertStatus, Priority
from gateway.v1.casework_service_pb2 import (
    ALERT_DIRECTION_UNSPECIFIED,
    ASSIGNEE_SCOPE_ME,
    ASSIGNEE_SCOPE_NOBODY,
    ASSIGNEE_SCOPE_PERSON,
    INBOX_ORDER_NEWEST,
    INBOX_ORDER_UNSPECIFIED,
    INBOX_SCOPE_ALL,
    INBOX_SCOPE_OPEN,
    INBOX_SCOPE_UNSPECIFIED,
    INBOX_SCOPE_WANTED,
    AlertDirection,
    InboxFilter,
    InboxOrder,
    WantedAction,
)

MAX_TEXT: Final = 256
MAX_VALUE_CHARS: Final = 128
MAX_VALUES: Final = 16

ME, NOBODY = "me", "nobody"
"""Assignees in the address line; others are names of persons, after PERSON."""

PERSON: Final = "person:"

SCOPES: Final = {"wanted": INBOX_SCOPE_WANTED, "open": INBOX_SCOPE_OPEN, "all": INBOX_SCOPE_ALL}
DIRECTIONS: Final = {"in": AlertDirection.ALERT_DIRECTION_IN, "out": AlertDirection.ALERT_DIRECTION_OUT}
DUE_MINUTES: Final = (60, 8 * 60, 24 * 60, 7 * 24 * 60)
"""Times until a deadline that can be chosen."""

_MANY: Final = ("status", "priority", "partner", "typology", "action")
_ONE: Final = ("q", "scope", "direction", "assignee", "due", "watched", "order")

LIST: Final = "list"
"""Name in the address line of an alert's page: the address line of the list that it was opened from."""

PLACE: Final = "at"
"""Likewise: the alert's place in that list, from 0, for when it has left the list."""

GetAll = Callable[[str], Sequence[str]]
"""All values of a name in the address line."""


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """The values of the form as it is sent; unknown ones are left out.

    Attributes:
        due: `overdue`, or minutes.
        watched: "1" or empty.
        order: `newest` or empty.
    """

    q: str = ""
    scope: str = ""
    direction: str = ""
    assignee: str = ""
    due: str = ""
    watched: str = ""
    order: str = ""
    status: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    partner: tuple[str, ...] = ()
    typology: tuple[str, ...] = ()
    action: tuple[str, ...] = ()

    @classmethod
    def of(cls, get_all: GetAll) -> InboxQuery:
        """What an address line asks for."""
        one = {name: _first(get_all(name)) for name in _ONE}
        many = {name: _values(get_all(name)) for name in _MANY}
        return cls(
            q=" ".join(one["q"].split())[:MAX_TEXT],
            scope=one["scope"] if one["scope"] in SCOPES else "",
            direction=one["direction"] if one["direction"] in DIRECTIONS else "",
            assignee=one["assignee"][:MAX_VALUE_CHARS],
            due=one["due"] if one["due"] in ("overdue", *map(str, DUE_MINUTES)) else "",
            watched="1" if one["watched"] == "1" else "",
            order="newest" if one["order"] == "newest" else "",
            status=_numbers(many["status"], AlertStatus.values()),
            priority=_numbers(many["priority"], Priority.values()),
            action=_numbers(many["action"], WantedAction.values()),
            partner=many["partner"],
            typology=many["typology"],
        )

    @classmethod
    def of_view(cls, asked: InboxFilter, order: InboxOrder.ValueType) -> InboxQuery:
        """What a saved view asks for."""
        assignee = {ASSIGNEE_SCOPE_ME: ME, ASSIGNEE_SCOPE_NOBODY: NOBODY}.get(asked.assignees, "")
        due = "overdue" if asked.overdue else str(asked.due_within_minutes or "")
        values: Mapping[str, Sequence[str]] = {
            "q": [asked.text],
            "scope": [name for name, scope in SCOPES.items() if scope == asked.scope],
            "direction": [name for name, way in DIRECTIONS.items() if way == asked.direction],
            "assignee": [f"{PERSON}{asked.assignee}" if asked.assignees == ASSIGNEE_SCOPE_PERSON else assignee],
            "due": [due],
            "watched": ["1" if asked.watched else ""],
            "order": ["newest" if order == INBOX_ORDER_NEWEST else ""],
            "status": list(map(str, asked.statuses)),
            "priority": list(map(str, asked.priorities)),
            "action": list(map(str, asked.actions)),
            "partner": list(asked.partners),
            "typology": list(asked.typologies),
        }
        return cls.of(lambda name: values.get(name, ()))

    @property
    def filter(self) -> InboxFilter:
        """The gateway's filter."""
        asked = InboxFilter(
            text=self.q,
            scope=SCOPES.get(self.scope, INBOX_SCOPE_UNSPECIFIED),
            direction=DIRECTIONS.get(self.direction, ALERT_DIRECTION_UNSPECIFIED),
            statuses=map(_status, self.status),
            priorities=map(_priority, self.priority),
            actions=map(_action, self.action),
            partners=self.partner,
            typologies=self.typology,
            overdue=self.due == "overdue",
            due_within_minutes=int(self.due) if self.due.isdecimal() else 0,
            watched=bool(self.watched),
        )
        if self.assignee.startswith(PERSON):
            asked.assignees, asked.assignee = ASSIGNEE_SCOPE_PERSON, self.assignee.removeprefix(PERSON)
        elif self.assignee in (ME, NOBODY):
            asked.assignees = ASSIGNEE_SCOPE_ME if self.assignee == ME else ASSIGNEE_SCOPE_NOBODY
        return asked

    @property
    def ordering(self) -> InboxOrder.ValueType:
        return INBOX_ORDER_NEWEST if self.order else INBOX_ORDER_UNSPECIFIED

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names and values for an address line or hidden fields, without empty ones."""
        single = [(name, str(getattr(self, name))) for name in _ONE]
        several = [(name, value) for name in _MANY for value in getattr(self, name)]
        return [(name, value) for name, value in (*single, *several) if value]

    @property
    def text(self) -> str:
        """The query of an address line."""
        return urlencode(self.pairs)

    @property
    def restricts(self) -> bool:
        """Whether more than the search box is used."""
        return replace(self, q="") != InboxQuery()

    def of_priority(self, value: str) -> InboxQuery:
        """The same of one priority alone."""
        return replace(self, priority=(value,))

    def of_assignee(self, value: str) -> InboxQuery:
        """The same of one assignee: ME, NOBODY, or a person after PERSON."""
        return replace(self, assignee=value)

    def without(self, name: str, value: str = "") -> InboxQuery:
        """The same without a value."""
        changed: dict[str, Any] = {name: ""}
        if name in _MANY:
            changed = {name: tuple(one for one in getattr(self, name) if one != value)}
        return replace(self, **changed)


def in_list(text: str, place: int) -> str:
    """The query of an alert's page that is opened from a list, with `?`."""
    return f"?{urlencode({LIST: text, PLACE: place})}"


def _first(values: Sequence[str]) -> str:
    text = values[0] if values else ""
    return "".join(one for one in text if one.isprintable())


def _values(values: Iterable[str]) -> tuple[str, ...]:
    kept = (value for value in values if value and value.isascii() and value.isprintable())
    return tuple(dict.fromkeys(value[:MAX_VALUE_CHARS] for value in kept))[:MAX_VALUES]


def _numbers(values: Iterable[str], known: Sequence[int]) -> tuple[str, ...]:
    return tuple(value for value in values if value.isdecimal() and int(value) in known and int(value))


def _status(value: str) -> AlertStatus.ValueType:
    return AlertStatus.Value(AlertStatus.Name(int(value)))  # type: ignore[arg-type]


def _priority(value: str) -> Priority.ValueType:
    return Priority.Value(Priority.Name(int(value)))  # type: ignore[arg-type]


def _action(value: str) -> WantedAction.ValueType:
    return WantedAction.Value(WantedAction.Name(int(value)))  # type: ignore[arg-type]
