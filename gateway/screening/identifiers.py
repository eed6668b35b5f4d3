"""Compares identifiers: registrations, identity documents, IMO numbers, plates, container numbers.

Doesn't check them (`gateway.contract.identifiers`): a wrong check digit never hinders a match.

The same value under the same scheme is the same thing. Where one of the two schemes is none that the gateway knows (a
source's own word for a register), the value decides alone if it is long enough, and a plate's at any length: one from a
declaration that doesn't say whose it is stands under PLATE. Under two known schemes that differ it says nothing.
"""

from __future__ import annotations

from functools import lru_cache

from gateway.contract.identifiers import Scheme
from gateway.screening.index.key_numbers import KeyKind, text_number
from gateway.screening.result import Comparison, MatchClass, ScorePart, TokenMatch, VariantPair
from gateway.screening.text.normalisation import simplified, words

MIN_VALUE_ALONE = 6
"""Characters from which a value counts without its scheme; shorter ones are serial numbers that every register has."""

PLATE = "plate"
"""Scheme of a registration mark that doesn't say whose it is; schemes that end with it are those of one register."""

_KNOWN = frozenset(Scheme)
_EQUAL = (ScorePart("identifier", 1.0, 1.0),)


@lru_cache(maxsize=16_384)
def normal(scheme: str, value: str) -> str:
    """Letters and digits of a value in upper case, simplified; without the prefix IMO of a ship's number."""
    text = "".join(words(simplified(value))).upper()
    return text.removeprefix("IMO") if scheme == Scheme.IMO_SHIP else text


def identifier_keys(scheme: str, value: str) -> tuple[int, ...]:
    """Keys under which an identifier is filed and sought; none for one without letters and digits."""
    text = normal(scheme, value)
    if not text:
        return ()
    of_scheme = f"{PLATE if _is_plate(scheme) else scheme}:{text}"
    return (text_number(KeyKind.IDENTIFIER, text if len(text) >= MIN_VALUE_ALONE else of_scheme),)


def _is_plate(scheme: str) -> bool:
    return scheme.endswith(PLATE)


def compare_identifiers(query: tuple[str, str], candidate: tuple[str, str]) -> Comparison | None:
    """Compares two (scheme, value); None where they don't agree."""
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
    token = TokenMatch(query[1], candidate[1], "same identifier", 1.0)
    forms = (VariantPair(":".join(query), ":".join(candidate), 1.0),)
    return Comparison(match_class, 1.0, because, forms, (token,), _EQUAL)
