"""Names of substances and chemical elements in the reader's language, by the reference data.

A row of the tables names a thing in English, simplified Chinese, traditional Chinese and Portuguese, in this order; of
further names in a language the first is shown. One name in Han characters is the same in both scripts.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final

from gateway.translation.messages import SOURCE, language, listed

_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_NOT_ELEMENTS: Final = frozenset({"C"})
"""Of carbon the table names a form alone, graphite."""

_METAL: Final = " metal"
"""What lists of controlled goods add to the name of an element."""

SubstanceNames = Mapping[str, str]
"""The name in each language."""


def element_name(symbol: str) -> str:
    """An element's name for people; the symbol of one that the tables don't name."""
    return _in_readers_language(_elements().get(symbol, {})) or symbol


def substance_name(text: str) -> str:
    """What a substance is called in the reader's language, by any name that the tables have; empty for another text.

    A name that is in the reader's language already stays as it is written.
    """
    names = _substances().get(_key(text), {})
    if language() in ("en", "pt") and text.strip().casefold() in _names_in(language()):
        return text.strip()
    return _in_readers_language(names)


def substance_title(substance: str, element: str = "") -> str:
    """A substance in a few words: its name for people, or the text as somebody wrote it, or its element's name."""
    return substance_name(substance) or substance or element_name(element)


def listed_substance(substance: str, element: str = "") -> str:
    """A line of a list of controlled goods: its name for people, or its element's with the words of the list."""
    named = substance_name(substance)
    if named or not substance or language() == SOURCE or element not in _elements():
        return named or substance
    return f"{element_name(element)} ({substance})"


def substance_words(substance: str, element: str) -> str:
    """A substance with all that was said of it: `锑 (antimony)`, or `regulus, antimony` for a text that isn't known."""
    name, of_element = substance_name(substance), element_name(element)
    if not name:
        return listed(filter(None, (substance, of_element)))
    known = name if name.casefold() == substance.strip().casefold() else f"{name} ({substance})"
    return known if not element or element in _elements_of(substance) else listed((known, of_element))


def _in_readers_language(names: SubstanceNames) -> str:
    return names.get(language()) or names.get(SOURCE, "")


def _elements_of(substance: str) -> frozenset[str]:
    return _controlled().get(_key(substance), frozenset())


def _key(text: str) -> str:
    return text.strip().casefold().removesuffix(_METAL)


@cache
def _elements() -> Mapping[str, SubstanceNames]:
    return {
        row["key"]: _by_language(row["terms"].split("|"))
        for row in reference_rows("control_terms.csv")
        if row["what"] == "element" and row["key"] not in _NOT_ELEMENTS
    }


@cache
def _substances() -> Mapping[str, SubstanceNames]:
    """By every name in lower case; an element has the names that it has everywhere."""
    found: dict[str, SubstanceNames] = {}
    for row, names in _named_rows():
        is_element = row["formula"] == row["elements"]
        shown = _elements().get(row["elements"]) if is_element else None
        for name in names:
            found.setdefault(_key(name), shown or _by_language(row["names"].split("|")))
    return found


@cache
def _names_in(tag: str) -> frozenset[str]:
    """All names in English or Portuguese, in lower case."""
    found = set[str]()
    for row, _names in _named_rows():
        names = row["names"].split("|")
        before, after = _around_han(names)
        found.update(name.casefold() for name in (after if tag == "pt" else [row["substance"], *before]))
    return frozenset(found)


@cache
def _controlled() -> Mapping[str, frozenset[str]]:
    """Elements by every name of a substance."""
    return {_key(name): frozenset(row["elements"].split()) for row, names in _named_rows() for name in names}


def _named_rows() -> Iterator[tuple[Mapping[str, str], Sequence[str]]]:
    for row in reference_rows("physical_data.csv"):
        if "/" not in row["substance"]:  # several in one
            yield row, [name.casefold() for name in (row["substance"], *row["names"].split("|")) if name]


def _by_language(names: Sequence[str]) -> SubstanceNames:
    """The first name in each language."""
    before, after = _around_han(names)
    found = {SOURCE: before[0] if before else "", "pt": after[0] if after else ""}
    han = [name for name in names if _HAN.search(name)]
    if han:
        found |= {"zh-Hans": han[0], "zh-Hant": han[min(1, len(han) - 1)]}
    return found


def _around_han(names: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Names before those in Han characters, and after them."""
    places = [place for place, name in enumerate(names) if _HAN.search(name)]
    return (names[: places[0]], names[places[-1] + 1 :]) if places else (names, ())


def reference_rows(file: str) -> list[dict[str, str]]:
    """Rows of a table of the reference data."""
    content = resources.files("gateway.reference").joinpath(file).read_text("utf-8")
    return list(csv.DictReader(content.splitlines()))
