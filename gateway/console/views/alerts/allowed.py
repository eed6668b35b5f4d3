"""Steps that a person may take on an alert as it stands: the page leaves out what the gateway would refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.console.views.alerts.alert import AlertView
from gateway.translation.messages import gettext as _

_OFFICERS: Final = frozenset({"officer", "supervisor"})
_PUBLISHERS: Final = frozenset({"publisher", "supervisor"})
_NETWORKERS: Final = frozenset({"officer", "analyst", "supervisor"})
_FIGURE_READERS: Final = frozenset({"analyst", "supervisor", "auditor"})
_CLOSERS: Final = frozenset({"publisher", "officer", "supervisor"})


@dataclass(frozen=True, slots=True)
class StepLink:
    """A step: its name in the path, its text, and whether it is the one that is expected next."""

    name: str
    text: str
    primary: bool = False
    danger: bool = False


_RECIPIENT: Final[tuple[tuple[str, Callable[[], str], frozenset[str]], ...]] = (
    ("acknowledge", lambda: _("Acknowledge"), _OFFICERS),
    ("finding", lambda: _("Report a finding"), _OFFICERS),
    ("ask", lambda: _("Ask"), _OFFICERS),
    ("flag", lambda: _("Can't act"), _OFFICERS),
)
_PUBLISHER: Final[tuple[tuple[str, Callable[[], str], frozenset[str]], ...]] = (
    ("close", lambda: _("Close the alert"), _CLOSERS),
    ("amend", lambda: _("Amend"), _PUBLISHERS),
    ("ask", lambda: _("Ask"), _OFFICERS),
    ("withdraw", lambda: _("Withdraw"), _PUBLISHERS),
)
_NOT_AGAIN: Final = {"acknowledge": frozenset({"acknowledged"}), "flag": frozenset({"flagged"})}
"""Statuses, in words, in which a step says nothing new."""


def allowed_steps(view: AlertView, roles: frozenset[str]) -> list[StepLink]:
    """The steps, the expected one first; answers stand at their questions."""
    if view.ended:
        return []
    statuses = {copy.status_word for copy in view.copies}
    table = _PUBLISHER if view.own else _RECIPIENT
    names = [
        (name, text())
        for name, text, who in table
        if not who.isdisjoint(roles) and not statuses <= _NOT_AGAIN.get(name, frozenset())
    ]
    return [
        StepLink(name, text, primary=number == 0, danger=name == "withdraw")
        for number, (name, text) in enumerate(names)
    ]


def roles_of(step: str) -> frozenset[str]:
    """Roles that may take a step, by its name in the path; answers and what becomes of findings are officers'."""
    return frozenset().union(*(who for name, _text, who in (*_RECIPIENT, *_PUBLISHER) if name == step)) or _OFFICERS


def may_answer(roles: frozenset[str]) -> bool:
    """Whether these roles answer questions."""
    return not roles.isdisjoint(_OFFICERS)


def further_links(view: AlertView, *, roles: frozenset[str]) -> list[tuple[str, str]]:
    """Paths of pages that begin with this alert, each with its text."""
    publisher, alert_id = view.alert.publisher, view.alert.id
    links = []
    if view.own:
        links.append((f"/why?alert={publisher}/{alert_id}", _("Who has it, and why others don't")))
    if not roles.isdisjoint(_NETWORKERS):
        links.append((f"/network?alert={publisher}/{alert_id}", _("What it is connected with")))
    if view.own and {copy.status_word for copy in view.copies} == {"closed"} and not roles.isdisjoint(_FIGURE_READERS):
        links.append((f"/figures/sheets/{alert_id}", _("Publication sheet")))
    if not roles.isdisjoint(_PUBLISHERS):
        links.append((f"/alerts/new?copy={publisher}/{alert_id}", _("A new alert from it")))
    return links
