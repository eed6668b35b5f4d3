"""Normalises text: letters without marks, one Han form, words.

Traditional characters become simplified (OpenCC t2s). The other direction is ambiguous: the surname 范 would become 範.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import opencc

MAX_NAME_LENGTH = 512
"""Characters that are compared; registered company names stay below 300."""

_T2S = opencc.OpenCC("t2s")
_HAN_RANGES = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff〇々"
_HAN = re.compile(f"[{_HAN_RANGES}]")
_HAN_OR_BRACKETS = re.compile(f"[{_HAN_RANGES}()&]+")
_WORD = re.compile(r"[^\W_]+")
_DROPPED = str.maketrans("", "", "'’‘ʼʻ`´＇ʾʿ")  # marks inside words: Xi'an, Ch'en, Qa‘ida
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i", "ŋ": "ng"}
)
_VARIANTS = str.maketrans("鉅媯峯綫裏祕証羣勣甦䴙於喆堃犇淼", "巨妫峰线里秘证群绩苏䴙于哲坤奔淼")
"""Variants that registers interchange and OpenCC keeps."""


def has_han(text: str) -> bool:
    """Whether any character is Han."""
    return not text.isascii() and _HAN.search(text) is not None


def clean(text: str) -> str:
    """NFKC, cut to `MAX_NAME_LENGTH`."""
    return unicodedata.normalize("NFKC", text[:MAX_NAME_LENGTH])


@lru_cache(maxsize=65_536)
def simplified(text: str) -> str:
    """Canonical Han form."""
    converted: str = _T2S.convert(text)
    return converted.translate(_VARIANTS)


def latin_letters(text: str) -> str:
    """Lower-case letters without marks and apostrophes: `Macáu` → `macau`."""
    if text.isascii():
        return text.lower().replace("'", "").replace("`", "")
    lowered = text.casefold().translate(_DROPPED)
    if lowered.isascii():
        return lowered
    stripped = "".join(c for c in unicodedata.normalize("NFD", lowered) if not unicodedata.combining(c))
    return stripped.translate(_LETTERS)


def words(text: str) -> tuple[str, ...]:
    """Normalised words of Latin text; punctuation separates."""
    return tuple(_WORD.findall(latin_letters(text)))


def han_part(text: str) -> str:
    """Canonical Han characters and brackets without spaces: `陳 (大文)` → `陈(大文)`."""
    return simplified("".join(_HAN_OR_BRACKETS.findall(text)))


def latin_part(text: str) -> str:
    """The text without Han characters."""
    return _HAN.sub(" ", text)
