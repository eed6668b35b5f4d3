"""Section of the settings about notifications, warnings of deadlines, and the outbox."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from gateway.node.sections.observed_settings import Section
from gateway.notifications.service.mailer import MailSecurity

_NAME: Final = r"^[a-z][a-z0-9-]{0,63}$"
_TOKEN: Final = r"^[A-Za-z0-9_-]{1,64}$"  # noqa: S105  a pattern of NATS's names
_ADDRESS: Final = r"^([^@\s]+@[^@\s]+)?$"


class MailContent(StrEnum):
    """What a mail says of an alert."""

    REFERENCE = "reference"
    SUMMARY = "summary"


class MailSettings(Section):
    """The mail server that notifications go to; none without a host."""

    host: str = Field(default="", description="Host of the mail server; empty: no mails.")
    port: int = Field(default=587, ge=1, le=65_535, description="Its port: 587 for starttls, 465 for tls.")
    security: MailSecurity = Field(
        default=MailSecurity.STARTTLS, description="starttls, tls, or unsafe_plain for a server on this machine."
    )
    ca: Path | None = Field(default=None, description="CA of the mail server, PEM; without it the system's.")
    sender: str = Field(default="", pattern=_ADDRESS, description="Address that mails come from.")
    user: str = Field(default="", description="User at the mail server; empty: no sign-in.")
    password_file: Path | None = Field(default=None, description="File with that user's password, mode 0600.")
    content: MailContent = Field(
        default=MailContent.REFERENCE,
        description="reference: priority, alert id and partner; summary: typologies and due times too.",
    )
    spacing_s: float = Field(default=30.0, ge=0, le=3600, description="Seconds between mails: what comes shares one.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host and not self.sender:
            raise ValueError("a host needs a sender, the address that mails come from")
        if self.security is MailSecurity.UNSAFE_PLAIN and self.host and not _is_here(self.host):
            raise ValueError("security = 'unsafe_plain' is for a server on this machine alone, e.g. 127.0.0.1")
        return self


class WebhookSettings(Section):
    """A receiver of signed requests."""

    url: str = Field(description="https://…, or http://127.0.0.1:… for a receiver on this machine.")
    secret_file: Path = Field(description="File with the signing secret, whsec_ and base64, mode 0600.")
    ca: Path | None = Field(default=None, description="CA of the receiver, PEM; without it the system's.")

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if not parts.hostname or parts.username or parts.password or parts.fragment:
            raise ValueError(f"give https://host/path without user and password, not {url!r}")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname)):
            raise ValueError(f"{url!r}: only https, or http to this machine")
        return url


class OutboxSettings(Section):
    """Where each change of the node goes once; nowhere without `nats` or `webhook`."""

    nats: str = Field(
        default="",
        pattern=r"^((nats|tls)://[^\s/@]+)?$",
        description="nats://host:port or tls://host:port of NATS with JetStream; empty: not to NATS.",
    )
    stream: str = Field(default="GATEWAY", pattern=_TOKEN, description="Stream that takes the changes.")
    prefix: str = Field(
        default="gateway", pattern=_TOKEN, description="First part of subjects: PREFIX.NODE.alert.published."
    )
    create_stream: bool = Field(default=True, description="Make the stream where it is missing.")
    ca: Path | None = Field(default=None, description="CA of a tls:// server, PEM; without it the system's.")
    certificate: Path | None = Field(default=None, description="Certificate for a tls:// server, PEM.")
    key: Path | None = Field(default=None, description="Its private key, PEM, mode 0600.")
    credentials_file: Path | None = Field(default=None, description="NATS credentials (JWT and seed), mode 0600.")
    user: str = Field(default="", description="User at NATS; empty: no sign-in.")
    password_file: Path | None = Field(default=None, description="File with that user's password, mode 0600.")
    webhook: str = Field(default="", description="Name of one of the webhooks, in place of NATS; empty: none.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.nats and self.webhook:
            raise ValueError("give nats or webhook, not both")
        return self


class NotificationSettings(Section):
    """What persons and systems are told; off by default."""

    enabled: bool = Field(default=False, description="Tell persons and systems what happens and what is due.")
    console_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/]+)?$",
        description="https://host[:port] of the console, for links in mails; empty: no links.",
    )
    keep_days: int = Field(default=90, ge=1, le=3650, description="Days after which a notification is forgotten.")
    most_kept: int = Field(default=2_000, ge=100, le=100_000, description="Newest notifications kept for each person.")
    warn_before_minutes: int = Field(
        default=120, ge=0, le=43_200, description="Minutes before a deadline when it is warned of, at most; 0: never."
    )
    warn_share: float = Field(
        default=0.25, gt=0, le=1, description="Share of the time to a deadline that is left at that warning, at most."
    )
    give_up_hours: int = Field(
        default=24, ge=1, le=720, description="Hours for which a mail or request that fails is tried again."
    )
    mail: MailSettings = Field(default=MailSettings(), description="The mail server.")
    webhooks: dict[str, WebhookSettings] = Field(default_factory=dict, description="Receivers of requests, by name.")
    outbox: OutboxSettings = Field(default=OutboxSettings(), description="Where each change goes once.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.outbox.webhook and self.outbox.webhook not in self.webhooks:
            raise ValueError(f"outbox.webhook: {self.outbox.webhook!r} isn't one of the webhooks")
        return self


NOTIFICATION_PATHS: Final = (
    ("notifications", "mail", "ca"),
    ("notifications", "mail", "password_file"),
    ("notifications", "webhooks", "*", "secret_file"),
    ("notifications", "webhooks", "*", "ca"),
    *(("notifications", "outbox", name) for name in ("ca", "certificate", "key", "credentials_file", "password_file")),
)
"""Paths that are relative to the file of the settings; `*` stands for each name."""


def _is_here(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
