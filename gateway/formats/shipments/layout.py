"""How the columns of one file are read: where each field stands, and in which notation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.errors import ConfigurationError, MalformedError
from gateway.formats.lists.notation import OWN, Notation, read_members, read_parts
from gateway.formats.shipments.rows import Problem
from gateway.formats.tables.cell_values import in_kilograms, read_moment, read_number
from gateway.v1 import party_pb2

RFC3339 = "rfc3339"
"""Format of times that carry their zone themselves."""

ROLES: Mapping[str, party_pb2.PartyRole.ValueType] = {
    name.removeprefix("PARTY_ROLE_").lower(): number for name, number in party_pb2.PartyRole.items() if number
}
"""Words for what a party does, as columns begin with them."""

PARTY_TARGETS = tuple(f"{role}_{part}" for role in ROLES for part in ("name", "id", "address"))

MASS_TARGETS = ("manifest_mass_kg", "vgm_kg", "weighbridge_mass_kg", "inspection_mass_kg")

SHIPMENT_TARGETS = (
    "procedure",
    "declared_at",
    "office",
    "office_territory",
    "declaration",
    "ucr",
    "transport_documents",
    "previous_documents",
    "licences",
    *PARTY_TARGETS,
    "containers",
    "seals",
    "e_locks",
    "mode",
    "plates",
    "vessel",
    "imo",
    "voyage",
    "route",
    "departed_at",
    "arrived_at",
    *MASS_TARGETS,
    "export_territory",
    "destination_territory",
    "package_count",
    "total_gross_mass_kg",
    "total_value",
    "total_currency",
    "freight",
    "freight_currency",
    "incoterms",
    "retention_class",
)
"""Fields of a shipment as a whole."""

GOODS_TARGETS = (
    "item",
    "hs_code",
    "tariff_territory",
    "description",
    "substance",
    "element",
    "purity_percent",
    "form",
    "net_mass_kg",
    "gross_mass_kg",
    "supplementary_quantity",
    "packages",
    "package_type",
    "package_volume_m3",
    "package_marks",
    "value",
    "currency",
    "value_usd",
    "origin",
)
"""Fields of a goods item; each line may have one."""

EVENT_TARGETS = (
    "event",
    "event_at",
    "event_place",
    "event_territory",
    "event_source",
    "event_container",
    "event_seal",
    "event_means",
    "event_remarks",
)
"""Fields of an event; each line may have one."""

TARGETS = ("record_id", *SHIPMENT_TARGETS, *GOODS_TARGETS, *EVENT_TARGETS)
"""Every field, in the order in which the documentation lists them."""

TIMES = ("declared_at", "departed_at", "arrived_at", "event_at")
PLACES = ("office", "route", "event_place")
MASSES = (*MASS_TARGETS, "total_gross_mass_kg", "net_mass_kg", "gross_mass_kg")
NUMBERS = (
    *MASSES,
    *("package_count", "total_value", "freight", "item", "purity_percent", "supplementary_quantity"),
    *("packages", "package_volume_m3", "value", "value_usd"),
)
LISTS = (
    *("declaration", "ucr", "transport_documents", "previous_documents", "licences", "containers", "seals"),
    *("e_locks", "plates", "route", "hs_code"),
    *(target for target in PARTY_TARGETS if not target.endswith("_address")),
)
"""Fields that may hold several values in one cell or in several columns."""

PLACE_KINDS = ("own", "unlocode", "customs_code", "name")
"""How a cell names a place: UNLOCODE|territory|name|office, a UN/LOCODE, a customs office's code, or a name."""

MOST_PARTS = 8
"""Parts that one value may have; a licence has the most, six, and a container seven seals."""

_OF_THE_WHOLE = frozenset(SHIPMENT_TARGETS)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the values of one field stand.

    Attributes:
        label: names it in complaints.
        at: indexes of its columns.
        notation: how a cell is taken apart.
        fixed: what is said for every line, whatever stands in it.
        default: what is said where the cells are empty.
        translation: what stands in a cell to what is meant; None: it is meant as it stands.
    """

    label: str
    at: Sequence[int] = ()
    notation: Notation = OWN
    fixed: str = ""
    default: str = ""
    translation: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleColumn:
    """A column of names or identifiers of a party of one role, or of registrations of a means of transport.

    Attributes:
        source: where it stands.
        role: what the party does; 0 for registrations.
        scheme, territory: of identifiers and registrations.
        script, language: of names.
    """

    source: Source
    role: int = 0
    scheme: str = ""
    territory: str = ""
    script: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the lines of one file are read.

    Attributes:
        width: cells in a line.
        sources: where the fields stand, by field.
        names, identifiers, registrations: columns with a role or scheme of their own.
        date_format: RFC3339, or of %Y %m %d %H %M %S; then `date_zone` is the offset from UTC.
        decimal_point, decimal_group, mass_unit: how numbers stand.
        places: how a field's cells name places, by field.
        encoding, delimiter: of the file.
    """

    width: int
    sources: Mapping[str, Source]
    names: Sequence[RoleColumn] = ()
    identifiers: Sequence[RoleColumn] = ()
    registrations: Sequence[RoleColumn] = ()
    date_format: str = RFC3339
    date_zone: timedelta = timedelta()
    decimal_point: str = "."
    decimal_group: str = ""
    mass_unit: str = "kg"
    places: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    delimiter: str = ","

    @property
    def roles(self) -> Mapping[str, party_pb2.PartyRole.ValueType]:
        """The roles of which the file says anything, by their words."""
        extra = {each.role for each in (*self.names, *self.identifiers)}
        return {
            word: role
            for word, role in ROLES.items()
            if role in extra or any(f"{word}_{part}" in self.sources for part in ("name", "id", "address"))
        }

    def fills(self, *targets: str) -> bool:
        """Whether any of these fields is filled by the file or the mapping."""
        return any(target in self.sources for target in targets)

    def label(self, target: str) -> str:
        """What a field is called in complaints: its column where it has one."""
        source = self.sources.get(target)
        return source.label if source else target


def own_layout(header: Sequence[str], source: str) -> Layout:
    """The layout of a file whose header has the gateway's own columns, in any order.

    Raises:
        ConfigurationError: a column isn't known or stands twice, or there is none of record ids.
    """
    unknown = [name for name in header if name not in TARGETS]
    twice = [name for name in header if header.count(name) > 1]
    if unknown or twice or "record_id" not in header:
        what = (
            f"unknown column {unknown[0][:40]!r}"
            if unknown
            else f"column {twice[0]!r} twice"
            if twice
            else "no column 'record_id'"
        )
        raise ConfigurationError(
            f"{source}: {what}; docs/shipment-formats.md lists the columns; --mapping reads other columns"
        )
    sources = {name: Source(label=name, at=(header.index(name),), notation=_own_notation(name)) for name in header}
    return Layout(width=len(header), sources=sources)


def _own_notation(target: str) -> Notation:
    return OWN if target in LISTS else Notation("", OWN.parts, escapes=True)


@dataclass(slots=True)
class Cells:
    """The cells of one line, read by field; what can't be read is noted in `problems` and left out.

    Attributes:
        layout: of the file.
        line: its number, from 1.
        cells: its cells.
        first: whether it is its record's first line; defaults of the shipment as a whole don't hold in the others.
        problems: what can't be read.
    """

    layout: Layout
    line: int
    cells: Sequence[str]
    first: bool = True
    problems: list[Problem] = field(default_factory=list)

    def said(self, *targets: str) -> bool:
        """Whether the line itself says anything in one of these fields."""
        return any(self._in_cells(source) for target in targets if (source := self.layout.sources.get(target)))

    def members(self, target: str) -> list[list[str]]:
        """The values of a field, each as its MOST_PARTS parts; none where nothing is said."""
        source = self.layout.sources.get(target)
        if source is None or not (self.first or target not in _OF_THE_WHOLE or source.fixed or self._in_cells(source)):
            return []
        return self.members_of(source, target)

    def members_of(self, source: Source, target: str) -> list[list[str]]:
        """The same of a column that isn't a field's own."""
        found = []
        for text in self._texts(source):
            for member in read_members(text, source.notation):
                meant = self._meant(source, target, member)
                if meant:
                    try:
                        found.append(read_parts(meant, MOST_PARTS, source.notation))
                    except MalformedError as error:
                        self.problem(source.label, error.message)
        return found

    def text(self, target: str) -> str:
        """The one value of a field as text, empty where nothing is said."""
        found = self.members(target)
        return found[0][0] if found else ""

    def value(self, target: str, read: Callable[[str], T]) -> T | None:
        """The one value of a field as `read` makes it; None where nothing is said, or nothing that can be read."""
        text = self.text(target)
        return self.check(self.layout.label(target), text, read) if text else None

    def check(self, label: str, text: str, read: Callable[[str], T]) -> T | None:
        """What `read` makes of a text; None, and a problem, where it raises MalformedError."""
        try:
            return read(text)
        except MalformedError as error:
            self.problem(label, error.message)
            return None

    def problem(self, label: str, message: str) -> None:
        """Notes that something can't be used; the message goes on from the column's name."""
        self.problems.append(Problem(self.line, label, f"{label}: {message}"))

    def number(self, target: str) -> Decimal | None:
        """A number that isn't negative; masses in kilograms."""
        layout = self.layout
        found = self.value(target, lambda text: read_number(text, layout.decimal_point, layout.decimal_group))
        return in_kilograms(found, layout.mass_unit) if found is not None and target in MASSES else found

    def count(self, target: str) -> int | None:
        """A whole number that fits the contract's uint32."""
        return self.value(target, self._whole)

    def time(self, target: str) -> tuple[Timestamp, int] | None:
        """A time, and the offset of its zone from UTC in minutes."""
        return self.value(target, self._time)

    def _whole(self, text: str) -> int:
        number = read_number(text, self.layout.decimal_point, self.layout.decimal_group)
        if number != number.to_integral_value() or number >= 1 << 32:
            raise MalformedError(f"has {text[:40]!r}, which is not a whole number below 2³²")
        return int(number)

    def _time(self, text: str) -> tuple[Timestamp, int]:
        layout = self.layout
        if layout.date_format == RFC3339:
            return read_rfc3339(text)
        moment = read_moment(text, layout.date_format)
        return stamped(moment, layout.date_zone)

    def _in_cells(self, source: Source) -> bool:
        return any(self.cells[at].strip() for at in source.at)

    def _texts(self, source: Source) -> list[str]:
        if source.fixed:
            return [source.fixed]
        texts = [text for at in source.at if (text := self.cells[at].strip())]
        return texts or ([source.default] if source.default else [])

    def _meant(self, source: Source, target: str, member: str) -> str:
        if source.translation is None:
            return member
        if member not in source.translation:
            self.problem(source.label, f"has {member[:40]!r}, which [values.{target}] doesn't translate")
            return ""
        return source.translation[member]


def read_rfc3339(text: str) -> tuple[Timestamp, int]:
    """A time that carries its zone, and the zone's offset from UTC in minutes.

    Raises:
        MalformedError: it is none; the message goes on from the column's name.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    offset = moment.utcoffset() if moment is not None else None
    if moment is None or offset is None:
        raise MalformedError(f"has {text[:40]!r}, which isn't a time with its zone, e.g. 2026-01-15T08:00:00+08:00")
    return stamped(moment.replace(tzinfo=None), offset)


def stamped(moment: datetime, zone: timedelta) -> tuple[Timestamp, int]:
    """A local time as Timestamp, and its zone's offset from UTC in minutes.

    Raises:
        MalformedError: it lies outside the years 1 to 9999.
    """
    stamp = Timestamp()
    try:
        stamp.FromDatetime(moment - zone)
    except (ValueError, OverflowError):
        raise MalformedError(f"has {moment.isoformat()}, which is outside the years 1 to 9999") from None
    return stamp, int(zone.total_seconds()) // 60
