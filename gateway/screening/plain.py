"""Reads and compares names of vessels, vehicles, containers, addresses and identifiers; check digits are ignored."""

from __future__ import annotations

import re
from functools import partial
from typing import NamedTuple

from gateway.screening.result import Explanation, MatchClass, NameKind, RawPart, TokenMatch, Verdict, score_of, weigh
from gateway.screening.text.normalisation import has_han, simplified, words
from gateway.screening.text.phonetic_key import phonetic_key

_VESSEL_PREFIXES = frozenset({"mv", "mt", "ms", "ss", "fv", "mts", "lng", "tug", "barge", "motor", "vessel", "ship"})
_ROMAN = {
    "i": "1",
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "v": "5",
    "vi": "6",
    "vii": "7",
    "viii": "8",
    "ix": "9",
    "x": "10",
}
_NUMBERS = {"no": "", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5"} | _ROMAN
_HAN_NUMERALS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_ADDRESS_WORDS = {
    "rd": "road", "st": "street", "ave": "avenue", "av": "avenue", "avenida": "avenue", "rua": "street",
    "fl": "floor", "f": "floor",
    "flr": "floor", "andar": "floor", "bldg": "building", "edificio": "building", "blk": "block", "bloco": "block",
    "rm": "room",
    "ctr": "centre", "center": "centre", "centro": "centre", "ind": "industrial", "dist": "district", "n": "north",
    "s": "south",
    "e": "east", "w": "west", "hk": "hongkong", "macao": "macau", "estrada": "road", "lane": "lane", "travessa": "lane",
}  # fmt: skip
_ADDRESS_NOISE = frozenset(["no", "of", "the", "and", "de", "da", "do", "dos", "das", "n°", "nr"])
_HAN_ADDRESS = re.compile(r"[0-9]+|[a-z]+|[\u3400-\u9fff]")


class PlainVariant(NamedTuple):
    """Tokens in order, and the text that must be equal for an identical match."""

    text: str
    kind: NameKind
    tokens: tuple[str, ...]
    exact: str


def read_plain(text: str, kind: NameKind) -> PlainVariant:
    """Normalises a vessel, vehicle, container, address or identifier."""
    match kind:
        case NameKind.VESSEL:
            tokens = _vessel(text)
        case NameKind.ADDRESS:
            tokens = _address(text)
        case _:
            tokens = ("".join(_plate(text)),)
    return PlainVariant(text, kind, tokens, "".join(tokens))


def _plate(text: str) -> tuple[str, ...]:
    return tuple(word.upper() for word in words(simplified(text)))


def _vessel(text: str) -> tuple[str, ...]:
    parts = list(words(simplified(text)))
    if parts[:2] in (["m", "v"], ["m", "t"], ["s", "s"], ["m", "s"], ["f", "v"]):
        parts = parts[2:]
    while len(parts) > 1 and parts[0] in _VESSEL_PREFIXES:
        parts = parts[1:]
    spelt = [word.translate(_HAN_NUMERALS) if has_han(word) else word for word in parts]
    tokens = [t for word in spelt for t in re.findall(r"[0-9]+|[^0-9]+", word.removesuffix("号"))]
    numbered = [tokens[0], *(_NUMBERS.get(t, t) for t in tokens[1:])] if tokens else []
    return tuple(t.lstrip("0") or "0" if t.isdigit() else t for t in numbered if t)


def _address(text: str) -> tuple[str, ...]:
    plain = [token for word in words(simplified(text)) for token in _HAN_ADDRESS.findall(word)]
    expanded = (_ADDRESS_WORDS.get(token, token) for token in plain if token not in _ADDRESS_NOISE)
    return tuple(expanded)


def compare_plain(query: PlainVariant, candidate: PlainVariant) -> Verdict | None:
    """None if nothing agrees."""
    if query.kind != candidate.kind or not query.exact or not candidate.exact:
        return None
    if query.exact == candidate.exact:
        return _equal(query, candidate)
    if query.kind == NameKind.ADDRESS:
        return _addresses(query, candidate)
    if query.kind == NameKind.VESSEL:
        return _vessels(query, candidate)
    return None


def _equal(query: PlainVariant, candidate: PlainVariant) -> Verdict:
    ceiling, because = MatchClass.IDENTICAL, "the same once punctuation and spaces are left out"
    if query.kind in (NameKind.VESSEL, NameKind.ADDRESS) and not has_han(query.exact):
        ceiling, because = MatchClass.COMPATIBLE, "only Latin letters agree"
    return Verdict(query.text, candidate.text, 1.0, ceiling, partial(_same_form, query.exact, because))


def _same_form(exact: str, because: str) -> Explanation:
    token = TokenMatch(exact, exact, "equal in normal form", 1.0)
    return Explanation(because, weigh((("normal form", 1.0, 1.0),)), (token,))


def _vessels(query: PlainVariant, candidate: PlainVariant) -> Verdict | None:
    if len(query.tokens) != len(candidate.tokens) or has_han(query.exact) or has_han(candidate.exact):
        return None
    tokens = []
    for mine, yours in zip(query.tokens, candidate.tokens, strict=True):
        if mine != yours and not _sound_alike(mine, yours):
            return None
        tokens.append(
            TokenMatch(mine, yours, "same word" if mine == yours else "spelt alike", 1.0 if mine == yours else 0.85)
        )
    raw = (("words", 1.0, sum(t.agreement for t in tokens) / len(tokens)),)
    explain = partial(Explanation, "spelt alike in Latin letters", weigh(raw), tuple(tokens))
    return Verdict(query.text, candidate.text, score_of(raw), MatchClass.COMPATIBLE, explain)


def _sound_alike(mine: str, yours: str) -> bool:
    if min(len(mine), len(yours)) <= 3 or mine.isdigit() or yours.isdigit():
        return False
    return phonetic_key(mine) == phonetic_key(yours)


def _addresses(query: PlainVariant, candidate: PlainVariant) -> Verdict | None:
    mine, yours = set(query.tokens), set(candidate.tokens)
    common = mine & yours
    numbers, other_numbers = ({t for t in side if t.isdigit()} for side in (mine, yours))
    if len(common) < 2 or (numbers and other_numbers and not numbers & other_numbers):
        return None
    shorter = len(common) / min(len(mine), len(yours))
    longer = len(common) / max(len(mine), len(yours))
    raw = (("words of the shorter address", 0.7, shorter), ("words of the longer address", 0.3, longer))
    explain = partial(_explain_address, query.tokens, common, raw)
    return Verdict(query.text, candidate.text, score_of(raw), MatchClass.COMPATIBLE, explain)


def _explain_address(words: tuple[str, ...], common: set[str], raw: tuple[RawPart, ...]) -> Explanation:
    tokens = tuple([TokenMatch(t, t, "same word", 1.0) for t in words if t in common])
    return Explanation("words of the addresses agree", weigh(raw), tokens)


def plain_keys(variant: PlainVariant) -> frozenset[str]:
    """Keys that two compatible names share: one for equal letters, however parted, and those of similar ones."""
    exact = f"{variant.kind.value}:{variant.exact}"
    if variant.kind == NameKind.ADDRESS:
        longest = sorted(set(variant.tokens), key=lambda token: (-len(token), token))[:12]
        return frozenset({exact, *(f"a:{token}" for token in longest)})
    if variant.kind == NameKind.VESSEL and not has_han(variant.exact):
        sounds = "".join(phonetic_key(token) if not token.isdigit() else token for token in variant.tokens)
        return frozenset({exact, f"v:{sounds}"})
    return frozenset({exact})
