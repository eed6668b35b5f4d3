"""Romanises Hangul by the Revised Romanization of Korean.

Source: National Institute of Korean Language, notification 2000-8 of the Ministry of Culture and Tourism. Assimilation
between syllables is left out: personal names aren't assimilated (rule 3.4), and others are compared by sound.
"""

from __future__ import annotations

import re
from functools import lru_cache

_FIRST, _LAST = 0xAC00, 0xD7A3
_INITIALS = ("g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h")
_VOWELS = ("a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we", "wi", "yu",
           "eu", "ui", "i")  # fmt: skip
_FINALS = ("", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t", "t",
           "ng", "t", "t", "k", "t", "p", "t")  # fmt: skip

_SURNAMES = {
    "김": "kim gim", "이": "lee yi i rhee", "리": "ri lee", "박": "park pak bak", "최": "choi choe",
    "정": "jung chung jeong chong",
    "강": "kang gang", "조": "cho jo", "윤": "yoon yun", "장": "jang chang", "임": "lim im yim", "림": "rim lim",
    "한": "han", "오": "oh o", "서": "seo suh so", "신": "shin sin", "권": "kwon gwon", "황": "hwang", "안": "ahn an",
    "송": "song", "류": "ryu yoo yu", "유": "yoo yu ryu", "전": "jeon jun chun chon", "홍": "hong",
    "고": "ko go koh", "문": "moon mun",
    "양": "yang ryang", "손": "son sohn", "배": "bae pae", "백": "baek paik paek", "허": "heo hur huh ho",
    "남": "nam",
    "심": "shim sim", "노": "noh roh no", "로": "ro roh", "하": "ha", "곽": "kwak gwak",
    "성": "sung seong song", "차": "cha",
    "주": "joo ju chu", "우": "woo u wu", "구": "koo gu ku", "민": "min", "진": "jin chin", "나": "na",
    "라": "ra", "지": "ji jee chi",
    "엄": "eom um om", "채": "chae", "원": "won", "천": "cheon chun chon", "방": "bang pang",
    "공": "kong gong", "현": "hyun hyeon",
    "함": "ham", "변": "byun byeon pyon", "염": "yeom yum", "여": "yeo yuh", "추": "choo chu", "도": "do to",
    "소": "so", "석": "seok suk sok",
    "선": "sun seon son", "설": "seol sul sol", "마": "ma", "길": "gil kil", "연": "yeon yun yon",
    "위": "wi wee", "표": "pyo", "명": "myung myeong",
    "기": "ki gi", "반": "ban", "왕": "wang", "금": "geum keum kum", "옥": "ok", "육": "yook yuk", "인": "in",
    "맹": "maeng", "제": "je jae",
    "모": "mo", "탁": "tak", "국": "kook guk kuk", "어": "eo uh", "은": "eun un", "편": "pyun pyeon",
    "용": "yong", "태": "tae", "남궁": "namgung namkung",
    "황보": "hwangbo", "선우": "sunwoo seonu", "제갈": "jegal", "독고": "dokgo", "사공": "sagong",
}  # fmt: skip
"""Spellings that bearers use, the usual one first. Source: usage in passports and newspapers of both Koreas."""


SURNAMES_SPELT: dict[str, list[str]] = {}
"""Spelling → usual spellings of the surnames that are spelt so."""
for _row in _SURNAMES.values():
    for _spelling in _row.split():
        SURNAMES_SPELT.setdefault(_spelling, []).append(_row.split()[0])


def surname_spellings(hangul: str) -> tuple[str, ...]:
    """Spellings that bearers of a surname use, the usual one first; none if it is no surname."""
    return tuple(_SURNAMES.get(hangul, "").split())


def is_hangul(character: str) -> bool:
    """Whether a character is a Hangul syllable."""
    return _FIRST <= ord(character) <= _LAST


@lru_cache(maxsize=16_384)
def syllable(character: str) -> str:
    """Revised Romanization of a syllable; other characters stay."""
    if not is_hangul(character):
        return character
    rest, final = divmod(ord(character) - _FIRST, 28)
    initial, vowel = divmod(rest, 21)
    return _INITIALS[initial] + _VOWELS[vowel] + _FINALS[final]


_LETTERS = {
    "에이치": "h", "더블유": "w", "에이": "a", "에프": "f", "에스": "s", "아이": "i", "제이": "j", "케이": "k",
    "브이": "v", "엑스": "x",
    "와이": "y", "제트": "z", "비": "b", "씨": "c", "시": "c", "디": "d", "이": "e", "지": "g", "엘": "l",
    "엠": "m", "엔": "n",
    "오": "o", "피": "p", "큐": "q", "알": "r", "티": "t", "유": "u",
}  # fmt: skip
"""Names of Latin letters, longest first."""
_SPELT_OUT = re.compile(f"(?:{'|'.join(_LETTERS)}){{2,4}}")


def spelt_out(text: str) -> str:
    """Latin letters that are written by their names: 엘지 → lg; empty for other words."""
    if not _SPELT_OUT.fullmatch(text):
        return ""
    return "".join(_LETTERS[name] for name in re.findall("|".join(_LETTERS), text))


def romanise(text: str) -> str:
    """Revised Romanization of a text, syllables joined."""
    return "".join(map(syllable, text))


def person(text: str) -> tuple[tuple[str, ...], str] | None:
    """Spellings of the surname and the romanised given name of a Hangul name; None if it isn't one."""
    parts = text.split()
    joined = "".join(parts)
    if not 2 <= len(joined) <= 5 or not all(map(is_hangul, joined)):
        return None
    length = 2 if joined[:2] in _SURNAMES and len(joined) > 2 else 1
    if len(parts) == 2 and parts[0] in _SURNAMES:
        length = len(parts[0])
    surname = joined[:length]
    spelt = _SURNAMES.get(surname, "").split()
    return tuple(dict.fromkeys([*spelt, romanise(surname)])), romanise(joined[length:])
