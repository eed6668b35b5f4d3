"""Finds facts in the remarks of OFAC's files.

An item that says more than its field holds (when a passport was issued) fills the field and stays in the remarks too;
an item of unknown form stays there alone.

Source: the remarks of the published SDN list and its data specification.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from gateway.formats.lists.scripts import script_of
from gateway.formats.territories import MOST_CITY_CHARS, place_in, territory_code
from gateway.v1.watchlist_pb2 import LISTED_NAME_KIND_WEAK_ALIAS, WatchlistContent

SCHEMES: Mapping[str, str] = MappingProxyType(
    {
        "Passport": "passport",
        "National ID No.": "national_id",
        "Identification Number": "identification_number",
        "Tax ID No.": "tax_number",
        "Registration Number": "registration_number",
        "Registration ID": "registration_id",
        "Company Number": "company_number",
        "Business Registration Number": "business_registration_number",
        "Unified Social Credit Code (USCC)": "uscc",
        "Legal Entity Number": "lei",
        "SWIFT/BIC": "swift_bic",
        "MMSI": "mmsi",
        "Vessel Registration Identification IMO": "imo_ship",
        "Aircraft Tail Number": "aircraft_registration",
        "Aircraft Manufacturer's Serial Number (MSN)": "aircraft_serial_number",
        "Aircraft Construction Number (also called L/N or S/N or F/N)": "aircraft_construction_number",
        "D-U-N-S Number": "duns",
        "Driver's License No.": "driving_licence",
        "Chinese Commercial Code": "chinese_commercial_code",
        "C.R. No.": "commercial_registration_number",
    }
)
"""An item's beginning, and the scheme of its identifier."""

_IDENTIFIER = re.compile(
    rf"(?P<label>{'|'.join(sorted(map(re.escape, SCHEMES), key=len, reverse=True))})\s+"
    r"(?P<value>[^\s(][^(]*?)(?P<more>\s*\(.*|\s+(?:issued|expires)\b.*)?"
)
_DAY = r"(?:(?:[0-9]{1,2} )?[A-Z][a-z]{2} )?[0-9]{4}"
_MORE = re.compile(
    rf"\s*(?:\((?P<country>[^()]+)\))?(?:\s*issued (?P<issued>{_DAY}))?(?:\s*expires (?P<expires>{_DAY}))?"
)
_PLACE = re.compile(r"(?:alt\. )?POB (?P<place>.+)")
_BIRTH = re.compile(rf"(?:alt\. )?DOB (?P<about>circa )?(?P<first>{_DAY})(?: to (?P<last>{_DAY}))?")
_NATIONALITY = re.compile(r"(?:alt\. )?(?:nationality|citizen|Vessel Flag) (?P<name>.+)")
_WEAK_ALIAS = re.compile(r"a\.k\.a\. '(?P<name>.+)'")
_DATE = re.compile(r"(?:(?:(?P<day>[0-9]{1,2}) )?(?P<month>[A-Z][a-z]{2}) )?(?P<year>[0-9]{4})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def read_remarks(text: str, content: WatchlistContent) -> list[str]:
    """Fills fields from remarks; returns the items that stay."""
    kept = []
    for item in text.removesuffix(".").split("; "):
        stripped = item.strip()
        if stripped and not _takes(stripped, content):
            kept.append(stripped)
    return kept


def _takes(item: str, content: WatchlistContent) -> bool:
    """Whether the content now has the item's facts and nothing is left."""
    if weak := _WEAK_ALIAS.fullmatch(item):
        content.names.add(text=weak["name"], script=script_of(weak["name"]), kind=LISTED_NAME_KIND_WEAK_ALIAS)
        return True
    if birth := _BIRTH.fullmatch(item):
        return _birth(birth, content)
    if nationality := _NATIONALITY.fullmatch(item):
        code = territory_code(nationality["name"])
        content.territories.extend([code] if code else [])
        return code is not None
    if identifier := _IDENTIFIER.fullmatch(item):
        return _identifier(identifier, content)
    if place := _PLACE.fullmatch(item):
        return _birth_place(place["place"].strip(), content)
    return False


def _identifier(match: re.Match[str], content: WatchlistContent) -> bool:
    more = _MORE.fullmatch((match["more"] or "").rstrip())
    country, expires = (more["country"], more["expires"]) if more else (None, None)
    code, until = territory_code(country or "") or "", _date(expires or "") or ""
    value = match["value"].strip()
    content.identifiers.add(scheme=SCHEMES[match["label"]], value=value, territory=code, expires=until)
    return more is not None and bool(code) == bool(country) and bool(until) == bool(expires) and not more["issued"]


def _birth_place(text: str, content: WatchlistContent) -> bool:
    """A place whose last part is a territory's name, else in words."""
    city, code = place_in(text)
    if len(city) > MOST_CITY_CHARS:
        return False
    content.birth_places.add(city=city, territory=code)
    return True


def _birth(birth: re.Match[str], content: WatchlistContent) -> bool:
    first, last = _date(birth["first"]), _date(birth["last"]) if birth["last"] else None
    if first is None or (birth["last"] and last is None):
        return False
    about = "~" if birth["about"] else ""
    if last is not None:
        content.birth_periods.append(f"{first}{about}/{last}{about}")
    else:
        (content.birth_periods if about else content.birth_dates).append(f"{first}{about}")
    return True


def _date(text: str) -> str | None:
    match = _DATE.fullmatch(text.strip())
    if match is None or not int(match["year"]):
        return None
    if match["month"] is None:
        return match["year"]
    if match["month"] not in _MONTHS:
        return None
    month = f"{match['year']}-{_MONTHS.index(match['month']) + 1:02}"
    if match["day"] is None:
        return month
    try:
        return date.fromisoformat(f"{month}-{int(match['day']):02}").isoformat()
    except ValueError:
        return None
