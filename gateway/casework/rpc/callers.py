"""Names callers as casework does."""

from __future__ import annotations

from gateway.trust.rules.permissions import Principal


def person_of(principal: Principal) -> str:
    """The name under which a caller does casework: a person's, or a system's id."""
    return principal.person or principal.id
