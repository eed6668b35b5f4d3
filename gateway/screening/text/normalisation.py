"""Normalises text: letters without marks, one Han form, words.

Traditional characters become simplified (OpenCC t2s). The other direction is ambiguous: the surname 范 would become 範.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import opencc

from gateway.translation.plain_text import UNPRINTABLE

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

_INVISIBLE = re.compile(f"(?!\\s)[{UNPRINTABLE}\ufe00-\ufe0f\U000e0000-\U000e0fff]")
"""Characters that show nothing, without spaces, but with variation selectors."""
_OPENING = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
_CLOSING = "\u202c\u2069"
_AGAINST = {"\u202e": ("L",), "\u202d": ("R", "AL")}
"""Directions of letters that an override shows reversed."""


_OVERRIDES = str.maketrans("", "", "\u202d\u202e")


def has_han(text: str) -> bool:
    """Whether any character is Han."""
    return not text.isascii() and _HAN.search(text) is not None


def clean(text: str) -> str:
    """NFKC, as shown, cut to `MAX_NAME_LENGTH`."""
    if text.isascii() and len(text) <= MAX_NAME_LENGTH and text.isprintable():
        return text
    text = as_shown(text)
    if len(text) > MAX_NAME_LENGTH:
        text = " ".join(text.split())[:MAX_NAME_LENGTH]
    return unicodedata.normalize("NFKC", text)


def is_overridden(text: str) -> bool:
    """Whether control characters override the order of letters."""
    return not text.isascii() and ("\u202e" in text or "\u202d" in text)


def as_stored(text: str) -> str:
    """As `clean`, in the order in which letters are stored, whatever control characters show."""
    return clean(text.translate(_OVERRIDES))


def as_shown(text: str) -> str:
    """Letters in the order of display, without characters that show nothing."""
    if text.isprintable() and (text.isascii() or not _INVISIBLE.search(text)):
        return text
    if is_overridden(text):
        text = _in_shown_order(text)
    return _INVISIBLE.sub("", text)


def _in_shown_order(text: str) -> str:
    """Reverses what an override shows reversed. Arabic and Hebrew run from right to left anyhow."""
    frames: list[tuple[str, list[str]]] = [("", [])]
    for character in text:
        if character in _OPENING:
            frames.append((character, []))
        elif character in _CLOSING:
            if len(frames) > 1:
                _close(frames)
        elif unicodedata.combining(character) and frames[-1][1]:
            frames[-1][1][-1] += character
        else:
            frames[-1][1].append(character)
    while len(frames) > 1:
        _close(frames)
    return "".join(frames[0][1])


def _close(frames: list[tuple[str, list[str]]]) -> None:
    opening, pieces = frames.pop()
    against = _AGAINST.get(opening, ())
    if any(unicodedata.bidirectional(c) in against for piece in pieces for c in piece[:1]):
        pieces.reverse()
    frames[-1][1].append("".join(pieces))


@lru_cache(maxsize=65_536)
def simplified(text: str) -> str:
    """Canonical Han form."""
    converted: str = _T2S.convert(text)
    return converted.translate(_VARIANTS)


def simplified_text(text: str) -> str:
    """As `simplified`, of a text that is long and won't come again: it isn't remembered."""
    return simplified.__wrapped__(text)


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
