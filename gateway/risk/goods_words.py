"""Reads what goods are out of a description: elements, kinds of substance, shapes and purity, each with its words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from gateway.errors import MalformedError
from gateway.formats.tables.reference_tables import parse_table, read_table
from gateway.risk.facts.substances import words_pattern

FILE: Final = "control_terms.csv"
COLUMNS: Final = ("what", "key", "terms", "source")
WHAT: Final = ("element", "kind", "shape")
"""element: its name; kind: what sort of substance or article; shape: how it comes."""

MAX_CHARS: Final = 4_096
"""Of a description; the rest isn't read."""

METAL, ALLOY, COMPOUND = "metal", "alloy", "compound"
_ANIONS: Final = {
    **{"O": "oxide", "N": "nitride", "P": "phosphide", "As": "arsenide", "Sb": "antimonide", "Se": "selenide"},
    **{"Te": "telluride", "C": "carbide", "H": "hydride", "F": "fluoride", "Cl": "chloride", "S": "sulfide"},
}
"""Kinds of compounds by the last element of a formula."""

METAL_SHAPES: Final = frozenset({"ingot", "scrap", "solid", "powder"})
"""In which elements come, and no compound where none is named."""

_SYMBOL: Final = r"(?:[A-Z][a-z]?)"
_ONE_SYMBOL: Final = re.compile(_SYMBOL)
_SYMBOLS: Final = frozenset(
    _ONE_SYMBOL.findall(
        "HBCNOFMgAlSiPSClTiCrMnFeCoNiCuZnGaGeAsSeYZrNbMoAgCdInSnSbTeLaCePrNdSmEuGdTbDyHoErTmYbLuHfTaWHgPbBiScLi"
    )
)
"""Elements that formulas of goods have."""

_TOKEN: Final = re.compile(r"(?<![\w-])[A-Z][A-Za-z0-9]*(?:-[A-Z][A-Za-z0-9]*)*")
_FORMULA: Final = re.compile(rf"(?:{_SYMBOL}\d{{0,3}})+")
_WITH_PERCENT: Final = re.compile(
    rf"(?<![\w-])({_SYMBOL})(?=\s*[≥>=:]{{0,2}}\s*\d+(?:[.,]\d+)?\s*%)|(?<=%)\s*({_SYMBOL})(?![\w-])"
)
_PERCENT: Final = re.compile(r"(\d{1,3}(?:[.,]\d{1,8})?)\s*[%％]")
_NINES: Final = re.compile(r"(?<![\w.])([2-8])N(\d)?(?![\w])")
_ABSENT: Final = re.compile(
    r"(?<![\w-])[\w-]{1,40}[- ]free\b|\b(?:without|sem|no)\s+\w+|(?:不含|无|無)\s*[\u4e00-\u9fff]", re.IGNORECASE
)
_PREFIXES: Final = re.compile(r"(trimethyl|triethyl|triphenyl|trimetil|trietil|trifenil)(?=\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GoodsReading:
    """What a text says goods are: by key the words that say it.

    Attributes:
        purity: percent; None where it isn't said.
    """

    elements: Mapping[str, str]
    kinds: Mapping[str, str]
    shapes: Mapping[str, str]
    purity: float | None = None

    @property
    def says_metal_by_shape(self) -> bool:
        """Whether elements come in a shape of metals, and no kind is named."""
        return bool(self.elements) and not self.kinds and not METAL_SHAPES.isdisjoint(self.shapes)


@dataclass(frozen=True, slots=True)
class _Term:
    what: str
    key: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GoodsWords:
    """The words, and how texts are read with them."""

    terms: tuple[_Term, ...]
    _patterns: Mapping[str, re.Pattern[str]] = field(init=False, repr=False, compare=False)
    _keys: Mapping[str, Mapping[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keys: dict[str, dict[str, str]] = {what: {} for what in WHAT}
        for term in self.terms:
            for word in term.words:
                keys[term.what].setdefault(word, term.key)
        object.__setattr__(self, "_keys", keys)
        object.__setattr__(self, "_patterns", {what: words_pattern(words) for what, words in keys.items()})

    def read(self, text: str, *, element: str = "", purity: float | None = None) -> GoodsReading:
        """Reads a text, e.g. a description with the form beside it.

        Args:
            element: symbol that is declared beside it.
            purity: percent that is declared beside it; else the highest that the text says.
        """
        text = _PREFIXES.sub(r"\1 ", _ABSENT.sub(" ", text[:MAX_CHARS]))
        elements = {element: element} if element else {}
        kinds: dict[str, str] = {}
        for symbols, written in _formulas(text):
            for symbol in symbols:
                elements.setdefault(symbol, written)
            if (kind := _kind_of(symbols)) is not None:
                kinds.setdefault(kind, written)
        for what, into in (("element", elements), ("kind", kinds)):
            for key, word in self._found(what, text):
                into.setdefault(key, word)
        shapes = dict(self._found("shape", text))
        return GoodsReading(elements, kinds, shapes, purity if purity is not None else _purity(text))

    def _found(self, what: str, text: str) -> Iterator[tuple[str, str]]:
        for word in self._patterns[what].findall(text.casefold()):
            yield self._keys[what][word], word


def load_goods_words(path: Path | None = None) -> GoodsWords:
    """The words at a path, or those that come along.

    Raises:
        ConfigurationError: unreadable or wrong; names file and lines.
    """
    text, source = read_table(path, FILE, what="the words of controlled goods")
    return _words(text, source)


@lru_cache(maxsize=1)
def _words(text: str, source: str) -> GoodsWords:
    return GoodsWords(parse_table(text.splitlines(), COLUMNS, _row, source=source))


def _row(row: Mapping[str, str]) -> _Term:
    words = tuple(word for word in row["terms"].casefold().split("|") if word)
    if row["what"] not in WHAT or not row["key"] or not words:
        raise MalformedError(f"what: one of {', '.join(WHAT)}, with a key and terms")
    return _Term(row["what"], row["key"], words)


def _formulas(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Formulas like Dy2O3, GaAs and W-Ni-Fe, and symbols beside a percentage: their elements, and how they stand."""
    for token in _TOKEN.findall(text):
        parts = token.split("-")
        symbols = tuple(parts) if len(parts) > 1 and _SYMBOLS.issuperset(parts) else _of_formula(parts[0])
        if symbols:
            yield symbols, token
    for match in _WITH_PERCENT.finditer(text):
        symbol = match[1] or match[2]
        if symbol in _SYMBOLS:
            yield (symbol,), symbol


def _of_formula(token: str) -> tuple[str, ...]:
    """Elements of a formula; none for a word, one alone, or capital letters without a number."""
    if not _FORMULA.fullmatch(token) or (token.isupper() and not any(map(str.isdigit, token))):
        return ()
    symbols = tuple(_ONE_SYMBOL.findall(token))
    return symbols if len(symbols) > 1 and _SYMBOLS.issuperset(symbols) else ()


def _kind_of(symbols: tuple[str, ...]) -> str | None:
    if len(symbols) < 2:
        return None
    kind = _ANIONS.get(symbols[-1])
    if kind == "antimonide" and symbols[0] not in ("Ga", "In", "Al"):
        kind = None
    return kind if kind is not None else None if set(symbols) & {"B"} else ALLOY


def _purity(text: str) -> float | None:
    percents = [float(number.replace(",", ".")) for number in _PERCENT.findall(text)]
    percents += [float(f"99.{'9' * (int(nines) - 2)}{last}") for nines, last in _NINES.findall(text)]
    return max((percent for percent in percents if percent <= 100), default=None)
