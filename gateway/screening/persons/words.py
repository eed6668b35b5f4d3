"""Compares persons' names of words, given and family names of any culture but the Chinese, by the culture's rules.

1. A name is cut into units: `Abdul Rahman`, `al-Otaibi`, `van der Merwe` and `da Costa` are one each.
2. Every unit of the shorter name is in the longer, and makes up two thirds of it; at most one by a slip of a letter.
3. What the shorter lacks stands in the middle, or three units agree: John Smith may be John Michael Smith, and Maria da
   Silva isn't Ana Maria da Silva. A Spanish mother's name may be absent at the end.
4. Where both have a father's name, given names agree with given names and fathers with fathers.
5. Vietnamese names agree to the letter, except for a middle name that only tells sex.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from gateway.screening.persons.cultures import (
    GENERIC_MIDDLE,
    PARTICLES,
    PATRONYMIC,
    Culture,
    common_culture,
    cultures,
    is_slavic,
    is_spanish,
    name_of,
)
from gateway.screening.persons.reading import PersonVariant
from gateway.screening.persons.surnames import ANY_SPELLING
from gateway.screening.result import Explanation, MatchClass, RawPart, TokenMatch, Verdict, score_of, weigh
from gateway.screening.text.phonetic_key import phonetic_key
from gateway.screening.text.scripts import Script, folded_sound
from gateway.screening.text.sounds import splits
from gateway.screening.text.spelling import MIN_SLIP, consonants, is_slip, slavic, spelt_alike

_CULTURES = {Script.CYRILLIC: Culture.SLAVIC, Script.HANGUL: Culture.KOREAN}
"""Of scripts; others are compared by consonants."""
MIN_COVERAGE = 0.6
"""Least share of the longer name's units in the shorter: two of three."""
CUSTOMARY = 0.95
FUZZY = 0.9
SLIP = 0.85
ENOUGH = 3
"""Units that agree, for any other to be absent in one name."""
LIKELY = 0.5
"""Probability of a culture from which its customs of writing count."""

_SERVANT = frozenset({"abd", "abdul", "abdel", "abdal", "abdol", "abdoul"})
_FATHER_OF = frozenset({"abu", "abou"})
_ARTICLES = frozenset({"al", "el", "ul", "ar", "as", "az", "ash", "ad"})
_OF_FAITH = frozenset({"uddin", "eddin", "eddine", "aldin", "uldin", "addin", "uddeen"})
_RELATIONS = frozenset({("a", "l"), ("a", "p"), ("s", "o"), ("d", "o")})
_TITLES = frozenset(
    {"haji", "hj", "hajah", "hajj", "haj", "dato", "datuk", "dr", "mr", "mrs", "ms", "sr", "sra", "jr", "tan sri"}
)
_GENERIC = frozenset({"muhammad", "nour", "siti", "wan", "nik", "megat", "tengku", "syed", "che"})
"""First names beside the one by which a Malay is called."""
_SLAVIC_FATHER = re.compile(r".{2,}(?:[oey]v[iy](?:ch|tch|tsch|c)|[oey]vna|ichna)|il[yj]?ich|il[yj]?ic")
"""A father's name behind the given name, which papers often leave out."""
_SERVANT_WORD = re.compile(r"abd[aeou]?([lrnsdtz])(.{3,})")


class NameUnits(NamedTuple):
    """A name's words in order, articles and particles joined or left out.

    `father` is the place of the father's name, 0 for none. Apart are `initials`, and `generic` names that papers leave
    out: a first one beside the one by which a Malay is called, a Slavic father's, a Vietnamese middle one.
    """

    units: tuple[str, ...]
    father: int = 0
    initials: frozenset[str] = frozenset()
    generic: frozenset[str] = frozenset()


@lru_cache(maxsize=32_768)
def units_of(words: tuple[str, ...]) -> NameUnits:
    """Units of a name of at least two words."""
    likely = cultures(words)
    if likely[Culture.VIETNAMESE] >= LIKELY:
        middle = frozenset(words[1:-1]) & GENERIC_MIDDLE
        return NameUnits((words[0], *(w for w in words[1:-1] if w not in middle), *words[1:][-1:]), generic=middle)
    is_arabic = likely[Culture.ARABIC] >= LIKELY
    units, father = _cut(words, is_arabic)
    kept = [(place, unit) for place, unit in enumerate(units) if len(unit) > 1]
    if likely[Culture.SLAVIC] >= LIKELY:
        generic = [pair for pair in kept if _SLAVIC_FATHER.fullmatch(pair[1])]
    else:
        generic = [pair for pair in kept if (father or is_arabic) and name_of(pair[1]) in _GENERIC]
    telling = [pair for pair in kept if pair not in generic]
    if len(telling) < 2 or (father and not (telling[0][0] < father <= telling[-1][0])):
        telling, generic = kept, []
    if len(telling) < 2:
        return NameUnits(words)
    return NameUnits(
        tuple([unit for _, unit in telling]),
        sum(place < father for place, _ in telling),
        frozenset([unit for unit in units if len(unit) == 1]),
        frozenset([name_of(unit) or slavic(unit) for _, unit in generic]),
    )


def _cut(words: tuple[str, ...], is_arabic: bool) -> tuple[list[str], int]:
    """Units, and the place of the father's name."""
    units: list[str] = []
    father, at, last = 0, 0, len(words) - 1
    while at <= last:
        word, following = words[at], words[at + 1] if at < last else ""
        is_inside = bool(units) and at < last
        if is_inside and (word in PATRONYMIC or (is_arabic and word == "b")):
            father = father or len(units)
        elif is_inside and (word, following) in _RELATIONS and at + 1 < last:
            father, at = father or len(units), at + 1
        elif word in _SERVANT and following:
            at += 1
            if following in _ARTICLES and at < last:
                at += 1
            units.append(_servant(words[at]))
        elif word in _FATHER_OF and following:
            at += 1
            units.append(f"abu{words[at]}")
        elif following in _OF_FAITH:
            at += 1
            units.append(f"{word}uddin")
        elif word == "ben" and is_inside:
            at += 1
            units.append(f"ben{following}")
        elif not (following and (word in _ARTICLES or word in PARTICLES)) and word not in _TITLES:
            units.append(_without_article(word, is_arabic))
        at += 1
    return units, father if father < len(units) else 0


def _servant(word: str) -> str:
    return f"abd{name_of(word) or word}"


def _without_article(word: str, is_arabic: bool) -> str:
    if name_of(word) is not None:
        return word
    if (found := _SERVANT_WORD.fullmatch(word)) is not None:
        letter, rest = found.groups()
        return _servant(rest if rest[0] not in "aeiou" or letter == "l" else letter + rest)
    if word[:2] in ("al", "el") and len(word) > 5 and (is_arabic or name_of(word[2:]) is not None):
        return word[2:]
    for ending in ("uddin", "eddine", "eddin"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return f"{word.removesuffix(ending)}uddin"
    return word


@lru_cache(maxsize=32_768)
def unit_key(unit: str) -> str:
    """Equal for units that may be spellings of one word, except by a slip."""
    if (name := name_of(unit)) is not None:
        return phonetic_key(name) or name
    return consonants(slavic(unit)) if is_slavic(unit) else phonetic_key(unit) or unit


@lru_cache(maxsize=32_768)
def agreement(one: str, other: str, culture: Culture | None) -> tuple[float, str] | None:
    """Agreement of two units and its rule, without slips; None if they are two words.

    Args:
        culture: None for a romanised name of which consonants alone are sure.
    """
    if one == other:
        return 1.0, "same word"
    if culture == Culture.VIETNAMESE or unit_key(one) != unit_key(other):
        return None
    name, other_name = name_of(one), name_of(other)
    if name is not None and other_name is not None:
        return (CUSTOMARY, "two spellings of one name") if name == other_name else None
    if culture is None:
        rule, alike = "same consonants", min(len(one), len(other)) > 3
    elif is_slavic(one) and is_slavic(other):
        rule, alike = "one name in two transliterations", slavic(one) == slavic(other)
    elif culture == Culture.KOREAN and folded_sound(Script.HANGUL, one) == folded_sound(Script.HANGUL, other):
        rule, alike = "one sound in Korean", True
    else:
        rule, alike = "spelt alike", spelt_alike(one, other, lenient=culture == Culture.ARABIC)
    return (FUZZY, rule) if alike else None


def _slip(one: str, other: str, culture: Culture | None) -> tuple[float, str] | None:
    if culture == Culture.VIETNAMESE or (name_of(one) is not None and name_of(other) is not None):
        return None
    if not _may_be_slipped(one) or not _may_be_slipped(other):
        return None
    if culture in (Culture.CHINESE, Culture.KOREAN) and splits(one) and splits(other):
        return None  # two sounds
    return (SLIP, "one slip of a letter") if is_slip(one, other) else None


class _Pair(NamedTuple):
    one: str
    other: str
    agreement: float
    rule: str


class _Paired(NamedTuple):
    """Units of the shorter name, each with its counterpart, and the places of others in the longer one."""

    pairs: list[_Pair]
    absent: list[int]


def _paired(shorter: Sequence[str], longer: Sequence[str], culture: Culture | None) -> _Paired | None:
    left = dict(enumerate(longer))
    pairs, slipped = list[_Pair](), list[str]()
    unequal = []
    for unit in shorter:
        place = next((place for place, other in left.items() if other == unit), None)
        if place is None:
            unequal.append(unit)
        else:
            pairs.append(_Pair(unit, left.pop(place), 1.0, "same word"))
    for unit in sorted(unequal, key=len, reverse=True):
        place, found = _best(unit, left, culture)
        if found is None:
            slipped.append(unit)
        else:
            pairs.append(_Pair(unit, left.pop(place), *found))
    if slipped and (len(slipped) > 1 or len(shorter) != len(longer)):
        return None
    for unit in slipped:
        [(place, other)] = left.items()
        if (found := _slip(unit, other, culture)) is None:
            return None
        pairs.append(_Pair(unit, left.pop(place), *found))
    return _Paired(pairs, sorted(left))


def _best(unit: str, left: dict[int, str], culture: Culture | None) -> tuple[int, tuple[float, str] | None]:
    best, at = None, -1
    for place, other in left.items():
        found = agreement(unit, other, culture)
        if found is not None and (best is None or found[0] > best[0]):
            best, at = found, place
    return at, best


def compare_words(query: PersonVariant, candidate: PersonVariant) -> Verdict | None:
    """None if the names differ."""
    ours, theirs = query.words, candidate.words
    mine, yours = units_of(ours), units_of(theirs)
    if min(len(mine.units), len(yours.units)) < 2 or _contradict(mine, yours):
        return None
    script = query.script or candidate.script
    culture = common_culture(ours, theirs) if script is None else _CULTURES.get(script)
    swapped = len(yours.units) < len(mine.units)
    shorter, longer = (yours, mine) if swapped else (mine, yours)
    if len(shorter.units) < MIN_COVERAGE * len(longer.units):
        return None
    paired = _paired(shorter.units, longer.units, culture)
    if paired is None or not _may_be_absent(paired, longer.units, culture) or not _by_father(shorter, longer, culture):
        return None
    pairs, absent = paired
    values = sum(sorted([pair.agreement for pair in pairs])) / len(pairs)
    raw = (
        ("words of the shorter name", 0.4, values),
        ("words of the longer name", 0.6, len(pairs) / len(longer.units)),
    )
    left = [longer.units[place] for place in absent]
    explain = partial(_explain, tuple(pairs), tuple(left), swapped, raw, culture)
    return Verdict(query.text, candidate.text, score_of(raw), MatchClass.COMPATIBLE, explain)


def _contradict(mine: NameUnits, yours: NameUnits) -> bool:
    """By names beside others, or initials that no word of the other has."""
    if mine.generic and yours.generic and not mine.generic & yours.generic:
        return True
    for one, other in ((mine, yours), (yours, mine)):
        letters = {unit[0] for unit in other.units} | {name[0] for name in other.generic} | other.initials
        if one.initials - letters:
            return True
    return False


def _may_be_absent(paired: _Paired, longer: Sequence[str], culture: Culture | None) -> bool:
    count = len(longer)
    if culture == Culture.VIETNAMESE:
        return not paired.absent
    if len(paired.pairs) >= ENOUGH or all(0 < place < count - 1 for place in paired.absent):
        return True
    return paired.absent == [count - 1] and is_spanish(longer[-1])


def _by_father(shorter: NameUnits, longer: NameUnits, culture: Culture | None) -> bool:
    """Whether given names agree with given names and fathers with fathers, where both tell them apart."""
    if not shorter.father or not longer.father:
        return True
    sides = [
        sorted((one, other), key=len)
        for one, other in (
            (shorter.units[: shorter.father], longer.units[: longer.father]),
            (shorter.units[shorter.father :], longer.units[longer.father :]),
        )
    ]
    return all(_paired(fewer, more, culture) is not None for fewer, more in sides)


def _explain(
    pairs: tuple[_Pair, ...], left: tuple[str, ...], swapped: bool, raw: tuple[RawPart, ...], culture: Culture | None
) -> Explanation:
    """`pairs` are of the shorter and the longer name; `swapped`: the query is the longer."""
    tokens = [
        TokenMatch(*((pair.other, pair.one) if swapped else (pair.one, pair.other)), pair.rule, pair.agreement)
        for pair in pairs
    ]
    tokens += [TokenMatch(*((unit, "") if swapped else ("", unit)), "word absent in one", 0.5) for unit in left]
    because = "only Latin letters agree; several persons may be written so"
    if culture not in (None, Culture.CHINESE, Culture.OTHER):
        because += f"; read as {culture} names"
    return Explanation(because, weigh(raw), tuple(tokens))


def _may_be_slipped(unit: str) -> bool:
    """Not a short word that is a name itself."""
    if len(unit) >= MIN_SLIP:
        return True
    return len(unit) == MIN_SLIP - 1 and name_of(unit) is None and unit not in ANY_SPELLING


def slip_keys(units: Sequence[str]) -> Iterator[str]:
    """What names with one slip in a long unit have in common: the other units, and a beginning or end of this one."""
    keys = [unit_key(unit) for unit in units]
    for place, unit in enumerate(units):
        if _may_be_slipped(unit):
            others = "+".join(sorted(keys[:place] + keys[place + 1 :]))
            yield f"{others}+{unit[:2]}-"
            yield f"{others}+-{unit[-2:]}"
