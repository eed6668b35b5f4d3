"""Says what announcements do: which goods they control, what they refuse to some destinations, what they suspend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from gateway.errors import ConfigurationError
from gateway.risk.validity import OUTSIDE, Confidence, ControlPeriod, ControlStatus, Interval, Suspension
from gateway.translation.messages import N_

ALL_ITEMS = "*"
"""In `applies_to`: every item under control."""


class Measure(StrEnum):
    """What an announcement does.

    `licence`: its items need a licence. `refused`, `review`, `military`: for some destinations, licences are refused
    in principle, end uses are reviewed more strictly, military users and uses are excluded. `control_list`,
    `watch_list`: to some entities nothing may go, or only with a single licence. `abroad`, `content`, `technology`:
    what leaves third places needs a licence if it is of Chinese origin, has Chinese content, or is such technology.
    `suspension`: others don't hold.
    """

    LICENCE = "licence"
    REFUSED = "refused"
    REVIEW = "review"
    MILITARY = "military"
    CONTROL_LIST = "control_list"
    WATCH_LIST = "watch_list"
    ABROAD = "abroad"
    CONTENT = "content"
    TECHNOLOGY = "technology"
    SUSPENSION = "suspension"


RESTRICTIONS: Mapping[Measure, str] = {
    Measure.REFUSED: N_("licences are refused in principle"),
    Measure.REVIEW: N_("end user and end use are reviewed more strictly"),
    Measure.MILITARY: N_("no exports to military users or for military uses"),
}
"""Measures about destinations, in words."""

ENTITY_LISTS: Mapping[Measure, str] = {
    Measure.CONTROL_LIST: N_("control list: no dual-use items to its entities"),
    Measure.WATCH_LIST: N_("watch list: its entities get dual-use items with single licences alone"),
}
"""Measures about entities, in words."""

THIRD_PLACES: Mapping[Measure, str] = {
    Measure.ABROAD: N_("goods of Chinese origin need a licence from third places too"),
    Measure.CONTENT: N_("foreign goods with Chinese content need a licence from third places too"),
    Measure.TECHNOLOGY: N_("technology needs a licence"),
}
"""Measures about what leaves third places, in words."""

MEASURES: Mapping[Measure, str] = {
    Measure.LICENCE: N_("exports need a licence"),
    **RESTRICTIONS,
    **ENTITY_LISTS,
    **THIRD_PLACES,
    Measure.SUSPENSION: N_("suspends others"),
}
"""All measures, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An announcement, or a part of one.

    Attributes:
        name: number and year, e.g. `MOFCOM No.46 of 2024`.
        part: e.g. `paragraph 2`; empty for the whole.
        applies_to: names of announcements whose items, or which themselves, it is about; ALL_ITEMS.
        destinations: ISO 3166-1 codes.
        announced: day of publication.
        effective: days on which it holds, suspensions apart.
        resumed: of a suspension: whether it is verified that what it suspends held again afterwards.
        source: where the facts were seen.
    """

    name: str
    measure: Measure
    announced: date
    effective: Interval
    part: str = ""
    applies_to: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    resumed: bool = False
    subject: str = ""
    confidence: Confidence = Confidence.LOW
    source: str = ""
    note: str = ""

    @property
    def key(self) -> str:
        """Name and part."""
        return f"{self.name}, {self.part}" if self.part else self.name

    def concerns(self, announcement: str) -> bool:
        """Whether it is about an announcement's items."""
        return ALL_ITEMS in self.applies_to or announcement in self.applies_to


@dataclass(frozen=True, slots=True)
class ExportRestriction:
    """What holds for goods on their way to a destination, or from a third place, beyond the licence."""

    announcement: Announcement
    status: ControlStatus
    text: str


@dataclass(frozen=True, slots=True)
class Announcements:
    """All announcements, and how they bear on each other.

    Raises:
        ConfigurationError: two have one name and part, or one is about an announcement that isn't there.
    """

    rows: tuple[Announcement, ...] = ()
    _by_key: Mapping[str, Announcement] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_key = {row.key: row for row in self.rows}
        if len(by_key) < len(self.rows):
            raise ConfigurationError("announcements: two lines have one announcement and part")
        object.__setattr__(self, "_by_key", by_key)
        known = {*by_key, *(row.name for row in self.rows), ALL_ITEMS}
        unknown = sorted({name for row in self.rows for name in row.applies_to} - known)
        if unknown:
            raise ConfigurationError(f"announcements: {', '.join(unknown)} in applies_to is not an announcement here")

    def __iter__(self) -> Iterator[Announcement]:
        return iter(self.rows)

    def licence(self, name: str) -> Announcement | None:
        """The announcement by which items need a licence; None if it isn't here."""
        row = self._by_key.get(name)
        return row if row is not None and row.measure is Measure.LICENCE else None

    def entity_list(self, key: str) -> Announcement | None:
        """The announcement, or part of one, that lists entities; None if it isn't here."""
        row = self._by_key.get(key)
        return row if row is not None and row.measure in ENTITY_LISTS else None

    def suspensions(self, key: str) -> tuple[Suspension, ...]:
        """Suspensions of an announcement or part."""
        return tuple(
            Suspension(row.effective, row.name, row.resumed)
            for row in self.rows
            if row.measure is Measure.SUSPENSION and key in row.applies_to
        )

    def validity(self, row: Announcement) -> ControlPeriod:
        """When an announcement holds."""
        return ControlPeriod(row.effective, self.suspensions(row.key))

    def restrictions(self, items_of: str, destination: str, on: date) -> list[ExportRestriction]:
        """What holds on a day for an announcement's items on their way to a destination.

        Suspended ones are included: their text says so.
        """
        rows = [row for row in self.rows if row.measure in RESTRICTIONS and destination in row.destinations]
        return self._known(rows, items_of, on, f", {destination}")

    def third_places(self, items_of: str, on: date) -> list[ExportRestriction]:
        """What holds on a day for an announcement's items when they leave third places; suspended ones included."""
        return self._known([row for row in self.rows if row.measure in THIRD_PLACES], items_of, on)

    def _known(self, rows: Iterable[Announcement], items_of: str, on: date, where: str = "") -> list[ExportRestriction]:
        found: list[ExportRestriction] = []
        for row in rows:
            if not row.concerns(items_of):
                continue
            validity = self.validity(row)
            status = validity.status_on(on)
            if status not in OUTSIDE:
                text = f"{row.key}{where}: {MEASURES[row.measure]} ({status_text(validity, status, on)})"
                found.append(ExportRestriction(row, status, text))
        return found


def status_text(validity: ControlPeriod, status: ControlStatus, on: date) -> str:
    """A state in words, with the days and the announcement of the suspension that brought it about."""
    if status is ControlStatus.SUSPENDED and (suspension := validity.suspension_on(on)) is not None:
        until = f" until {suspension.days.last}" if suspension.days.last else ""
        return f"suspended{until} by {suspension.by}"
    if status is ControlStatus.SUSPENSION_ENDED and (suspension := validity.last_suspension(on)) is not None:
        ended = f"its suspension by {suspension.by} ended on {suspension.days.last}"
        return f"{ended}; it holds again, an extension is not known to this data"
    return status.value
