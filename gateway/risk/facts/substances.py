"""Knows density and price of substances, and finds which of them a goods item declares.

A code that holds other goods too (`part`) counts only if the item's words or element confirm the substance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from gateway.errors import MalformedError
from gateway.formats.tables.reference_tables import parse_table, read_table

FILE = "physical_data.csv"

COLUMNS = (
    "substance",
    "formula",
    "elements",
    "role",
    "hs",
    "covers",
    "names",
    "density_g_cm3",
    "density_confidence",
    "price_low_usd_kg",
    "price_high_usd_kg",
    "price_confidence",
)
"""Required columns. `names`: words in any language, separated by `|`; `hs`: first digits of codes, separated by spaces;
`covers`: whether such a code holds nothing else (`whole`) or more (`part`). Density in g/cm³, prices in US dollars per
kilogram; both may be empty.
"""

ROLES = ("controlled", "cover", "other")
"""controlled: may be under export control; cover: declared instead; other: neither."""

MAX_REMEMBERED = 4096
"""Most cached texts."""

_CONFIDENCES = ("", "low", "medium", "high")
_PREFIX = re.compile(r"[0-9]{2}|[0-9]{4}|[0-9]{6}")
_ELEMENT = re.compile(r"[A-Z][a-z]?")

NOT_KNOWN = math.nan
"""An unknown number. Comparisons with NaN are false, in Python and CEL."""


@dataclass(frozen=True, slots=True)
class Substance:
    """A line of the table.

    Attributes:
        elements: symbols that a control may name.
        prefixes: first digits of codes.
        whole: whether such a code holds nothing else.
        names: lower case.
        density: g/cm³, or NaN.
        price_low, price_high: US dollars per kilogram, or NaN.
    """

    name: str
    formula: str
    elements: frozenset[str]
    role: str
    prefixes: tuple[str, ...]
    whole: bool
    names: tuple[str, ...]
    density: float
    price_low: float
    price_high: float
    price_confidence: str

    @property
    def metal(self) -> bool:
        """Whether it is an element: compounds don't come as ingots."""
        return self.formula in self.elements


@dataclass(frozen=True, slots=True)
class DeclaredSubstances:
    """Substances that an item may declare."""

    substances: tuple[Substance, ...]

    @property
    def name(self) -> str:
        return " or ".join(substance.name for substance in self.substances)

    @property
    def elements(self) -> frozenset[str]:
        return frozenset().union(*(substance.elements for substance in self.substances))

    @property
    def densities(self) -> tuple[float, float]:
        """Least and greatest, g/cm³; NaN if one is unknown."""
        return _range([substance.density for substance in self.substances], self.substances)

    @property
    def prices(self) -> tuple[float, float]:
        """Least and greatest, US dollars per kilogram; NaN if one is unknown."""
        low, _ = _range([substance.price_low for substance in self.substances], self.substances)
        _, high = _range([substance.price_high for substance in self.substances], self.substances)
        return low, high

    @property
    def price_confidence(self) -> str:
        """The least of all."""
        return min((substance.price_confidence for substance in self.substances), key=_CONFIDENCES.index, default="")

    @property
    def cover(self) -> bool:
        return bool(self.substances) and all(substance.role == "cover" for substance in self.substances)


UNKNOWN = DeclaredSubstances(())


@dataclass(frozen=True, slots=True)
class Substances:
    """The table with its look-ups."""

    rows: tuple[Substance, ...]
    _by_prefix: Mapping[str, tuple[Substance, ...]] = field(init=False, repr=False, compare=False)
    _named: Callable[[str], tuple[Substance, ...]] = field(init=False, repr=False, compare=False)
    _suspects: Callable[[frozenset[str]], tuple[Substance, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, list[Substance]] = {}
        by_word: dict[str, Substance] = {}
        for row in self.rows:
            for prefix in row.prefixes:
                index.setdefault(prefix, []).append(row)
            for word in row.names:
                by_word.setdefault(word, row)
        object.__setattr__(self, "_by_prefix", {prefix: tuple(rows) for prefix, rows in index.items()})
        named = partial(_named, words_pattern(by_word), by_word)
        object.__setattr__(self, "_named", lru_cache(MAX_REMEMBERED)(named))
        object.__setattr__(self, "_suspects", lru_cache(MAX_REMEMBERED)(partial(_suspects, self.rows)))

    def has_code(self, code: str) -> bool:
        """The cheap test."""
        known = self._by_prefix
        return code[:6] in known or code[:4] in known or code[:2] in known

    def under_code(self, code: str) -> tuple[Substance, ...]:
        """By the longest prefix of a commodity code."""
        for digits in (6, 4, 2):
            rows = self._by_prefix.get(code[:digits])
            if rows:
                return rows
        return ()

    def named(self, text: str) -> tuple[Substance, ...]:
        """Substances named in a text, in order; `zinc oxide` doesn't name zinc."""
        return self._named(text) if text else ()

    def declared(self, codes: Iterable[str], *, substance: str, element: str, text: str) -> DeclaredSubstances:
        """Substances that an item declares; `codes` are digits, texts may be empty."""
        substances = list(dict.fromkeys(row for code in codes for row in self.under_code(code)))
        named = self.named(substance)
        if not substances:
            return DeclaredSubstances(named) if named else UNKNOWN
        narrowed = _narrowed(substances, named or self.named(text), element)
        if narrowed:
            return DeclaredSubstances(narrowed)
        return DeclaredSubstances(tuple(substances)) if all(row.whole for row in substances) else UNKNOWN

    def suspects(self, elements: frozenset[str]) -> tuple[Substance, ...]:
        """Substances under control because of these elements."""
        return self._suspects(elements)


def load_substances(path: Path | None = None) -> Substances:
    """The table at a path, or the packaged one.

    Raises:
        ConfigurationError: unreadable or wrong; names file, lines and columns.
    """
    text, source = read_table(path, FILE, what="the table of physical data")
    return _substances(text, source)


@lru_cache(maxsize=1)
def _substances(text: str, source: str) -> Substances:
    return Substances(parse_table(text.splitlines(), COLUMNS, _row, source=source))


def words_pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Longest words first; Latin ones as whole words."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join(_bounded(word) for word in longest_first) or r"(?!)")


def _bounded(word: str) -> str:
    escaped = re.escape(word)
    if not word.isascii() and any(char >= "\u2e80" for char in word):
        return escaped
    return rf"(?<!\w){escaped}(?!\w)"


def _named(pattern: re.Pattern[str], by_word: Mapping[str, Substance], text: str) -> tuple[Substance, ...]:
    return tuple(dict.fromkeys(by_word[word] for word in pattern.findall(text.casefold())))


def _suspects(rows: Sequence[Substance], elements: frozenset[str]) -> tuple[Substance, ...]:
    return tuple(row for row in rows if row.role == "controlled" and row.elements & elements)


def _narrowed(substances: Sequence[Substance], named: Sequence[Substance], element: str) -> tuple[Substance, ...]:
    """By the item's words, else by its element."""
    by_words = tuple(row for row in substances if row in named)
    if by_words or not element:
        return by_words
    return tuple(row for row in substances if element in row.elements)


def _range(values: Sequence[float], rows: Sequence[Substance]) -> tuple[float, float]:
    if not rows or any(math.isnan(value) for value in values):
        return NOT_KNOWN, NOT_KNOWN
    return min(values), max(values)


def _row(row: Mapping[str, str]) -> Substance:
    low, high = _number(row, "price_low_usd_kg"), _number(row, "price_high_usd_kg")
    if math.isnan(low) != math.isnan(high) or low > high:
        raise MalformedError("price_low_usd_kg and price_high_usd_kg must both be given, the lower one first")
    return Substance(
        name=row["substance"],
        formula=row["formula"],
        elements=frozenset(_each(row, "elements", _ELEMENT)),
        role=_one_of(row, "role", ROLES),
        prefixes=_each(row, "hs", _PREFIX),
        whole=_one_of(row, "covers", ("whole", "part")) == "whole",
        names=tuple(word for word in row["names"].casefold().split("|") if word),
        density=_number(row, "density_g_cm3"),
        price_low=low,
        price_high=high,
        price_confidence=_one_of(row, "price_confidence", _CONFIDENCES),
    )


def _number(row: Mapping[str, str], column: str) -> float:
    if not row[column]:
        return NOT_KNOWN
    try:
        value = float(row[column])
    except ValueError:
        value = NOT_KNOWN
    if not value > 0 or math.isinf(value):
        raise MalformedError(f"{column}: {row[column][:40]!r} is not a number above 0")
    return value


def _each(row: Mapping[str, str], column: str, shape: re.Pattern[str]) -> tuple[str, ...]:
    parts = tuple(row[column].split())
    for part in parts:
        if shape.fullmatch(part) is None:
            raise MalformedError(f"{column}: {part[:40]!r} isn't what belongs there")
    return parts


def _one_of(row: Mapping[str, str], column: str, allowed: Sequence[str]) -> str:
    if row[column] not in allowed:
        raise MalformedError(
            f"{column}: {row[column][:40]!r} is none of {', '.join(word or '(empty)' for word in allowed)}"
        )
    return row[column]
