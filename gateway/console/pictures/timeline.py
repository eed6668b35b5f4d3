"""Draws who of which authority did what and when: an authority has a lane, time goes downwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from markupsafe import Markup

from gateway.console.pictures.svg import (
    NARROW,
    WIDE,
    Illustration,
    element,
    path,
    picture,
    shortened,
    text,
    tip,
    wrapped,
)
from gateway.tracing.report.picture import bold_width, text_width
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext

MAX_EVENTS: Final = 60
"""The first and the last of more are drawn; the table has all."""

MAX_LANES: Final = 6
GAP: Final = timedelta(hours=6)
"""A longer time without an event is said in words, since the picture isn't to scale."""

KINDS: Final = ("sent", "arrived", "acted", "asked", "ended", "warned")
"""Styles of events."""

_LINE: Final = 16.0
_HEAD: Final = 26.0


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """Something that was done.

    Attributes:
        lane: authority, as it is shown.
        at: with a zone; `None`: when isn't known.
        title: what was done.
        who: person or system, where that is known.
        kind: one of `KINDS`, or empty.
        targets: lanes that it goes to.
    """

    lane: str
    at: datetime | None
    title: str
    who: str = ""
    kind: str = ""
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeWords:
    """How times are written for the reader."""

    day: Callable[[datetime], str]
    clock: Callable[[datetime], str]
    duration: Callable[[timedelta], str]


def timeline(
    events: Sequence[TimelineEvent], words: TimeWords, *, title: str = "", lanes: Sequence[str] = ()
) -> Illustration:
    """Events in order of time; those of unknown time come last and say so.

    Args:
        lanes: order of the lanes; further ones follow as they come.
    """
    dated = sorted(
        (event for event in events if event.at), key=lambda event: event.at or datetime.max.replace(tzinfo=UTC)
    )
    ordered = [*dated, *(event for event in events if event.at is None)]
    columns = tuple(dict.fromkeys((*lanes, *(event.lane for event in ordered))))[:MAX_LANES]
    shown = ordered if len(ordered) <= MAX_EVENTS else [*ordered[: MAX_EVENTS // 2], *ordered[-MAX_EVENTS // 2 :]]
    left_out = len(ordered) - len(shown)
    heading = title or _("Who did what, and when")
    said = ngettext("{number} event", "{number} events", len(ordered))
    gutter = _gutter(shown, words)
    drawn = [
        _TimelineDrawing(columns, words, left_out, width, gutter).picture(shown, heading, said)
        for width in (WIDE, NARROW)
    ]
    rows = tuple(
        (
            _moment(event, words),
            event.lane,
            event.who,
            event.title + (f" → {', '.join(event.targets)}" if event.targets else ""),
        )
        for event in ordered
    )
    return Illustration(heading, said, drawn[0], drawn[1], (_("When"), _("Authority"), _("Who"), _("What")), rows)


def _moment(event: TimelineEvent, words: TimeWords) -> str:
    return f"{words.day(event.at)} {words.clock(event.at)}" if event.at else _("time not known")


def _gutter(events: Sequence[TimelineEvent], words: TimeWords) -> float:
    """Room for the longest time or day."""
    dated = [event.at for event in events if event.at]
    longest = max((max(text_width(words.clock(at)), bold_width(words.day(at))) for at in dated), default=0.0)
    return min(max(longest + 14, 60.0), 120.0)


@dataclass(frozen=True, slots=True)
class _TimelineDrawing:
    lanes: tuple[str, ...]
    words: TimeWords
    left_out: int
    width: int
    gutter: float

    @property
    def _is_wide(self) -> bool:
        return self.width >= WIDE

    @property
    def _lane_width(self) -> float:
        room = self.width - self.gutter
        return room / max(len(self.lanes), 1) if self._is_wide else room

    def _lane(self, name: str) -> int:
        return self.lanes.index(name) if name in self.lanes else len(self.lanes) - 1

    def _left(self, name: str) -> float:
        return self.gutter + (self._lane(name) * self._lane_width if self._is_wide else 0.0)

    def picture(self, events: Sequence[TimelineEvent], title: str, said: str) -> Markup:
        """All events below each other."""
        parts: list[Markup] = []
        y = _HEAD + 6 if self._is_wide else 4.0
        before: datetime | None = None
        unknown = False
        for number, event in enumerate(events):
            if self.left_out and number == MAX_EVENTS // 2:
                text_left_out = ngettext(
                    "{number} more event, in the table", "{number} more events, in the table", self.left_out
                )
                parts.append(text("gap", self.gutter, y + 13, text_left_out))
                y += 24
            heads, y = self._heading(event, before, y, unknown=unknown)
            parts += heads
            unknown = unknown or event.at is None
            drawn, y = self._event(event, y)
            parts += drawn
            before = event.at or before
        return picture("timeline", (float(self.width), y + 6), title, said, [*self._columns(y + 4), *parts])

    def _columns(self, bottom: float) -> Iterator[Markup]:
        if not self._is_wide:
            return
        for number, name in enumerate(self.lanes):
            x = self._left(name)
            yield element(
                "rect", class_=f"lane lane{number % 4}", x=x, y=0, width=self._lane_width - 4, height=bottom, rx=4
            )
            yield text("lane-title", x + 10, 18, shortened(name, (self._lane_width - 24) / 1.12))

    def _heading(
        self, event: TimelineEvent, before: datetime | None, y: float, *, unknown: bool
    ) -> tuple[list[Markup], float]:
        """The day where it changes, and how long nothing happened."""
        if event.at is None:
            if unknown:
                return [], y
            return [text("day", 0, y + 13, _("Time not known"))], y + 22
        parts: list[Markup] = []
        if before is not None and event.at - before >= GAP:
            said = _("{duration} later", duration=self.words.duration(event.at - before))
            parts.append(text("gap", self.gutter + 10, y + 13, said))
            y += 22
        if before is None or self.words.day(event.at) != self.words.day(before):
            parts.append(text("day", 0, y + 13, self.words.day(event.at)))
            y += 22
        return parts, y

    def _event(self, event: TimelineEvent, y: float) -> tuple[list[Markup], float]:
        x, room = self._left(event.lane), self._lane_width - 34
        kind = event.kind if event.kind in KINDS else "acted"
        lines = wrapped(event.title, room / 1.06, most=4)
        who = event.who if self._is_wide else " · ".join(filter(None, (event.lane, event.who)))
        parts: list[Markup] = []
        if event.at is not None:
            parts.append(text("time", self.gutter - 10, y + 13, self.words.clock(event.at), anchor="end"))
        parts.append(element("circle", tip(event.title), class_=f"dot {kind}", cx=x + 12, cy=y + 9, r=5))
        parts += (text("event", x + 24, y + 13 + _LINE * at, line) for at, line in enumerate(lines))
        y += _LINE * len(lines)
        for line in wrapped(who, room, most=2) if who else ():
            parts.append(text("who", x + 24, y + 12, line))
            y += _LINE - 1
        if event.targets:
            arrow, y = self._targets(event, y)
            parts += arrow
        return parts, y + 10

    def _targets(self, event: TimelineEvent, y: float) -> tuple[list[Markup], float]:
        """Arrows to the lanes that something goes to; in one column their names."""
        if not self._is_wide:
            line = shortened(f"→ {', '.join(event.targets)}", self._lane_width - 34)
            return [text("who", self._left(event.lane) + 24, y + 12, line)], y + _LINE
        parts: list[Markup] = []
        start = self._left(event.lane) + 12
        for target in event.targets:
            if target not in self.lanes or target == event.lane:
                continue
            forward = self._lane(target) > self._lane(event.lane)
            end = self._left(target) + (4 if forward else self._lane_width - 8)
            back = -8 if forward else 8
            parts.append(element("path", class_="way", d=path([(start, y + 8), (end + back, y + 8)])))
            head = path([(end, y + 8), (end + back, y + 3.5), (end + back, y + 12.5)], closed=True)
            parts.append(element("path", class_="way-tip", d=head))
        return parts, y + 16
