"""Says in the reader's language what the gateway doubts in identifiers and codes; what isn't known stays as it came."""

from __future__ import annotations

from typing import Final

from gateway.translation.filled_sentences import SentencePatterns
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked

FORMS: Final = marked(
    "a container number has three letters of the owner, U, J, Z or R, six digits and a check digit",
    "an IMO ship number has seven digits",
    "an MMSI has nine digits",
    "an air waybill number has three digits of the airline and eight more",
    "a UCR has the year's last digit, a country and a reference, 35 characters at most",
    "a UN/LOCODE has two letters of the country and three letters or digits",
    "an LEI has 18 letters or digits and two check digits",
    "an AEO code has AEO, a country and the trader's number",
    "a unified social credit code has 18 digits or letters other than I, O, S, V, Z",
    "an organisation code has eight and one characters",
    "a resident identity number has 17 digits and a check character",
    "a mainland declaration number has 18 characters: office, year, export (0, E) or import (1, I), serial number",
    "a mainland customs registration code has ten characters, the first five digits",
    "a cross-border plate has 粤Z, four letters or digits without I and O, then 港 or 澳",
    "a Hong Kong identity card number has one or two letters, six digits and a check character in brackets",
    "a Hong Kong business registration number has eight digits",
    "a Hong Kong company number has seven digits, with F before those of foreign companies",
    "a Hong Kong registration mark has up to eight letters without I, O and Q, or digits",
    "a Macao resident identity number has eight digits, the first 1, 5 or 7, the last in brackets; no check algorithm "
    "is published",
    "a Macao registration mark has one or two letters and four digits",
    "a commodity code has 4, 6, 8 or 10 digits",
    "an HS subheading has six digits",
    "a mainland tariff code has eight digits",
    "a mainland commodity code has ten digits",
    "a Hong Kong commodity code has eight digits",
    "a Macao commodity code has eight digits",
)
"""What each scheme's values look like."""

DOUBTS: Final = marked(
    "{form}; this value is longer than {number} characters",
    "the check character by {algorithm} is {expected}, not {actual}",
    "digits 7 to 14 are a date of birth YYYYMMDD; these are no date",
    "{country} is not an ISO 3166-1 code",
    "{area} doesn't begin any UN/LOCODE",
    "{digits} is no maritime identification digits of any state",
    "there is no chapter {chapter} in the Harmonized System",
    "commodity code {code} must have 6, 8, 10 or 12 digits",
)
"""Sentences with values."""

_FORMS: Final = frozenset(FORMS)
_DOUBTS: Final = SentencePatterns(DOUBTS)


def noticed(sentence: str) -> str:
    """The doubt in the reader's language."""
    if sentence in _FORMS:
        return _(sentence)
    found = _DOUBTS.find(sentence)
    if found is None:
        return sentence
    message, values = found
    return _(message, **{name: _(text) if text in _FORMS else text for name, text in values.items()})
