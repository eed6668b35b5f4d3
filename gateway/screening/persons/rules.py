"""Compares two variants of persons' names.

Every syllable of a Chinese given name must agree: 何一誠 isn't 賀一誠, Si-yan isn't Sin Ian.
"""

from __future__ import annotations

from functools import partial

from gateway.screening.persons.cultures import Culture
from gateway.screening.persons.foreign import compare_foreign
from gateway.screening.persons.japanese import compare_japanese
from gateway.screening.persons.reading import HAN, NameReading, PersonVariant, joined, sorted_words
from gateway.screening.persons.traditions import compare_traditions
from gateway.screening.persons.transcribed import compare_transcribed
from gateway.screening.persons.words import agreement, compare_words
from gateway.screening.result import (
    DEFAULT_THRESHOLDS,
    Explanation,
    MatchClass,
    RawPart,
    TokenMatch,
    Verdict,
    same_han,
    score_of,
    weigh,
)
from gateway.screening.text.sounds import SCHEME_NAMES, RomanisationScheme, letter_mask

SURNAME_WEIGHT = 0.4
GIVEN_WEIGHT = 0.6
WESTERN_WEIGHT = 0.3
"""Counts where both have Western names: different ones are contrary."""
MARRIED_WEIGHT = 0.1
"""Counts where one name alone has a husband's surname."""
WESTERN_ONLY_GIVEN_WEIGHT = 0.16
"""Where one name alone has it, with equal surname and Western name."""

ROMANISED = 0.95
OTHER_SCHEME = 0.9
OTHER_SPELLING = 0.85
INITIAL = 0.7
SURNAME_VARIANT = 0.95


def compare_persons(query: PersonVariant, candidate: PersonVariant) -> Verdict | None:
    """None if no rule connects the variants."""
    if query.han and candidate.han:
        return _both_han(query, candidate)
    if not query.han and not candidate.han:
        same = _same_letters(query, candidate)
        if same is not None:
            return same
        if query.script or candidate.script:
            return _foreign(query, candidate)
    best = _best_readings(query.readings, candidate.readings)
    verdict = _verdict(query, candidate, *best) if best is not None else None
    if verdict is not None and verdict.score >= DEFAULT_THRESHOLDS.compatible:
        return verdict
    return _beyond_chinese(query, candidate) or verdict


def _beyond_chinese(query: PersonVariant, candidate: PersonVariant) -> Verdict | None:
    """Where no Chinese reading agrees."""
    if query.han or candidate.han:
        han, latin, swapped = (query, candidate, False) if query.han else (candidate, query, True)
        verdict = compare_japanese(han, latin, swapped) or compare_traditions(han, latin, swapped)
        return verdict or compare_transcribed(han, latin, swapped)
    return None if query.is_full or candidate.is_full else compare_words(query, candidate)


def _foreign(query: PersonVariant, candidate: PersonVariant) -> Verdict | None:
    """Where one name is romanised from another script; two of them are compared by words."""
    if query.script is None or candidate.script is None:
        foreign, latin = (candidate, query) if query.script is None else (query, candidate)
        verdict = compare_foreign(foreign, latin, swapped=foreign is candidate)
        if verdict is not None or latin.is_full:
            return verdict
    return compare_words(query, candidate)


def _both_han(query: PersonVariant, candidate: PersonVariant) -> Verdict | None:
    if query.han == candidate.han:
        return Verdict(query.text, candidate.text, 1.0, MatchClass.IDENTICAL, partial(same_han, query.han))
    for reading in query.readings:
        for other in candidate.readings:
            if reading.given != other.given:
                continue
            if reading.maiden == other.maiden and reading.surname_mask & other.surname_mask:
                explain = partial(_han_variant, reading, other)
                return Verdict(query.text, candidate.text, score_of(_VARIANT), MatchClass.STRONG, explain)
            if (reading.maiden == "") != (other.maiden == "") and _married_surname(reading, other):
                return _verdict(query, candidate, reading, other)
    return None


_VARIANT = (("surname", SURNAME_WEIGHT, SURNAME_VARIANT), ("given name", GIVEN_WEIGHT, 1.0))


def _han_variant(one: NameReading, other: NameReading) -> Explanation:
    tokens = (
        TokenMatch(one.surname, other.surname, "two ways to write one surname", SURNAME_VARIANT),
        TokenMatch("".join(one.given), "".join(other.given), "same Han form", 1.0),
    )
    return Explanation("the Han forms differ only in how the surname is written", weigh(_VARIANT), tokens)


def _same_letters(query: PersonVariant, candidate: PersonVariant) -> Verdict | None:
    if query.words == candidate.words:
        rule = "same Latin letters"
    elif len(query.words) == len(candidate.words) and sorted_words(query) == sorted_words(candidate):
        rule = "same Latin words in another order"
    elif joined(query) == joined(candidate):
        rule = "same Latin letters, joined differently"
    else:
        return None
    explain = partial(_letters, query.text, candidate.text, rule)
    return Verdict(query.text, candidate.text, 1.0, MatchClass.COMPATIBLE, explain)


def _letters(mine: str, yours: str, rule: str) -> Explanation:
    because = "only Latin letters agree; several names may be written so"
    return Explanation(because, weigh((("Latin letters", 1.0, 1.0),)), (TokenMatch(mine, yours, rule, 1.0),))


def _best_readings(
    ours: tuple[NameReading, ...], theirs: tuple[NameReading, ...]
) -> tuple[NameReading, NameReading] | None:
    best, best_score = None, 0.0
    for our in ours:
        surname_mask = our.surname_mask | our.maiden_mask
        for other in theirs:
            if surname_mask & (other.surname_mask | other.maiden_mask) and _can_agree(our, other):
                parts = _parts(our, other)
                score = sum([weight * agreement for _, weight, agreement in parts]) / sum([part[1] for part in parts])
                if score > best_score:
                    best, best_score = (our, other), score
    return best


def _can_agree(one: NameReading, other: NameReading) -> bool:
    if len(one.given_masks) != len(other.given_masks):
        return (
            not (one.given and other.given) and bool(one.surname_mask & other.surname_mask) and _western(one, other) > 0
        )
    for left, right, mine, yours in zip(one.given_masks, other.given_masks, one.given, other.given, strict=True):
        if left and right:
            if not left & right:
                return False
        elif not _initial_agrees(one, other, mine, yours, left | right):
            return False
    if not one.given:
        return bool(one.surname_mask & other.surname_mask) and _western(one, other) > 0
    return _surname(one, other) > 0


def _initial_agrees(one: NameReading, other: NameReading, mine: str, yours: str, sounds: int) -> bool:
    """Of a Han character under the initial's scheme; between Latin names of an equal letter and surname."""
    if HAN not in (one.scheme, other.scheme):
        return mine[0] == yours[0] and one.surname == other.surname
    scheme, letter = (other.scheme, yours) if one.scheme == HAN else (one.scheme, mine)
    return bool(sounds & letter_mask(RomanisationScheme(scheme), letter[0]))


def _married_surname(one: NameReading, other: NameReading) -> bool:
    """By a maiden or husband's surname."""
    double, single = (one, other) if one.maiden_mask else (other, one)
    return bool((double.surname_mask | double.maiden_mask) & single.surname_mask)


def _surname(one: NameReading, other: NameReading) -> float:
    if one.maiden_mask and other.maiden_mask:
        agrees = one.surname_mask & other.surname_mask and one.maiden_mask & other.maiden_mask
        return _agreement(one, other, one.surname, other.surname) if agrees else 0.0
    if one.maiden_mask or other.maiden_mask:
        return _agreement(one, other, "", "?") if _married_surname(one, other) else 0.0
    return _agreement(one, other, one.surname, other.surname) if one.surname_mask & other.surname_mask else 0.0


def _agreement(one: NameReading, other: NameReading, mine: str, yours: str) -> float:
    if HAN in (one.scheme, other.scheme):
        return 1.0 if one.scheme == other.scheme else ROMANISED
    if mine == yours:
        return 1.0
    return OTHER_SPELLING if one.scheme == other.scheme else OTHER_SCHEME


def _western(one: NameReading, other: NameReading) -> float:
    """1: one in common, 0.5: one name has none, 0: they differ."""
    if not one.western or not other.western:
        return 0.5 if one.given and other.given else 0.0
    fewer, more = sorted((one, other), key=lambda reading: (bool(reading.given), len(reading.western)))
    if fewer.given == more.given:
        fewer, more = sorted((one, other), key=lambda reading: len(reading.western))
    return 1.0 if all(any(_same_western(a, b) for b in more.western) for a in fewer.western) else 0.0


def _same_western(one: str, other: str) -> bool:
    return agreement(one, other, Culture.OTHER) is not None


def _given(one: NameReading, other: NameReading) -> float:
    if len(one.given) != len(other.given) or not one.given:
        return 0.0
    values = (
        _agreement(one, other, mine, yours) if left and right else INITIAL
        for mine, yours, left, right in zip(one.given, other.given, one.given_masks, other.given_masks, strict=True)
    )
    return sum(values) / len(one.given)


def _parts(one: NameReading, other: NameReading) -> list[RawPart]:
    surname = _surname(one, other)
    if not one.given or not other.given:
        only_one = WESTERN_ONLY_GIVEN_WEIGHT if one.given or other.given else 0.0
        return [("surname", 0.42, surname), ("Western name", 0.42, _western(one, other)), ("given name", only_one, 0.0)]
    parts = [("surname", SURNAME_WEIGHT, surname), ("given name", GIVEN_WEIGHT, _given(one, other))]
    if one.western and other.western:
        parts.append(("Western name", WESTERN_WEIGHT, _western(one, other)))
    if bool(one.maiden) != bool(other.maiden):
        parts.append(("husband's surname", MARRIED_WEIGHT, 0.0))
    return parts


def _verdict(query: PersonVariant, candidate: PersonVariant, one: NameReading, other: NameReading) -> Verdict:
    raw = tuple(_parts(one, other))
    ceiling = MatchClass.STRONG if one.scheme == other.scheme == HAN else MatchClass.COMPATIBLE
    return Verdict(query.text, candidate.text, score_of(raw), ceiling, partial(_explain, one, other, raw))


def _explain(one: NameReading, other: NameReading, raw: tuple[RawPart, ...]) -> Explanation:
    if one.scheme == other.scheme == HAN:
        because = "the Han forms are the same apart from a married woman's second surname"
    elif HAN in (one.scheme, other.scheme):
        because = "several Han names are romanised so"
    else:
        because = "only romanised forms agree; several Han names are written so"
    return Explanation(because, weigh(raw), tuple(_tokens(one, other)))


def _tokens(one: NameReading, other: NameReading) -> list[TokenMatch]:
    surname = TokenMatch(
        " ".join(filter(None, (one.surname, one.maiden))),
        " ".join(filter(None, (other.surname, other.maiden))),
        _rule(one, other, "surname", one.surname, other.surname),
        _surname(one, other),
    )
    tokens = [surname]
    if len(one.given) == len(other.given):
        masks = zip(one.given, other.given, one.given_masks, other.given_masks, strict=True)
        for mine, yours, left, right in masks:
            known = bool(left and right)
            rule = _rule(one, other, "syllable", mine, yours) if known else _initial_rule(one, other, mine, yours)
            tokens.append(TokenMatch(mine, yours, rule, _agreement(one, other, mine, yours) if known else INITIAL))
    else:
        tokens.append(TokenMatch(" ".join(one.given), " ".join(other.given), "given name absent in one", 0.0))
    if one.western or other.western:
        both = bool(one.western and other.western)
        rule = "Western name" if both else "Western name absent in one"
        agreement = _western(one, other) if both else 0.5
        tokens.append(TokenMatch(" ".join(one.western), " ".join(other.western), rule, agreement))
    return tokens


def _rule(one: NameReading, other: NameReading, what: str, mine: str, yours: str) -> str:
    if one.scheme == other.scheme == HAN:
        return f"same Han {what}"
    if HAN in (one.scheme, other.scheme):
        han, latin = (mine, other) if one.scheme == HAN else (yours, one)
        return f"{SCHEME_NAMES[RomanisationScheme(latin.scheme)]} of {han}"
    if mine == yours:
        return f"same Latin {what}"
    schemes = f"{SCHEME_NAMES[RomanisationScheme(one.scheme)]} and {SCHEME_NAMES[RomanisationScheme(other.scheme)]}"
    return f"{what} of one Han character by {schemes}"


def _initial_rule(one: NameReading, other: NameReading, mine: str, yours: str) -> str:
    if HAN not in (one.scheme, other.scheme):
        return "initial"
    han, latin = (mine, other) if one.scheme == HAN else (yours, one)
    return f"initial of {han} by {SCHEME_NAMES[RomanisationScheme(latin.scheme)]}"
