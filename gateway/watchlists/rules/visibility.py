"""Which watchlists a caller may see: the rule of the settings' `visible_to`.

Queries take the lists that their caller may not see, and treat them as if they weren't here.
"""

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
    """Roles that may see a list, by (publisher, list); a list that isn't named is for everybody who may call."""

    visible_to: Mapping[tuple[str, str], frozenset[Role]] = field(default_factory=lambda: MappingProxyType({}))

    def hidden_from(self, roles: frozenset[Role]) -> Hidden:
        """Lists that a caller with these roles may not see."""
        return frozenset(key for key, allowed in self.visible_to.items() if allowed.isdisjoint(roles))


EVERYTHING_VISIBLE = ListVisibility()


def visibility_of(node: str, visible_to: Mapping[str, frozenset[Role]]) -> ListVisibility:
    """The rule from settings.

    Args:
        node: the own node's name.
        visible_to: roles by a list's name as the settings have it: that of an own list, or `publisher/list`. An own
            list that stands there in both ways is for those whom both admit.
    """
    found: dict[tuple[str, str], frozenset[Role]] = {}
    for name, roles in visible_to.items():
        publisher, slash, list_name = name.partition("/")
        key = (publisher, list_name) if slash else (node, name)
        found[key] = found.get(key, roles) & roles
    return ListVisibility(found)
