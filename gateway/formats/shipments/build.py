"""Puts a table line's values into its record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from gateway.errors import MalformedError
from gateway.formats.places import place_by_customs_office, place_by_name, place_by_unlocode
from gateway.formats.shipments.columns import EVENT, GOODS, MEANS, NOBODY, ROLES, SHIPMENT
from gateway.formats.tables.cell_values import read_known_territory
from gateway.formats.tables.layout import Layout, Line, Source
from gateway.plurals import counted
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2
from gateway.v1.shipment_pb2 import Shipment

Step = Callable[[Shipment, Line], None]
"""Puts some fields of a line into a shipment."""

_NANO = Decimal("0.000000001")
_UNLOCODE = re.compile(r"[A-Z]{2}[A-Z2-9]{3}")
_TARIFF = re.compile(r"[0-9]{7,13}")
_HS = re.compile(r"[0-9]{4}|[0-9]{6}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def steps_for(layout: Layout) -> Sequence[Step]:
    """The steps for a file's fields."""
    plain = layout.columns({name: column for name, column in SHIPMENT.items() if name not in MEANS})
    steps: list[Step] = [lambda made, line: line.fill(made, plain)]
    steps += [step for targets, step in _STEPS if layout.fills(*targets)]
    if layout.fills(*MEANS) or layout.extras.get("registrations"):
        steps.append(_means_step(layout))
    if layout.fills(*GOODS):
        steps.append(_goods_step(layout))
    if layout.fills(*EVENT):
        steps.append(_event_step(layout))
    extra = {source.extra["role"] for name in ("names", "identifiers") for source in layout.extras.get(name, ())}
    for word, role in ROLES.items():
        if role in extra or layout.fills(*(f"{word}_{part}" for part in ("name", "id", "address"))):
            steps.append(_party_step(layout, word, role))
    return steps


def _put_declared(made: Shipment, line: Line) -> None:
    if (declared := line.value("declared_at")) is not None:
        made.declared_at.CopyFrom(declared[0])
        made.utc_offset_minutes = declared[1]


def _put_office(made: Shipment, line: Line) -> None:
    if (parts := line.value("office")) is not None:
        territory = line.text("office_territory")
        made.office.CopyFrom(_place(line, "office", parts, territory))


def _put_equipment(made: Shipment, line: Line) -> None:
    """Containers with the seals and locks of their line: in the same order, or all on the only one."""
    containers = [goods_pb2.Equipment(id=number) for number in line.values("containers")]
    for target in ("seals", "e_locks"):
        values = line.values(target)
        if values and len(values) != len(containers) and not (target == "seals" and len(containers) == 1):
            line.problem(
                line.layout.label(target),
                f"has {counted(len(values), 'value')} for {counted(len(containers), 'container')}: give one for each "
                "in the same order, or a line for each container",
            )
            continue
        for at, value in enumerate(values):
            container = containers[min(at, len(containers) - 1)]
            if target == "seals":
                container.seals.extend(part for part in value if part)
            else:
                container.e_lock = value
    made.equipment.extend(containers)


def _means_step(layout: Layout) -> Step:
    columns = layout.columns({name: SHIPMENT[name] for name in MEANS})

    def put(made: Shipment, line: Line) -> None:
        means = goods_pb2.TransportMeans()
        line.fill(means, columns)
        for source in layout.extras.get("registrations", ()):
            for value in line.values_of(source):
                means.registrations.add(value=value, **source.extra)
        if means.ByteSize():
            made.means.append(means)

    return put


def _put_route(made: Shipment, line: Line) -> None:
    """A leg between every two places; the line's times are those of the first and the last."""
    stops = [_place(line, "route", parts) for parts in line.values("route")]
    if len(stops) == 1:
        line.problem(line.layout.label("route"), "has one place; a way has at least two")
    legs = [_leg(start, end) for start, end in pairwise(stops)]
    for target in ("departed_at", "arrived_at"):
        moment = line.value(target)
        if moment is not None and not legs:
            line.problem(line.layout.label(target), "is a time of a way that isn't said: give route too")
        elif moment is not None:
            (legs[0].departure if target == "departed_at" else legs[-1].arrival).CopyFrom(moment[0])
            for leg in legs:
                leg.utc_offset_minutes = moment[1]
    made.route.extend(legs)


def _leg(start: goods_pb2.Place, end: goods_pb2.Place) -> goods_pb2.RouteLeg:
    leg = goods_pb2.RouteLeg(to=end)
    getattr(leg, "from").CopyFrom(start)
    return leg


def _put_totals(made: Shipment, line: Line) -> None:
    _put_money(made.total_value, line, "total_value", "total_currency")
    _put_money(made.freight, line, "freight", "freight_currency")


def _put_release(made: Shipment, line: Line) -> None:
    if nodes := line.values("releasable_to"):
        made.releasable_to.nodes.extend(nodes if nodes != [NOBODY] else ())
        made.releasable_to.SetInParent()


def _goods_step(layout: Layout) -> Step:
    """Adds a line's goods item, if it has one."""
    columns = layout.columns(GOODS)

    def put(made: Shipment, line: Line) -> None:
        if not line.said(*GOODS):
            return
        item = made.goods.add()
        line.fill(item, columns)
        _put_codes(item, line)
        if line.said("packages", "package_type", "package_volume_m3", "package_marks"):
            item.packages.add(
                type=line.text("package_type"),
                count=line.value("packages") or 0,
                volume_m3=line.value("package_volume_m3"),
                marks=line.text("package_marks"),
            )
        _put_money(item.customs_value, line, "value", "currency")

    return put


def _put_codes(item: shipment_pb2.ShipmentGoods, line: Line) -> None:
    usual = line.text("tariff_territory")
    label = line.layout.label("hs_code")
    for text in line.values("hs_code"):
        written, _, own = text.partition("@")
        code = written.replace(".", "").replace(" ", "")
        territory = (line.check(label, own, read_known_territory) if own else usual) or ""
        if _HS.fullmatch(code):
            item.codes.add(code=code, scheme="hs")
        elif _TARIFF.fullmatch(code) is None:
            line.problem(label, f"{written[:40]!r} is not a commodity code of 4, 6 or 7 to 13 digits")
        elif not territory:
            line.problem(
                label, f"{written[:40]!r}: say whose tariff it is (8110102000@CN, or the field tariff_territory)"
            )
        else:
            item.codes.add(code=code[:6], scheme="hs")
            item.codes.add(code=code, scheme="tariff", territory=territory)


def _put_money(into: goods_pb2.Money, line: Line, target: str, currency_target: str) -> None:
    """An amount with its currency; one without is a problem."""
    amount = line.value(target)
    if amount is None:
        return
    currency = line.text(currency_target)
    if not currency:
        way = f"give {currency_target}, as a column or as a constant of the mapping"
        line.problem(line.layout.label(target), f"an amount without currency says nothing: {way}")
    elif _CURRENCY.fullmatch(currency) is None:
        name = line.layout.label(currency_target)
        line.problem(name, f"{currency[:40]!r} isn't a currency of three capital letters (ISO 4217)")
    else:
        exact = amount.quantize(_NANO, rounding=ROUND_HALF_EVEN)
        units = int(exact)
        into.currency_code, into.units, into.nanos = currency, units, int((exact - units) * 1_000_000_000)


def _event_step(layout: Layout) -> Step:
    """Adds a line's event, if it has one."""
    columns = layout.columns(EVENT)

    def put(made: Shipment, line: Line) -> None:
        if not line.said(*EVENT):
            return
        moment = line.value("event_at")
        event = shipment_pb2.ShipmentEvent()
        line.fill(event, columns)
        if moment is None or not event.kind:
            for target in ("event", "event_at"):
                if not line.has(target):
                    line.problem(layout.label(target), "is missing: an event has a kind and a time")
            return
        event.occurred_at.CopyFrom(moment[0])
        event.utc_offset_minutes = moment[1]
        territory = line.text("event_territory")
        if (parts := line.value("event_place")) is not None:
            event.place.CopyFrom(_place(line, "event_place", parts, territory))
        elif territory:
            event.place.territory = territory
        made.events.append(event)

    return put


def _party_step(layout: Layout, word: str, role: party_pb2.PartyRole.ValueType) -> Step:
    names, identifiers = (list(_of_role(layout, name, role)) for name in ("names", "identifiers"))

    def put(made: Shipment, line: Line) -> None:
        party = party_pb2.Party(role=role, names=line.values(f"{word}_name"), identifiers=line.values(f"{word}_id"))
        for source, extra in names:
            party.names.extend(party_pb2.Name(text=text, **extra) for text in line.values_of(source))
        for source, extra in identifiers:
            party.identifiers.extend(party_pb2.Identifier(value=text, **extra) for text in line.values_of(source))
        addresses = line.values(f"{word}_address")
        if addresses and not (party.names or party.identifiers):
            line.problem(layout.label(f"{word}_address"), "is an address of a party without name or identifier")
        party.addresses.extend(addresses)
        if party.names or party.identifiers:
            made.parties.append(party)

    return put


def _of_role(layout: Layout, name: str, role: int) -> Iterator[tuple[Source, dict[str, str]]]:
    for source in layout.extras.get(name, ()):
        if source.extra["role"] == role:
            yield source, {key: value for key, value in source.extra.items() if key != "role"}


def _place(line: Line, target: str, parts: list[str], territory: str = "") -> goods_pb2.Place:
    """A place in its field's notation; empty, and a problem, if unknown."""
    kind = line.layout.places.get(target, "own")
    place = line.check(line.layout.label(target), parts[0], lambda text: _read_place(kind, parts, territory))
    return place or goods_pb2.Place()


def _read_place(kind: str, parts: list[str], territory: str) -> goods_pb2.Place:
    text = parts[0]
    if kind == "customs_code":
        return place_by_customs_office(text, territory) or _unlisted(
            territory, f"{text[:40]!r} isn't a customs office of the locations that are known", office=text
        )
    if kind == "name":
        return place_by_name(text, territory) or _unlisted(
            territory, f"{text[:40]!r} isn't a place of the locations that are known", name=text
        )
    if kind == "own":
        return _own_place(parts, territory)
    return _by_unlocode(text)


def _own_place(parts: list[str], territory: str) -> goods_pb2.Place:
    unlocode, own_territory, name, office = parts[:4]
    known = _by_unlocode(unlocode) if unlocode else goods_pb2.Place()
    said = read_known_territory(own_territory) or known.territory or territory
    if not said:
        raise MalformedError("names a place without territory; write UNLOCODE|territory|name|customs office")
    place = goods_pb2.Place(unlocode=unlocode, territory=said, name=name, customs_office=office)
    if known.territory == said:
        place.name, place.customs_office = name or known.name, office or known.customs_office
    return place


def _by_unlocode(text: str) -> goods_pb2.Place:
    if _UNLOCODE.fullmatch(text) is None:
        raise MalformedError(f"{text[:40]!r} isn't a UN/LOCODE such as CNSZX")
    return place_by_unlocode(text) or goods_pb2.Place(unlocode=text, territory=text[:2])


def _unlisted(territory: str, fault: str, *, office: str = "", name: str = "") -> goods_pb2.Place:
    if not territory:
        raise MalformedError(f"{fault}; say its territory beside it (office_territory, event_territory), or translate")
    return goods_pb2.Place(territory=territory, customs_office=office, name=name)


_STEPS: Sequence[tuple[Sequence[str], Step]] = (
    (("declared_at",), _put_declared),
    (("office",), _put_office),
    (("containers", "seals", "e_locks"), _put_equipment),
    (("route", "departed_at", "arrived_at"), _put_route),
    (("total_value", "freight"), _put_totals),
    (("releasable_to",), _put_release),
)
