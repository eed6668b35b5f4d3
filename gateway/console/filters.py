"""Filters of templates: dates, numbers and foreign text as the reader writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from babel.dates import format_skeleton, format_timedelta, get_timezone_name
from babel.numbers import format_decimal
from google.protobuf.timestamp_pb2 import Timestamp
from markupsafe import Markup

from gateway.console.current import current_page
from gateway.contract.enum_words import UNKNOWN
from gateway.tracing.report.quantities import quantities
from gateway.translation.condition_texts import condition_text
from gateway.translation.match_reasons import said
from gateway.translation.notices import noticed
from gateway.translation.plain_text import printable
from gateway.translation.rule_sentences import explained
from gateway.translation.trace_sentences import link_reason

NOTHING: Final = UNKNOWN
"""Shown for what isn't there."""

PERSON: Final = "person/"
"""Begins the name of an actor that is a person; a system's has no prefix."""

LAST_S: Final = 253_402_300_799 - 2 * 24 * 3600
"""Two days before the end of the year 9999, after which Python has no time in any zone."""

_UNIT: Final = 1024
"""Bytes of a KiB."""


def moment(value: Timestamp | datetime | None) -> Markup | str:
    """A time with its date, in the reader's zone, whose name appears on pointing at it."""
    at = as_datetime(value)
    if at is None:
        return NOTHING
    zone = get_timezone_name(at, locale=current_page().place.locale)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(_machine(at), zone, moment_text(at))


def machine_time(at: Timestamp) -> str:
    """A time as an element's `datetime` has it, to the second: HTML allows no more than three digits of a fraction."""
    return _machine(at.ToDatetime(tzinfo=UTC))


def moment_text(value: Timestamp | datetime | None) -> str:
    """A time with its date as text, for titles and attributes."""
    at, place = as_datetime(value), current_page().place
    if at is None:
        return NOTHING
    pattern = str(place.locale.datetime_formats["medium"])
    return pattern.format(format_skeleton("Hm", at, locale=place.locale), _date(at))


def day(value: Timestamp | datetime | None) -> Markup | str:
    """The date of a time."""
    at = as_datetime(value)
    if at is None:
        return NOTHING
    return Markup('<time datetime="{}">{}</time>').format(at.date().isoformat(), _date(at))


def day_text(value: Timestamp | datetime) -> str:
    """The same for a text."""
    at = as_datetime(value)
    return NOTHING if at is None else _date(at)


def calendar_day(iso: str) -> str:
    """A day, e.g. 2026-12-02, as the reader writes days; as it is where it isn't one."""
    try:
        on = date.fromisoformat(iso)
    except ValueError:
        return iso
    return str(format_skeleton("yMMMd", datetime.combine(on, time()), locale=current_page().place.locale))


def clock(value: Timestamp | datetime | None) -> Markup | str:
    """The hour and minute of a time."""
    at, place = as_datetime(value), current_page().place
    if at is None:
        return NOTHING
    text = format_skeleton("Hm", at, locale=place.locale)
    return Markup('<time datetime="{}">{}</time>').format(_machine(at), text)


def duration(seconds: float) -> str:
    """A span in its largest unit: `3 hours`."""
    return format_timedelta(timedelta(seconds=abs(seconds)), threshold=1.2, locale=current_page().place.locale)


def from_now(value: Timestamp | datetime | None, now: datetime | None = None) -> str:
    """How far a time is from now: `in 3 hours`, `2 days ago`."""
    at = as_datetime(value)
    if at is None:
        return NOTHING
    delta = at - (now or datetime.now(UTC))
    return format_timedelta(delta, threshold=1.2, add_direction=True, locale=current_page().place.locale)


def number(value: float) -> str:
    """A number with the reader's separators, at most three decimals."""
    return format_decimal(value, format="#,##0.###", locale=current_page().place.locale)


def file_size(value: float) -> str:
    """A size of a file in the unit that suits it, of 1,024 bytes and their multiples."""
    for unit in ("B", "KiB", "MiB"):
        if value < _UNIT:
            return f"{number(round(value, 1))} {unit}"
        value /= _UNIT
    return f"{number(round(value, 1))} GiB"


def as_datetime(value: Timestamp | datetime | None) -> datetime | None:
    """A time in the reader's zone; None for one that is absent."""
    if value is None:
        return None
    if isinstance(value, Timestamp):
        if not value.seconds and not value.nanos:
            return None
        value = bounded(value)
    return value.astimezone(current_page().place.zone)


def bounded(at: Timestamp) -> datetime:
    """A time that Python has in every zone: one beyond is the first or the last of them."""
    return datetime.fromtimestamp(min(max(at.seconds, 0), LAST_S), UTC)


def foreign(value: object) -> Markup:
    """Text that a partner or colleague wrote: isolated in its direction, with nothing that hides or doesn't print."""
    return Markup('<bdi class="foreign">{}</bdi>').format(printable(str(value)))


def actor(value: str) -> str:
    """Who acted, a person or a system, by the name that colleagues know."""
    return value.removeprefix(PERSON)


def harmless(value: Any) -> Any:
    """What every expression of a template passes before it is escaped: characters that don't print are spelt out."""
    return printable(value) if type(value) is str else value


def _date(at: datetime) -> str:
    return format_skeleton("yMMMd", at, locale=current_page().place.locale)


def _machine(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    function.__name__: function
    for function in (
        actor,
        moment,
        moment_text,
        machine_time,
        day,
        calendar_day,
        clock,
        duration,
        from_now,
        number,
        file_size,
        foreign,
        explained,
        quantities,
        link_reason,
        noticed,
        condition_text,
        said,
    )
}
"""By the names that templates use."""
