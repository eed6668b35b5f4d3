"""Makes index and query keys of organisations: variants that the rules find compatible share one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import islice, product

from gateway.screening.index.key_numbers import (
    ALL_HELD,
    FIRST,
    LOW_BITS,
    OTHER_SIDE,
    SECOND,
    KeyKind,
    as_first,
    as_second,
    hashes,
    holds,
    number,
    on_other_side,
    sums,
    text_number,
)
from gateway.screening.organisations.lexicon import NOISE, Weight
from gateway.screening.organisations.syllables import (
    OPENING_SCHEMES,
    core_openings,
    pinyin_letters,
    spellings_of,
    syllabic,
)
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.text import kanji
from gateway.screening.text.normalisation import has_han
from gateway.screening.text.phonetic_key import phonetic_key
from gateway.screening.text.scripts import Script, sound_code
from gateway.screening.text.sounds import (
    ANY_SYLLABLE,
    SYLLABLES,
    RomanisationScheme,
    pivots,
    sounds_of,
)

MIN_PHONETIC_KEY = 3
"""Consonants of a core to compare by phonetic key; fewer agree by chance."""

MIN_SLIP = 8
"""Letters of a core in which one slip is tolerated."""
MIN_SLIP_WORD = 6
"""Letters of the word with the slip."""

READ_LENGTH = 4
"""Consonants in keys of readings."""

MAX_MEANINGS = 16
"""Most keys of a core with ambiguous words."""


def organisation_index_keys(variant: OrganisationVariant) -> set[int]:
    """Han variants' keys are on the other side."""
    if not variant.core:
        return _coreless_keys(variant)
    lines = _lines(variant)
    if variant.is_han:
        texts = _written(variant, lines)
        texts |= on_other_side(
            [*_meanings(variant), *_leading(variant), *_near(pinyin_letters(variant.core)), *_han_sounds(variant.core)]
        )
        return texts
    letters = "".join(variant.core)
    texts = {*_written(variant, lines), *_meanings(variant), *_translated(variant, lines), *_latin_spelt(variant.core)}
    if variant.core[0] not in NOISE:
        texts.update(_leading(variant))
    texts.update(_single_syllables(variant.core, lines))
    schemes = syllabic(letters)
    if not schemes >> RomanisationScheme.MAINLAND & 1:
        texts.update(_near(letters))
    texts.update(_alike(letters, ("", f"{schemes}:"), lines))
    codes = [*_codes(letters, lines), *_read(letters, variant.script)]
    texts.update(on_other_side(codes) if variant.script else codes)
    texts.update(_slips(variant.core, 0, lines))
    return texts


def organisation_query_keys(variant: OrganisationVariant, held: int = ALL_HELD) -> set[int]:
    """Reaches all variants that the rules may find compatible; `held` as in `index.keys.query_keys`.

    Han variants agree with each other by characters alone, so sounds look for Latin ones. Latin cores spelt alike are
    looked for only where not both are syllables of one scheme: those differ by a sound.
    """
    if not variant.core:
        return _coreless_keys(variant)
    lines = _lines(variant)
    if variant.is_han:
        texts = {*_written(variant, lines), *_meanings(variant), *_leading(variant)}
        texts.update(_near(pinyin_letters(variant.core)))
        texts.update(_han_spelt(variant.core))
        return texts
    letters = "".join(variant.core)
    schemes = syllabic(letters)
    texts = {*_written(variant, lines), *_translated(variant, lines), *_single_syllables(variant.core, lines)}
    among_han = [*_meanings(variant), *_latin_sounds(variant.core), *_leading(variant)]
    if not schemes >> RomanisationScheme.MAINLAND & 1:
        among_han += _near(letters)
    texts.update([key | OTHER_SIDE for key in among_han])
    texts.update(_alike(letters, _apart(schemes), lines))
    codes = _codes(letters, lines) if holds(held, KeyKind.CORE_CODE, not variant.script) else []
    if holds(held, KeyKind.CORE_READ, not variant.script):
        codes += _read(letters, variant.script)
    texts.update(codes if variant.script else on_other_side(codes))
    texts.update(_slips(variant.core, 1, lines))
    return texts


_SYLLABIC = tuple(
    mask
    for mask in range(1 << len(RomanisationScheme))
    if mask >> RomanisationScheme.CANTONESE & 1
    or not (mask >> RomanisationScheme.HONG_KONG & 1 or mask >> RomanisationScheme.MACAO & 1)
)
"""Sets of schemes (bits) of a word; the mixed scheme contains Hong Kong's and Macao's."""


@cache
def _apart(schemes: int) -> tuple[str, ...]:
    """Prefixes of alike-spelling keys for cores without these schemes."""
    return tuple(f"{other}:" for other in _SYLLABIC if not other & schemes) if schemes else ("",)


def _translated(variant: OrganisationVariant, lines: Iterable[str]) -> list[int]:
    """A key for each choice of meanings and each line of business."""
    if not variant.names or sum(b - a for a, b, _ in variant.names) != len(variant.core):
        return []
    choices = islice(product(*(sorted(span[2]) for span in variant.names)), MAX_MEANINGS)
    spelt = ["+".join(meanings) for meanings in choices]
    return [text_number(KeyKind.CORE_TRANSLATED, f"{meaning}/{line}") for meaning in spelt for line in lines]


def _lines(variant: OrganisationVariant) -> set[str]:
    """In one script equal cores need one in common, or none on either side."""
    return {c for unit in variant.terms if unit.term.weight == Weight.ACTIVITY for c in unit.term.concepts} or {""}


def _written(variant: OrganisationVariant, lines: Iterable[str]) -> set[int]:
    """With each line of business, and without (for low thresholds)."""
    letters = "".join(variant.core)
    if variant.is_han:
        whole, in_line, texts = KeyKind.CORE_HAN, KeyKind.HAN_IN_LINE, {letters}
    else:
        whole, in_line, texts = KeyKind.CORE_LETTERS, KeyKind.LETTERS_IN_LINE, {letters, "".join(sorted(variant.core))}
    text_numbers = {text_number(in_line, f"{text}/{line}") for text in texts for line in lines}
    return text_numbers | {text_number(whole, text) for text in texts}


def _meanings(variant: OrganisationVariant) -> list[int]:
    return [
        text_number(KeyKind.CORE_MEANING, concept)
        for start, _, concepts in variant.names
        if start < 2
        for concept in concepts
    ]


def _leading(variant: OrganisationVariant) -> list[int]:
    """It may head a Han name too (TCL科技)."""
    word = variant.core[0]
    return [] if has_han(word) else [text_number(KeyKind.LEADING_WORD, word)]


def _near(letters: str) -> list[int]:
    code = phonetic_key(letters)
    return [text_number(KeyKind.CORE_NEAR, code)] if len(code) >= MIN_PHONETIC_KEY else []


def _alike(letters: str, prefixes: Iterable[str], lines: Iterable[str]) -> list[int]:
    code = phonetic_key(letters)
    if len(code) < MIN_PHONETIC_KEY:
        return []
    return [text_number(KeyKind.CORE_ALIKE, f"{prefix}{code}/{line}") for prefix in prefixes for line in lines]


def _slips(core: Sequence[str], nearby: int, lines: Iterable[str]) -> list[int]:
    """Beginning and end of a long word beside the other words: one slip leaves one of them as it is.

    The letter between belongs to neither, so that two letters turned round there spoil only the end. `nearby`: by how
    many letters the other word may be longer or shorter.
    """
    if sum(map(len, core)) < MIN_SLIP:
        return []
    found = []
    for at, word in enumerate(core):
        if len(word) < MIN_SLIP_WORD:
            continue
        beside = f"{at}:{'.'.join((*core[:at], *core[at + 1 :]))}"
        for length in range(max(len(word) - nearby, MIN_SLIP_WORD), len(word) + nearby + 1):
            middle = length // 2
            for part in (f"<{word[: middle - 1]}", f">{word[middle - length :]}"):
                found += [text_number(KeyKind.CORE_SLIP, f"{length}{part}|{beside}/{line}") for line in lines]
    return found


def _codes(letters: str, lines: Iterable[str]) -> list[int]:
    """Of names of other scripts, to find Latin ones by sound, and of Latin ones, to find those."""
    code = sound_code(letters)
    return [text_number(KeyKind.CORE_CODE, f"{code}/{line}") for line in lines] if code else []


def _read(letters: str, script: Script | None) -> Iterable[int]:
    """Of names in other scripts, to find Latin ones by readings of kanji and by loans, and of Latin ones."""
    if script == Script.CYRILLIC:
        return ()
    if has_han(letters):
        codes = kanji.codes(kanji.units_of(letters), READ_LENGTH, False) if script == Script.KANA else frozenset[str]()
    else:
        codes = kanji.latin_codes(letters, READ_LENGTH)
    return [text_number(KeyKind.CORE_READ, code) for code in sorted(codes)]


def _coreless_keys(variant: OrganisationVariant) -> set[int]:
    places = "+".join(sorted(variant.places))
    strongest = max((unit.term.weight for unit in variant.terms), default=Weight.NONE)
    telling = [unit for unit in variant.terms if unit.term.weight == strongest]
    concepts = {concept for unit in telling for concept in unit.term.concepts} or {""}
    return {text_number(KeyKind.NO_CORE, f"{places}:{concept}") for concept in concepts}


@lru_cache(maxsize=16_384)
def _first_syllables(mask: int) -> tuple[int, ...]:
    return as_first(hashes(pivots(mask)))


@lru_cache(maxsize=16_384)
def _second_syllables(mask: int) -> tuple[int, ...]:
    return as_second(hashes(pivots(mask)))


def _single_syllables(core: Sequence[str], lines: Iterable[str]) -> list[int]:
    """As two romanisations of one Han core are."""
    if len(core) < 2:
        return []
    first, second = (ANY_SYLLABLE.get(word, 0) for word in core[:2])
    if not first or not second:
        return []
    besides = [(len(core) << LOW_BITS) + (_hash(line) if line else 0) for line in lines]
    return [key for beside in besides for key in _pairs(KeyKind.CORE_SYLLABLES, first, second, beside)]


def _pairs(kind: KeyKind, first: int, second: int | None, beside: int = 0) -> list[int]:
    if second is None:
        return sums(kind, _first_syllables(first), (beside,))
    seconds = _second_syllables(second)
    return sums(kind, _first_syllables(first), [other + beside for other in seconds] if beside else seconds)


def _may_open(core: Sequence[str]) -> bool:
    return has_han(core[0]) and (len(core) == 1 or has_han(core[1]))


def _han_sounds(core: Sequence[str]) -> list[int]:
    """For Latin queries."""
    if not _may_open(core):
        return []
    return _pairs(KeyKind.CORE_SOUNDS, sounds_of(core[0]), sounds_of(core[1]) if len(core) > 1 else None)


def _latin_sounds(core: Sequence[str]) -> list[int]:
    found: list[int] = []
    for first, second, scheme in dict.fromkeys(
        (first, second, scheme)
        for first, second, schemes in core_openings(core)  # the same ones for each word that is joined
        for scheme in OPENING_SCHEMES
        if schemes >> scheme & 1
    ):
        spoken = SYLLABLES[scheme]
        found += _pairs(KeyKind.CORE_SOUNDS, spoken[first], spoken[second] if second else None)
    return found


def _latin_spelt(core: Sequence[str]) -> list[int]:
    """For Han queries."""
    found = []
    for first, second, schemes in core_openings(core):
        begun = _hash(first) * FIRST + (_hash(second) * SECOND if second else 0)
        of_schemes = [begun + (scheme << LOW_BITS) for scheme in OPENING_SCHEMES if schemes >> scheme & 1]
        found += [number(KeyKind.CORE_SPELT, spelt) for spelt in of_schemes]
    return found


def _han_spelt(core: Sequence[str]) -> list[int]:
    if not _may_open(core):
        return []
    found = []
    for scheme in OPENING_SCHEMES:
        seconds = _second_spellings(core[1], scheme) if len(core) > 1 else (scheme << LOW_BITS,)
        found += sums(KeyKind.CORE_SPELT, _first_spellings(core[0], scheme), seconds)
    return found


@cache
def _first_spellings(character: str, scheme: RomanisationScheme) -> tuple[int, ...]:
    return as_first(hashes(spellings_of(character, scheme)))


@cache
def _second_spellings(character: str, scheme: RomanisationScheme) -> tuple[int, ...]:
    """With the scheme."""
    return tuple([second + (scheme << LOW_BITS) for second in as_second(hashes(spellings_of(character, scheme)))])


@lru_cache(maxsize=8_192)
def _hash(text: str) -> int:
    return hashes((text,))[0]
