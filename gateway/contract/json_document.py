"""Writes canonical JSON; reads documents and lists all problems."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sized
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeAlias, TypeVar

from gateway.errors import DocumentInvalidError, MalformedError, TooLargeError, Violation

JsonValue: TypeAlias = bool | int | str | list["JsonValue"] | dict[str, "JsonValue"] | None

MAX_DEPTH = 32
"""Deepest nesting; ours have six levels, extensions may have more."""
MAX_INTEGER = 2**53 - 1
"""Largest integer that every JSON implementation keeps exactly (RFC 8259 section 6)."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")
_Sized = TypeVar("_Sized", bound=Sized)


def dump_json(value: object) -> bytes:
    """Serialises a value canonically."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2, sort_keys=True, separators=(",", ": "))
    return (text + "\n").encode()


def parse_json(text: bytes, *, what: str, max_bytes: int) -> JsonValue:
    """Parses strict JSON: size capped first, UTF-8, no duplicate members, integers only, nesting bounded.

    Raises TooLargeError or MalformedError.
    """
    if len(text) > max_bytes:
        raise TooLargeError(f"{what} has {len(text)} bytes, at most {max_bytes} are allowed")
    try:
        value: JsonValue = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_float=_no_float, parse_constant=_no_float
        )
        _check_value(value, MAX_DEPTH)
    except RecursionError:
        raise MalformedError(f"{what} is nested more than {MAX_DEPTH} levels deep") from None
    except (ValueError, UnicodeError) as error:
        raise MalformedError(f"{what} isn't strict JSON: {error}") from None
    return value


def parse_canonical_json(text: bytes, *, what: str, max_bytes: int) -> JsonValue:
    """As `parse_json`, and byte for byte as `dump_json` writes it."""
    value = parse_json(text, what=what, max_bytes=max_bytes)
    if dump_json(value) != text:
        raise MalformedError(f"{what} isn't in canonical form (sorted members, indent of two, one newline at its end)")
    return value


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC, e.g. `2026-01-15T08:00:00Z`.

    Raises:
        MalformedError: no time zone, a fraction of a second, which would get lost, or no year from 1 to 9999 in UTC.
    """
    if time.tzinfo is None or time.microsecond:
        raise MalformedError(f"{time.isoformat()} must have a time zone and whole seconds")
    try:
        return time.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError:
        raise MalformedError(f"{time.isoformat()} has no year in UTC") from None


def format_time_ms(time: datetime) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ObjectReader:
    """Reads a JSON object; collects problems and returns placeholders.

    Values count only after `finish`.
    """

    def __init__(self, value: object, *, path: str = "", problems: list[Violation] | None = None) -> None:
        self._problems: list[Violation] = [] if problems is None else problems
        self._path = path
        self._read: set[str] = set()
        self._members: dict[str, object] = value if isinstance(value, dict) else {}
        self._usable = isinstance(value, dict)
        if not self._usable:
            self.problem("", "json.object", "is missing" if value is _MISSING else "must be an object")

    def problem(self, member: str, rule: str, message: str) -> None:
        """Adds a problem of a member; an empty name means this object."""
        path = f"{self._path}.{member}" if self._path and member else self._path or member or "(document)"
        self._problems.append(Violation(path, rule, message))

    def text(self, member: str, pattern: str, shape: str) -> str:
        """A string that matches the whole pattern; `shape` describes it."""
        return self._text_at(member, self._take(member), pattern, shape)

    def optional_text(self, member: str, pattern: str, shape: str) -> str | None:
        """As `text`, or null."""
        value = self._take(member)
        return None if value is None else self._text_at(member, value, pattern, f"{shape}, or null")

    def integer(self, member: str, minimum: int, maximum: int) -> int:
        """An integer within inclusive bounds."""
        value = self._take(member)
        if isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum:
            return value
        self._wrong(member, "json.integer", f"must be an integer from {minimum} to {maximum}")
        return minimum

    def flag(self, member: str) -> bool:
        """A boolean."""
        value = self._take(member)
        if not isinstance(value, bool):
            self._wrong(member, "json.boolean", "must be true or false")
        return value is True

    def time(self, member: str) -> datetime:
        """A time as `format_time` writes it."""
        return self._time_at(member, self._take(member), "must be a time like 2026-01-15T08:00:00Z")

    def optional_time(self, member: str) -> datetime | None:
        """As `time`, or null."""
        value = self._take(member)
        shape = "must be a time like 2026-01-15T08:00:00Z, or null"
        return None if value is None else self._time_at(member, value, shape)

    def texts(self, member: str, pattern: str, shape: str, *, maximum: int) -> tuple[str, ...]:
        """A list of strings."""
        items = self._list(member, maximum)
        return tuple(self._text_at(f"{member}[{index}]", item, pattern, shape) for index, item in enumerate(items))

    def text_set(self, member: str, pattern: str, shape: str, *, maximum: int) -> frozenset[str]:
        """A set, written as a sorted list without duplicates."""
        items = self.texts(member, pattern, shape, maximum=maximum)
        if list(items) != sorted(set(items)):
            self._wrong(member, "json.set", "must be sorted and without doubles")
        return frozenset(items)

    def nested(self, member: str) -> ObjectReader:
        """A reader of an object."""
        return self._below(member, self._take(member))

    def objects(self, member: str, *, maximum: int) -> Iterator[ObjectReader]:
        """A reader for each object of a list."""
        for index, item in enumerate(self._list(member, maximum)):
            yield self._below(f"{member}[{index}]", item)

    def named(self, member: str, pattern: str, shape: str, *, maximum: int) -> Iterator[tuple[str, ObjectReader]]:
        """Names and readers, from an object of objects."""
        for name, value in self._object(member, maximum).items():
            self._text_at(f"{member}.{name}", name, pattern, f"named with {shape}")
            yield name, self._below(f"{member}.{name}", value)

    def text_map(self, member: str, pattern: str, shape: str, *, maximum: int) -> dict[str, str]:
        """An object of strings with any names."""
        members = self._object(member, maximum)
        return {name: self._text_at(f"{member}.{name}", value, pattern, shape) for name, value in members.items()}

    def free(self, member: str) -> dict[str, JsonValue]:
        """An unchecked object."""
        value = self._take(member)
        if isinstance(value, dict):
            return value
        self._wrong(member, "json.object", "must be an object")
        return {}

    def convert(self, member: str, read: Callable[[], T], fallback: T) -> T:
        """Calls `read`; a MalformedError becomes a problem and gives the fallback."""
        try:
            return read()
        except MalformedError as error:
            self._wrong(member, "json.form", error.message)
            return fallback

    def close(self) -> None:
        """Reports unread members."""
        for name in sorted(set(self._members) - self._read):
            self.problem(name, "json.unknown", "unknown member; additions go below extensions")

    def finish(self, what: str) -> None:
        """Raises DocumentInvalidError with all problems."""
        if self._problems:
            raise DocumentInvalidError(what, self._problems)

    def _take(self, member: str) -> object:
        self._read.add(member)
        return self._members.get(member, _MISSING)

    def _wrong(self, member: str, rule: str, message: str) -> None:
        if not self._usable:
            return  # reported once, for the object
        missing = member.partition("[")[0].partition(".")[0] not in self._members
        self.problem(member, "json.required" if missing else rule, "is missing; it " + message if missing else message)

    def _text_at(self, path: str, value: object, pattern: str, shape: str) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        self._wrong(path, "json.text", f"must be {shape}")
        return ""

    def _time_at(self, member: str, value: object, shape: str) -> datetime:
        if isinstance(value, str) and _TIME.fullmatch(value):
            try:
                return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            except ValueError:
                pass  # e.g. February 30
        self._wrong(member, "json.time", shape)
        return _EPOCH

    def _list(self, member: str, maximum: int) -> list[Any]:
        return self._collection(member, list, "a list", maximum, [])

    def _object(self, member: str, maximum: int) -> dict[str, Any]:
        return self._collection(member, dict, "an object", maximum, {})

    def _collection(self, member: str, kind: type[_Sized], shape: str, maximum: int, fallback: _Sized) -> _Sized:
        value = self._take(member)
        if isinstance(value, kind) and len(value) <= maximum:
            return value
        self._wrong(member, "json.collection", f"must be {shape} of at most {maximum}")
        return fallback

    def _below(self, member: str, value: object) -> ObjectReader:
        return ObjectReader(value, path=f"{self._path}.{member}" if self._path else member, problems=self._problems)


_MISSING = object()


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"member {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return members


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text} isn't an integer")


def _check_value(value: JsonValue, depth: int) -> None:
    if depth < 0:
        raise RecursionError
    match value:
        case dict():
            for name, below in value.items():
                name.encode()  # a lone surrogate has no UTF-8 form
                _check_value(below, depth - 1)
        case list():
            for below in value:
                _check_value(below, depth - 1)
        case str():
            value.encode()
        case int() if abs(value) > MAX_INTEGER:
            raise ValueError(f"an integer is beyond ±{MAX_INTEGER}")
