"""Romanises kana by the modified Hepburn system.

Source: ANSI Z39.11-1972 and the passport rules of the Japanese Ministry of Foreign Affairs; long vowels without marks.
"""

from __future__ import annotations

import re

_ROWS = {
    "アイウエオ": "a i u e o", "カキクケコ": "ka ki ku ke ko", "サシスセソ": "sa shi su se so",
    "タチツテト": "ta chi tsu te to",
    "ナニヌネノ": "na ni nu ne no", "ハヒフヘホ": "ha hi fu he ho", "マミムメモ": "ma mi mu me mo",
    "ヤユヨ": "ya yu yo",
    "ラリルレロ": "ra ri ru re ro", "ワヰヱヲン": "wa i e o n", "ガギグゲゴ": "ga gi gu ge go",
    "ザジズゼゾ": "za ji zu ze zo",
    "ダヂヅデド": "da ji zu de do", "バビブベボ": "ba bi bu be bo", "パピプペポ": "pa pi pu pe po", "ヴ": "vu",
    "ァィゥェォ": "a i u e o", "ャュョヮ": "ya yu yo wa", "ヵヶ": "ka ke",
}  # fmt: skip
_KANA = {kana: spelt for row, text in _ROWS.items() for kana, spelt in zip(row, text.split(), strict=True)}
_SMALL_Y, _SMALL_VOWELS = "ャュョ", "ァィゥェォ"
_ONSETS = {
    "フ": "f", "ヴ": "v", "ウ": "w", "ツ": "ts", "シ": "sh", "ジ": "j", "チ": "ch", "テ": "t", "デ": "d", "ト": "t",
    "ド": "d", "ク": "kw", "グ": "gw",
}  # fmt: skip
"""Beginnings that take a small vowel: ファ is fa."""

_TO_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_LONG = re.compile(r"([aiueo])\1+|ou")


def is_kana(character: str) -> bool:
    """Whether a character is Hiragana or Katakana, or the long-vowel mark."""
    return "\u3041" <= character <= "\u3096" or "\u30a1" <= character <= "\u30fa" or character == "ー"


def romanise(text: str) -> str:
    """Hepburn spelling with long vowels written short; other characters stay: トヨタ → toyota."""
    written = text.translate(_TO_KATAKANA)
    spelt: list[str] = []
    doubled = False
    for character in written:
        if character == "ッ":
            doubled = True
            continue
        if character == "ー":
            continue
        if character in _SMALL_Y and spelt and spelt[-1].endswith("i"):
            spelt[-1] = _contracted(spelt[-1], _KANA[character])
            continue
        if character in _SMALL_VOWELS and spelt and (onset := _onset(spelt[-1])):
            spelt[-1] = onset + _KANA[character]
            continue
        latin = _KANA.get(character, character)
        if doubled:
            latin = ("t" if latin.startswith("ch") else latin[:1]) + latin
            doubled = False
        spelt.append(latin)
    return _LONG.sub(lambda match: match.group()[0], "".join(spelt))


def _contracted(before: str, glide: str) -> str:
    """ki + ya → kya, shi + ya → sha."""
    stem = before[:-1]
    return stem + (glide[1:] if stem.endswith(("sh", "ch", "j")) else glide)


def _onset(before: str) -> str:
    by_spelling = {_KANA[kana]: onset for kana, onset in _ONSETS.items()}
    return by_spelling.get(before, "")
