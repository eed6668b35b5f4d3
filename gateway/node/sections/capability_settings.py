"""Sections of the settings that turn capabilities on; without them nothing of these runs."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from gateway.node.sections.observed_settings import Section


class CaseworkSettings(Section):
    """The inbox, search, assignments and notes of persons."""

    enabled: bool = Field(default=False, description="List and index alerts, and keep assignments, notes and views.")
    note_days: int = Field(default=5 * 365, ge=1, description="Days after which the text of a note is erased.")


class RetentionSettings(Section):
    """What is erased by itself, and when."""

    alerts: dict[str, int] = Field(
        default_factory=dict,
        description="Days after its last step for which an alert that has ended is kept, by priority; others stay.",
    )
    legal_basis: str = Field(
        default="", max_length=256, description="Article of law or arrangement; partners and the audit log get it."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.alerts and not self.legal_basis.strip():
            raise ValueError("retention.legal_basis: say under which law alerts are erased")
        if not self.alerts.keys() <= {"A", "B", "C"}:
            raise ValueError("retention.alerts: priorities are A, B and C")
        if min(self.alerts.values(), default=1) < 1:
            raise ValueError("retention.alerts: an alert is kept for at least one day")
        return self


class FigureSettings(Section):
    """Figures about alerts, findings and hits, and publication sheets."""

    enabled: bool = Field(default=False, description="Count alerts, and serve figures and publication sheets.")
    utc_offset_minutes: int = Field(
        default=480,
        ge=-840,
        le=840,
        description="Offset from UTC by which days and months are cut; a change counts all again.",
    )


class LicenceSettings(Section):
    """Export licences that this node's authority issues."""

    four_eyes: bool = Field(
        default=True, description="Changes take effect when a second person has approved them; so it is by default."
    )


class RiskProfileSettings(Section):
    """Risk profiles that are offered to partners and adopted from them."""

    four_eyes: bool = Field(
        default=True, description="Changes take effect when a second person has approved them; so it is by default."
    )
    least_count: int = Field(
        default=10, ge=0, le=1_000, description="Numbers below this are withheld in reports; 0 for none."
    )


class LinkAnalysisSettings(Section):
    """Connections between the parties and things that alerts, lists and shipments name."""

    enabled: bool = Field(default=False, description="Index what alerts name, and serve link graphs.")
    hub_records: int = Field(
        default=200,
        ge=10,
        le=2_000,
        description="Records from which a party or thing connects too much, so that it isn't expanded.",
    )
