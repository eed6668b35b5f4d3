"""Brings the lines of one record together, and says which column a broken rule of the contract is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from gateway.contract.messages import RecordedItem, is_set
from gateway.errors import Violation
from gateway.formats.shipments.build import LineReader
from gateway.formats.shipments.layout import ROLES, Cells
from gateway.formats.shipments.rows import BadRecord, Problem, Row, finish
from gateway.v1 import shipment_pb2

MAX_LINES = 1_000
"""Lines of one record: the contract has room for 200 goods items and 64 containers; more are a wrong record id."""

_ROLE_WORDS: Mapping[int, str] = {number: word for word, number in ROLES.items()}
NEEDED = ("procedure", "declared_at")
"""Fields that a record needs beside its id."""

_COLLECTED = ("references", "parties", "means", "masses", "licences", "events")
"""What stands in several lines of one record is collected; what stands there twice counts once."""

_COLUMN_OF: Mapping[str, str] = MappingProxyType(
    {
        "record_id": "record_id",
        "procedure": "procedure",
        "declared_at": "declared_at",
        "utc_offset_minutes": "declared_at",
        "office": "office",
        "references": "declaration",
        "equipment": "containers",
        "means": "plates",
        "route": "route",
        "masses": "weighbridge_mass_kg",
        "licences": "licences",
        "export_territory": "export_territory",
        "destination_territory": "destination_territory",
        "package_count": "package_count",
        "gross_mass_kg": "total_gross_mass_kg",
        "total_value": "total_value",
        "freight": "freight",
        "incoterms": "incoterms",
        "events": "event",
        "retention_class": "retention_class",
        "goods": "item",
        "goods.codes": "hs_code",
        "goods.customs_value": "value",
        "goods.origin_territory": "origin",
        "goods.packages": "packages",
        "goods.sequence": "item",
        "equipment.seals": "seals",
        "equipment.e_lock": "e_locks",
        "means.name": "vessel",
        "means.journey": "voyage",
        "means.mode": "mode",
        "goods.packages.type": "package_type",
        "goods.packages.marks": "package_marks",
        "goods.packages.volume_m3": "package_volume_m3",
        "events.occurred_at": "event_at",
        "events.place": "event_place",
        "events.source": "event_source",
        "events.equipment_id": "event_container",
        "events.seal": "event_seal",
        "events.means": "event_means",
        "events.remarks": "event_remarks",
    }
)
"""Path in a shipment to the field that fills it; what isn't named is filled by a field of the same name."""

_INDEX = re.compile(r"\[([0-9]+)\]")


@dataclass(slots=True)
class Group:
    """The lines of one record, one after another.

    Attributes:
        reader: of the file's lines.
        record_id: of all its lines.
        line: its first line.
        item: what they say so far.
        lines: how many they are.
        problems: everything that is wrong in any of them.
    """

    reader: LineReader
    record_id: str
    line: int
    item: shipment_pb2.Shipment
    lines: int = 0
    problems: list[Problem] = field(default_factory=list)
    _goods_lines: list[int] = field(default_factory=list)
    _event_lines: list[int] = field(default_factory=list)

    def take(self, cells: Cells) -> None:
        """Adds a line."""
        if not self._counted(cells.line):
            return
        read = self.reader.read(cells, self.record_id)
        self.problems.extend(cells.problems)
        self._goods_lines.extend([cells.line] * len(read.goods))
        self._event_lines.extend([cells.line] * len(read.events))
        self._join(read, cells.line)

    def unreadable(self, line: int, reason: str) -> None:
        """Adds a line that is one of this record and can't be read."""
        if self._counted(line):
            self.problems.append(Problem(line, "", reason))

    def _counted(self, line: int) -> bool:
        """Counts a line; False for one too many, of which nothing is held and only the first is a problem."""
        self.lines += 1
        if self.lines == MAX_LINES + 1:
            said = f"more than {MAX_LINES} lines have this record id; a record has at most 200 goods items"
            self.problems.append(Problem(line, self.reader.layout.label("record_id"), said))
        return self.lines <= MAX_LINES

    def row(self) -> Row:
        """The record, or everything that is wrong with it."""
        whole = self.item
        fields = {descriptor.name for descriptor, _ in whole.ListFields()}
        if not self.problems and whole.events and fields <= {"record_id", "events"}:
            addition = shipment_pb2.ShipmentAddition(record_id=whole.record_id, events=whole.events)
            return finish(self.line, addition, self._label, lines=self.lines)
        self._require(fields)
        if self.problems:
            return BadRecord(self.line, self.record_id[:64], self.lines, tuple(self.problems))
        for number, item in enumerate(whole.goods, 1):
            item.sequence = item.sequence or number
        return finish(self.line, whole, self._label, lines=self.lines)

    def _require(self, fields: set[str]) -> None:
        """What a record needs and lines that only tell of events don't; not said again where a cell can't be read."""
        layout = self.reader.layout
        named = {problem.column for problem in self.problems}
        for target in NEEDED:
            label = layout.label(target)
            if target not in fields and label not in named and "" not in named:
                reason = f"{label}: is missing; a record needs it, lines that tell of events alone don't"
                self.problems.append(Problem(self.line, label, reason))

    def _join(self, said: shipment_pb2.Shipment, line: int) -> None:
        whole = self.item
        if self.lines == 1:
            whole.CopyFrom(said)
            return
        _collect_equipment(whole.equipment, said.equipment)
        whole.goods.extend(said.goods)
        for each in _COLLECTED:
            _collect(getattr(whole, each), getattr(said, each))
        for descriptor, value in said.ListFields():
            name = descriptor.name
            if name in ("equipment", "goods", *_COLLECTED):
                continue
            if not is_set(whole, descriptor):
                whole.MergeFrom(shipment_pb2.Shipment(**{name: value}))
            elif getattr(whole, name) != value:
                label = self.reader.layout.label(_COLUMN_OF.get(name, name))
                self.problems.append(
                    Problem(line, label, f"{label}: differs from line {self.line}, which has the same record id")
                )

    def _label(self, violation: Violation, item: RecordedItem) -> tuple[int, str]:
        path = violation.field
        names = _INDEX.sub("", path)
        top, _, below = names.partition(".")
        index = _INDEX.search(path)
        line = self.line
        if top == "parties":
            role = item.parties[int(index[1])].role if index and isinstance(item, shipment_pb2.Shipment) else 0
            part = {"identifiers": "id", "addresses": "address"}.get(below.partition(".")[0], "name")
            return line, self.reader.layout.label(f"{_ROLE_WORDS.get(role, 'declarant')}_{part}")
        if index and top in ("goods", "events"):
            lines = self._goods_lines if top == "goods" else self._event_lines
            line = lines[int(index[1])] if int(index[1]) < len(lines) else line
        return line, self.reader.layout.label(_target_of(names))


def _target_of(names: str) -> str:
    path = names
    while path:
        if path in _COLUMN_OF:
            deeper = names.removeprefix(path).removeprefix(".").partition(".")[0]
            return deeper if path == "goods" and deeper else _COLUMN_OF[path]
        path = path.rpartition(".")[0]
    return names


def _collect(into: Any, more: Any) -> None:
    for one in more:
        if one not in into:
            into.append(one)


def _collect_equipment(into: Any, more: Any) -> None:
    known = {one.id: one for one in into}
    for one in more:
        same = known.get(one.id)
        if same is None:
            known[one.id] = one
            into.append(one)
            known[one.id] = into[-1]
            continue
        same.seals.extend(seal for seal in one.seals if seal not in same.seals)
        same.e_lock = same.e_lock or one.e_lock
