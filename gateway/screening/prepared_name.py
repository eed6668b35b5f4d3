"""Prepares a name for comparison by reading it once, in every way its kind allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from gateway.screening.organisations.foreign import is_japanese, read_foreign, without_japanese_form
from gateway.screening.organisations.reading import is_business, looks_like_organisation, read_organisation
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.persons.foreign import read_foreign_person
from gateway.screening.persons.japanese import read_mixed
from gateway.screening.persons.reading import PersonVariant, read_person
from gateway.screening.plain import PlainVariant, read_plain
from gateway.screening.result import NameKind
from gateway.screening.text.lookalikes import OVERRIDE, STORED, Spelling, other_spellings
from gateway.screening.text.normalisation import as_stored, clean, han_part, has_han, is_overridden, words
from gateway.screening.text.scripts import Script, in_script, script_of
from gateway.screening.text.several_names import several_names

_NO_NOTES: Mapping[str, str] = MappingProxyType({})

_NAMED = (NameKind.PERSON, NameKind.ORGANISATION, NameKind.UNKNOWN)
"""Kinds whose names may have others beside them."""
PARTY_KINDS = (NameKind.PERSON, NameKind.ORGANISATION)


_LEAST_LETTERS = {NameKind.PERSON: 1, NameKind.ORGANISATION: 2, NameKind.VESSEL: 2, NameKind.UNKNOWN: 2}
"""Letters of a word whose digits may stand for letters: L1 is Li for a person, perhaps a firm's real name."""


class PreparedName(NamedTuple):
    """A name with a variant for each script, as written and as it looks.

    `notes`: for texts of variants that aren't as written, what was changed.
    """

    text: str
    kind: NameKind
    persons: tuple[PersonVariant, ...] = ()
    organisations: tuple[OrganisationVariant, ...] = ()
    plains: tuple[PlainVariant, ...] = ()
    notes: Mapping[str, str] = _NO_NOTES


LAST_NAMES = 256
"""Last names read, which are kept: a party is remembered and searched for in turn, some dozens at once."""


@lru_cache(maxsize=LAST_NAMES)
def prepare(text: str, kind: NameKind = NameKind.UNKNOWN) -> PreparedName:
    """Reads a name. An unknown kind is guessed: a legal form or line of business shows an organisation."""
    (cleaned, _), *further = several_names(clean(text)) if kind in _NAMED else ((clean(text), ""),)
    others = other_spellings(cleaned, least_letters=_LEAST_LETTERS.get(kind, 0))
    others += tuple([Spelling(name, f"the one behind “{word}” was read") for name, word in further])
    if kind == NameKind.UNKNOWN:
        texts = (cleaned, *(other.text for other in others))
        is_organisation = any(_looks_like_organisation(way) for way in texts)
        kind = NameKind.ORGANISATION if is_organisation else NameKind.PERSON
    name = _read(text, kind, cleaned)
    if not others and not is_overridden(text):
        return name
    name = _with_spellings(name, others)
    return _with_stored(name, kind) if is_overridden(text) else name


def _looks_like_organisation(cleaned: str) -> bool:
    script = script_of(cleaned)
    if script is not None:
        return is_business(read_foreign(cleaned, script))
    return looks_like_organisation(cleaned, _han(cleaned))


def _read(text: str, kind: NameKind, cleaned: str) -> PreparedName:
    if kind not in PARTY_KINDS:
        return PreparedName(text, kind, plains=(read_plain(cleaned, kind),))
    if (script := script_of(cleaned)) is not None:
        return _read_foreign(text, kind, cleaned, script)
    if kind == NameKind.PERSON:
        return PreparedName(text, kind, persons=read_person(cleaned, _han(cleaned)))
    if is_japanese(cleaned):
        own = without_japanese_form(cleaned)
        firms = (*read_organisation(own, _han(own)), *read_foreign(cleaned, Script.KANA))
        return PreparedName(text, kind, organisations=firms)
    return PreparedName(text, kind, organisations=read_organisation(cleaned, _han(cleaned)))


def _read_foreign(text: str, kind: NameKind, cleaned: str, script: Script) -> PreparedName:
    """Romanised, and without the letters of the script what stands beside it in Latin or Han, if it is a name."""
    if kind == NameKind.PERSON and script == Script.KANA and has_han(cleaned):
        return PreparedName(text, kind, persons=read_mixed(cleaned))
    beside = _without(cleaned, script)
    mixed = has_han(beside) and script == Script.KANA
    if not mixed and (len(words(beside)) > 1 or has_han(beside)):
        name, own = _read(text, kind, beside), "".join(c for c in cleaned if c.isspace() or in_script(c, script))
    else:
        name, own = PreparedName(text, kind), cleaned
    if kind == NameKind.PERSON:
        persons = read_foreign_person(own, script)
        note = f"letters were romanised from {script}"
        return name._replace(persons=(*persons, *name.persons), notes={person.text: note for person in persons})
    firms = read_foreign(own, script)
    note = f"letters were romanised from {script} and words of business translated"
    return name._replace(organisations=(*firms, *name.organisations), notes={firm.text: note for firm in firms})


def _without(text: str, script: Script) -> str:
    return "".join(" " if in_script(character, script) else character for character in text)


def _han(cleaned: str) -> str:
    return han_part(cleaned) if has_han(cleaned) else ""


def _with_stored(name: PreparedName, kind: NameKind) -> PreparedName:
    """Adds what the letters read in the order in which they are stored."""
    stored = _read(name.text, kind, as_stored(name.text))
    return _joined([name, stored], dict.fromkeys(_texts(stored), STORED) | dict(name.notes))


def _texts(name: PreparedName) -> list[str]:
    parties = [*(person.text for person in name.persons), *(firm.text for firm in name.organisations)]
    return parties + [plain.text for plain in name.plains]


def _with_spellings(name: PreparedName, others: tuple[Spelling, ...]) -> PreparedName:
    """Adds what the other spellings read, without repetition."""
    order = OVERRIDE if is_overridden(name.text) else ""
    notes = dict.fromkeys(_texts(name), order) | dict(name.notes)
    read = [name, *(_read(name.text, name.kind, other.text) for other in others)]
    for other, reading in zip(others, read[1:], strict=True):
        note = "; ".join(filter(None, (order, other.note)))
        for text in _texts(reading):
            notes.setdefault(text, note)
    return _joined(read, notes)


def _joined(read: Sequence[PreparedName], notes: Mapping[str, str]) -> PreparedName:
    return read[0]._replace(
        persons=tuple(dict.fromkeys(variant for reading in read for variant in reading.persons)),
        organisations=tuple(dict.fromkeys(variant for reading in read for variant in reading.organisations)),
        plains=tuple(dict.fromkeys(variant for reading in read for variant in reading.plains)),
        notes=notes,
    )
