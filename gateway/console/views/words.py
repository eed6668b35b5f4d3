"""Words for goods, parties, places and means of transport, as pages print them."""

from __future__ import annotations

from datetime import timedelta, timezone

from babel.dates import format_skeleton
from babel.numbers import format_decimal
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.current import current_page
from gateway.console.filters import NOTHING, bounded, number
from gateway.contract.enum_words import UNKNOWN
from gateway.translation.identifier_words import scheme_word
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.translation.substance_names import element_name, substance_words
from gateway.v1.alert_pb2 import AlertFinding, FindingResult, MeasureKind, MeasureTaken
from gateway.v1.goods_pb2 import CommodityCode, GoodsItem, Money, Place, TransportMeans, TransportMode
from gateway.v1.party_pb2 import Address, Identifier


def capitalised(text: str) -> str:
    """The text with its first letter as at the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def codes_text(codes: list[CommodityCode]) -> str:
    """Commodity codes, each with the scheme or territory that gives it meaning."""
    return listed(f"{code.code} ({_scheme(code)})" for code in codes)


def _scheme(code: CommodityCode) -> str:
    if code.scheme == "tariff" and code.territory:
        return _("{territory} tariff", territory=code.territory)
    return " ".join(filter(None, (code.scheme.upper(), code.territory)))


def substance_text(item: GoodsItem) -> str:
    """Substance, purity and form: `antimony, 99.65 %, ingots`, with the publisher's own word where it is another.

    A form that the substance's name has already isn't said again: `antimony ingot`.
    """
    purity = percent_text(item.purity_percent) if item.HasField("purity_percent") else ""
    form = "" if item.form.casefold() in item.substance.casefold().split() else item.form
    return listed(filter(None, (substance_words(item.substance, item.element), purity, form)))


def percent_text(value: float) -> str:
    """A purity: what tells 99.99 % from 99.9999 % stays."""
    return f"{format_decimal(value, format='#,##0.######', locale=current_page().place.locale)} %"


def mass_text(item: GoodsItem) -> str:
    """Net and gross mass in kilograms."""
    net = _("{mass} kg net", mass=number(item.net_mass_kg)) if item.HasField("net_mass_kg") else ""
    gross = _("{mass} kg gross", mass=number(item.gross_mass_kg)) if item.HasField("gross_mass_kg") else ""
    return listed(filter(None, (net, gross)))


def goods_text(item: GoodsItem) -> str:
    """Goods on a line: description, declared codes, substance, masses."""
    codes = codes_text(list(item.declared_codes))
    return listed(filter(None, (item.description, codes, substance_text(item), mass_text(item))))


def measure_text(measure: MeasureTaken) -> str:
    """What was done with goods, and how many."""
    mass = _("{mass} kg net", mass=number(measure.net_mass_kg)) if measure.HasField("net_mass_kg") else ""
    kind = capitalised(label_of(MeasureKind, measure.kind))
    return listed(filter(None, (kind, element_name(measure.element), mass)))


def finding_text(finding: AlertFinding) -> str:
    """What an inspection came to, on a line: `Inspected: 100 kg antimony seized`, or its result."""
    taken = listed(map(_taken, finding.measures)) or label_of(FindingResult, finding.result)
    return _("Inspected: {outcome}", outcome=taken)


def _taken(measure: MeasureTaken) -> str:
    kind = label_of(MeasureKind, measure.kind)
    substance = element_name(measure.element)
    if not measure.HasField("net_mass_kg"):
        return _("{substance} {measure}", substance=substance, measure=kind) if substance else kind
    mass = number(measure.net_mass_kg)
    if not substance:
        return _("{mass} kg {measure}", mass=mass, measure=kind)
    return _("{mass} kg {substance} {measure}", mass=mass, substance=substance, measure=kind)


def money_text(money: Money) -> str:
    """An amount with its currency; empty without one."""
    if not money.currency_code:
        return ""
    return f"{money.currency_code} {number(money.units + money.nanos / 1e9)}"


def place_text(place: Place) -> str:
    """All names of a place."""
    office = _("office {office}", office=place.customs_office) if place.customs_office else ""
    return listed(dict.fromkeys(filter(None, (place.name, place.unlocode, office, place.territory))))


def short_place(place: Place) -> str:
    """One name of a place."""
    return place.name or place.unlocode or place.customs_office or place.territory or NOTHING


def mode_text(mode: int) -> str:
    """Mode of transport; empty where it isn't given."""
    text = label_of(TransportMode, mode)
    return "" if text == UNKNOWN else text


def means_text(means: TransportMeans) -> str:
    """Name and journey of a means of transport."""
    return listed(filter(None, (means.name, means.journey)))


def identifier_text(identifier: Identifier) -> str:
    """Value of an identifier with its scheme and territory."""
    scheme = " ".join(filter(None, (scheme_word(identifier.scheme), identifier.territory)))
    expires = _("until {day}", day=identifier.expires) if identifier.expires else ""
    return listed(filter(None, (f"{identifier.value} ({scheme})", expires)))


def address_text(address: Address) -> str:
    """An address on a line."""
    return listed(filter(None, (address.street, address.city, address.territory)))


def local_time(at: Timestamp, utc_offset_minutes: int) -> str:
    """A time at a place, with its offset from UTC; empty for none."""
    if not at.seconds:
        return ""
    there = bounded(at).astimezone(timezone(timedelta(minutes=utc_offset_minutes)))
    locale = current_page().place.locale
    hours, minutes = divmod(abs(utc_offset_minutes), 60)
    sign = "−" if utc_offset_minutes < 0 else "+"
    offset = f"UTC{sign}{hours}" + (f":{minutes:02d}" if minutes else "")
    day, clock = (format_skeleton(skeleton, there, locale=locale) for skeleton in ("MMMd", "Hm"))
    return f"{day} {clock} {offset}"
