"""Reads the table of the kinds of items in OFAC's remarks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from gateway.errors import MalformedError
from gateway.formats.tables.reference_tables import parse_table, read_table

TABLE = "ofac_remarks.csv"
COLUMNS = ("label", "reads_as", "scheme")


class ReadsAs(StrEnum):
    """What an item of a kind becomes."""

    IDENTIFIER = "identifier"
    """An identifier with a number in its value."""
    CODE = "code"
    """An identifier that may consist of letters alone."""
    CONTACT = "contact"
    """An identifier without country or dates: telephone, fax, e-mail, website."""
    TERRITORY = "territory"
    BIRTH_DATE = "birth_date"
    BIRTH_PLACE = "birth_place"
    WEAK_ALIAS = "weak_alias"
    FORMER_NAME = "former_name"
    WORDS = "words"
    """Understood, and kept in the remarks: no field has it, and it identifies nothing."""


@dataclass(frozen=True, slots=True)
class ItemKind:
    """A kind of item.

    Attributes:
        label: its beginning, as the list writes it.
        scheme: of the identifier; else empty.
    """

    label: str
    reads_as: ReadsAs
    scheme: str


@cache
def kinds() -> tuple[ItemKind, ...]:
    """All kinds, in the table's order."""
    text, source = read_table(None, TABLE, what="the kinds of OFAC's remarks")
    return parse_table(text.splitlines(), COLUMNS, _kind, source=source)


def kind_of(item: str) -> tuple[ItemKind, str] | None:
    """The kind of an item and the text after its label; None for an unknown beginning.

    "alt." before it, letter case, and ".", ":" or "#" after it don't matter.
    """
    pattern, by_label = _patterns()
    match = pattern.match(item)
    return (by_label[_folded(match["label"])], item[match.end() :].strip()) if match else None


def _kind(row: Mapping[str, str]) -> ItemKind:
    try:
        return ItemKind(row["label"], ReadsAs(row["reads_as"]), row["scheme"])
    except ValueError as error:
        raise MalformedError(f"reads_as: {error}") from None


@cache
def _patterns() -> tuple[re.Pattern[str], Mapping[str, ItemKind]]:
    by_label = {_folded(kind.label): kind for kind in kinds()}
    longest_first = sorted((kind.label for kind in kinds()), key=len, reverse=True)
    labels = "|".join(_written(label) for label in longest_first)
    return re.compile(rf"(?:alt\.?\s+)?(?P<label>{labels})(?![\w/])[\s.:#-]*(?:No\.?:?\s+)?", re.IGNORECASE), by_label


def _written(label: str) -> str:
    """A pattern for a label: its full stops may be missing, its spaces may be several."""
    return r"\s+".join(re.escape(word).replace(r"\.", r"\.?") for word in label.split())


def _folded(label: str) -> str:
    return " ".join(label.replace(".", "").casefold().split())
