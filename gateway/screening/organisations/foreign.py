"""Reads organisations' names in Hangul, kana, Cyrillic and Thai as Latin ones: words of business translated, the rest
romanised.

`foreign_terms.csv` has the words. Korean, Japanese and Thai write without spaces: words are searched from the end, as
in Han names; a place stands first.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import NamedTuple

from gateway.screening.organisations.latin import read_latin
from gateway.screening.organisations.lexicon import HAN_TERMS, Phrases, english_of
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.text.kanji import chinese_form
from gateway.screening.text.normalisation import has_han, simplified
from gateway.screening.text.scripts import Script, in_script, romanised

_LANGUAGES = {Script.HANGUL: "ko", Script.KANA: "ja", Script.CYRILLIC: "ru", Script.THAI: "th"}
_WORD = re.compile(r"[^\W_]+")
_MOST_CHARACTERS = 8
_LEAST_LOAN = 4
"""Kana of a loan that is surely a word of business: ホテル may be one, テック ends brands."""
_LEAST_CHARACTERS = 2
"""Of a word within a run of letters; a single one is part of a brand."""


class _Vocabulary(NamedTuple):
    """Meanings in English by writing, as characters or, for Cyrillic, as words; `legal` longest first."""

    legal: tuple[tuple[str, str], ...]
    terms: Phrases[str]
    places: Phrases[str]


@cache
def _vocabulary(script: Script) -> _Vocabulary:
    text = resources.files("gateway.reference").joinpath("foreign_terms.csv").read_text(encoding="utf-8")
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in csv.DictReader(text.splitlines()):
        if row["language"] == _LANGUAGES[script]:
            found[row["kind"]] |= dict.fromkeys(row["writings"].split("|"), row["meaning"])
    legal = sorted(found["legal"].items(), key=lambda item: -len(item[0]))
    terms, places = ({_units(script, w): m for w, m in found[kind].items()} for kind in ("term", "place"))
    return _Vocabulary(tuple(legal), Phrases(terms), Phrases(places))


def _units(script: Script, text: str) -> tuple[str, ...]:
    return tuple(text.split()) if script == Script.CYRILLIC else tuple(text)


_JAPANESE_FORMS = re.compile(r"株式会社|有限会社|合同会社|合資会社|合名会社|\(株\)|\(有\)|㈱|㈲")


def is_japanese(text: str) -> bool:
    """Whether a name in Han has a Japanese legal form."""
    return not text.isascii() and _JAPANESE_FORMS.search(text) is not None


def without_japanese_form(text: str) -> str:
    """The name alone, for a reading as Han."""
    return _JAPANESE_FORMS.sub("", text)


def read_foreign(text: str, script: Script) -> tuple[OrganisationVariant, ...]:
    """Variants of a name, likeliest first; each has the script that it comes from."""
    found = [
        variant._replace(script=script) for latin in _in_latin(text.lower(), script) for variant in read_latin(latin)
    ]
    return tuple(dict.fromkeys(found))


def _in_latin(text: str, script: Script) -> Iterator[str]:
    body, legal = _legal(text, script)
    runs = _WORD.findall(body) if script == Script.CYRILLIC else re.split(r"[\s()・.,\-\"'«»“”]+", body)
    runs = [run for run in runs if run]
    for place_as_core in (False, True):
        pieces, has_place = _pieces(runs, script, place_as_core)
        for choice in _choices(pieces):
            yield " ".join((*choice, legal))
        if not has_place:
            break
    if script == Script.KANA:
        pieces, _ = _pieces(runs, script, False, _LEAST_LOAN)
        yield " ".join((*_choices(pieces)[0], legal))
    if script == Script.KANA and has_han(body):
        yield " ".join(("".join(_spelt([*body.replace(" ", "")], script, "")[0]), legal))


def _choices(pieces: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """All by the published system, then all by the other spelling."""
    return list(dict.fromkeys((tuple(piece[0] for piece in pieces), tuple(piece[-1] for piece in pieces))))


def _legal(text: str, script: Script) -> tuple[str, str]:
    found = ""
    for writing, meaning in _vocabulary(script).legal:
        if script == Script.CYRILLIC:
            shorter = re.sub(rf"(?<!\w){re.escape(writing)}(?!\w)", " ", text)
        else:
            shorter = text.replace(writing, " ")
        if shorter != text and shorter.strip(" «»\"'"):
            text, found = shorter, found or meaning
    return text, found


def _pieces(
    runs: list[str], script: Script, place_as_core: bool, least: int = _LEAST_CHARACTERS
) -> tuple[list[tuple[str, ...]], bool]:
    """Meanings or spellings of the parts, and whether a place is among them."""
    vocabulary, found, has_place = _vocabulary(script), list[tuple[str, ...]](), False
    sequences = [tuple(runs)] if script == Script.CYRILLIC else [tuple(run) for run in runs]
    gap = " " if script == Script.CYRILLIC else ""
    for units in sequences:
        begin = 0
        place = vocabulary.places.at(units, 0) if units else None
        if place is not None:
            has_place = True
            begin = 0 if place_as_core else place[0]
            if begin:
                found.append((place[1],))
        found += _split(units[begin:], script, gap, least)
    return found, has_place


def _split(units: tuple[str, ...], script: Script, gap: str, least: int) -> list[tuple[str, ...]]:
    pieces: list[tuple[str, ...]] = []
    rest: list[str] = []
    end = len(units)
    while end:
        match = _term(units, end, script)
        if match is not None and (gap or end - match[0] >= least or _is_kanji(units[match[0] : end])):
            pieces += [*_spelt(rest, script, gap), (match[1],)]
            rest, end = [], match[0]
        else:
            rest.insert(0, units[end - 1])
            end -= 1
    return [*reversed([*pieces, *_spelt(rest, script, gap)])]


def _is_kanji(units: tuple[str, ...]) -> bool:
    return len(units) >= _LEAST_CHARACTERS and all(map(has_han, units))


def _term(units: tuple[str, ...], end: int, script: Script) -> tuple[int, str] | None:
    """The word of business that ends there; kanji have those of Han names too."""
    match = _vocabulary(script).terms.ending(units, end)
    if match is None and script == Script.KANA and has_han(units[end - 1]):
        begin = max(0, end - _MOST_CHARACTERS)
        written = chinese_form("".join(units[begin:end]))
        found = HAN_TERMS.ending(written) if len(written) == end - begin else None
        if found is not None and (english := english_of(found[1])):
            return begin + found[0], english
    return match


def _spelt(rest: list[str], script: Script, gap: str) -> list[tuple[str, ...]]:
    text = gap.join(rest)
    if not text:
        return []
    if script == Script.KANA and has_han(text):
        return [tuple(simplified(spelt) for spelt in romanised(text, script))]
    return [romanised(text, script) if any(in_script(c, script) for c in text) else (text,)]
