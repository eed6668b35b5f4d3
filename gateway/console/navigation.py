"""Entries of the menu, by role."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationEntry:
    """One entry; the gateway decides what a person may do, the menu only leaves out what would be refused."""

    path: str
    title: Callable[[], str]
    """In the current language."""
    icon: str
    """Name of a symbol in `templates/icons.svg`."""
    order: int
    """Lower comes first: inbox 10, new alert 20, watchlists 30, licences 35, history 40, network 50, figures 60 and so
    on."""
    roles: frozenset[str] = frozenset()
    """Who sees it; empty: everybody."""


def shown_entries(entries: Iterable[NavigationEntry], roles: frozenset[str]) -> Sequence[NavigationEntry]:
    """The entries for a person with these roles, in order."""
    shown = [entry for entry in entries if not entry.roles or not entry.roles.isdisjoint(roles)]
    return sorted(shown, key=lambda entry: entry.order)
