"""Checks identifiers with their published algorithms, and finds those in alerts, shipments and list entries.

Doubts become notices, never a rejection: real, registered companies have codes with wrong check characters.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache, lru_cache
from types import MappingProxyType

from stdnum import imo
from stdnum.cn import ric
from stdnum.iso7064 import mod_97_10

from gateway.contract.identification.code_lists import COUNTRIES, LOCODE_AREAS, MARITIME_IDENTIFICATION_DIGITS
from gateway.v1 import alert_pb2, goods_pb2, party_pb2, shipment_pb2, watchlist_pb2

MAX_VALUE_CHARS = 64
"""Longest identifier checked, in characters; AEO and UCR have under 40."""


class Scheme(StrEnum):
    """Checked schemes, by standard name. Others are carried unchecked."""

    CONTAINER = "iso6346"
    IMO_SHIP = "imo_ship"
    MMSI = "mmsi"
    AIR_WAYBILL = "air_waybill"
    UCR = "ucr"
    UNLOCODE = "unlocode"
    LEI = "lei"
    AEO = "aeo"
    CN_USCC = "uscc"
    CN_ORGANISATION_CODE = "gb11714_org_code"
    CN_RESIDENT_ID = "cn_resident_id"
    CN_DECLARATION_NUMBER = "cn_declaration_no"
    CN_CUSTOMS_REGISTRATION = "cn_customs_registration"
    CN_CROSS_BORDER_PLATE = "cn_cross_border_plate"
    HK_ID = "hkid"
    HK_BUSINESS_REGISTRATION = "hk_brn"
    HK_COMPANY_NUMBER = "hk_cr_no"
    HK_VEHICLE_PLATE = "hk_vehicle_plate"
    MO_RESIDENT_ID = "mo_bir"
    MO_VEHICLE_PLATE = "mo_vehicle_plate"
    HS = "hs"
    HS6 = "hs6"
    HS_CN8 = "hs_cn8"
    HS_CN10 = "hs_cn10"
    HS_HK8 = "hs_hk8"
    HS_MO8 = "hs_mo8"


class NoticeCode(StrEnum):
    """Stable codes, part of the contract."""

    FORMAT = "format"
    CHECK_DIGIT = "check_digit"
    UNKNOWN_CODE = "unknown_code"


@dataclass(frozen=True, slots=True)
class Notice:
    """A doubt about an identifier.

    Attributes:
        value: as given; personal data if the scheme is a person's.
        message: a sentence for people, without the value.
    """

    scheme: str
    value: str
    code: NoticeCode
    message: str


_Doubt = tuple[NoticeCode, str]
_Check = Callable[[str], _Doubt | None]


def _no_check(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    shape: re.Pattern[str]
    form: str
    check: _Check = _no_check
    separators: str = " "


_DIGITS = "0123456789"
_BASE36 = {char: value for value, char in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
_ISO6346_VALUES = {char: value + max(value - 1, 0) // 10 if value > 9 else value for char, value in _BASE36.items()}
_POWERS_OF_2 = tuple(2**power for power in range(10))
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUES = {char: value for value, char in enumerate(_USCC_ALPHABET)}
_POWERS_OF_3_MOD_31 = tuple(pow(3, power, 31) for power in range(17))


def check_identifier(scheme: str, value: str) -> Notice | None:
    """Ignores separators, case and width; None if valid or of an unknown scheme."""
    rule = _RULES.get(scheme)
    if rule is None:
        return None
    doubt = _doubt(rule, value)
    return Notice(scheme, value, *doubt) if doubt else None


def compact(scheme: str, value: str) -> str:
    """Normalises identifiers of known schemes: no separators, upper case, half width."""
    rule = _RULES.get(scheme)
    return _compact(rule, value) if rule else value


def _doubt(rule: _Rule, value: str) -> _Doubt | None:
    if len(value) > MAX_VALUE_CHARS:
        return NoticeCode.FORMAT, f"{rule.name} has {rule.form}; this value is longer than {MAX_VALUE_CHARS} characters"
    text = _compact(rule, value)
    if rule.shape.fullmatch(text) is None:
        return NoticeCode.FORMAT, f"{rule.name} has {rule.form}"
    return rule.check(text)


def _compact(rule: _Rule, value: str) -> str:
    if value.isascii() and value.isalnum():  # the usual case, at a tenth of the cost
        return value.upper()
    text = unicodedata.normalize("NFKC", value).upper()
    return text.translate(_without(rule.separators))


@cache
def _without(characters: str) -> Mapping[int, None]:
    return {ord(character): None for character in characters}


def _check_digit(expected: str, actual: str, algorithm: str) -> _Doubt | None:
    if expected == actual:
        return None
    return NoticeCode.CHECK_DIGIT, f"the check character by {algorithm} is {expected}, not {actual}"


def _container(text: str) -> _Doubt | None:
    """ISO 6346: character values (letters from 10, none divisible by 11) times powers of 2, modulo 11, then 10."""
    total = sum(map(operator.mul, map(_ISO6346_VALUES.__getitem__, text[:-1]), _POWERS_OF_2))
    return _check_digit(_DIGITS[total % 11 % 10], text[-1], "ISO 6346")


def _imo(text: str) -> _Doubt | None:
    digits = text.removeprefix("IMO")
    return _check_digit(imo.calc_check_digit(digits[:-1]), digits[-1], "IMO resolution A.1117(30)")


def _uscc(text: str) -> _Doubt | None:
    # The organisation code has its own check character (GB 32100 section 4.5).
    total = sum(map(operator.mul, map(_USCC_VALUES.__getitem__, text[:-1]), _POWERS_OF_3_MOD_31))
    return _check_digit(_USCC_ALPHABET[-total % 31], text[-1], "GB 32100") or _organisation_code(text[8:17])


def _organisation_code(text: str) -> _Doubt | None:
    """GB 11714: C9 = 11 - (sum of character values × weights mod 11), written 0 for 11 and X for 10."""
    total = sum(map(operator.mul, map(_BASE36.__getitem__, text[:8]), (3, 7, 9, 10, 5, 8, 4, 2)))
    return _check_digit("0X987654321"[total % 11], text[8], "GB 11714")


def _resident_id(text: str) -> _Doubt | None:
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return NoticeCode.FORMAT, "digits 7 to 14 are a date of birth YYYYMMDD; these are no date"
    return _check_digit(ric.calc_check_digit(text), text[-1], "GB 11643")


def _hkid(text: str) -> _Doubt | None:
    """Characters weighted 9 to 2 plus the check character make a multiple of 11; a missing first letter counts 36."""
    body = text[:-1].rjust(8)
    values = (36 if char == " " else int(char, 36) for char in body)
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return _check_digit("0123456789A"[-total % 11], text[-1], "the HKID rule")


def _air_waybill(text: str) -> _Doubt | None:
    return _check_digit(str(int(text[3:10]) % 7), text[10], "IATA resolution 600a (serial number modulo 7)")


def _lei(text: str) -> _Doubt | None:
    return _check_digit(mod_97_10.calc_check_digits(text[:-2]), text[-2:], "ISO 17442 (modulo 97-10)")


def _country_at(position: int) -> _Check:
    def check(text: str) -> _Doubt | None:
        country = text[position : position + 2]
        return None if country in COUNTRIES else (NoticeCode.UNKNOWN_CODE, f"{country} is not an ISO 3166-1 code")

    return check


def _unlocode(text: str) -> _Doubt | None:
    area = text[:2]
    return None if area in LOCODE_AREAS else (NoticeCode.UNKNOWN_CODE, f"{area} doesn't begin any UN/LOCODE")


def _mmsi(text: str) -> _Doubt | None:
    known = text[:3] in MARITIME_IDENTIFICATION_DIGITS
    return None if known else (NoticeCode.UNKNOWN_CODE, f"{text[:3]} is no maritime identification digits of any state")


def _commodity(text: str) -> _Doubt | None:
    """Harmonized System chapters are 1 to 97 (77 reserved); 98 and 99 are national, beyond six digits."""
    chapter = int(text[:2])
    last = 97 if len(text) <= 6 else 99
    if 1 <= chapter <= last and chapter != 77:
        return None
    return NoticeCode.UNKNOWN_CODE, f"there is no chapter {text[:2]} in the Harmonized System"


def _commodity_rule(name: str, digits: str, form: str) -> _Rule:
    return _Rule(name, re.compile(rf"[0-9]{digits}"), form, _commodity, " .")


def _rule(name: str, shape: str, form: str, check: _Check = _no_check, separators: str = " ") -> _Rule:
    return _Rule(name, re.compile(shape), form, check, separators)


_USCC_CHAR = "[0-9A-HJ-NPQRTUWXY]"
_PLATE_CHAR = "[0-9A-HJ-NP-Z]"

_RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        Scheme.CONTAINER: _rule(
            "a container number",
            "[A-Z]{3}[UJZR][0-9]{7}",
            "three letters of the owner, U, J, Z or R, six digits and a check digit",
            _container,
            " -/",
        ),
        Scheme.IMO_SHIP: _rule("an IMO ship number", "(?:IMO)?[0-9]{7}", "seven digits", _imo),
        Scheme.MMSI: _rule("an MMSI", "[0-9]{9}", "nine digits", _mmsi),
        Scheme.AIR_WAYBILL: _rule(
            "an air waybill number", "[0-9]{11}", "three digits of the airline and eight more", _air_waybill, " -"
        ),
        Scheme.UCR: _rule(
            "a UCR",
            r"[0-9][A-Z]{2}[0-9A-Z()./:-]{1,32}",
            "the year's last digit, a country and a reference, 35 characters at most",
            _country_at(1),
        ),
        Scheme.UNLOCODE: _rule(
            "a UN/LOCODE", "[A-Z]{2}[A-Z2-9]{3}", "two letters of the country and three letters or digits", _unlocode
        ),
        Scheme.LEI: _rule("an LEI", "[0-9A-Z]{18}[0-9]{2}", "18 letters or digits and two check digits", _lei, " -"),
        Scheme.AEO: _rule(
            "an AEO code", "AEO[A-Z]{2}[0-9A-Z]{1,30}", "AEO, a country and the trader's number", _country_at(3), " -"
        ),
        Scheme.CN_USCC: _rule(
            "a unified social credit code",
            f"[1-9AHNY]{_USCC_CHAR}[0-9]{{6}}{_USCC_CHAR}{{10}}",
            "18 digits or letters other than I, O, S, V, Z",
            _uscc,
            " -",
        ),
        Scheme.CN_ORGANISATION_CODE: _rule(
            "an organisation code", "[0-9A-Z]{8}[0-9X]", "eight and one characters", _organisation_code, " -"
        ),
        Scheme.CN_RESIDENT_ID: _rule(
            "a resident identity number", "[0-9]{17}[0-9X]", "17 digits and a check character", _resident_id
        ),
        Scheme.CN_DECLARATION_NUMBER: _rule(
            "a mainland declaration number",
            "[0-9]{4}(?:19|20)[0-9]{2}[01EI][0-9]{9}",
            "18 characters: office, year, export (0, E) or import (1, I), serial number",
        ),
        Scheme.CN_CUSTOMS_REGISTRATION: _rule(
            "a mainland customs registration code",
            "[0-9]{5}[0-9A-Z][0-9A-Z]{4}",
            "ten characters, the first five digits",
        ),
        Scheme.CN_CROSS_BORDER_PLATE: _rule(
            "a cross-border plate",
            f"[粤粵]Z{_PLATE_CHAR}{{4}}[港澳]",
            "粤Z, four letters or digits without I and O, then 港 or 澳",
            separators=" ·.-",
        ),
        Scheme.HK_ID: _rule(
            "a Hong Kong identity card number",
            "[A-Z]{1,2}[0-9]{6}[0-9A]",
            "one or two letters, six digits and a check character in brackets",
            _hkid,
            " ()",
        ),
        Scheme.HK_BUSINESS_REGISTRATION: _rule("a Hong Kong business registration number", "[0-9]{8}", "eight digits"),
        Scheme.HK_COMPANY_NUMBER: _rule(
            "a Hong Kong company number", "F?[0-9]{7}", "seven digits, with F before those of foreign companies"
        ),
        Scheme.HK_VEHICLE_PLATE: _rule(
            "a Hong Kong registration mark",
            "(?=.*[A-Z0-9])[A-HJ-NPR-Z0-9]{1,8}",
            "up to eight letters without I, O and Q, or digits",
        ),
        Scheme.MO_RESIDENT_ID: _rule(
            "a Macao resident identity number",
            "[157][0-9]{7}",
            "eight digits, the first 1, 5 or 7, the last in brackets; no check algorithm is published",
            separators=" ()/-",
        ),
        Scheme.MO_VEHICLE_PLATE: _rule(
            "a Macao registration mark", "[A-Z]{1,2}[0-9]{4}", "one or two letters and four digits", separators=" -"
        ),
        Scheme.HS: _commodity_rule("a commodity code", "{4}(?:[0-9]{2}){0,3}", "4, 6, 8 or 10 digits"),
        Scheme.HS6: _commodity_rule("an HS subheading", "{6}", "six digits"),
        Scheme.HS_CN8: _commodity_rule("a mainland tariff code", "{8}", "eight digits"),
        Scheme.HS_CN10: _commodity_rule("a mainland commodity code", "{10}", "ten digits"),
        Scheme.HS_HK8: _commodity_rule("a Hong Kong commodity code", "{8}", "eight digits"),
        Scheme.HS_MO8: _commodity_rule("a Macao commodity code", "{8}", "eight digits"),
    }
)


Identifier = party_pb2.Identifier | goods_pb2.TransportMeans.Identifier

Doubt = tuple[str, Notice]
"""Path of a field, e.g. `subject.equipment[0].id`, and what is wrong with it."""

_AIR_WAYBILL = re.compile(r"[0-9]{3}[- ]?[0-9]{8}")


def alert_doubts(content: alert_pb2.AlertContent) -> Iterator[Doubt]:
    """Doubts about an alert's containers, registrations and parties."""
    subject = content.subject
    for at, equipment in enumerate(subject.equipment):
        yield from _doubts_of(f"subject.equipment[{at}].id", Scheme.CONTAINER, equipment.id)
    for at, means in enumerate(subject.means):
        yield from _all(f"subject.means[{at}].registrations", means.registrations)
    for at, party in enumerate(subject.parties):
        yield from _all(f"subject.parties[{at}].identifiers", party.identifiers)


def shipment_doubts(shipment: shipment_pb2.Shipment) -> Iterator[Doubt]:
    """Doubts about a shipment's containers, registrations, parties and air waybills.

    It runs on every recorded shipment, nearly always without a doubt: so it nests no generators.
    """
    for at, equipment in enumerate(shipment.equipment):
        notice = check_identifier(Scheme.CONTAINER, equipment.id)
        if notice is not None and notice.code is not NoticeCode.FORMAT:  # other equipment has other formats
            yield f"equipment[{at}].id", notice
    by_air = False
    for at, means in enumerate(shipment.means):
        by_air = by_air or means.mode == goods_pb2.TRANSPORT_MODE_AIR
        for path, notice in _means_doubts(means.SerializeToString()):
            yield f"means[{at}].{path}", notice
    for at, party in enumerate(shipment.parties):
        for path, notice in _party_doubts(party.SerializeToString()):
            yield f"parties[{at}].{path}", notice
    if by_air:
        yield from _air_waybills(shipment)


@lru_cache(maxsize=16_384)
def _party_doubts(serialised: bytes) -> tuple[Doubt, ...]:
    """Doubts about a party: the same parties trade again and again, and so do vehicles."""
    return tuple(_all("identifiers", party_pb2.Party.FromString(serialised).identifiers))


@lru_cache(maxsize=16_384)
def _means_doubts(serialised: bytes) -> tuple[Doubt, ...]:
    return tuple(_all("registrations", goods_pb2.TransportMeans.FromString(serialised).registrations))


def entry_doubts(content: watchlist_pb2.WatchlistContent) -> Iterator[Doubt]:
    """Doubts about a list entry's identifiers."""
    yield from _all("identifiers", content.identifiers)


def _air_waybills(shipment: shipment_pb2.Shipment) -> Iterator[Doubt]:
    for at, reference in enumerate(shipment.references):
        document = reference.kind == goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT
        if document and _AIR_WAYBILL.fullmatch(reference.value):
            yield from _doubts_of(f"references[{at}].value", Scheme.AIR_WAYBILL, reference.value)


def _all(path: str, identifiers: Iterable[Identifier]) -> Iterator[Doubt]:
    for at, identifier in enumerate(identifiers):
        yield from _doubts_of(f"{path}[{at}].value", identifier.scheme, identifier.value)


def _doubts_of(path: str, scheme: str, value: str) -> Iterator[Doubt]:
    notice = check_identifier(scheme, value)
    if notice is not None:
        yield path, notice
