"""The form of a list entry: what it shows of a content, and the content that it says.

What an entry has and the form has no fields for stays, as in the form of an alert.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from gateway.console.form import Form
from gateway.console.views.alerts.alert_rows import place_code, place_in
from gateway.console.views.content_fields import ContentFields
from gateway.console.views.form_rows import RowKind, RowProblems, read_rows, replace_all, word_or_empty
from gateway.contract.enum_words import words
from gateway.contract.validation import violations
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import RequestedAction
from gateway.v1.goods_pb2 import CommodityCode, Place
from gateway.v1.party_pb2 import Address, Identifier
from gateway.v1.watchlist_pb2 import ListedName, ListedNameKind, WatchlistContent, WatchlistKind

SCHEMES: Final = (
    *("uscc", "cn_customs_registration", "hk_brn", "hk_cr_no", "aeo", "lei", "cn_resident_id", "hkid", "mo_bir"),
    *("passport", "imo_ship", "mmsi", "iso6346", "hk_vehicle_plate", "mo_vehicle_plate", "cn_cross_border_plate"),
    "other",
)
"""Schemes of identifiers that the form offers; others stay where an entry has them."""

_FIELDS: Final = ContentFields(
    texts=("reason", "legal_basis", "purpose", "remarks"),
    enums={"kind": WatchlistKind, "requested_action": RequestedAction},
    times=("valid_from", "valid_until"),
)
_WITH_PROBLEMS: Final = frozenset({*_FIELDS.texts, *_FIELDS.enums, "birth_dates", "territories", "releasable_to"})
_BORN: Final = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\s,;，；、]+")


def _show_name(item: ListedName) -> Mapping[str, str]:
    return {"text": item.text, "script": item.script, "kind": word_or_empty(ListedNameKind, item.kind)}


def _change_name(item: ListedName, values: Mapping[str, str], problems: RowProblems) -> None:
    item.text, item.script = values["text"], values["script"]
    item.kind = words(ListedNameKind).get(values["kind"], 0)


def _show_identifier(item: Identifier) -> Mapping[str, str]:
    return {"value": item.value, "scheme": item.scheme}


def _change_identifier(item: Identifier, values: Mapping[str, str], problems: RowProblems) -> None:
    item.value, item.scheme = values["value"], values["scheme"] or "other"


def _show_address(item: Address) -> Mapping[str, str]:
    return {"street": item.street, "city": item.city, "territory": item.territory}


def _change_address(item: Address, values: Mapping[str, str], problems: RowProblems) -> None:
    item.street, item.city, item.territory = values["street"], values["city"], values["territory"].upper()


def _show_code(item: CommodityCode) -> Mapping[str, str]:
    return {"code": item.code, "territory": item.territory}


def _change_code(item: CommodityCode, values: Mapping[str, str], problems: RowProblems) -> None:
    digits = "".join(filter(str.isdigit, values["code"]))
    if not digits:
        problems.note("code", _("A commodity code has 4 to 13 digits."))
    tariff = len(digits) > 6
    item.code, item.scheme = digits, "tariff" if tariff else "hs"
    item.territory = values["territory"].upper() if tariff else ""


def _show_place(item: Place) -> Mapping[str, str]:
    return {"place": place_code(item)}


def _change_place(item: Place, values: Mapping[str, str], problems: RowProblems) -> None:
    if values["place"] == place_code(item):
        return
    found = place_in(values["place"])
    item.Clear()
    if found is None:
        problems.note("place", _("Give a UN/LOCODE, e.g. CNSZX, or a territory's code and a name: CN Shenzhen."))
    else:
        item.CopyFrom(found)


ROWS: Final[Sequence[RowKind]] = (
    RowKind("names", ("text", "script", "kind"), "names", lambda c: c.names, _show_name, _change_name),
    RowKind(
        "identifiers",
        ("value", "scheme"),
        "identifiers",
        lambda c: c.identifiers,
        _show_identifier,
        _change_identifier,
    ),
    RowKind(
        "addresses",
        ("street", "city", "territory"),
        "addresses",
        lambda c: c.addresses,
        _show_address,
        _change_address,
    ),
    RowKind("commodities", ("code", "territory"), "commodities", lambda c: c.commodities, _show_code, _change_code),
    RowKind("route", ("place",), "route", lambda c: c.route, _show_place, _change_place),
)
"""All kinds of rows, in the form's order."""


def shown(content: WatchlistContent, zone: ZoneInfo) -> dict[str, list[str]]:
    """Values of the form for a content."""
    values = _FIELDS.shown(content, zone)
    values["birth_dates"] = [", ".join(content.birth_dates)]
    values["territories"] = [", ".join(content.territories)]
    values["releasable_to"] = list(content.releasable_to)
    for kind in ROWS:
        for number, item in enumerate(kind.items(content)):
            values |= {f"{kind.name}-{number}-{name}": [value] for name, value in kind.show(item).items()}
    return values


def read_entry(sent: Form, base: WatchlistContent, zone: ZoneInfo) -> WatchlistContent:
    """The content that a form says; what can't be read, or what breaks the contract, is noted in the form."""
    content = WatchlistContent()
    content.CopyFrom(base)
    _FIELDS.read(sent, content, zone)
    replace_all(content.releasable_to, sent.all("releasable_to"))
    replace_all(content.territories, [each.upper() for each in _split(sent.text("territories"))])
    born = _split(sent.text("birth_dates"))
    if not all(map(_BORN.fullmatch, born)):
        sent.problems["birth_dates"] = _("Write a year, a month or a day: 1963, 1963-05 or 1963-05-17.")
    replace_all(content.birth_dates, born)
    numbers = {kind.name: read_rows(sent, kind, base, content) for kind in ROWS}
    for violation in violations(content):
        name = field_of(violation.field, numbers)
        sent.problems.setdefault(name, sent.broken(name, violation))
    return content


def field_of(path: str, numbers: Mapping[str, Sequence[int]]) -> str:
    """The form's field for a path of the content; `numbers` are of the form's rows, by kind."""
    head, _bracket, rest = path.partition("[")
    kind = next((kind for kind in ROWS if kind.path == head), None)
    if kind is not None and rest:
        at, _end, below = rest.partition("]")
        rows = numbers.get(kind.name, ())
        number = rows[int(at)] if at.isdecimal() and int(at) < len(rows) else 0
        name = next((name for name in kind.fields if name in below.split(".")), kind.fields[0])
        return f"{kind.name}-{number}-{name}"
    parts = head.split(".")
    if parts[0] == "handling" and len(parts) > 1:
        return parts[1]
    return parts[0] if parts[0] in _WITH_PROBLEMS else "names-0-text"


def _split(text: str) -> list[str]:
    return [part for part in dict.fromkeys(_SEPARATORS.split(text)) if part]
