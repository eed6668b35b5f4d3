"""A passkey's authenticator in the browser, by Chromium's own WebAuthn domain: it answers without a finger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import CDPSession, Page


@dataclass(frozen=True)
class Authenticator:
    """A virtual authenticator of one page; add it before the page asks for a passkey."""

    session: CDPSession
    id: str

    @classmethod
    def plug_into(cls, page: Page, *, verifies: bool = True) -> Authenticator:
        """Gives a page an authenticator that holds discoverable keys; `verifies` says whether it knows its person."""
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        answer = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return cls(session, answer["authenticatorId"])

    @property
    def credentials(self) -> list[dict[str, Any]]:
        """The passkeys that it holds."""
        answer = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        credentials: list[dict[str, Any]] = answer["credentials"]
        return credentials

    def give(self, credential: dict[str, Any]) -> None:
        """Puts a passkey of another page's authenticator into this one: a person takes it along."""
        self.session.send("WebAuthn.addCredential", {"authenticatorId": self.id, "credential": credential})

    def verify(self, verifies: bool) -> None:
        """Whether it finds that its person is there from now on."""
        self.session.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verifies})
