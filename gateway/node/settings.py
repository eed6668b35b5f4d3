"""Reads a node's settings once, from gateway.toml and the environment.

The environment (GATEWAY_NODE, GATEWAY_TLS__KEY, …) takes precedence. Paths in the file are relative to it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self, get_origin

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.contract.suggestions import did_you_mean
from gateway.errors import ConfigurationError
from gateway.node.defaults import DEFAULT_LOCAL_PORT, DEFAULT_PEER_PORT, LinkMode
from gateway.node.sections.attachment_settings import AttachmentSettings
from gateway.node.sections.bound_settings import CallLimitSettings, QuotaSettings
from gateway.node.sections.capability_settings import (
    CaseworkSettings,
    FigureSettings,
    LicenceSettings,
    LinkAnalysisSettings,
    RetentionSettings,
    RiskProfileSettings,
)
from gateway.node.sections.key_settings import KeySettings, TokenSettings
from gateway.node.sections.notification_settings import NOTIFICATION_PATHS, NotificationSettings
from gateway.node.sections.observed_settings import AlarmSettings, Section, TraceSettings
from gateway.node.sections.person_settings import PersonSettings
from gateway.node.sections.time_stamp_settings import TimeStampSettings
from gateway.node.sections.witness_settings import WitnessSettings
from gateway.settings_file import make_absolute, problem_of
from gateway.tls.secret_files import read_passphrase
from gateway.trust.pki.token_uri import TokenKeyUri
from gateway.trust.rules.permissions import Role

_OF_CONTAINERS: Final = re.compile(r"GATEWAY_(SERVICE|PORT)_|GATEWAY_PORT$")
"""Variables that Kubernetes sets where a service is called `gateway`."""

MAX_PORT: Final = 65_535
"""Highest port."""


class ReportMode(StrEnum):
    """Matches that are reported automatically."""

    NEVER = "never"
    IDENTICAL = "identical"


class FromPartners(StrEnum):
    """What happens with later versions of the directory that partners have."""

    ASK = "ask"
    TAKE = "take"
    REFUSE = "refuse"


class TlsSettings(Section):
    """TLS certificate and key of this gateway, and the CA of its own systems."""

    certificate: Path = Field(description="This gateway's certificate, PEM.")
    key: Path = Field(description="Its private key, PEM, mode 0600.")
    ca: Path = Field(description="Our CA: the only one whose certificates count on the local port.")
    passphrase_file: Path | None = Field(default=None, description="File with the TLS key's passphrase, if it has one.")

    def passphrase(self) -> bytes | None:
        """Passphrase of the key, None if unencrypted; raises ConfigurationError."""
        return read_passphrase(file=self.passphrase_file, environment={})


class DirectorySettings(Section):
    """The directory and the anchors of its first version."""

    file: Path = Field(
        description="The signed directory; replaced by `gateway directory` when a new version is signed."
    )
    anchors: tuple[str, ...] = Field(description="Pinned directory keys (vkeys) that the first version is judged by.")
    threshold: int = Field(ge=1, description="How many of the anchors must have signed the first version.")
    from_partners: FromPartners = Field(
        default=FromPartners.ASK,
        description="Later versions that partners have: ask an operator, take them at once, or refuse (don't fetch).",
    )


class LinkSettings(Section):
    """Connection to a partner."""

    mode: LinkMode = Field(
        default=LinkMode.PUSH,
        description="push: this node connects to the partner; pull: the partner fetches what this node publishes.",
    )
    fetch: bool = Field(
        default=False,
        description="Fetch the partner's feeds from it, for a network that allows only outbound connections.",
    )
    endpoint: str = Field(
        default="", description="host:port to reach the partner at, instead of the directory's endpoint."
    )


class ConnectionSettings(Section):
    """Connections that each port takes at once, those in the TLS handshake included.

    Each needs a file descriptor; the defaults fit into the usual `ulimit -n` of 1,024 beside everything else.
    """

    peer: int = Field(default=256, ge=8, le=100_000, description="Most connections to the peer port at once.")
    local: int = Field(default=384, ge=8, le=100_000, description="Most connections to the local port at once.")


class ListSettings(Section):
    """Policy of an own watchlist, and thresholds by name, or `publisher/list` for a partner's."""

    four_eyes: bool = Field(
        default=True, description="Changes take effect when a second person has approved them; so it is by default."
    )
    compatible: float = Field(default=0.8, gt=0, le=1, description="Score from which a name can be a listed one.")
    strong: float = Field(default=0.9, gt=0, le=1, description="Score from which it agrees strongly.")
    visible_to: tuple[Role, ...] | None = Field(
        default=None,
        min_length=1,
        description="Roles to which anything of it is shown; without it everybody who may call at all.",
    )
    warn_before_days: int = Field(
        default=14, ge=0, le=3650, description="Days before an entry's validity ends when that is warned of; 0: never."
    )

    report: ReportMode = Field(
        default=ReportMode.NEVER,
        description="Matches reported as hits without anybody's decision: never, or identical ones.",
    )
    report_purpose: str = Field(
        default="", pattern="^([a-z][a-z0-9_]*)?$", max_length=64, description="For which purpose these are reported."
    )

    @model_validator(mode="after")
    def _reportable(self) -> Self:
        if self.report is not ReportMode.NEVER and not self.report_purpose:
            raise ValueError('report = "identical" needs report_purpose, a code of the agreements')
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.compatible > self.strong:
            raise ValueError(f"compatible ({self.compatible}) must not be above strong ({self.strong})")
        return self


class RuleSettings(Section):
    """Settings of one rule."""

    enabled: bool | None = Field(default=None, description="Whether it is applied; without it as in the rules.")
    thresholds: dict[str, float] = Field(default_factory=dict, description="Thresholds of its own, by name.")
    lists: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="Lists of its own, by name.")


class HistorySettings(Section):
    """Retention and rules of recorded shipments."""

    retention_days: dict[str, int] = Field(
        default_factory=lambda: {"standard": 5 * 365},
        min_length=1,
        description="Classes of records and the days that each is kept, after declaration or recording, the later.",
    )
    retention_class: str = Field(default="standard", description="Class of records that name none.")
    standby_url: str = Field(
        default="", description="postgresql://… of a hot standby that searches read; empty for the database itself."
    )
    standby_lag_s: float = Field(
        default=10.0, gt=0, le=3600, description="Seconds behind from which the standby isn't read."
    )
    completeness: bool = Field(
        default=False,
        description="Whether answers prove to partners which records there are under the numbers asked for.",
    )
    answer_days: int = Field(
        default=5 * 365, ge=1, description="Days for which questions to and from partners are kept with their answers."
    )
    controlled_goods: Path | None = Field(
        default=None, description="Own list of controlled goods; without it the one that comes with the gateway."
    )
    announcements: Path | None = Field(
        default=None, description="Own announcements on export control; without it those that come with the gateway."
    )
    listed_entities: Path | None = Field(
        default=None, description="Own entities of control and watch lists; without it those that come along."
    )
    physical_data: Path | None = Field(
        default=None, description="Own densities and prices of substances; without it those that come along."
    )
    goods_terms: Path | None = Field(
        default=None, description="Own terms of descriptions and trades; without it those that come along."
    )
    rules_file: Path | None = Field(default=None, description="Own risk rules; without it those that come along.")
    rules: dict[str, RuleSettings] = Field(default_factory=dict, description="Per rule id: what is set here.")

    @model_validator(mode="after")
    def _known_class(self) -> Self:
        if self.retention_class not in self.retention_days:
            raise ValueError(f"retention_class {self.retention_class!r} isn't one of retention_days")
        if min(self.retention_days.values()) < 1:
            raise ValueError("retention_days: a class keeps records for at least one day")
        return self


class Settings(BaseSettings):
    """An operator's settings of one node."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="GATEWAY_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    node: str = Field(description="This node's name in the directory, e.g. cn.")
    federation: str = Field(description="The federation's name, e.g. gba.customs.example.")
    data_dir: Path = Field(
        description="Folder for the embedded database, evidence of quarantines and accepted directories."
    )
    database_url: str = Field(
        default="",
        description="sqlite:///PATH or postgresql://user@host[:port][,host…]/db; empty: gateway.sqlite3 in data_dir.",
    )
    replica: str = Field(
        default="",
        pattern="^[!-~]*$",
        max_length=40,
        description="Name of this replica in `gateway status`, without spaces; empty for host:port of local_bind.",
    )
    mark_copy: Path | None = Field(
        default=None,
        description="Second place, on another disk, for the marks of what was signed; the first is data_dir.",
    )
    peer_bind: str = Field(default=f"0.0.0.0:{DEFAULT_PEER_PORT}", description="host:port for partner gateways.")
    local_bind: str = Field(default=f"127.0.0.1:{DEFAULT_LOCAL_PORT}", description="host:port for own systems.")
    metrics_bind: str = Field(
        default="",
        description="PORT of 127.0.0.1, or host:port, for metrics and health over HTTP; empty: none are served.",
    )
    connections: ConnectionSettings = Field(
        default=ConnectionSettings(), description="How many connections each port takes at once."
    )
    tls: TlsSettings
    keys: KeySettings
    tokens: dict[str, TokenSettings] = Field(
        default_factory=dict, description="Per hardware token, by its label: its library and its PIN."
    )
    directory: DirectorySettings
    systems: dict[str, tuple[Role, ...]] = Field(default_factory=dict, description="Own systems and their roles.")
    links: dict[str, LinkSettings] = Field(default_factory=dict, description="Per partner: how it is reached.")
    lists: dict[str, ListSettings] = Field(default_factory=dict, description="Per own watchlist: how it is kept.")
    history: HistorySettings = Field(default=HistorySettings(), description="How recorded shipments are kept.")
    casework: CaseworkSettings = Field(
        default=CaseworkSettings(), description="Whether and how persons deal with alerts here."
    )
    retention: RetentionSettings = Field(
        default=RetentionSettings(), description="When alerts are erased by themselves; without it never."
    )
    figures: FigureSettings = Field(default=FigureSettings(), description="Whether and how alerts are counted.")
    risk_profiles: RiskProfileSettings = Field(
        default=RiskProfileSettings(), description="How risk profiles are offered and adopted."
    )
    licences: LicenceSettings = Field(default=LicenceSettings(), description="How own export licences are kept.")
    link_analysis: LinkAnalysisSettings = Field(
        default=LinkAnalysisSettings(), description="Whether and how connections are looked for."
    )
    persons: PersonSettings = Field(default=PersonSettings(), description="Persons who sign in through a console.")
    attachments: AttachmentSettings = Field(default=AttachmentSettings(), description="How evidence files are kept.")
    limits: dict[str, CallLimitSettings] = Field(
        default_factory=dict,
        description="Per caller (systems, persons, partners, system/NAME, person/NAME, gateway/NAME): its limits.",
    )
    quotas: QuotaSettings = Field(default=QuotaSettings(), description="What each partner can have stored in a day.")
    alarms: AlarmSettings = Field(default=AlarmSettings(), description="From when on a condition is an alarm.")
    traces: TraceSettings = Field(default=TraceSettings(), description="Where traces of alerts are sent.")
    notifications: NotificationSettings = Field(
        default=NotificationSettings(), description="What persons and systems are told."
    )
    time_stamps: TimeStampSettings = Field(default=TimeStampSettings(), description="Time by a third party.")
    witness: WitnessSettings = Field(default=WitnessSettings(), description="Cosignatures of witnesses.")
    stop_grace: float = Field(
        default=8.0,
        ge=1,
        le=600,
        description="Seconds for a stop: running calls are answered, streams told to come back, the last commits made.",
    )
    reflection: bool = Field(default=False, description="Serve gRPC reflection on the local port.")
    log_format: str = Field(
        default="text", pattern="^(text|json)$", description="text for people, json for collectors."
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least level that is logged."
    )

    @model_validator(mode="after")
    def _consoles_alone(self) -> Self:
        for name, roles in self.systems.items():
            if Role.CONSOLE in roles and len(roles) > 1:
                raise ValueError(f"systems.{name}: a console has no other role; its persons have theirs")
        return self

    @model_validator(mode="after")
    def _known_tokens(self) -> Self:
        for name, place in self.keys.places.items():
            if isinstance(place, TokenKeyUri) and place.token not in self.tokens:
                raise ValueError(f"keys.{name}: there is no section [tokens.{place.token}] with the token's library")
        return self

    @field_validator("metrics_bind")
    @classmethod
    def _bindable(cls, bind: str) -> str:
        port = bind.rpartition(":")[2]
        if bind and not (port.isascii() and port.isdecimal() and int(port) <= MAX_PORT):
            raise ValueError(f'give a port, "9464", or host and port, "10.1.2.3:9464", not {bind!r}')
        return bind

    @property
    def effective_database_url(self) -> str:
        """URL of the database to open."""
        return self.database_url or f"sqlite:///{self.data_dir / 'gateway.sqlite3'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


_PATHS = (
    ("data_dir",),
    ("mark_copy",),
    ("tls", "certificate"),
    ("tls", "key"),
    ("tls", "ca"),
    ("tls", "passphrase_file"),
    ("keys", "log"),
    ("keys", "receipts"),
    ("keys", "log_next"),
    ("keys", "receipts_next"),
    ("keys", "log_second"),
    ("keys", "receipts_second"),
    ("keys", "witness"),
    ("keys", "witness_second"),
    ("keys", "passphrase_file"),
    ("tokens", "*", "module"),
    ("tokens", "*", "pin_file"),
    ("directory", "file"),
    ("traces", "ca"),
    *NOTIFICATION_PATHS,
    ("persons", "oidc", "ca"),
    ("time_stamps", "certificates"),
)


def load_settings(path: Path) -> Settings:
    """Reads a TOML file.

    Raises:
        ConfigurationError: unreadable, or settings are missing, unknown or out of range; all are named.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        way_out = "Give the right --config, or make settings with `gateway init`."
        raise ConfigurationError(f"settings {path}: {error.strerror}", way_out=way_out) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or an integer of thousands of digits
        way_out = "Correct the file at that place; it is TOML in UTF-8."
        raise ConfigurationError(f"settings {path}: {error}", way_out=way_out) from error
    make_absolute(document, path.resolve().parent, _PATHS)
    try:
        return Settings(**document)
    except ValidationError as error:
        problems = "; ".join(problem_of(problem, Settings) for problem in error.errors())
        raise ConfigurationError(f"settings {path}: {problems}") from error


def unknown_variables(environment: Iterable[str], others: Collection[str]) -> list[str]:
    """A sentence for each variable that looks like a setting and is none; `others` are read elsewhere."""
    prefix = str(Settings.model_config.get("env_prefix", ""))
    settings = dict(_variables(Settings, prefix))
    known = {*settings, *others}
    inside = tuple(f"{name}__" for name, kind in settings.items() if get_origin(kind) is dict)
    unknown = (
        name
        for name in sorted(environment)
        if name.startswith(prefix) and name not in known and not name.startswith(inside)
    )
    return [
        f"the environment variable {name} is no setting and has no effect{did_you_mean(name, known)}"
        for name in unknown
        if not _OF_CONTAINERS.match(name)
    ]


def _variables(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Any]]:
    """Environment variables of settings, with the types of these."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name.upper()}", field.annotation
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _variables(field.annotation, f"{prefix}{name.upper()}__")
