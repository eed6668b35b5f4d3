"""What the settings say about persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.trust.rules.permissions import Role

ASSERTION_S = 120
"""Seconds for which an assertion holds: what a stolen one is worth, beside the certificate that it is bound to."""

CHALLENGE_S = 120
"""Seconds to answer a question to an authenticator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcPolicy:
    """The authority's identity provider.

    Attributes:
        issuer: as in its tokens, an https URL.
        client_id: audience of the tokens.
        display_name: on the button.
        scopes: asked for by the console.
        roles_claim: path of the claim with roles or groups, by dots, e.g. `realm_access.roles`.
        roles: values of that claim, and the roles that each gives.
        name_claim, display_name_claim, email_claim: claims with these.
        ca_pem: anchors for its TLS; empty for the system's.
    """

    issuer: str
    client_id: str
    display_name: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    roles_claim: str = "roles"
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    name_claim: str = "preferred_username"
    display_name_claim: str = "name"
    email_claim: str = "email"
    ca_pem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPolicy:
    """How persons sign in at this node. Times in milliseconds.

    Attributes:
        domain: relying party id of passkeys; empty: none can be registered.
        origins: of the consoles, e.g. `https://console.hk.customs.example`.
        local_accounts: passwords and enrolment links work.
        require_passkey: a person without one can do nothing but register one.
        break_glass_ms: longest time for which roles can be taken.
    """

    node: str
    domain: str = ""
    origins: tuple[str, ...] = ()
    local_accounts: bool = True
    require_passkey: bool = False
    idle_ms: int = 30 * 60_000
    session_ms: int = 12 * 3_600_000
    enrolment_ms: int = 72 * 3_600_000
    break_glass_ms: int = 60 * 60_000
    min_password_chars: int = 12
    oidc: OidcPolicy | None = None

    @property
    def audience(self) -> str:
        """Issuer and audience of assertions."""
        return f"gateway/{self.node}"
