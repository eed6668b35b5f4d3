"""Section of the settings about time stamps by a third party."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from gateway.node.sections.observed_settings import Section


class TimeStampSettings(Section):
    """Time stamps (RFC 3161) on receipts of own feeds; none without a URL."""

    url: str = Field(
        default="", description="http:// or https:// of the time-stamping authority (TSA); empty: no time stamps."
    )
    certificates: Path | None = Field(
        default=None, description="Its certificate, PEM, with those of its CAs up to the root if it isn't self-signed."
    )
    every_minutes: int = Field(
        default=60, ge=1, le=10_080, description="Minutes between two stamps of a feed that grows."
    )
    urgent: bool = Field(default=True, description="Stamp alerts of priority A within a minute after their receipt.")

    @field_validator("url")
    @classmethod
    def _plain(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment):
            raise ValueError(f"give http://host/path or https://host/path without user, not {url!r}")
        return url

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.url and self.certificates is None:
            raise ValueError("a url needs certificates, the file by which its answers are judged")
        return self
