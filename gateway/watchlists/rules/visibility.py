"""Decides which watchlists a caller may see; queries treat hidden ones as absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from gateway.trust.rules.permissions import Role

Hidden: TypeAlias = frozenset[tuple[str, str]]
"""Lists that a caller may not see, as (publisher, list)."""

NOTHING_HIDDEN: Hidden = frozenset()


@dataclass(frozen=True, slots=True)
class ListVisibility:
    """Roles that may see a list, by (publisher, list); every caller may see others."""

    visible_to: Mapping[tuple[str, str], frozenset[Role]] = field(default_factory=lambda: MappingProxyType({}))

    def hidden_from(self, roles: frozenset[Role]) -> Hidden:
        """Lists hidden from a caller with these roles."""
        return frozenset(key for key, allowed in self.visible_to.items() if allowed.isdisjoint(roles))

    def roles_of(self, publisher: str, list_name: str) -> frozenset[Role] | None:
        """Roles that may see a list; None for one that every caller may see."""
        return self.visible_to.get((publisher, list_name))


EVERYTHING_VISIBLE = ListVisibility()


def visibility_of(node: str, visible_to: Mapping[str, frozenset[Role]]) -> ListVisibility:
    """Reads the settings' roles, by name of an own list or by `publisher/list`.

    An own list named both ways is visible to the roles in both.
    """
    roles_by_list: dict[tuple[str, str], frozenset[Role]] = {}
    for name, roles in visible_to.items():
        publisher, slash, list_name = name.partition("/")
        key = (publisher, list_name) if slash else (node, name)
        roles_by_list[key] = roles_by_list.get(key, roles) & roles
    return ListVisibility(roles_by_list)
