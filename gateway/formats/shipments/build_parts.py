"""Makes those parts of a shipment that have parts themselves: goods, parties, equipment, places, the way, events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from gateway.errors import MalformedError
from gateway.formats.lists.columns import enum_of, split_identifier
from gateway.formats.lists.notation import read_territory
from gateway.formats.places import place_by_customs_office, place_by_name, place_by_unlocode
from gateway.formats.shipments.layout import EVENT_TARGETS, GOODS_TARGETS, Cells, read_rfc3339
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2

UNKNOWN_TERRITORY = "ZZ"
"""What stands for a territory that isn't known, in ISO 3166-1's user-assigned codes; read as nothing said."""

_MILLIGRAM = Decimal("0.000001")
"""Step to which kilograms and cubic metres are rounded: exports carry binary noise such as 73.72000000000001."""

_NANO = Decimal("0.000000001")
_UNLOCODE = re.compile(r"[A-Z]{2}[A-Z2-9]{3}")
_TARIFF = re.compile(r"[0-9]{7,13}")
_HS = re.compile(r"[0-9]{4}|[0-9]{6}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def read_known_territory(text: str) -> str:
    """A territory's code from its code or English name; empty for UNKNOWN_TERRITORY.

    Raises:
        MalformedError: neither; the message goes on from the column's name.
    """
    code = read_territory(text)
    return "" if code == UNKNOWN_TERRITORY else code


def rounded(value: Decimal | None) -> float | None:
    """A mass in kilograms or a volume in cubic metres without binary noise."""
    return None if value is None else float(value.quantize(_MILLIGRAM, rounding=ROUND_HALF_EVEN))


def put_money(into: goods_pb2.Money, cells: Cells, target: str, currency_target: str) -> None:
    """An amount with its currency; one without is a problem, since it would say nothing."""
    amount, currency = cells.number(target), cells.text(currency_target)
    if amount is None:
        return
    if not currency:
        way = f"give {currency_target}, as a column or as a constant of the mapping"
        cells.problem(cells.layout.label(target), f"an amount without currency says nothing: {way}")
    elif _CURRENCY.fullmatch(currency) is None:
        name = cells.layout.label(currency_target)
        cells.problem(name, f"has {currency[:40]!r}, which isn't a currency of three capital letters (ISO 4217)")
    else:
        exact = amount.quantize(_NANO, rounding=ROUND_HALF_EVEN)
        units = int(exact)
        into.currency_code, into.units, into.nanos = currency, units, int((exact - units) * 1_000_000_000)


def parties(cells: Cells, roles: Mapping[str, party_pb2.PartyRole.ValueType]) -> Iterator[party_pb2.Party]:
    """The parties of a line, one for each of these roles that it names."""
    layout = cells.layout
    made: dict[int, party_pb2.Party] = {}
    for word, role in roles.items():
        party = party_pb2.Party(role=role)
        for text, script, language, *_ in cells.members(f"{word}_name"):
            party.names.add(text=text, script=script, language=language)
        label = layout.label(f"{word}_id")
        for whole, territory, *_ in cells.members(f"{word}_id"):
            _put_identifier(party, cells, label, whole, territory)
        made[role] = party
    for each in layout.names:
        for text, *_ in cells.members_of(each.source, "names"):
            made[each.role].names.add(text=text, script=each.script, language=each.language)
    for each in layout.identifiers:
        for value, *_ in cells.members_of(each.source, "identifiers"):
            made[each.role].identifiers.add(scheme=each.scheme, value=value, territory=each.territory)
    for word, role in roles.items():
        _put_addresses(made[role], cells, f"{word}_address")
        if made[role].names or made[role].identifiers:
            yield made[role]


def _put_identifier(party: party_pb2.Party, cells: Cells, label: str, whole: str, territory: str) -> None:
    found = cells.check(label, whole, split_identifier)
    code = cells.check(label, territory, read_known_territory) if territory else ""
    if found is not None:
        party.identifiers.add(scheme=found[0], value=found[1], territory=code or "")


def _put_addresses(party: party_pb2.Party, cells: Cells, target: str) -> None:
    found = cells.members(target)
    if found and not (party.names or party.identifiers):
        cells.problem(cells.layout.label(target), "is an address of a party without name or identifier")
    for street, city, territory, *_ in found:
        code = cells.check(cells.layout.label(target), territory, read_known_territory) if territory else ""
        party.addresses.add(street=street, city=city, territory=code or "")


def equipment(cells: Cells) -> Iterator[goods_pb2.Equipment]:
    """Containers with the seals and locks of their line: in the same order, or all on the only one."""
    found = [goods_pb2.Equipment(id=parts[0]) for parts in cells.members("containers")]
    for target in ("seals", "e_locks"):
        members = cells.members(target)
        if members and len(members) != len(found) and not (target == "seals" and len(found) == 1):
            cells.problem(
                cells.layout.label(target),
                f"has {len(members)} values for {len(found)} containers: give one for each in the same order, "
                "or a line for each container",
            )
            continue
        for at, parts in enumerate(members):
            one = found[min(at, len(found) - 1)]
            if target == "seals":
                one.seals.extend(part for part in parts if part)
            else:
                one.e_lock = parts[0]
    yield from found


def place(cells: Cells, target: str, parts: list[str], territory: str = "") -> goods_pb2.Place | None:
    """A place by the kind of notation that the field has; None, and a problem, where it isn't known.

    Args:
        cells: of the line.
        target: the field.
        parts: what stands in its cell.
        territory: where it is, if another field says so.
    """
    kind = cells.layout.places.get(target, "own")
    label = cells.layout.label(target)
    return cells.check(label, parts[0], lambda text: _place(kind, [text, *parts[1:]], territory))


def _place(kind: str, parts: list[str], territory: str) -> goods_pb2.Place:
    text = parts[0]
    if kind == "customs_code":
        return place_by_customs_office(text, territory) or _unlisted(
            territory, f"has {text[:40]!r}, which isn't a customs office of the locations that are known", office=text
        )
    if kind == "name":
        return place_by_name(text, territory) or _unlisted(
            territory, f"has {text[:40]!r}, which isn't a place of the locations that are known", name=text
        )
    if kind == "own":
        return _own_place(parts, territory)
    return _by_unlocode(text)


def _own_place(parts: list[str], territory: str) -> goods_pb2.Place:
    unlocode, own_territory, name, office = parts[:4]
    known = _by_unlocode(unlocode) if unlocode else goods_pb2.Place()
    said = (read_known_territory(own_territory) if own_territory else "") or known.territory or territory
    if not said:
        raise MalformedError("names a place without territory; write UNLOCODE|territory|name|customs office")
    found = goods_pb2.Place(unlocode=unlocode, territory=said, name=name, customs_office=office)
    if known.territory == said:
        found.name, found.customs_office = name or known.name, office or known.customs_office
    return found


def _by_unlocode(text: str) -> goods_pb2.Place:
    if _UNLOCODE.fullmatch(text) is None:
        raise MalformedError(f"has {text[:40]!r}, which isn't a UN/LOCODE such as CNSZX")
    return place_by_unlocode(text) or goods_pb2.Place(unlocode=text, territory=text[:2])


def _unlisted(territory: str, fault: str, *, office: str = "", name: str = "") -> goods_pb2.Place:
    if not territory:
        raise MalformedError(f"{fault}; say its territory beside it (office_territory, event_territory), or translate")
    return goods_pb2.Place(territory=territory, customs_office=office, name=name)


def goods(cells: Cells) -> shipment_pb2.ShipmentGoods | None:
    """The goods item of a line; None where the line says nothing of goods itself."""
    if not cells.said(*GOODS_TARGETS):
        return None
    item = shipment_pb2.ShipmentGoods(
        sequence=cells.count("item") or 0,
        description=cells.text("description"),
        substance=cells.text("substance"),
        element=cells.text("element"),
        form=cells.text("form"),
        purity_percent=_float(cells.number("purity_percent")),
        net_mass_kg=rounded(cells.number("net_mass_kg")),
        gross_mass_kg=rounded(cells.number("gross_mass_kg")),
        supplementary_quantity=_float(cells.number("supplementary_quantity")),
        value_usd=_float(cells.number("value_usd")),
        origin_territory=cells.value("origin", read_known_territory) or "",
    )
    _put_codes(item, cells)
    if cells.said("packages", "package_type", "package_volume_m3", "package_marks"):
        item.packages.add(
            type=cells.text("package_type"),
            count=cells.count("packages") or 0,
            volume_m3=rounded(cells.number("package_volume_m3")),
            marks=cells.text("package_marks"),
        )
    if cells.text("value"):
        put_money(item.customs_value, cells, "value", "currency")
    return item


def _put_codes(item: shipment_pb2.ShipmentGoods, cells: Cells) -> None:
    usual = cells.value("tariff_territory", read_known_territory) or ""
    label = cells.layout.label("hs_code")
    for parts in cells.members("hs_code"):
        written, _, own = parts[0].partition("@")
        code = written.replace(".", "").replace(" ", "")
        territory = (cells.check(label, own, read_known_territory) if own else usual) or ""
        if _HS.fullmatch(code):
            item.codes.add(code=code, scheme="hs")
        elif _TARIFF.fullmatch(code) is None:
            cells.problem(label, f"has {written[:40]!r}, which is not a commodity code of 4, 6 or 7 to 13 digits")
        elif not territory:
            cells.problem(
                label, f"has {written[:40]!r}: say whose tariff it is (8110102000@CN, or the field tariff_territory)"
            )
        else:
            item.codes.add(code=code[:6], scheme="hs")
            item.codes.add(code=code, scheme="tariff", territory=territory)


def licences(cells: Cells) -> Iterator[shipment_pb2.Licence]:
    """Licences: number|type|authority|territory|valid from|valid until."""
    label = cells.layout.label("licences")
    for number, kind, authority, territory, first, last, *_ in cells.members("licences"):
        licence = shipment_pb2.Licence(number=number, type=kind, authority=authority)
        licence.territory = (cells.check(label, territory, read_known_territory) if territory else "") or ""
        for text, stamp in ((first, licence.valid_from), (last, licence.valid_until)):
            found = cells.check(label, text, read_rfc3339) if text else None
            if found is not None:
                stamp.CopyFrom(found[0])
        yield licence


def event(cells: Cells) -> shipment_pb2.ShipmentEvent | None:
    """The event of a line; None where the line says nothing of one itself."""
    if not cells.said(*EVENT_TARGETS):
        return None
    kind = cells.value("event", _event_kind)
    at = cells.time("event_at")
    if kind is None or at is None:
        for target in ("event", "event_at"):
            if not cells.text(target):
                cells.problem(cells.layout.label(target), "is missing: an event has a kind and a time")
        return None
    made = shipment_pb2.ShipmentEvent(
        occurred_at=at[0],
        utc_offset_minutes=at[1],
        source=cells.text("event_source"),
        equipment_id=cells.text("event_container"),
        seal=cells.text("event_seal"),
        means=cells.text("event_means"),
        remarks=cells.text("event_remarks"),
    )
    made.kind = kind
    where = cells.members("event_place")
    territory = cells.value("event_territory", read_known_territory) or ""
    if where:
        found = place(cells, "event_place", where[0], territory)
        made.place.CopyFrom(found or goods_pb2.Place())
    elif territory:
        made.place.territory = territory
    return made


def _event_kind(text: str) -> shipment_pb2.ShipmentEventKind.ValueType:
    number = enum_of(text, shipment_pb2.ShipmentEventKind, "SHIPMENT_EVENT_KIND_")
    return shipment_pb2.ShipmentEventKind.ValueType(number)


def route(cells: Cells) -> Iterator[goods_pb2.RouteLeg]:
    """The way in order: a leg between every two places, left and reached at the times that the line gives."""
    stops = [place(cells, "route", parts) for parts in cells.members("route")]
    if len(stops) == 1:
        cells.problem(cells.layout.label("route"), "has one place; a way has at least two")
    legs = []
    for start, end in pairwise(stops):
        leg = goods_pb2.RouteLeg()
        getattr(leg, "from").CopyFrom(start or goods_pb2.Place())
        leg.to.CopyFrom(end or goods_pb2.Place())
        legs.append(leg)
    for target in ("departed_at", "arrived_at"):
        found = cells.time(target)
        if found is not None and not legs:
            cells.problem(cells.layout.label(target), "is a time of a way that isn't said: give route too")
        elif found is not None:
            (legs[0].departure if target == "departed_at" else legs[-1].arrival).CopyFrom(found[0])
            for leg in legs:
                leg.utc_offset_minutes = found[1]
    yield from legs


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
