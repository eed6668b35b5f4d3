"""Compares registrations, identity documents, IMO numbers, plates and containers.

Check digits are ignored: a wrong one never prevents a match. Equal value and scheme are identical. If a scheme is
unknown, an equal value counts from `MIN_VALUE_ALONE` characters on, a plate's at any length. Two known schemes that
differ never match.
"""

from __future__ import annotations

from functools import lru_cache

from gateway.contract.identification.identifiers import Scheme
from gateway.contract.identification.lookalikes import letters_as_seen
from gateway.screening.index.key_numbers import KeyKind, text_number
from gateway.screening.result import Comparison, MatchClass, ScorePart, TokenMatch, VariantPair
from gateway.screening.text.lookalikes import LETTERS
from gateway.screening.text.normalisation import clean, simplified, words

MIN_VALUE_ALONE = 6
"""Shorter serial numbers occur in every register."""

PLATE = "plate"
"""Plate without a register; schemes with this ending have one."""

_KNOWN = frozenset(Scheme)
_EQUAL = (ScorePart("identifier", 1.0, 1.0),)


@lru_cache(maxsize=16_384)
def normal(scheme: str, value: str) -> str:
    """Letters and digits, upper case, simplified, in one script, without IMO."""
    if value.isascii() and value.isprintable():
        text = "".join(words(clean(value))).upper()
    else:
        text = "".join(words(simplified(letters_as_seen(clean(value))))).upper()
    return text.removeprefix("IMO") if scheme == Scheme.IMO_SHIP else text


def identifier_keys(scheme: str, value: str) -> tuple[int, ...]:
    """Index and query keys; none without letters and digits."""
    text = normal(scheme, value)
    if not text:
        return ()
    of_scheme = f"{PLATE if _is_plate(scheme) else scheme}:{text}"
    return (text_number(KeyKind.IDENTIFIER, text if len(text) >= MIN_VALUE_ALONE else of_scheme),)


def _looks_changed(value: str) -> bool:
    return not value.isascii() and letters_as_seen(clean(value)) != clean(value)


def _is_plate(scheme: str) -> bool:
    return scheme.endswith(PLATE)


def compare_identifiers(query: tuple[str, str], candidate: tuple[str, str]) -> Comparison | None:
    """None where (scheme, value) differ."""
    mine, yours = normal(*query), normal(*candidate)
    if mine != yours or not mine:
        return None
    if query[0] == candidate[0]:
        match_class, because = MatchClass.IDENTICAL, f"the same identifier ({candidate[0]})"
    elif query[0] in _KNOWN and candidate[0] in _KNOWN:
        return None
    elif len(mine) >= MIN_VALUE_ALONE or (_is_plate(query[0]) and _is_plate(candidate[0])):
        match_class, because = MatchClass.STRONG, "the same value; only one of the schemes is known"
    else:
        return None
    if _looks_changed(query[1]) or _looks_changed(candidate[1]):
        match_class, because = min(match_class, MatchClass.STRONG), f"{because}; {LETTERS}"
    token = TokenMatch(query[1], candidate[1], "same identifier", 1.0)
    forms = (VariantPair(":".join(query), ":".join(candidate), 1.0),)
    return Comparison(match_class, 1.0, because, forms, (token,), _EQUAL)
