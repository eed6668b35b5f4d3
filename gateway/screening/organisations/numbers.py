"""Reads the numbers of organisations' names: 第三, No. 3, Third, 3rd and III are one number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gateway.screening.text.sounds import SCHEMES_OF, RomanisationScheme

MAX_NUMBER = 99
"""Numbers in names of factories and companies; longer ones are years or trade names."""

MIN_SPELT = 4
"""Syllables of a name in pinyin, each a word."""

_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_HAN = re.compile(
    r"第([0-9]{1,2}|[零〇一二三四五六七八九十]{1,3})(?:号)?(?=.)"
    r"|(?<=.)([0-9]{1,2}|[一二三四五六七八九十]{1,3})号"
    r"|(?<=.)([一二三四五六七八九十]{1,3})(?=局|工程局|冶金?建)"
)
"""第三 anywhere, 三号 at the end, and bureaus of builders: 中铁十二局."""

_MARKED = re.compile(r"(?:no|nr|num)([0-9]{1,2})")
_SUFFIXED = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th|o|a)")
_BEFORE = frozenset({"no", "nr", "num", "number", "numero", "so", "di"})
_UNITS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
_ROMAN = {"x" * (n // 10) + (_UNITS[n % 10 - 1] if n % 10 else ""): n for n in range(1, 40)}
_ORDINALS = {
    word: number
    for words in (
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth",
        "primeiro segundo terceiro quarto quinto sexto setimo oitavo nono decimo",
        "primeira segunda terceira quarta quinta sexta setima oitava nona decima",
        "primero segundo tercero cuarto quinto sexto septimo octavo noveno decimo",
        "primera segunda tercera cuarta quinta sexta septima octava novena decima",
    )
    for number, word in enumerate(words.split(), 1)
}
_SPOKEN = ("yi", "er", "san", "si", "wu", "liu", "qi", "ba", "jiu", "shi")
_ORDINALS |= {f"di{syllable}": number for number, syllable in enumerate(_SPOKEN, 1)}
_COUNTED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORDS = {word: number for number, word in enumerate(_COUNTED, 1)}


_NUMBER_WORDS = frozenset({*_BEFORE, *_ROMAN, *_ORDINALS})


class Numbered(NamedTuple):
    """A name's text or words without its numbers, and these."""

    rest: str
    numbers: frozenset[int]


def han_numbers(text: str) -> Numbered:
    """Takes 第三 and 三号 out of a canonical Han name."""
    if "第" not in text and "号" not in text and "局" not in text and "建" not in text:
        return Numbered(text, frozenset())
    found = [_han_value(next(filter(None, match.groups()))) for match in _HAN.finditer(text)]
    return Numbered(_HAN.sub("", text), frozenset(found)) if found and all(found) else Numbered(text, frozenset())


def _han_value(text: str) -> int:
    if text.isdigit():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return _DIGITS[text] if len(text) == 1 else 0
    return (
        (_DIGITS[tens] if tens else 1) * 10 + (_DIGITS[ones] if ones else 0) if len(tens) < 2 and len(ones) < 2 else 0
    )


def latin_numbers(tokens: Sequence[str]) -> tuple[list[str], frozenset[int]]:
    """Words without numbers, and the numbers.

    A Roman number needs two letters behind another word, or stands last: V. Santos isn't the fifth.
    """
    if _NUMBER_WORDS.isdisjoint(tokens) and "".join(tokens).isalpha():
        return list(tokens), frozenset()
    rest: list[str] = []
    numbers: set[int] = set()
    position = 0
    while position < len(tokens):
        width, value = _at(tokens, position)
        if value:
            numbers.add(value)
        else:
            rest.append(tokens[position])
        position += width
    return (rest, frozenset(numbers)) if rest else (list(tokens), frozenset())


def _at(tokens: Sequence[str], position: int) -> tuple[int, int]:
    """Words that a number takes, and its value, 0 for none."""
    token = tokens[position]
    if token in _BEFORE and position + 1 < len(tokens):
        behind = tokens[position + 1]
        value = int(behind) if behind.isdecimal() and len(behind) < 3 else _ROMAN.get(behind) or _WORDS.get(behind, 0)
        if value := value or _ORDINALS.get(token + behind, 0):
            return 2, value
    match = _MARKED.fullmatch(token) or _SUFFIXED.fullmatch(token)
    if match is not None:
        return 1, int(match.group(1))
    if token in _ORDINALS and len(tokens) > 1:
        return 1, _ORDINALS[token]
    if token in SCHEMES_OF and is_spelt(tokens):
        return 1, 0
    if position and token in _ROMAN and (len(token) > 1 or position == len(tokens) - 1):
        return 1, _ROMAN[token]
    return 1, 0


def is_spelt(tokens: Sequence[str]) -> bool:
    """Whether a name is pinyin in single syllables, among which xi isn't eleven nor da a small word."""
    return sum(SCHEMES_OF.get(token, 0) >> RomanisationScheme.MAINLAND & 1 for token in tokens) >= MIN_SPELT
