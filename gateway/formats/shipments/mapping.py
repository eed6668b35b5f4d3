"""How the columns of somebody else's CSV become the fields of a shipment, and the layout that follows for a header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from gateway.formats.lists.notation import Notation
from gateway.formats.shipments.layout import TARGETS, Layout, RoleColumn, Source
from gateway.formats.tables.mapping_tables import Places


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraColumn:
    """A column with a role or a scheme of its own; what isn't said is empty.

    Attributes:
        column: its name.
        role: PartyRole; 0 for registrations.
        scheme, territory: of identifiers and registrations.
        script, language: of names.
        separator: between several values in one cell.
    """

    column: str
    role: int = 0
    scheme: str = ""
    territory: str = ""
    script: str = ""
    language: str = ""
    separator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentMapping:
    """How the columns of one kind of file become fields; made by `mapping_file`, which checks it."""

    columns: Mapping[str, tuple[str, ...]]
    names: tuple[ExtraColumn, ...] = ()
    identifiers: tuple[ExtraColumn, ...] = ()
    registrations: tuple[ExtraColumn, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    separators: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    mass_unit: str = "kg"
    date_format: str = "rfc3339"
    date_zone: timedelta = timedelta()
    decimal_point: str = "."
    decimal_group: str = ""

    def layout(self, header: list[str], source: str) -> Layout:
        """What reads the lines of a file with this header.

        Raises:
            ConfigurationError: a column that the mapping names isn't there, or is there twice.
        """
        place = Places(header, source)
        return Layout(
            width=len(header),
            sources={target: self._source(target, place) for target in TARGETS if self._fills(target)},
            names=_extra(self.names, "names", place),
            identifiers=_extra(self.identifiers, "identifiers", place),
            registrations=_extra(self.registrations, "registrations", place),
            date_format=self.date_format,
            date_zone=self.date_zone,
            decimal_point=self.decimal_point,
            decimal_group=self.decimal_group,
            mass_unit=self.mass_unit,
            places=self.places,
            encoding=self.encoding,
            delimiter=self.delimiter,
        )

    def _fills(self, target: str) -> bool:
        return target in self.columns or target in self.constants or target in self.defaults

    def _source(self, target: str, place: Places) -> Source:
        columns = self.columns.get(target, ())
        return Source(
            label=_label(columns) if columns else target,
            at=tuple(place.of(column, target) for column in columns),
            notation=_notation(self.separators.get(target, "")),
            fixed=self.constants.get(target, ""),
            default=self.defaults.get(target, ""),
            translation=self.values.get(target),
        )


def _extra(columns: Sequence[ExtraColumn], what: str, place: Places) -> tuple[RoleColumn, ...]:
    return tuple(
        RoleColumn(
            source=Source(
                label=_label((each.column,)), at=(place.of(each.column, what),), notation=_notation(each.separator)
            ),
            role=each.role,
            scheme=each.scheme,
            territory=each.territory,
            script=each.script,
            language=each.language,
        )
        for each in columns
    )


def _label(columns: Sequence[str]) -> str:
    return f"column {' and '.join(repr(column) for column in columns)}"


def _notation(separator: str) -> Notation:
    return Notation(separator, "", escapes=False)
