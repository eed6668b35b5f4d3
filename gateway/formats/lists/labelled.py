"""Finds identifiers that a text in sentences names with their kind: "SWIFT: XXXXKPPY", "IMO number: 5000000".

The text stays as it is. A longer number without a known kind is told, since it may identify.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gateway.v1.watchlist_pb2 import WATCHLIST_KIND_ORGANISATION, WatchlistContent

_NUMBERS = r"[+(]?[0-9][0-9()./\s-]{4,}[0-9](?:(?:,| and|;)\s*[+(]?[0-9][0-9()./\s-]{4,}[0-9])*"
_VALUE = r"(?!IMO)[A-Z]{0,4}[-/]?\s?[0-9][A-Z0-9/-]*[A-Z0-9]"
_LABELS = tuple(
    (scheme, re.compile(rf"\b{label}\s*+(?:(?:is|:)\s*+)?(?P<value>{value})\b", re.IGNORECASE))
    for scheme, label, value in (
        ("imo", r"IMO\)?(?:\s+(?:number|no\.?))?", "[0-9]{7}"),
        ("swift_bic", r"SWIFT(?:/BIC)?(?:\s+code)?", r"(?-i:[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?)"),
        ("telephone", r"(?:(?:tele)?phone(?:\s+numbers?)?|tel\.?|mobile)", _NUMBERS),
        ("fax", r"(?:fax|facsimile)(?:\s+numbers?)?", _NUMBERS),
        ("passport", r"passport(?:\s+booklet)?\s+(?:number|no\.?)", _VALUE),
        ("company_number", r"company\s+(?:registration\s+)?number", _VALUE),
        ("vat_number", r"VAT\s+number", _VALUE),
        ("tax_number", r"\btax\s+(?:number|no\.?)", _VALUE),
        ("us_fein", r"employer\s+identification\s+number(?:\s*\([^()]*\))?", _VALUE),
        ("national_id", r"national\s+(?:ID|identification|identity)(?:\s+card)?(?:\s+(?:number|no\.?))?", _VALUE),
        ("military_id", r"military\s+ID(?:\s+(?:number|no\.?))?", _VALUE),
        ("prison_number", r"(?:inmate|register)\s+number", _VALUE),
    )
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++")
_LINK = re.compile(r"https?://\S+")
_BETWEEN = re.compile(r"(?:,| and|;)\s*(?=[+(]?[0-9])")
_LONG_NUMBER = re.compile(r"(?<![\w/(-])[A-Z]{0,4}[-/]?[0-9]{6,}[\w/-]*")
MOST_CONTEXT_CHARS = 60
"""Of the text around a number that is told."""

MOST_TEXT_CHARS = 8_192
"""Of a text that is looked through, as the contract has it of remarks: an entry with a longer one is refused."""


class Labelled(NamedTuple):
    """An identifier with its scheme, as the text says it."""

    scheme: str
    value: str


def labelled_in(text: str) -> Iterator[Labelled]:
    """Identifiers in their order of kinds; of an IMO number it isn't known whether a ship's or a company's: `imo`."""
    plain = _LINK.sub(" ", text)
    for scheme, pattern in _LABELS:
        for match in pattern.finditer(plain):
            for value in _BETWEEN.split(match["value"]) if scheme in ("telephone", "fax") else [match["value"]]:
                yield Labelled(scheme, " ".join(value.split()))
    for email in _EMAIL.findall(plain):
        yield Labelled("email", email)


def take_labelled(text: str, content: WatchlistContent) -> list[str]:
    """Adds the identifiers of a text; returns longer numbers of unknown kind, each with the words around it."""
    if len(text) > MOST_TEXT_CHARS:
        return []
    taken = list(dict.fromkeys(labelled_in(text)))
    for scheme, value in taken:
        content.identifiers.add(scheme=_imo(content) if scheme == "imo" else scheme, value=value)
    values = " ".join(value for _, value in taken)
    plain = _LINK.sub(" ", text)
    return [
        " ".join(plain[max(0, match.start() - MOST_CONTEXT_CHARS) : match.end()].split())
        for match in _LONG_NUMBER.finditer(plain)
        if match[0] not in values
    ]


def _imo(content: WatchlistContent) -> str:
    return "imo_company" if content.kind == WATCHLIST_KIND_ORGANISATION else "imo_ship"
