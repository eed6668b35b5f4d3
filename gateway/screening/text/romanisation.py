"""Spells Chinese syllables as registers do: mainland, Hong Kong, Macao, Wade-Giles.

Sources. Hong Kong: practice of the registration of persons and of place names (unpublished, after Eitel and Dyer-Ball:
no tones, no long a, no aspiration), with older spellings (Fook, Tse, Chow, Seng). Macao: the table of 1985 (Silabário
Codificado de Romanização do Cantonense): v and u for w, i for y, k or c at the end. Wade-Giles: without apostrophes and
hyphens, as in passports, with the systems that Taiwan's passports took besides: Mandarin Phonetic Symbols II (1986) and
Tongyong Pinyin (2002).
"""

from __future__ import annotations

import re
from functools import cache

_JYUTPING = re.compile(r"(ng|gw|kw|[bpmfdtnlgkhwzcsj]?)(.*)")
_PINYIN = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]?)(.*)")

_HK_INITIALS = {
    "b": ("p", "b"), "d": ("t", "d"), "g": ("k", "g"), "gw": ("kw", "gw", "k"), "kw": ("kw",),
    "z": ("ch", "ts", "j", "tz"),
    "c": ("ch", "ts"), "s": ("s", "sh"), "j": ("y",), "ng": ("ng", ""), "": ("", "ng"),
}  # fmt: skip
_HK_FINALS = {
    "aa": ("a", "ah", "ar"), "aai": ("ai", "aai"), "aau": ("au",), "aam": ("am",), "aan": ("an",),
    "aang": ("ang", "eng"),
    "aap": ("ap",), "aat": ("at",), "aak": ("ak",),
    "ai": ("ai",), "au": ("au", "ow"), "am": ("am", "um"), "an": ("an", "un"), "ang": ("ang", "ung", "eng"),
    "ap": ("ap", "up"),
    "at": ("at", "ut"), "ak": ("ak", "uk"), "a": ("a",),
    "e": ("e", "eh", "ea"), "ei": ("ei", "ee", "i", "ay"), "eng": ("eng", "ing"), "ek": ("ek", "ik"),
    "i": ("i", "ee", "ie", "ze", "z", "zee"), "iu": ("iu", "ew"), "im": ("im",), "in": ("in",), "ing": ("ing",),
    "ip": ("ip",), "it": ("it",), "ik": ("ik", "ick"),
    "o": ("o", "oh", "or"), "oi": ("oi", "oy"), "ou": ("o", "oo", "ou", "u"), "on": ("on",), "ong": ("ong",),
    "ok": ("ok", "ock"), "ot": ("ot",),
    "u": ("u", "oo"), "ui": ("ui", "oi"), "un": ("un", "oon"), "ung": ("ung", "oong"), "ut": ("ut", "oot"),
    "uk": ("uk", "ook"),
    "eoi": ("ui", "oi", "eui"), "eon": ("un", "eun", "on", "uen"), "eot": ("ut", "eut"), "oe": ("oe", "euh"),
    "oeng": ("eung", "eong", "ung"), "oek": ("euk", "eok"),
    "yu": ("u", "ue"), "yun": ("uen", "un"), "yut": ("uet", "ut"), "m": ("m",), "ng": ("ng",),
}  # fmt: skip
_MACAO_INITIALS = {
    "b": ("p",), "d": ("t",), "g": ("k",), "gw": ("ku", "k"), "kw": ("ku", "k"), "z": ("ch",), "c": ("ch",),
    "w": ("v", "w", "u"),
    "ng": ("ng", ""), "": ("", "ng"), "j": ("i", ""),
}  # fmt: skip
_MACAO_FINALS = {
    "aai": ("ai",), "aau": ("ao", "au"), "aa": ("a",), "aam": ("am",), "aan": ("an",), "aang": ("ang",), "aap": ("ap",),
    "aat": ("at",), "aak": ("ak", "ac"), "ak": ("ak", "ac"), "au": ("ao", "au"),
    "eng": ("eang", "eng", "iang"), "ek": ("eac", "ek", "ec", "eak"), "iu": ("io", "iu"), "ing": ("eng", "ing"),
    "ik": ("ek", "ec", "ik", "ic"), "ok": ("ok", "oc"), "ung": ("ong",), "uk": ("ok", "oc"), "eoi": ("oi", "ui"),
    "eon": ("on", "un"), "eot": ("ot",), "oeng": ("eong",), "oek": ("eok", "eoc"), "yu": ("u",), "yun": ("un",),
    "yut": ("ut",), "oe": ("eo",),
}  # fmt: skip


@cache
def hong_kong(jyutping: str) -> frozenset[str]:
    """Hong Kong spellings of toneless Jyutping: `zi` → chi, tsz, tse …"""
    initial, final = _split(_JYUTPING, jyutping)
    spellings = set()
    for onset in _HK_INITIALS.get(initial, (initial,)):
        for rime in _HK_FINALS.get(final, (final,)):
            if rime in ("ze", "z", "zee") and (onset not in ("s", "ts") or initial not in ("s", "z", "c")):
                continue
            spellings.add(onset + rime)
    if initial == "j":  # 葉 is Ip as well as Yip
        spellings |= {s[1:] for s in spellings if s.startswith("yi")}
    if initial in ("z", "c") and final == "i":
        spellings |= {"tsz", "tse", "tze", "chee", "chi", "tszee"}
    if initial == "gw" and final == "aa":
        spellings |= {"kwa"}
    if initial in ("w",) and final == "u":
        spellings |= {"wu", "woo"}
    return frozenset(s for s in spellings if s)


@cache
def macao(jyutping: str) -> frozenset[str]:
    """Macao spellings of toneless Jyutping: `joeng` → ieong."""
    initial, final = _split(_JYUTPING, jyutping)
    rimes = _MACAO_FINALS.get(final, (final,))
    if initial == "j":
        return frozenset(
            r if r[0] in "iu" and final[0] in "iyu" and final not in ("ung", "uk") else f"i{r}" for r in rimes
        )
    spellings = {onset + rime for onset in _MACAO_INITIALS.get(initial, (initial,)) for rime in rimes}
    return frozenset(_MACAO_OVERRIDES.get(jyutping, frozenset()) | spellings)


_MACAO_OVERRIDES = {
    "wu": frozenset({"wu", "vu", "u"}),
    "wing": frozenset({"weng", "veng", "ueng", "wing"}),
    "gwok": frozenset({"kuok", "kuoc"}),
    "zi": frozenset({"chi"}),
}


@cache
def mainland(pinyin: str) -> frozenset[str]:
    """Mainland spellings of toneless pinyin with v for ü: `lv` → lu, lv, lyu."""
    if "v" not in pinyin:
        return frozenset({pinyin})
    return frozenset({pinyin.replace("v", vowel) for vowel in ("u", "v", "yu")})


_WADE_GILES_INITIALS = {
    "b": "p", "d": "t", "g": "k", "zh": "ch", "j": "ch", "q": "ch", "x": "hs", "z": "ts", "c": "ts", "r": "j",
}  # fmt: skip
_WADE_GILES_WHOLE = {
    "zhi": ("chih",), "chi": ("chih",), "shi": ("shih",), "ri": ("jih",), "zi": ("tzu",), "ci": ("tzu",),
    "si": ("ssu", "szu"), "er": ("erh",), "yi": ("i", "yi"), "ying": ("ying", "ing"), "you": ("yu", "yiu"),
    "yan": ("yen",), "ye": ("yeh",),
    "yong": ("yung",),
    "yue": ("yueh",), "he": ("ho",), "ke": ("ko",), "ge": ("ko",), "gui": ("kuei",), "kui": ("kuei",), "e": ("o", "e"),
    "luo": ("lo",), "guo": ("kuo",), "huo": ("huo",), "kuo": ("kuo",), "jun": ("chun",), "xiong": ("hsiung",),
}  # fmt: skip
_WADE_GILES_FINALS = {
    "ian": ("ien",), "ie": ("ieh",), "ue": ("ueh",), "ve": ("ueh",), "ong": ("ung",), "iong": ("iung",),
    "e": ("e", "eh"),
    "uo": ("o",), "v": ("u",), "eng": ("eng",),
}  # fmt: skip


@cache
def wade_giles(pinyin: str) -> frozenset[str]:
    """Wade-Giles and later Taiwanese spellings of toneless pinyin: `xu` → hsu, syu, shiu."""
    return _in_wade_giles(pinyin) | {_in_tongyong(pinyin), _in_mps2(pinyin)}


def _in_wade_giles(pinyin: str) -> frozenset[str]:
    if pinyin in _WADE_GILES_WHOLE:
        return frozenset(_WADE_GILES_WHOLE[pinyin])
    initial, final = _split(_PINYIN, pinyin)
    onset = _WADE_GILES_INITIALS.get(initial, initial)
    return frozenset(onset + rime for rime in _WADE_GILES_FINALS.get(final, (final,)))


_TONGYONG_INITIALS = {"zh": "jh", "x": "s", "q": "c"}
_TONGYONG_WHOLE = {"wen": "wun", "weng": "wong", "feng": "fong"}
_MPS2_INITIALS = {"zh": "j", "z": "tz", "c": "ts", "x": "sh", "q": "ch"}
_MPS2_WHOLE = {
    "zhi": "jr", "chi": "chr", "shi": "shr", "ri": "r", "zi": "tz", "ci": "tsz", "si": "sz", "wo": "wo", "you": "you",
}  # fmt: skip
_BUZZED = frozenset({"zhi", "chi", "shi", "ri", "zi", "ci", "si"})
"""Syllables whose i is no vowel."""


def _in_tongyong(pinyin: str) -> str:
    """Tongyong Pinyin of 2002: `zhi` → jhih, `xu` → syu, `liu` → liou."""
    if pinyin in _TONGYONG_WHOLE:
        return _TONGYONG_WHOLE[pinyin]
    initial, final = _split(_PINYIN, pinyin)
    onset = _TONGYONG_INITIALS.get(initial, initial)
    return onset + (f"{final}h" if pinyin in _BUZZED else _plain_final(initial, final))


def _in_mps2(pinyin: str) -> str:
    """Mandarin Phonetic Symbols II of 1986: `zhe` → je, `hao` → hau, `long` → lung."""
    if pinyin in _MPS2_WHOLE:
        return _MPS2_WHOLE[pinyin]
    initial, final = _split(_PINYIN, pinyin)
    final = _plain_final(initial, final).replace("ao", "au").replace("ong", "ung")
    return _MPS2_INITIALS.get(initial, initial) + final


def _plain_final(initial: str, final: str) -> str:
    """Without contractions, and with yu for ü."""
    if initial in ("j", "q", "x") and final.startswith("u"):
        final = f"y{final}"
    final = final.replace("v", "yu")
    return {"iu": "iou", "ui": "uei"}.get(final, final)


def _split(pattern: re.Pattern[str], syllable: str) -> tuple[str, str]:
    match = pattern.fullmatch(syllable)
    initial, final = match.groups() if match else ("", syllable)
    return (initial, final) if final else ("", syllable)
