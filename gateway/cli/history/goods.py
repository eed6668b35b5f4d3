"""Puts parties, goods, equipment, means and ways of shipments and alerts on lines."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

from gateway.cli.values import shown_time
from gateway.contract.enum_words import word_of
from gateway.translation.messages import gettext as _
from gateway.translation.plain_text import comma_joined
from gateway.v1.goods_pb2 import (
    CommodityCode,
    Equipment,
    GoodsItem,
    Money,
    Place,
    RouteLeg,
    ShipmentReference,
    ShipmentReferenceKind,
    TransportMeans,
    TransportMode,
)
from gateway.v1.party_pb2 import Address, Identifier, Party, PartyRole


def reference_line(reference: ShipmentReference) -> str:
    """A document: its kind, number and territory."""
    return _joined(word_of(ShipmentReferenceKind, reference.kind), reference.value, reference.territory)


def equipment_line(unit: Equipment) -> str:
    """A container with its seals and electronic lock."""
    e_lock = [_("e-lock {e_lock}", e_lock=unit.e_lock)] if unit.e_lock else []
    return ", ".join([unit.id, *(_("seal {seal}", seal=seal) for seal in unit.seals), *e_lock])


def means_line(means: TransportMeans) -> str:
    """A means of transport: mode, name, journey, and registrations with their schemes."""
    mode = word_of(TransportMode, means.mode).replace("_", " ")
    registrations = [f"{each.scheme} {each.value}" for each in means.registrations]
    return _listed(mode if mode != "—" else "", means.name, means.journey, *registrations)


def party_line(party: Party) -> str:
    """A party: role, names, identifiers, addresses."""
    known = [name.text for name in party.names]
    known += [_identifier(each) for each in party.identifiers] + [_address(each) for each in party.addresses]
    return f"{word_of(PartyRole, party.role)}: {'; '.join(known)}"


def goods_line(item: GoodsItem) -> str:
    """Goods: description, codes, substance, masses, packages, value, origin."""
    codes = [
        _("declared {codes}", codes=", ".join(map(code_text, item.declared_codes))) if item.declared_codes else "",
        _("suspected {codes}", codes=", ".join(map(code_text, item.suspected_codes))) if item.suspected_codes else "",
    ]
    return "; ".join(
        filter(
            None,
            (
                item.description,
                *codes,
                _joined(item.substance, item.element, item.form),
                f"{item.purity_percent:g} %" if item.HasField("purity_percent") else "",
                _("{mass} kg net", mass=f"{item.net_mass_kg:g}") if item.HasField("net_mass_kg") else "",
                _("{mass} kg gross", mass=f"{item.gross_mass_kg:g}") if item.HasField("gross_mass_kg") else "",
                _("{count} packages", count=item.package_count) if item.HasField("package_count") else "",
                money_text(item.customs_value),
                _("origin {territory}", territory=item.origin_territory) if item.origin_territory else "",
            ),
        )
    )


def leg_line(leg: RouteLeg) -> str:
    """A leg of a route: its places, their times with the offset from UTC, and what moves the goods."""
    start, end = getattr(leg, "from"), leg.to
    there = local(leg, "departure", leg.utc_offset_minutes), local(leg, "arrival", leg.utc_offset_minutes)
    ends = [_joined(place_in_full(place), time or "") or "—" for place, time in zip((start, end), there, strict=True)]
    return _listed(" → ".join(ends), means_line(leg.means) if leg.HasField("means") else "")


def code_text(code: CommodityCode) -> str:
    """A commodity code, with its scheme, or the territory whose tariff has it."""
    return f"{code.code} ({_joined(code.scheme, code.territory)})"


def money_text(money: Money) -> str:
    """An amount; empty without a currency."""
    if not money.currency_code:
        return ""
    cents = f"{abs(money.nanos):09d}".rstrip("0").ljust(2, "0")
    return f"{money.currency_code} {money.units:,}.{cents}"


def place_name(place: Place) -> str:
    """The shortest name of a place."""
    return place.unlocode or place.name or place.customs_office or place.territory


def place_in_full(place: Place) -> str:
    """All names of a place."""
    office = _("office {office}", office=place.customs_office) if place.customs_office else ""
    return ", ".join(dict.fromkeys(filter(None, (place.name, place.unlocode, office, place.territory))))


def local(message: Any, field: str, minutes: int) -> str | None:
    """A time with the offset from UTC of its place; None where it is absent."""
    time = shown_time(message, field)
    if time is None:
        return None
    there = time.astimezone(timezone(timedelta(minutes=minutes)))
    return there.isoformat(sep=" ", timespec="minutes")


def _identifier(identifier: Identifier) -> str:
    expires = _("until {day}", day=identifier.expires) if identifier.expires else ""
    return _joined(identifier.scheme, identifier.value, identifier.territory, expires)


def _address(address: Address) -> str:
    return _listed(address.street, address.city, address.territory)


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _listed(*parts: str) -> str:
    return comma_joined(*parts)
