"""Sections of the settings about what is shown of a node: alarms and traces."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of gateway.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TraceSettings(Section):
    """Traces by OpenTelemetry; off without an endpoint."""

    endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^\s/]+)?$",
        description="http://host:port or https://host:port of an OTLP receiver (gRPC); empty: no traces.",
    )
    ca: Path | None = Field(default=None, description="CA of an https endpoint, PEM; without it the system's.")
    ratio: float = Field(default=1.0, ge=0, le=1, description="Share of the traces that begin here and are recorded.")


class AlarmSettings(Section):
    """From when on a condition is an alarm."""

    unreachable_minutes: int = Field(
        default=10, ge=1, description="Minutes after which a partner that isn't reached is an alarm."
    )
    backlog_entries: int = Field(
        default=10_000, ge=1, description="Entries of a feed without a receipt that are an alarm if they grow."
    )
    unreceipted_minutes: int = Field(
        default=30, ge=1, description="Age in minutes of an alert without a receipt that is an alarm."
    )
    unstamped_minutes: int = Field(
        default=180, ge=0, description="Minutes for which a due time stamp may fail before that is an alarm."
    )
    unwitnessed_minutes: int = Field(
        default=180, ge=0, description="Minutes for which a witness may fail before that is an alarm."
    )
    disk_free_mib: int = Field(
        default=1_024, ge=16, description="Free MiB for data_dir below which the disk is an alarm."
    )
    repeat_minutes: int = Field(
        default=60, ge=1, description="Minutes after which the log names an alarm again that still lasts."
    )
