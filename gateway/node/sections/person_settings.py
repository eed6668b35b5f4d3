"""Settings of persons: how they sign in through a console, and what their identity provider says."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from gateway.errors import ConfigurationError
from gateway.node.sections.observed_settings import Section
from gateway.persons.rules.policy import OidcPolicy, PersonPolicy
from gateway.trust.rules.permissions import PERSON_ROLES, Role

_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that browsers trust without TLS."""


class OidcSettings(Section):
    """The authority's identity provider (OpenID Connect); none without an issuer."""

    issuer: str = Field(default="", description="Issuer of its tokens, an https URL; its keys are found from there.")
    client_id: str = Field(default="", max_length=255, description="The console's client id there.")
    name: str = Field(default="", max_length=64, description="Its name on the sign-in button.")
    scopes: tuple[str, ...] = Field(default=("openid", "profile", "email"), description="Scopes to ask for.")
    roles_claim: str = Field(
        default="roles", min_length=1, description="Claim with roles or groups, a path by dots: realm_access.roles."
    )
    roles: dict[str, tuple[Role, ...]] = Field(
        default_factory=dict, description="Per value of that claim: the roles that it gives; no others give any."
    )
    name_claim: str = Field(default="preferred_username", description="Claim with the person's name.")
    display_name_claim: str = Field(default="name", description="Claim with the name as colleagues see it.")
    email_claim: str = Field(default="email", description="Claim with the e-mail address.")
    ca: Path | None = Field(default=None, description="CA of its TLS certificate, PEM; without it the system's CAs.")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.issuer:
            return self
        _require_https("issuer", self.issuer)
        if not self.client_id or not self.roles:
            raise ValueError("an issuer needs client_id, and roles: which of its groups give which")
        for value, roles in self.roles.items():
            if not PERSON_ROLES.issuperset(roles):
                raise ValueError(f"roles.{value}: console is a role of systems alone")
        return self

    def policy(self) -> OidcPolicy | None:
        """None without an issuer; raises ConfigurationError when the CA can't be read."""
        if not self.issuer:
            return None
        try:
            ca_pem = self.ca.read_text(encoding="utf-8") if self.ca is not None else ""
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"persons.oidc.ca: {self.ca}: {error}") from error
        return OidcPolicy(
            issuer=self.issuer,
            client_id=self.client_id,
            display_name=self.name,
            scopes=self.scopes,
            roles_claim=self.roles_claim,
            roles={value: frozenset(roles) for value, roles in self.roles.items()},
            name_claim=self.name_claim,
            display_name_claim=self.display_name_claim,
            email_claim=self.email_claim,
            ca_pem=ca_pem,
        )


class PersonSettings(Section):
    """Persons who sign in through a console: a system with the role `console`."""

    enabled: bool = Field(default=False, description="Persons sign in; only they count as two for four eyes.")
    domain: str = Field(
        default="",
        pattern="^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)?$",
        max_length=253,
        description="Domain of the consoles for passkeys, e.g. console.hk.customs.example; empty: no passkeys.",
    )
    origins: tuple[str, ...] = Field(
        default=(), description="Where the consoles are in a browser, e.g. https://console.hk.customs.example."
    )
    local_accounts: bool = Field(default=True, description="Passwords and enrolment links work.")
    require_passkey: bool | None = Field(
        default=None,
        description="A person without a passkey can only register one; by default where `domain` is set.",
    )
    idle_minutes: int = Field(default=30, ge=1, le=1440, description="Minutes without use after which a session ends.")
    session_hours: int = Field(default=12, ge=1, le=168, description="Hours after which a session ends in any case.")
    enrolment_hours: int = Field(default=72, ge=1, le=720, description="Hours for which an enrolment link works.")
    break_glass_minutes: int = Field(
        default=60, ge=1, le=1440, description="Most minutes for which a supervisor takes roles beyond its own."
    )
    assertion_key_days: int = Field(
        default=30, ge=1, le=366, description="Days after which the key that signs assertions is replaced."
    )
    min_password_chars: int = Field(default=12, ge=8, le=128, description="Fewest characters of a password.")
    oidc: OidcSettings = Field(default=OidcSettings(), description="The authority's identity provider.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for origin in self.origins:
            _require_https("origins", origin)
        if self.domain and not self.origins:
            raise ValueError("passkeys need origins: where the consoles are in a browser")
        if self.require_passkey and not self.domain:
            raise ValueError("require_passkey needs domain: without it no passkey can be registered")
        if self.enabled and not self.local_accounts and not self.oidc.issuer:
            raise ValueError("nobody could sign in: set local_accounts = true, or oidc")
        return self

    def policy(self, node: str) -> PersonPolicy:
        """Raises ConfigurationError."""
        return PersonPolicy(
            node=node,
            domain=self.domain,
            origins=self.origins,
            local_accounts=self.local_accounts,
            require_passkey=bool(self.domain) if self.require_passkey is None else self.require_passkey,
            idle_ms=self.idle_minutes * 60_000,
            session_ms=self.session_hours * 3_600_000,
            enrolment_ms=self.enrolment_hours * 3_600_000,
            break_glass_ms=self.break_glass_minutes * 60_000,
            min_password_chars=self.min_password_chars,
            oidc=self.oidc.policy(),
        )


def _require_https(name: str, url: str) -> None:
    parts = urlsplit(url)
    plain = parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS
    if not parts.hostname or not (parts.scheme == "https" or plain):
        raise ValueError(f"{name}: {url!r} isn't an https URL")
