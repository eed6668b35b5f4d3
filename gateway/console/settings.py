"""Settings of the console, read once from console.toml; paths in it are relative to the file."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.settings_file import read_settings
from gateway.translation.messages import LANGUAGES

DEFAULT_BIND: Final = "127.0.0.1:8444"

MAX_PORT: Final = 65_535
"""Highest port."""


class ConsoleSection(BaseModel):
    """A table of console.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GatewaySection(ConsoleSection):
    """The gateway, and the system as which the console connects: one with the role `console`."""

    address: str = Field(description="host:port of the gateway's local port.")
    ca: Path = Field(description="The authority's CA, PEM.")
    certificate: Path = Field(description="The console's certificate as a system, PEM.")
    key: Path = Field(description="Its private key, PEM, mode 0600.")


class BrowserTlsSection(ConsoleSection):
    """Certificate that browsers see; left out behind a proxy and on this machine."""

    certificate: Path = Field(description="Certificate with its chain, PEM.")
    key: Path = Field(description="Its private key, PEM, mode 0600.")


class OidcSection(ConsoleSection):
    """Sign-in at the authority's own identity provider, by OpenID Connect; off without it."""

    issuer: str = Field(pattern=r"^https?://[^\s]+$", description="The provider's issuer, as its ID tokens name it.")
    client_id: str = Field(min_length=1, description="The console's name at the provider.")
    client_secret_file: Path | None = Field(
        default=None, description="File with the client's secret; without it a public client with PKCE."
    )
    scopes: tuple[str, ...] = Field(default=("openid", "profile"), description="Scopes that are asked for.")
    label: str = Field(default="", max_length=60, description="The provider's name on the button.")
    ca: Path | None = Field(default=None, description="CA of the provider's certificate; without it the system's.")


class LimitSection(ConsoleSection):
    """What one console takes at once, and of one request."""

    requests: int = Field(default=64, ge=4, le=10_000, description="Requests of persons that are answered at once.")
    connections: int = Field(default=1_024, ge=16, le=100_000, description="Open connections.")
    streams: int = Field(default=256, ge=1, le=10_000, description="Live pages at once.")
    streams_per_session: int = Field(default=8, ge=1, le=100, description="Live pages of one session at once.")
    head_s: float = Field(default=10, gt=0, le=600, description="Seconds for a connection to send a request's head.")
    body_kib: int = Field(default=512, ge=16, le=65_536, description="KiB of a form.")
    upload_mib: int = Field(default=64, ge=1, le=4_096, description="MiB of a form with a file.")
    body_s: float = Field(
        default=20, gt=0, le=600, description="Seconds without a byte after which a body is given up."
    )
    upload_s: float = Field(default=900, gt=0, le=86_400, description="Seconds for a whole form with a file.")


class ConsoleSettings(ConsoleSection):
    """An operator's settings of one console."""

    bind: str = Field(default=DEFAULT_BIND, description="host:port on which browsers or a proxy connect.")
    origin: str = Field(
        default="",
        description="The address in the browser, e.g. https://console.example; empty: made from bind.",
    )
    tls: BrowserTlsSection | None = Field(default=None, description="Certificate that browsers see.")
    gateway: GatewaySection
    oidc: OidcSection | None = Field(default=None, description="Sign-in at an identity provider.")
    zone: str = Field(default="UTC", description="Time zone of persons who chose none, e.g. Asia/Macau.")
    title: str = Field(default="", max_length=60, description="Name of the authority on the pages; empty: the node's.")
    titles: dict[str, Annotated[str, Field(min_length=1, max_length=60)]] = Field(
        default={}, description="The same by language (en, zh-Hans, zh-Hant, pt), where it isn't `title`."
    )
    emblem: Path | None = Field(
        default=None, description="Emblem of the authority on the pages, an .svg or .png file of at most 256 KiB."
    )
    limits: LimitSection = Field(default=LimitSection(), description="Bounds of what browsers can ask for.")
    stop_grace: float = Field(default=5, ge=0, le=60, description="Seconds for running requests when it is stopped.")
    log_format: str = Field(default="text", pattern="^(text|json)$", description="text for people, json for programs.")
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least level that is logged."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        host, _, port = self.bind.rpartition(":")
        if not host or not (port.isascii() and port.isdecimal() and int(port) <= MAX_PORT):
            raise ValueError(f"bind: give host:port, not {self.bind!r}")
        parts = urlsplit(self.public_origin)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
            raise ValueError("origin: give scheme and host alone, like https://console.example")
        if parts.scheme == "http" and not _is_this_machine(parts.hostname):
            raise ValueError(
                "origin: browsers keep the cookie of a session only over https; give [tls], or an https origin "
                "behind a proxy"
            )
        if unknown := sorted(set(self.titles) - set(LANGUAGES)):
            raise ValueError(f"titles: {unknown[0]!r} isn't one of {', '.join(filter(None, LANGUAGES))}")
        if self.zone not in available_timezones():
            raise ValueError(f"zone: there is no time zone {self.zone!r}")
        return self

    def title_in(self, language: str) -> str:
        """The authority's name for a reader; empty: the node's is shown."""
        return self.titles.get(language, self.title)

    @property
    def host(self) -> str:
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.bind.rpartition(":")[2])

    @property
    def public_origin(self) -> str:
        """Scheme, host and port that the browser has in its address line."""
        return self.origin.rstrip("/") or f"{'https' if self.tls else 'http'}://{self.bind}"


_PATHS: Final = (
    ("emblem",),
    *(("gateway", name) for name in ("ca", "certificate", "key")),
    *(("tls", name) for name in ("certificate", "key")),
    *(("oidc", name) for name in ("client_secret_file", "ca")),
)


def load_console_settings(path: Path) -> ConsoleSettings:
    """Reads console.toml; raises ConfigurationError with everything that is wrong with it."""
    return read_settings(ConsoleSettings, path, paths=_PATHS)


def _is_this_machine(host: str) -> bool:
    """Whether a browser takes http from this host for secure."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
