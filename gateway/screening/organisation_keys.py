"""Keys under which an index files organisations.

Owns the keys and the reading of a core as syllables. Forms that `organisation_rules` finds compatible share
a key here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import islice, product

from gateway.screening.lexicon import NOISE, Weight
from gateway.screening.organisation_form import OrganisationForm
from gateway.screening.skeleton import skeleton
from gateway.screening.sounds import (
    ANY_SYLLABLE,
    SOUND_PAIRS,
    SYLLABLES,
    Scheme,
    mandarin,
    pivots,
    sounds_of,
    spellings,
)
from gateway.screening.text import has_han

MIN_SKELETON = 3
"""Consonants that a core needs to be compared by its skeleton; fewer agree by chance."""

MAX_MEANINGS = 16
"""Keys of a core whose words have several meanings each."""

MAX_PREFIX_WORDS = 4
"""Words at the beginning of a Latin core that are read as syllables for keys."""


@cache
def spellings_of(character: str, scheme: Scheme) -> tuple[str, ...]:
    """Spellings of a Han character under a scheme, longest first; a Latin word among Han characters is its own."""
    if not has_han(character):
        return (character,)
    found: set[str] = set()
    mask = sounds_of(character)
    while mask:
        lowest = mask & -mask
        found |= spellings(SOUND_PAIRS[lowest.bit_length() - 1], scheme)
        mask ^= lowest
    return tuple(sorted(found, key=lambda s: (-len(s), s)))


@cache
def any_spellings(unit: str) -> tuple[str, ...]:
    """Spellings of a Han character under every scheme, for a quick look at how a name begins."""
    return tuple({spelling for scheme in Scheme for spelling in spellings_of(unit, scheme)})


@lru_cache(maxsize=65_536)
def pinyin_letters(core: tuple[str, ...]) -> str:
    """A Han core in pinyin, first readings, joined."""
    return "".join((mandarin(unit) or (unit,))[0].replace("v", "u") if has_han(unit) else unit for unit in core)


@lru_cache(maxsize=65_536)
def openings(word: str, scheme: Scheme) -> frozenset[tuple[str, str]]:
    """First two syllables in each way to read a whole word as syllables; the second is empty for a single one."""
    syllables = SYLLABLES[scheme]
    found: set[tuple[str, str]] = set()
    for cut in range(1, min(len(word), 6) + 1):
        if word[:cut] not in syllables:
            continue
        rest = word[cut:]
        if not rest:
            found.add((word[:cut], ""))
        for second in range(1, min(len(rest), 6) + 1):
            if rest[:second] in syllables and is_syllables(rest[second:], scheme):
                found.add((word[:cut], rest[:second]))
    return frozenset(found)


@lru_cache(maxsize=131_072)
def is_syllables(word: str, scheme: Scheme) -> bool:
    """Whether a word, which may be empty, is syllables of a scheme joined."""
    if not word:
        return True
    cuts = range(min(len(word), 6), 0, -1)
    return any(word[:cut] in SYLLABLES[scheme] and is_syllables(word[cut:], scheme) for cut in cuts)


def filed_organisation(form: OrganisationForm) -> set[str]:
    """Keys under which a form is filed; capitals for Han forms."""
    if not form.core:
        return _coreless_keys(form)
    if form.is_han:
        leading = {"L" + form.core[0]} if not has_han(form.core[0]) else set()
        found = {"H" + "".join(form.core)} | _meanings(form, "C") | leading
        return found | _near_key(pinyin_letters(form.core), "K") | _prefixed("Q", _han_openings(form.core))
    letters = "".join(form.core)
    found = (
        _letters(form, letters) | _meanings(form, "c") | _translated(form) | _prefixed("q", _latin_openings(form.core))
    )
    found |= {"l" + word for word in form.core[:1] if word not in NOISE} | set(_single_syllables(form.core))
    if not is_syllables(letters, Scheme.MAINLAND):
        found |= _near_key(letters, "k")
    return found | _near_key(letters, "y") | _near_key(letters, f"y{_syllabic(letters)}:")


def sought_organisation(form: OrganisationForm) -> set[str]:
    """Keys under which a form is sought: those of whatever `organisation_rules` may find compatible with it.

    Han forms agree with each other by characters alone, so by sound they are sought among Latin ones. Latin cores that
    are spelt alike are sought where not both are syllables of one scheme: these differ by a sound.
    """
    if not form.core:
        return _coreless_keys(form)
    if form.is_han:
        leading = {"l" + form.core[0]} if not has_han(form.core[0]) else set()
        found = {"H" + "".join(form.core)} | _meanings(form, "c") | leading
        return found | _near_key(pinyin_letters(form.core), "k") | _prefixed("q", _han_openings(form.core))
    letters = "".join(form.core)
    found = (
        _letters(form, letters) | _meanings(form, "C") | _translated(form) | _prefixed("Q", _latin_openings(form.core))
    )
    found |= {"L" + word for word in form.core[:1]} | set(_single_syllables(form.core))
    if not is_syllables(letters, Scheme.MAINLAND):
        found |= _near_key(letters, "K")
    syllabic = _syllabic(letters)
    if not syllabic:
        return found | _near_key(letters, "y")
    return found.union(*(_near_key(letters, f"y{other}:") for other in _SYLLABIC if not other & syllabic))


_SYLLABIC = tuple(
    mask
    for mask in range(1 << len(Scheme))
    if mask >> Scheme.CANTONESE & 1 or not (mask >> Scheme.HONG_KONG & 1 or mask >> Scheme.MACAO & 1)
)
"""Sets of schemes, as bits, whose syllables a word may be: what Hong Kong or Macao spells so, the mixed scheme does."""


@lru_cache(maxsize=65_536)
def _syllabic(letters: str) -> int:
    """Schemes, as bits, of which a core is syllables throughout."""
    return sum(1 << scheme for scheme in Scheme if is_syllables(letters, scheme))


def _translated(form: OrganisationForm) -> set[str]:
    """Cores that are translated words throughout: one key for each choice among their meanings."""
    if not form.names or sum(b - a for a, b, _ in form.names) != len(form.core):
        return set()
    return {
        "m" + "+".join(meanings)
        for meanings in islice(product(*(sorted(span[2]) for span in form.names)), MAX_MEANINGS)
    }


def _letters(form: OrganisationForm, letters: str) -> set[str]:
    return {"e" + letters, "e" + "".join(sorted(form.core))}


def _meanings(form: OrganisationForm, prefix: str) -> set[str]:
    return {prefix + concept for start, _, concepts in form.names if start < 2 for concept in concepts}


def _near_key(letters: str, prefix: str) -> set[str]:
    code = skeleton(letters)
    return {prefix + code} if len(code) >= MIN_SKELETON else set()


def _prefixed(prefix: str, found: Iterable[str]) -> set[str]:
    return {prefix + key for key in found}


def _coreless_keys(form: OrganisationForm) -> set[str]:
    places = "+".join(sorted(form.places))
    strongest = max((unit.term.weight for unit in form.terms), default=Weight.NONE)
    telling = [unit for unit in form.terms if unit.term.weight == strongest]
    return {f"o{places}:{concept}" for unit in telling for concept in unit.term.concepts} or {f"o{places}:"}


def _single_syllables(core: Sequence[str]) -> Iterator[str]:
    """Cores whose words are single syllables: what two romanisations of one Han core must be."""
    if len(core) < 2:
        return
    first, second = (ANY_SYLLABLE.get(word, 0) for word in core[:2])
    for one in pivots(first):
        for other in pivots(second):
            yield f"x{one}.{other}.{len(core)}"


def _opening_key(first: str, second: str) -> str:
    return f"{first}.{second or '-'}"


def _han_openings(core: Sequence[str]) -> Iterator[str]:
    first = pivots(sounds_of(core[0])) if has_han(core[0]) else ()
    if len(core) == 1:
        yield from (_opening_key(one, "") for one in first)
    elif has_han(core[1]):
        yield from (_opening_key(one, other) for one in first for other in pivots(sounds_of(core[1])))


def _latin_openings(core: Sequence[str]) -> Iterator[str]:
    pairs: set[tuple[Scheme, str, str]] = set()
    for end in range(1, min(len(core), MAX_PREFIX_WORDS) + 1):
        letters = "".join(core[:end])
        for scheme in (Scheme.MAINLAND, Scheme.CANTONESE):
            pairs |= {(scheme, *pair) for pair in openings(letters, scheme) if pair[1] or end == len(core)}
    for scheme, first, second in pairs:
        for one in pivots(SYLLABLES[scheme][first]):
            if not second:
                yield _opening_key(one, "")
            for other in pivots(SYLLABLES[scheme][second]) if second else ():
                yield _opening_key(one, other)
