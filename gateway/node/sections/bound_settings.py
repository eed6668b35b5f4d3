"""Sections of the settings that bound callers and partners."""

from __future__ import annotations

from pydantic import Field

from gateway.node.sections.observed_settings import Section


class CallLimitSettings(Section):
    """Limits of callers; what isn't set stays as it is for all of their kind."""

    calls_per_s: float | None = Field(default=None, gt=0, description="Calls a second in the long run.")
    burst: int | None = Field(default=None, ge=1, description="Calls at once after a pause.")
    concurrent_calls: int | None = Field(default=None, ge=1, description="Calls at once.")
    concurrent_streams: int | None = Field(default=None, ge=1, description="Streams at once.")
    calls_per_day: int | None = Field(default=None, ge=1, description="Calls and messages of streams in a day (UTC).")
    mib_per_day: int | None = Field(default=None, ge=1, description="MiB of messages in a day, both ways.")
    rows_per_day: int | None = Field(default=None, ge=1, description="Items of messages in a day, both ways.")


class QuotaSettings(Section):
    """Most that each partner can have stored here in a day (UTC)."""

    alert_entries: int = Field(default=5_000_000, ge=1, description="Entries of its feed of alerts.")
    alert_mib: int = Field(default=10_240, ge=8, description="MiB of these entries and of their refusals.")
    watchlist_entries: int = Field(default=5_000_000, ge=1, description="Entries of its feed of lists.")
    watchlist_mib: int = Field(default=10_240, ge=8, description="MiB of these entries and of their refusals.")
    licence_entries: int = Field(default=1_000_000, ge=1, description="Entries of its feed of licences.")
    licence_mib: int = Field(default=2_048, ge=8, description="MiB of these entries and of their refusals.")
    risk_profile_entries: int = Field(default=10_000, ge=1, description="Entries of its feed of risk profiles.")
    risk_profile_mib: int = Field(default=256, ge=8, description="MiB of these entries and of their refusals.")
    questions: int = Field(default=1_000_000, ge=1, description="Its questions about shipments that are answered.")
    question_mib: int = Field(default=2_048, ge=1, description="MiB of these questions with their statements.")
    answer_records: int = Field(default=5_000_000, ge=1, description="Records in its answers to this node.")
    answer_mib: int = Field(default=20_480, ge=64, description="MiB of these records.")
    matches: int = Field(default=1_000_000, ge=1, description="Matches that its alerts and entries of lists make here.")
    match_mib: int = Field(default=4_096, ge=1, description="MiB of these matches.")
