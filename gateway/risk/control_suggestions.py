"""Suggests under which control codes goods stand, with what led to each and what is lacking to tell it from the next.

A line of the list is read like a description, so an own list is read like the built-in one. A line is suggested where
its elements are named and no other kind of goods is; it *fits* where its kind is named too and its purity is reached.
Lines on equipment and technology alone aren't suggested: what they need stands in no description.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from gateway.risk.controlled_goods import ControlledGood, ControlledGoods
from gateway.risk.goods_words import ALLOY, COMPOUND, METAL, METAL_SHAPES, GoodsReading, GoodsWords

MOST: Final = 8
"""Suggestions for one description."""

_NO_COMPOUNDS: Final = frozenset({METAL, ALLOY, "target", "magnet", "mixture", "ore"})
_MUST_BE_NAMED: Final = frozenset(
    {"artificial graphite", "natural graphite", "synthetic diamond", "battery", "cathode", "magnet", "article"}
)
"""Kinds that aren't assumed where a description names none."""

_NOT_SUGGESTED: Final = frozenset({"equipment", "technology"})
_THRESHOLD: Final = re.compile(r"(>=|≥|>)\s*(\d{1,3}(?:\.\d+)?)\s*%")
_CONDITIONS: Final = re.compile(
    r"\b(MPa|GPa|ppm|kW|mm|um|Wh/kg|mAh/g|mAh)\b|g/cm3|/cm2|not (?:under )?\d[A-E]\d{3}|grade", re.IGNORECASE
)
_IN_BRACKETS: Final = re.compile(r"\([^()]*\)")
_LIMITS: Final = re.compile(r"\((?:not|spherical)[^()]*\)|\([^()%]*%[^()]*\)")
"""What a line excludes, asks of purity, or lists as examples."""


class FactKind(StrEnum):
    """What a fact of goods is about."""

    ELEMENT = "element"
    KIND = "kind"
    SHAPE = "shape"
    PURITY = "purity"
    CONDITIONS = "conditions"


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that led to a suggestion, or that one lacks.

    Attributes:
        value: the element, kind, shape, bound or line's words that it is about.
        words: of the description; empty for a fact that is lacking.
    """

    kind: FactKind
    value: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class ControlSuggestion:
    """A control code, or where the list knows none a line of an announcement.

    Attributes:
        good: the line that fits best.
        codes: commodity codes of all its lines, as references.
        fits: nothing is lacking.
    """

    good: ControlledGood
    codes: tuple[str, ...]
    because: tuple[Fact, ...]
    lacking: tuple[Fact, ...]

    @property
    def fits(self) -> bool:
        return not self.lacking


@dataclass(frozen=True, slots=True)
class _Line:
    """What a line needs; `named`: all elements in its words."""

    good: ControlledGood
    elements: frozenset[str]
    named: frozenset[str]
    kinds: frozenset[str]
    shapes: frozenset[str]
    bound: tuple[str, float] | None
    conditions: bool


@dataclass(frozen=True, slots=True)
class ControlSuggester:
    """Suggests control codes by a list. Thread-safe."""

    goods: ControlledGoods
    words: GoodsWords
    _lines: Sequence[_Line] = field(init=False, repr=False, compare=False)
    _codes: Mapping[tuple[str, str], tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        codes: dict[tuple[str, str], dict[str, None]] = {}
        first: dict[tuple[str, str, str], ControlledGood] = {}
        for good in self.goods:
            codes.setdefault(_named(good), {})[good.code] = None
            first.setdefault((good.announcement, good.substance, good.form), good)
        lines = [self._line(good) for good in first.values()]
        object.__setattr__(self, "_lines", [line for line in lines if line is not None])
        object.__setattr__(self, "_codes", {key: tuple(filter(None, each)) for key, each in codes.items()})

    def suggest(
        self, text: str, *, element: str = "", purity: float | None = None, form: str = ""
    ) -> list[ControlSuggestion]:
        """Suggestions for goods, the best first.

        Args:
            text: description, and what else is said of the substance.
            element: symbol; may be empty.
            purity: percent.
            form: in words.
        """
        reading = self.words.read(f"{text}\n{form}", element=element, purity=purity)
        if "article" in reading.kinds:
            return []
        found = [(rank, suggestion) for line in self._lines for rank, suggestion in self._fit(line, reading)]
        found.sort(key=lambda pair: pair[0], reverse=True)
        best: dict[tuple[str, str], ControlSuggestion] = {}
        for _, suggestion in found:
            best.setdefault(_named(suggestion.good), suggestion)
        return list(best.values())[:MOST]

    def _line(self, good: ControlledGood) -> _Line | None:
        """What a line needs; None for one that is never suggested."""
        reading = self.words.read(_IN_BRACKETS.sub(" ", good.substance))
        kinds = frozenset(self.words.read(_LIMITS.sub(" ", good.substance)).kinds)
        if not kinds and reading.elements:
            kinds = frozenset({METAL})
        if ALLOY in kinds and not METAL_SHAPES.isdisjoint(reading.shapes):
            kinds |= {METAL}
        own = frozenset({good.element} if good.element and good.element != "-" else ())
        elements = own if ALLOY in kinds and own else own | frozenset(reading.elements)
        if not kinds.isdisjoint(_NOT_SUGGESTED) or not (elements or kinds):
            return None
        bounds = [(sign, float(number)) for sign, number in _THRESHOLD.findall(good.substance)]
        shapes = frozenset(self.words.read(f"{good.form} {good.substance}").shapes)
        conditions = _CONDITIONS.search(good.substance) is not None
        bound = min(bounds, key=lambda each: each[1], default=None)
        return _Line(good, elements, frozenset(reading.elements), kinds, shapes, bound, conditions)

    def _fit(self, line: _Line, reading: GoodsReading) -> Iterable[tuple[tuple[float, ...], ControlSuggestion]]:
        """The suggestion of a line with its rank; nothing where what is said rules it out."""
        if not line.elements <= reading.elements.keys():
            return
        because = [Fact(FactKind.ELEMENT, symbol, reading.elements[symbol]) for symbol in sorted(line.elements)]
        lacking: list[Fact] = []
        said = dict(reading.kinds)
        if reading.says_metal_by_shape:
            said[METAL] = next(iter(reading.shapes.values()))
        exact = line.kinds & said.keys()
        compounds = said.keys() - _NO_COMPOUNDS - _MUST_BE_NAMED - _NOT_SUGGESTED
        wider = COMPOUND in line.kinds and bool(compounds)
        if exact or wider:
            names = sorted(exact or compounds)
            because += [Fact(FactKind.KIND, name, said[name]) for name in names]
        elif line.kinds and (said or not line.kinds.isdisjoint(_MUST_BE_NAMED)):
            return
        elif line.kinds:
            lacking.append(Fact(FactKind.KIND, " / ".join(sorted(line.kinds))))
        if not _reaches(line, reading, because, lacking):
            return
        shared = line.shapes & reading.shapes.keys()
        because += [Fact(FactKind.SHAPE, shape, reading.shapes[shape]) for shape in sorted(shared)]
        if line.conditions:
            lacking.append(Fact(FactKind.CONDITIONS, line.good.substance))
        rank = (
            float(bool(exact)) * 2 + float(wider) + float(not line.kinds),
            float(len(exact)) - float(len(line.kinds - exact)) / 2,
            float(len(line.elements)),
            float(len(line.named & reading.elements.keys())),
            float(any(fact.kind is FactKind.PURITY for fact in because)),
            -float(any(fact.kind is FactKind.PURITY for fact in lacking)),
            float(bool(shared)),
            -float(line.conditions),
            float(line.good.confidence),
        )
        codes = self._codes[_named(line.good)]
        yield rank, ControlSuggestion(line.good, codes, tuple(because), tuple(lacking))


def holds_on(suggestions: Iterable[ControlSuggestion], on: date) -> list[ControlSuggestion]:
    """Those whose line has begun by a day, in their order."""
    return [each for each in suggestions if each.good.announced <= on]


def _named(good: ControlledGood) -> tuple[str, str]:
    """What a suggestion is of: the control code; without one the announcement's substance."""
    return (good.control_code, "") if good.control_code else (good.announcement, good.substance)


def _reaches(line: _Line, reading: GoodsReading, because: list[Fact], lacking: list[Fact]) -> bool:
    """Whether a line's purity may be reached; notes the fact, or that it is lacking."""
    if line.bound is None:
        return True
    sign, least = line.bound
    value = f"{sign} {least:g} %"
    if reading.purity is None:
        lacking.append(Fact(FactKind.PURITY, value))
        return True
    if reading.purity < least or (sign == ">" and reading.purity == least):
        return False
    because.append(Fact(FactKind.PURITY, value, f"{reading.purity:.10g} %"))
    return True
