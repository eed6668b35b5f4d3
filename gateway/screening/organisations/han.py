"""Reads an organisation's name in Han characters."""

from __future__ import annotations

import re

from gateway.screening.organisations.lexicon import HAN_LEGAL_FORMS, HAN_PLACES, HAN_TERMS, VocabularyTerm, Weight
from gateway.screening.organisations.numbers import han_numbers
from gateway.screening.organisations.variant import NameParts, OrganisationVariant, Unit

_BRANCHES = re.compile(r"(?:股份)?(?:分行|支行|分公司|办事处|代表处|分店|分部)$")
_UNLISTED_AREA = re.compile(r"^(..)[市县区镇乡](?=..)")  # 南丹县南方: an unknown place stays in the core
_MARKS = str.maketrans("", "", "()&")
_TERRITORIES = {"香港": "HK", "澳门": "MO"}
_AREA_SUFFIXES = ("特别行政区", "自治区", "省", "市", "区", "县")


def read_han(han: str, beside: tuple[str, ...], leads: bool = True) -> tuple[OrganisationVariant, ...]:
    """Variants of a canonical Han name, likeliest first; `beside` are Latin words around it.

    A single character for a line of business may be part of the name (宝钛), and a word that leaves one character of
    core may be no word (东通信): both give further variants.
    """
    body, brackets = _brackets(han)
    branch = _BRANCHES.search(body)
    body = body[: branch.start()] if branch else body
    body, legal, legal_text = _legal(body)
    whole = body
    places, body = _leading_places(body)
    body = _without_territories(_UNLISTED_AREA.sub(r"\1", body), places)
    extra = []
    for bracket in brackets:
        found, rest = _leading_places(bracket)
        places |= found
        extra.append(rest)
    if branch:
        body = _trailing_place(body, places)
    plain = "".join((*beside, han.translate(_MARKS)))
    body, numbers = han_numbers(body)
    first = _read([body, *extra], beside, leads, True)
    readings = {first: None}
    if _has_single(first):
        readings[_read([body, *extra], beside, leads, False)] = None
    if places and len(body) == 1 and not any(extra) and (alone := HAN_TERMS.at(body, 0)) is not None:
        readings[NameParts((), (), (Unit(body, alone[1]),))] = None  # 广州港: the text between place and legal form
    if len(first.core) == 1 or (body and len(whole) - len(body) == 1):
        readings[_read([whole, *extra], beside, leads, False)] = None
        readings[NameParts((*beside, *body, *"".join(extra)), (), ())] = None
    if first.terms and (branded := first.branded(first.terms[0].text)) is not None:
        readings[branded] = None
    return tuple(
        OrganisationVariant(plain, plain, *reading, frozenset(places), legal, legal_text, branch is not None, numbers)
        for reading in readings
    )


def _legal(body: str) -> tuple[str, frozenset[str], str]:
    legal: frozenset[str] = frozenset()
    legal_text = ""
    while (ending := HAN_LEGAL_FORMS.ending(body)) is not None and ending[0] > 0:
        legal = legal or ending[1]
        legal_text = body[ending[0] :] + legal_text
        body = body[: ending[0]]
    return body, legal, legal_text


def _read(bodies: list[str], beside: tuple[str, ...], leads: bool, single: bool) -> NameParts:
    core: list[str] = list(beside) if leads else []
    names: list[tuple[int, int, frozenset[str]]] = []
    terms: list[Unit] = []
    for body in bodies:
        more, spans, units = _split_han(body, single)
        names += [(a + len(core), b + len(core), concepts) for a, b, concepts in spans]
        core += more
        terms += units
    return NameParts(tuple(core if leads else [*core, *beside]), tuple(names), tuple(terms))


def _has_single(reading: NameParts) -> bool:
    if any(len(unit.text) == 1 for unit in reading.terms):
        return True
    return any(end - start == 1 for start, end, _ in reading.names)


def _brackets(han: str) -> tuple[str, list[str]]:
    if "(" not in han and ")" not in han:
        return han.translate(_MARKS), []
    inner = re.findall(r"\(([^()]*)\)", han)
    return re.sub(r"\([^()]*\)", "", han).translate(_MARKS), [text for text in inner if text]


def _leading_places(body: str) -> tuple[set[str], str]:
    places: set[str] = set()
    while (match := HAN_PLACES.at(body, 0)) is not None:
        end, place = match
        places.add(place)
        body = body[end:]
        suffix = next((s for s in _AREA_SUFFIXES if body.startswith(s)), "")
        body = body[len(suffix) :]
    return places, body


def _without_territories(body: str, places: set[str]) -> str:
    """Without Hong Kong or Macao behind the core: 宏辉香港国际贸易."""
    for written, place in _TERRITORIES.items():
        if body.find(written) > 0:
            places.add(place)
            body = body.replace(written, "")
    return body


def _trailing_place(body: str, places: set[str]) -> str:
    match = HAN_PLACES.ending(body.removesuffix("市").removesuffix("省"))
    if match is None:
        return body
    places.add(match[1])
    return body[: match[0]]


def _split_han(body: str, single: bool) -> tuple[list[str], list[tuple[int, int, frozenset[str]]], list[Unit]]:
    """Core characters, translated stretches and terms; terms are searched from the end.

    Names end in them, and a doubtful character belongs to the later word: 东发电子 is 东发 + 电子, not 发电.
    """
    pieces: list[tuple[str, VocabularyTerm | None]] = []
    end, behind = len(body), True
    while end:
        match = HAN_TERMS.ending(body, end)
        if match is not None and (end - match[0] > 1 or (single and behind and match[0] > 0)):
            pieces.append((body[match[0] : end], match[1]))
            end = match[0]
        else:
            pieces.append((body[end - 1], None))
            behind = False
            end -= 1
    core: list[str] = []
    names: list[tuple[int, int, frozenset[str]]] = []
    terms: list[Unit] = []
    for text, term in reversed(pieces):
        if term is not None and term.weight != Weight.NAME:
            terms.append(Unit(text, term))
            continue
        if term is not None:
            names.append((len(core), len(core) + len(text), term.concepts))
        core += text
    return core, names, terms
