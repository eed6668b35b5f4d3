"""Rows of the form of a new alert: containers, references, vehicles, parties, goods and legs of the route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.console.views.codes import element_of, place_of
from gateway.console.views.form_rows import RowKind, RowProblems, replace_all, word_or_empty
from gateway.console.views.written import number_in
from gateway.contract.enum_words import words
from gateway.contract.identification.identifiers import Scheme, compact
from gateway.translation.messages import gettext as _
from gateway.v1.goods_pb2 import (
    CommodityCode,
    Equipment,
    GoodsItem,
    Place,
    RouteLeg,
    ShipmentReference,
    ShipmentReferenceKind,
    TransportMeans,
    TransportMode,
)
from gateway.v1.party_pb2 import Identifier, Name, Party, PartyRole


def _show_equipment(item: Equipment) -> Mapping[str, str]:
    return {"id": item.id, "seals": ", ".join(item.seals)}


def _change_equipment(item: Equipment, values: Mapping[str, str], problems: RowProblems) -> None:
    item.id = compact(Scheme.CONTAINER, values["id"])
    if not item.id:
        problems.note("id", _("Say which container the seals are on."))
    replace_all(item.seals, [seal.strip() for seal in values["seals"].replace("，", ",").split(",") if seal.strip()])


def _show_reference(item: ShipmentReference) -> Mapping[str, str]:
    return {"kind": word_or_empty(ShipmentReferenceKind, item.kind), "value": item.value}


def _change_reference(item: ShipmentReference, values: Mapping[str, str], problems: RowProblems) -> None:
    item.kind, item.value = words(ShipmentReferenceKind).get(values["kind"], 0), values["value"]
    if not item.kind:
        problems.note("kind", _("Choose what kind of reference it is."))


def _show_means(item: TransportMeans) -> Mapping[str, str]:
    first = item.registrations[0] if item.registrations else TransportMeans.Identifier()
    return {
        "mode": word_or_empty(TransportMode, item.mode),
        "scheme": first.scheme,
        "value": first.value,
        "name": item.name,
        "journey": item.journey,
    }


def _change_means(item: TransportMeans, values: Mapping[str, str], problems: RowProblems) -> None:
    item.mode, item.name, item.journey = words(TransportMode).get(values["mode"], 0), values["name"], values["journey"]
    if values["value"]:
        if not item.registrations:
            item.registrations.add()
        item.registrations[0].scheme = values["scheme"] or "other"
        item.registrations[0].value = values["value"]
    else:
        del item.registrations[:1]
    if not item.mode:
        problems.note("mode", _("Choose the mode of transport."))


def _show_party(item: Party) -> Mapping[str, str]:
    name = item.names[0] if item.names else Name()
    identifier = item.identifiers[0] if item.identifiers else Identifier()
    return {
        "role": word_or_empty(PartyRole, item.role),
        "name": name.text,
        "scheme": identifier.scheme,
        "value": identifier.value,
    }


def _change_party(item: Party, values: Mapping[str, str], problems: RowProblems) -> None:
    item.role = words(PartyRole).get(values["role"], 0)
    if values["name"]:
        if not item.names:
            item.names.add()
        item.names[0].text = values["name"]
    else:
        del item.names[:1]
    if values["value"]:
        if not item.identifiers:
            item.identifiers.add()
        item.identifiers[0].scheme, item.identifiers[0].value = values["scheme"] or "other", values["value"]
    else:
        del item.identifiers[:1]
    if not item.names and not item.identifiers:
        problems.note("name", _("Give a name or an identifier."))


def _show_goods(item: GoodsItem) -> Mapping[str, str]:
    return {
        "description": item.description,
        "declared_codes": item.declared_codes[0].code if item.declared_codes else "",
        "suspected_codes": item.suspected_codes[0].code if item.suspected_codes else "",
        "territory": item.declared_codes[0].territory if item.declared_codes else "",
        "substance": item.substance,
        "purity_percent": f"{item.purity_percent:g}" if item.HasField("purity_percent") else "",
        "form": item.form,
        "net_mass_kg": f"{item.net_mass_kg:.12g}" if item.HasField("net_mass_kg") else "",
    }


def _change_goods(item: GoodsItem, values: Mapping[str, str], problems: RowProblems) -> None:
    item.description, item.substance, item.form = values["description"], values["substance"], values["form"]
    item.element = element_of(values["substance"]) or (item.element if item.substance else "")
    for name in ("declared_codes", "suspected_codes"):
        _change_code(getattr(item, name), values[name], values["territory"].upper())
    for name in ("purity_percent", "net_mass_kg"):
        item.ClearField(name)  # type: ignore[arg-type]
        if values[name]:
            number = number_in(values[name])
            if number is None:
                problems.note(name, _("Enter a number, e.g. 12,500.5."))
            else:
                setattr(item, name, number)


def _change_code(codes: Any, text: str, territory: str) -> None:
    digits = "".join(filter(str.isdigit, text))
    if not digits:
        del codes[:1]
        return
    if not codes:
        codes.add()
    code: CommodityCode = codes[0]
    if code.code != digits or territory not in ("", code.territory):
        code.code, code.scheme, code.territory = (
            digits,
            "hs" if len(digits) <= 6 else "tariff",
            territory if len(digits) > 6 else "",
        )


def _show_leg(item: RouteLeg) -> Mapping[str, str]:
    return {"from": place_code(getattr(item, "from")), "to": place_code(item.to)}


def _change_leg(item: RouteLeg, values: Mapping[str, str], problems: RowProblems) -> None:
    for name in ("from", "to"):
        place = getattr(item, name)
        if values[name] == place_code(place):
            continue
        found = place_in(values[name])
        if found is None and values[name]:
            problems.note(name, _("Give a UN/LOCODE, e.g. CNSZX, or a territory's code and a name: CN Shenzhen."))
        item.ClearField(name)
        if found is not None:
            getattr(item, name).CopyFrom(found)


def place_code(place: Place) -> str:
    """A place as the form writes it: its UN/LOCODE, or its territory with a name."""
    return place.unlocode or " ".join(filter(None, (place.territory, place.name or place.customs_office)))


def place_in(text: str) -> Place | None:
    """A known place, or a name within a territory: `CN Foshan warehouse`."""
    found = place_of(text)
    if found is not None or not text:
        return found
    territory, _space, name = text.partition(" ")
    alone = len(territory) == 2 and territory.isascii() and territory.isalpha()
    return Place(territory=territory.upper(), name=name.strip()) if alone else None


EQUIPMENT: Final = RowKind(
    "equipment",
    ("id", "seals"),
    "subject.equipment",
    lambda c: c.subject.equipment,
    _show_equipment,
    _change_equipment,
)

ROWS: Final[Sequence[RowKind]] = (
    EQUIPMENT,
    RowKind(
        "references",
        ("value", "kind"),
        "subject.references",
        lambda c: c.subject.references,
        _show_reference,
        _change_reference,
    ),
    RowKind(
        "means",
        ("value", "name", "journey", "mode", "scheme"),
        "subject.means",
        lambda c: c.subject.means,
        _show_means,
        _change_means,
    ),
    RowKind(
        "parties",
        ("name", "value", "role", "scheme"),
        "subject.parties",
        lambda c: c.subject.parties,
        _show_party,
        _change_party,
    ),
    RowKind(
        "goods",
        (
            "description",
            "declared_codes",
            "suspected_codes",
            "substance",
            "purity_percent",
            "form",
            "net_mass_kg",
            "territory",
        ),
        "goods",
        lambda c: c.goods,
        _show_goods,
        _change_goods,
    ),
    RowKind("route", ("from", "to"), "route", lambda c: c.route, _show_leg, _change_leg),
)
"""All kinds of rows, in the form's order."""
