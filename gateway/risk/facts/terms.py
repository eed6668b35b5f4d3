"""Finds words in descriptions of goods and names of parties that rules use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from gateway.errors import MalformedError
from gateway.formats.tables.reference_tables import parse_table, read_table
from gateway.risk.facts.substances import words_pattern

FILE = "goods_terms.csv"

COLUMNS = ("kind", "term", "language", "confidence", "source")

KINDS = ("vague", "filler", "forwarder")
"""vague: says nothing about goods; filler: says nothing beside another word; forwarder: in a forwarder's name."""

MAX_VAGUE_CHARS = 120
"""Longer descriptions aren't vague."""

MAX_REMEMBERED = 4096
"""Most cached descriptions."""

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class GoodsTerm:
    """A line of the list; `term` in lower case, `sure` for high confidence."""

    kind: str
    term: str
    sure: bool


@dataclass(frozen=True, slots=True)
class Wording:
    """A description's vague terms, and the number of its other words."""

    vague: tuple[str, ...]
    other_words: int


@dataclass(frozen=True, slots=True)
class GoodsTerms:
    """The list with its look-ups."""

    rows: tuple[GoodsTerm, ...]
    _forwarder: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _read: Callable[[str], Wording] = field(init=False, repr=False, compare=False)
    _sure: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        vague, filler, forwarder = (words_pattern(row.term for row in self.rows if row.kind == kind) for kind in KINDS)
        object.__setattr__(self, "_forwarder", forwarder)
        # Declarants repeat themselves. A pattern is no key: its hash isn't cached.
        object.__setattr__(self, "_read", lru_cache(MAX_REMEMBERED)(partial(_wording, vague, filler)))
        sure = frozenset(row.term for row in self.rows if row.kind == "forwarder" and row.sure)
        object.__setattr__(self, "_sure", sure)

    def wording(self, description: str) -> Wording:
        """Empty for a description too long to be vague."""
        if not description or len(description) > MAX_VAGUE_CHARS:
            return Wording((), 0)
        return self._read(description)

    def forwarder(self, name: str) -> tuple[tuple[str, ...], bool]:
        """A forwarder's words in a party's name, and whether one is sure."""
        terms = tuple(dict.fromkeys(self._forwarder.findall(name.casefold())))
        return terms, any(term in self._sure for term in terms)


def load_terms(path: Path | None = None) -> GoodsTerms:
    """The list at a path, or the packaged one.

    Raises:
        ConfigurationError: unreadable or wrong; names file, lines and columns.
    """
    text, source = read_table(path, FILE, what="the list of goods terms")
    return _terms(text, source)


@lru_cache(maxsize=1)  # patterns of all words: the dearest part of an engine
def _terms(text: str, source: str) -> GoodsTerms:
    return GoodsTerms(parse_table(text.splitlines(), COLUMNS, _row, source=source))


def _wording(vague: re.Pattern[str], filler: re.Pattern[str], description: str) -> Wording:
    terms: dict[str, None] = {}

    def take(match: re.Match[str]) -> str:
        terms[match.group()] = None
        return " "

    rest = filler.sub(" ", vague.sub(take, description.casefold()))
    return Wording(tuple(terms), len(_WORD.findall(rest)))


def _row(row: Mapping[str, str]) -> GoodsTerm:
    if row["kind"] not in KINDS:
        raise MalformedError(f"kind: {row['kind'][:40]!r} is none of {', '.join(KINDS)}")
    if not row["term"]:
        raise MalformedError("term: is empty")
    if row["confidence"] not in ("low", "medium", "high"):
        raise MalformedError(f"confidence: {row['confidence'][:40]!r} is not high, medium or low")
    return GoodsTerm(row["kind"], row["term"].casefold(), row["confidence"] == "high")
