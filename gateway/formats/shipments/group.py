"""Groups the lines of a record, and finds the column of a broken rule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gateway.contract.messages import RecordedItem, is_set
from gateway.errors import Violation
from gateway.formats.shipments.build import Step
from gateway.formats.shipments.columns import EVENT, GOODS, MEANS, ROLES, SHIPMENT
from gateway.formats.shipments.rows import BadRecord, Row, finish
from gateway.formats.tables.fields import Column, Field
from gateway.formats.tables.layout import Layout, Line, Problem
from gateway.v1 import shipment_pb2

MAX_LINES = 1_000
"""Most lines of a record: the contract allows 200 goods items and 64 containers."""

_ROLE_WORDS: Mapping[int, str] = {number: word for word, number in ROLES.items()}
NEEDED = ("procedure", "declared_at")
"""Mandatory fields beside the id."""

_COLLECTED = ("references", "parties", "means", "masses", "licences", "events")
"""Lists collected from a record's lines, without doubles."""


def _paths(columns: Mapping[str, Field], prefix: str = "") -> dict[str, str]:
    return {f"{prefix}{column.path}": name for name, column in columns.items() if isinstance(column, Column)}


_COLUMN_OF: Mapping[str, str] = MappingProxyType(
    {
        **_paths({name: column for name, column in SHIPMENT.items() if name not in MEANS}),
        **_paths(GOODS, "goods."),
        **_paths(EVENT, "events."),
        "utc_offset_minutes": "declared_at",
        "references": "declaration",
        "releasable_to": "releasable_to",
        "equipment": "containers",
        "equipment.seals": "seals",
        "equipment.e_lock": "e_locks",
        "means": "plates",
        "means.name": "vessel",
        "means.journey": "voyage",
        "means.mode": "mode",
        "masses": "weighbridge_mass_kg",
        "goods": "item",
        "goods.codes": "hs_code",
        "goods.customs_value": "value",
        "goods.packages": "packages",
        "goods.packages.type": "package_type",
        "goods.packages.marks": "package_marks",
        "goods.packages.volume_m3": "package_volume_m3",
        "events": "event",
        "events.occurred_at": "event_at",
        "events.place": "event_place",
    }
)
"""Path in a shipment to its column, where the names differ."""

_INDEX = re.compile(r"\[([0-9]+)\]")


class Group:
    """Consecutive lines of one record."""

    def __init__(self, layout: Layout, steps: Sequence[Step], record_id: str, line: int) -> None:
        """Begins a record at a line; `steps` are those of the layout."""
        self.record_id = record_id
        self.lines = 0
        self._layout = layout
        self._steps = steps
        self._line = line
        self._whole = shipment_pb2.Shipment(record_id=record_id)
        self._problems: list[Problem] = []
        self._goods_lines: list[int] = []
        self._event_lines: list[int] = []

    def take(self, line: Line) -> None:
        if not self._counted(line.number):
            return
        line.first = self.lines == 1
        read = shipment_pb2.Shipment(record_id=self.record_id)
        for step in self._steps:
            step(read, line)
        self._problems.extend(line.problems)
        self._goods_lines.extend([line.number] * len(read.goods))
        self._event_lines.extend([line.number] * len(read.events))
        self._join(read, line.number)

    def unreadable(self, problems: Sequence[Problem]) -> None:
        """Adds an unreadable line of this record."""
        if self._counted(problems[0].line):
            self._problems.extend(Problem(problem.line, "", problem.reason) for problem in problems)

    def _counted(self, line: int) -> bool:
        """Counts a line; False beyond the limit, reported once."""
        self.lines += 1
        if self.lines == MAX_LINES + 1:
            said = f"more than {MAX_LINES} lines have this record id; a record has at most 200 goods items"
            self._problems.append(Problem(line, self._layout.label("record_id"), said))
        return self.lines <= MAX_LINES

    def row(self) -> Row:
        """The record, or all its problems."""
        whole = self._whole
        fields = {descriptor.name for descriptor, _ in whole.ListFields()}
        if not self._problems and whole.events and fields <= {"record_id", "events"}:
            addition = shipment_pb2.ShipmentAddition(record_id=whole.record_id, events=whole.events)
            return finish(self._line, addition, self._label, lines=self.lines)
        self._require(fields)
        if self._problems:
            return BadRecord(self._line, self.record_id[:64], self.lines, tuple(self._problems))
        whole.licences_not_known = not self._layout.fills("licences")
        for number, item in enumerate(whole.goods, 1):
            item.sequence = item.sequence or number
        return finish(self._line, whole, self._label, lines=self.lines)

    def _require(self, fields: set[str]) -> None:
        """Notes missing fields, except in columns with a problem."""
        layout = self._layout
        named = {problem.field for problem in self._problems}
        for target in NEEDED:
            label = layout.label(target)
            if target not in fields and label not in named and "" not in named:
                reason = f"{label}: is missing; a record needs it, lines that tell of events alone don't"
                self._problems.append(Problem(self._line, label, reason))

    def _join(self, said: shipment_pb2.Shipment, line: int) -> None:
        whole = self._whole
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
                label = self._layout.label(_COLUMN_OF.get(name, name))
                self._problems.append(
                    Problem(line, label, f"{label}: differs from line {self._line}, which has the same record id")
                )

    def _label(self, violation: Violation, item: RecordedItem) -> tuple[int, str]:
        path = violation.field
        names = _INDEX.sub("", path)
        top, _, below = names.partition(".")
        index = _INDEX.search(path)
        line = self._line
        if top == "parties":
            role = item.parties[int(index[1])].role if index and isinstance(item, shipment_pb2.Shipment) else 0
            part = {"identifiers": "id", "addresses": "address"}.get(below.partition(".")[0], "name")
            return line, self._layout.label(f"{_ROLE_WORDS.get(role, 'declarant')}_{part}")
        if index and top in ("goods", "events"):
            lines = self._goods_lines if top == "goods" else self._event_lines
            line = lines[int(index[1])] if int(index[1]) < len(lines) else line
        return line, self._layout.label(_target_of(names))


def _target_of(names: str) -> str:
    path = names
    while path:
        if path in _COLUMN_OF:
            deeper = names.removeprefix(path).removeprefix(".").partition(".")[0]
            return deeper if path == "goods" and deeper else _COLUMN_OF[path]
        path = path.rpartition(".")[0]
    return names


def _collect(into: Any, more: Any) -> None:
    for item in more:
        if item not in into:
            into.append(item)


def _collect_equipment(into: Any, more: Any) -> None:
    known = {item.id: item for item in into}
    for item in more:
        same = known.get(item.id)
        if same is None:
            known[item.id] = item
            into.append(item)
            known[item.id] = into[-1]
            continue
        same.seals.extend(seal for seal in item.seals if seal not in same.seals)
        same.e_lock = same.e_lock or item.e_lock
