"""Romanises Thai by the Royal Thai General System, as far as letters show syllables.

Source: Royal Institute of Thailand, "Principles of Romanization for Thai Script by Transcription Method", 1999. Thai
doesn't mark where syllables end: an unwritten vowel is o in a closed syllable and a in an open one, by the order of
consonants. Such spellings are compared by sound, never as if they were certain.
"""

from __future__ import annotations

import re

_CONSONANTS = {
    "ก": "k k", "ข": "kh k", "ฃ": "kh k", "ค": "kh k", "ฅ": "kh k", "ฆ": "kh k", "ง": "ng ng", "จ": "ch t",
    "ฉ": "ch t",
    "ช": "ch t", "ซ": "s t", "ฌ": "ch t", "ญ": "y n", "ฎ": "d t", "ฏ": "t t", "ฐ": "th t", "ฑ": "th t", "ฒ": "th t",
    "ณ": "n n", "ด": "d t", "ต": "t t", "ถ": "th t", "ท": "th t", "ธ": "th t", "น": "n n", "บ": "b p", "ป": "p p",
    "ผ": "ph p", "ฝ": "f p", "พ": "ph p", "ฟ": "f p", "ภ": "ph p", "ม": "m m", "ย": "y i", "ร": "r n", "ล": "l n",
    "ว": "w o", "ศ": "s t", "ษ": "s t", "ส": "s t", "ห": "h h", "ฬ": "l n", "อ": "o o", "ฮ": "h h",
}  # fmt: skip
_TONES = re.compile("[่้๊๋็ๆ]")
_SILENT = re.compile("(?:[ทต]ร|[ก-ฮ])[ิุ]?์|(?<=[ตท])ร$")
_IRREGULAR = {
    "เจริญ": "charoen",
    "สยาม": "siam",
    "พัฒนา": "phatthana",
    "จริง": "ching",
    "เพชร": "phet",
    "บุตร": "but",
    "นคร": "nakhon",
    "วัฒนา": "watthana",
}
"""Frequent words of names that the rules don't reach."""

_IRREGULAR_WORD = re.compile("|".join(_IRREGULAR))
_C = "[ก-ฮ]"
_CLUSTER = "(?:[กขคตปผพ][รลว]|ห[งญนมยรลว]|ทร|สร|ศร|จร|" + _C + ")"
_SYLLABLES = (
    (f"เ({_CLUSTER})ียะ?", "ia"), (f"เ({_CLUSTER})ือะ?", "uea"), (f"เ({_CLUSTER})าะ", "o"), (f"เ({_CLUSTER})า", "ao"),
    (f"เ({_CLUSTER})ิ", "oe"), (f"เ({_CLUSTER})อ", "oe"), (f"เ({_CLUSTER})ย", "oei"), (f"เ({_CLUSTER})ว", "eo"),
    (f"แ({_CLUSTER})ะ?", "ae"), (f"เ({_CLUSTER})ะ?", "e"), (f"โ({_CLUSTER})ะ?", "o"), (f"[ใไ]({_CLUSTER})ย?", "ai"),
    (f"({_CLUSTER})ัวะ?", "ua"), (f"({_CLUSTER})ัย", "ai"), (f"({_CLUSTER})ั", "a"), (f"({_CLUSTER})ะ", "a"),
    (f"({_CLUSTER})าย", "ai"), (f"({_CLUSTER})าว", "ao"), (f"({_CLUSTER})า", "a"), (f"({_CLUSTER})ำ", "am"),
    (f"({_CLUSTER})ิว", "io"), (f"({_CLUSTER})[ิี]", "i"), (f"({_CLUSTER})[ึื]อ?", "ue"), (f"({_CLUSTER})[ุู]", "u"),
    (f"({_C})ว(?={_C}(?![ะาิีึืุูำั]))", "ua"), (f"({_CLUSTER})รร(?={_C})", "a"), (f"({_CLUSTER})รร", "an"),
    (f"({_CLUSTER})อย", "oi"), (f"({_CLUSTER})อ(?!{_C}?[ะาิีึืุูำั])", "o"),
)  # fmt: skip
_RULES = tuple((re.compile(pattern), vowel) for pattern, vowel in _SYLLABLES)
_SIGN = re.compile("[ะาิีึืุูำัเแโใไ]")


def is_thai(character: str) -> bool:
    """Whether a character belongs to the Thai script."""
    return "\u0e01" <= character <= "\u0e4e"


def romanise(text: str) -> str:
    """Spelling by the general system; other characters stay: สมชาย → somchai."""
    known = _IRREGULAR_WORD.sub(lambda match: _IRREGULAR[match.group()], text)
    return re.sub("[\u0e01-\u0e4e]+", lambda match: _word(match.group()), known)


def _word(word: str) -> str:
    letters = _TONES.sub("", _SILENT.sub("", word))
    found: list[str] = []
    at = 0
    while at < len(letters):
        match, vowel = next(((m, v) for rule, v in _RULES if (m := rule.match(letters, at))), (None, ""))
        if match is not None:
            found.append(_onset(match.group(1)) + vowel)
            at = match.end()
            at, final = _final(letters, at)
            found.append(final)
        elif letters[at] in _CONSONANTS:
            spelt, at = _unwritten(letters, at)
            found.append(spelt)
        else:
            at += 1
    return "".join(found)


def _onset(consonants: str) -> str:
    if consonants == "ทร":
        return "s"
    if len(consonants) == 2 and consonants[0] == "ห":
        consonants = consonants[1]
    elif consonants in ("สร", "ศร", "จร"):
        consonants = consonants[0]
    return "".join("" if c == "อ" else _CONSONANTS[c].split()[0] for c in consonants)


def _final(letters: str, at: int) -> tuple[int, str]:
    """A consonant closes the syllable unless it begins the next one."""
    if at < len(letters) and letters[at] in _CONSONANTS and letters[at] != "อ" and not _begins(letters, at):
        return at + 1, _CONSONANTS[letters[at]].split()[1]
    return at, ""


def _begins(letters: str, at: int) -> bool:
    """Whether a vowel sign follows, or two consonants of which the first has an unwritten vowel."""
    behind = letters[at + 1 : at + 2]
    if behind and _SIGN.match(behind) and behind not in "เแโใไ":
        return True
    return (
        letters[at + 1 : at + 3] == "รร"
        or letters[at : at + 2] == "อง"
        or (behind == "อ" and not _SIGN.match(letters[at + 2 : at + 3] or " "))
    )


def _unwritten(letters: str, at: int) -> tuple[str, int]:
    """A consonant without a written vowel: o before a final consonant, a in an open syllable."""
    onset = _onset(letters[at])
    end, final = _final(letters, at + 1)
    if final:
        return f"{onset}o{final}", end
    return f"{onset}a" if at + 1 < len(letters) else _CONSONANTS[letters[at]].split()[1], at + 1
