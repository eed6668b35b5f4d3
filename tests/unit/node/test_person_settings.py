"""Settings of persons: what can't work together is said at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.errors import ConfigurationError
from gateway.node.sections.person_settings import OidcSettings, PersonSettings
from gateway.trust.rules.permissions import Role

OIDC = {"issuer": "https://login.example", "client_id": "console", "roles": {"desk": ["officer"]}}


def test_nothing_is_on_by_itself() -> None:
    settings = PersonSettings()
    assert not settings.enabled
    assert settings.policy("cn").oidc is None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"enabled": True, "local_accounts": False}, "nobody could sign in"),
        ({"domain": "console.example"}, "passkeys need origins"),
        ({"require_passkey": True}, "needs domain"),
        ({"domain": "https://console.example"}, "should match pattern"),
        ({"origins": ["http://console.example"]}, "isn't an https URL"),
        ({"origins": ["console.example"]}, "isn't an https URL"),
        ({"oidc": {"issuer": "https://login.example"}}, "needs client_id, and roles"),
        ({"oidc": OIDC | {"issuer": "http://login.example"}}, "isn't an https URL"),
        ({"oidc": OIDC | {"roles": {"desk": ["console"]}}}, "role of systems alone"),
        ({"oidc": OIDC | {"roles": {"desk": ["king"]}}}, "should be"),
        ({"idle_minutes": 0}, "greater than or equal"),
        ({"passkeys": True}, "Extra inputs"),
    ],
)
def test_what_cant_work_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PersonSettings(**given)


@pytest.mark.parametrize(
    ("given", "required"),
    [
        ({}, False),  # no passkey can be registered without a domain
        ({"domain": "console.example", "origins": ["https://console.example"]}, True),
        ({"domain": "console.example", "origins": ["https://console.example"], "require_passkey": False}, False),
    ],
)
def test_passkeys_are_required_where_they_can_be_registered(given: dict[str, Any], *, required: bool) -> None:
    assert PersonSettings(**given).policy("cn").require_passkey is required


def test_a_policy_has_milliseconds_and_the_providers_anchors(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("anchors")
    settings = PersonSettings(
        enabled=True,
        domain="localhost",
        origins=("http://localhost:8444",),
        idle_minutes=10,
        oidc=OidcSettings(**OIDC, ca=ca),  # type: ignore[arg-type]
    )
    policy = settings.policy("hk")
    assert (policy.idle_ms, policy.audience) == (600_000, "gateway/hk")
    assert policy.oidc is not None
    assert (policy.oidc.ca_pem, policy.oidc.roles) == ("anchors", {"desk": frozenset({Role.OFFICER})})


def test_anchors_that_cant_be_read_are_named(tmp_path: Path) -> None:
    settings = PersonSettings(oidc=OidcSettings(**OIDC, ca=tmp_path / "missing.pem"))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        settings.policy("hk")
