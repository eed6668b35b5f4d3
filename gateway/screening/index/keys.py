"""Makes the index keys under which a name is stored, and the query keys that find similar names.

Guarantee: if two names compare as compatible or better, one's query keys and the other's index keys share a key.

The sets differ where a rule needs two different sides: Han names agree by characters and never by sound, so a Han name
looks for Latin ones alone by sound; a name with a full given name looks for names with initials by initials.

Keys of Chinese persons are Cantonese readings of surname and syllables, those of organisations the core's first two
syllables: each romanisation leads to a few, Han characters to one or two. Other names have pairs of phonetic keys.
Index keys of Han variants are on the other side (`key_numbers`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import product

from gateway.screening.index.key_numbers import (
    ALL_HELD,
    KeyKind,
    as_first,
    as_second,
    hashes,
    holds,
    on_both_sides,
    on_other_side,
    sums,
    text_number,
)
from gateway.screening.organisations.keys import organisation_index_keys, organisation_query_keys
from gateway.screening.organisations.near import brand_keys
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.persons.foreign import name_code
from gateway.screening.persons.japanese import japanese_keys
from gateway.screening.persons.reading import NameReading, PersonVariant, joined, sorted_words
from gateway.screening.persons.surnames import surname_pivots
from gateway.screening.persons.traditions import tradition_keys
from gateway.screening.persons.transcribed import transcription_keys
from gateway.screening.persons.words import slip_keys, unit_key, units_of
from gateway.screening.plain import plain_keys
from gateway.screening.prepared_name import PreparedName
from gateway.screening.text.sounds import SYLLABLES, RomanisationScheme, letter_mask, onsets, pivots

MAX_KEY_WORDS = 5
"""Enough for names of up to nine words with two thirds in common: at most three of five can be missing."""


def index_keys(name: PreparedName) -> set[int]:
    """Index keys; none without letters and digits."""
    if name.plains:
        return _plain(name)
    digests: set[int] = set()
    for person in name.persons:
        digests |= _person_index_keys(person)
    for organisation in name.organisations:
        digests |= organisation_index_keys(organisation)
        brands = _brands(organisation)
        digests.update(on_other_side(brands) if organisation.is_han else brands)
    return digests


def query_keys(name: PreparedName, held: int = ALL_HELD) -> set[int]:
    """Query keys; `held`: kinds that the index has (`key_numbers.held_by`), others needn't be made."""
    if name.plains:
        return _plain(name)
    digests: set[int] = set()
    for person in name.persons:
        digests |= _person_query_keys(person, held)
    for organisation in name.organisations:
        digests |= organisation_query_keys(organisation, held)
        if holds(held, KeyKind.CORE_BRAND, not organisation.is_han):
            brands = _brands(organisation)
            digests.update(brands if organisation.is_han else on_other_side(brands))
    return digests


def _brands(variant: OrganisationVariant) -> list[int]:
    """Of Han and of Latin names, to find one another."""
    return [text_number(KeyKind.CORE_BRAND, key) for key in brand_keys(variant)] if variant.core else []


def _plain(name: PreparedName) -> set[int]:
    return {text_number(KeyKind.PLAIN, key) for variant in name.plains if variant.exact for key in plain_keys(variant)}


def _person_index_keys(variant: PersonVariant) -> set[int]:
    spellings = _spelt(variant)
    read = _read_otherwise(variant)
    spellings.update(on_other_side(read) if variant.han else read)
    if not variant.han:
        spellings.update(on_other_side(_codes(variant)) if variant.script else _codes(variant))
    for reading in variant.readings:
        sounds = _sounds(reading)
        spellings.update(on_other_side(sounds) if variant.han else sounds)
        if reading.given and reading.scheme >= 0:
            kind = KeyKind.SPOKEN_INITIALS if reading.given_masks[-1] else KeyKind.WRITTEN_INITIALS
            spellings.add(_initials(kind, reading))
        spellings.update(_onsets(reading) if variant.han else _latin_initials(reading))
        western = _western(reading)
        spellings.update(on_other_side(western) if reading.given else western)
    return spellings


def _person_query_keys(variant: PersonVariant, held: int) -> set[int]:
    spellings = _spelt(variant)
    if holds(held, KeyKind.OTHER_READING, not variant.han):
        read = _read_otherwise(variant)
        spellings.update(read if variant.han else on_other_side(read))
    if not variant.han and holds(held, KeyKind.NAME_CODE, not variant.script):
        spellings.update(_codes(variant) if variant.script else on_other_side(_codes(variant)))
    for reading in variant.readings:
        sounds = _sounds(reading)
        spellings.update(sounds if variant.han else on_both_sides(sounds))
        if reading.given and reading.scheme >= 0:
            spellings.add(_initials(KeyKind.WRITTEN_INITIALS, reading))
            if not reading.given_masks[-1]:
                spellings.add(_initials(KeyKind.SPOKEN_INITIALS, reading))
        spellings.update(_han_initials(reading) if variant.han else _initials_onsets(reading))
        western = _western(reading)
        spellings.update(western if reading.given else on_both_sides(western))
    return spellings


def _read_otherwise(variant: PersonVariant) -> list[int]:
    """Of Han and of Latin names, to find one another by readings that aren't Chinese."""
    keys = japanese_keys(variant) | tradition_keys(variant) | transcription_keys(variant)
    return [text_number(KeyKind.OTHER_READING, key) for key in keys]


def _spelt(variant: PersonVariant) -> set[int]:
    """Equal on both sides."""
    if variant.han:
        return {text_number(KeyKind.PERSON_HAN, variant.han), *_han_variants(variant)}
    keys = {
        text_number(KeyKind.PERSON_LETTERS, " ".join(sorted_words(variant))),
        text_number(KeyKind.PERSON_LETTERS, joined(variant)),
    }
    if not variant.is_full:
        keys.update(_word_pairs(variant.words))
    return keys


def _codes(variant: PersonVariant) -> list[int]:
    """Of names of other scripts, to find Latin ones by sound, and of Latin ones, to find those."""
    surnames = variant.surnames or variant.words[:1]
    codes = dict.fromkeys(name_code((surname, *variant.words[1:])) for surname in surnames)
    return [text_number(KeyKind.NAME_CODE, code) for code in codes if code]


def _han_variants(variant: PersonVariant) -> Iterator[int]:
    for reading in variant.readings:
        given = "".join(reading.given)
        for surname in surname_pivots(reading.surname_mask | reading.maiden_mask):
            yield text_number(KeyKind.PERSON_VARIANT, f"{surname}.{given}")


def _sounds(reading: NameReading) -> list[int]:
    """Of surname, first and last syllable."""
    if not reading.given or not reading.given_masks[-1]:
        return []
    firsts = _firsts(reading) if len(reading.given) > 1 else (0,)
    surnames = _surname_hashes(reading.surname_mask | reading.maiden_mask)
    beginnings = [surname + first for surname in surnames for first in firsts]
    return sums(KeyKind.PERSON_SOUNDS, beginnings, _syllable_hashes(reading.given_masks[-1]))


@lru_cache(maxsize=16_384)
def _syllable_hashes(mask: int) -> tuple[int, ...]:
    return hashes(pivots(mask))


@lru_cache(maxsize=16_384)
def _surname_hashes(mask: int) -> tuple[int, ...]:
    """In the first place of a sum."""
    return as_first(hashes(surname_pivots(mask)))


@lru_cache(maxsize=16_384)
def _second_syllables(mask: int) -> tuple[int, ...]:
    return as_second(_syllable_hashes(mask))


def _firsts(reading: NameReading) -> tuple[int, ...]:
    mask = reading.given_masks[0]
    return _second_syllables(mask) if mask else _by_letter().get(reading.given[0][:1], ())


@cache
def _by_letter() -> dict[str, tuple[int, ...]]:
    """For initials; in the second place of a sum."""
    by_letter: defaultdict[str, set[str]] = defaultdict(set)
    for scheme in RomanisationScheme:
        for spelling, mask in SYLLABLES[scheme].items():
            by_letter[spelling[:1]].update(pivots(mask))
    return {letter: as_second(hashes(tuple(sorted(syllables)))) for letter, syllables in by_letter.items()}


def _initials(kind: KeyKind, reading: NameReading) -> int:
    return text_number(kind, f"{reading.surname}." + "".join([syllable[0] for syllable in reading.given]))


def _onsets(reading: NameReading) -> list[int]:
    """Of a Han name, for queries with initials."""
    return _beside_surname(KeyKind.HAN_ONSETS, reading, _onset_hashes(reading.given_masks))


def _initials_onsets(reading: NameReading) -> list[int]:
    """Of a name with initials, for Han names in the index."""
    if all(reading.given_masks):
        return []
    scheme = RomanisationScheme(reading.scheme)
    given = zip(reading.given, reading.given_masks, strict=True)
    masks = tuple([mask or letter_mask(scheme, letter[0]) for letter, mask in given])
    return _beside_surname(KeyKind.HAN_ONSETS, reading, _onset_hashes(masks))


def _han_initials(reading: NameReading) -> list[int]:
    """Of a Han name, for names with initials in the index."""
    return _beside_surname(KeyKind.INITIALS, reading, _onset_hashes(reading.given_masks[:1]))


def _latin_initials(reading: NameReading) -> list[int]:
    """Of a name with initials, for Han queries: by its first one alone, which a Han name looks for with one key."""
    if all(reading.given_masks):
        return []
    first = reading.given_masks[0] or letter_mask(RomanisationScheme(reading.scheme), reading.given[0][0])
    return _beside_surname(KeyKind.INITIALS, reading, _onset_hashes((first,)))


def _beside_surname(kind: KeyKind, reading: NameReading, beside: tuple[int, ...]) -> list[int]:
    return sums(kind, _surname_hashes(reading.surname_mask | reading.maiden_mask), beside)


@lru_cache(maxsize=16_384)
def _onset_hashes(masks: tuple[int, ...]) -> tuple[int, ...]:
    return hashes(tuple([".".join(choice) for choice in product(*map(onsets, masks))])) if masks else ()


def _western(reading: NameReading) -> list[int]:
    return [
        text_number(KeyKind.WESTERN, f"{surname}.{unit_key(western)}")
        for western in reading.western
        for surname in surname_pivots(reading.surname_mask | reading.maiden_mask)
    ]


def _word_pairs(words: tuple[str, ...]) -> Iterable[int]:
    units = units_of(words).units
    for key in slip_keys(units):
        yield text_number(KeyKind.WORDS_SLIP, key)
    chosen = sorted(map(unit_key, units), key=lambda s: (-len(s), s))[:MAX_KEY_WORDS]
    for i, word in enumerate(chosen):
        for other in chosen[i + 1 :]:
            yield text_number(KeyKind.WORDS, f"{word}+{other}" if word < other else f"{other}+{word}")
