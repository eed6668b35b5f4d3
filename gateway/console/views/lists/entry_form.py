"""The form of a list entry: what it shows of a content, and the content that it says.

What an entry has and the form has no fields for stays, as in the form of an alert.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.console.filters import bounded
from gateway.console.form import Form
from gateway.console.views.alerts.alert_rows import place_code, place_in
from gateway.console.views.form_rows import RowKind, RowProblems, read_rows, replace_all, word_or_empty
from gateway.contract.enum_words import words
from gateway.contract.validation import violations
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import Classification, OnwardTransfer, RequestedAction
from gateway.v1.goods_pb2 import CommodityCode, Place
from gateway.v1.party_pb2 import Address, Identifier
from gateway.v1.watchlist_pb2 import ListedName, ListedNameKind, WatchlistContent, WatchlistKind

SCHEMES: Final = (
    *("uscc", "cn_customs_registration", "hk_brn", "hk_cr_no", "aeo", "lei", "cn_resident_id", "hkid", "mo_bir"),
    *("passport", "imo_ship", "mmsi", "iso6346", "hk_vehicle_plate", "mo_vehicle_plate", "cn_cross_border_plate"),
    "other",
)
"""Schemes of identifiers that the form offers; others stay where an entry has them."""

_TEXTS: Final = ("reason", "legal_basis", "purpose", "remarks")
_ENUMS: Final[Mapping[str, Any]] = {"kind": WatchlistKind, "requested_action": RequestedAction}
_HANDLING_ENUMS: Final[Mapping[str, Any]] = {"classification": Classification, "onward_transfer": OnwardTransfer}
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
    values = {name: [getattr(content, name)] for name in _TEXTS}
    values |= {name: [word_or_empty(enum, getattr(content, name))] for name, enum in _ENUMS.items()}
    values |= {name: [word_or_empty(enum, getattr(content.handling, name))] for name, enum in _HANDLING_ENUMS.items()}
    values["birth_dates"] = [", ".join(content.birth_dates)]
    values["territories"] = [", ".join(content.territories)]
    values["releasable_to"] = list(content.releasable_to)
    values["onward_recipients"] = list(content.handling.onward_recipients)
    for name in ("valid_from", "valid_until"):
        values[name] = [_moment(content, name, zone)]
    for kind in ROWS:
        for number, item in enumerate(kind.items(content)):
            values |= {f"{kind.name}-{number}-{name}": [value] for name, value in kind.show(item).items()}
    return values


def read_entry(sent: Form, base: WatchlistContent, zone: ZoneInfo) -> WatchlistContent:
    """The content that a form says; what can't be read, or what breaks the contract, is noted in the form."""
    content = WatchlistContent()
    content.CopyFrom(base)
    for name in _TEXTS:
        setattr(content, name, sent.text(name))
    for name, enum in _ENUMS.items():
        setattr(content, name, words(enum).get(sent.text(name), 0))
    for name, enum in _HANDLING_ENUMS.items():
        setattr(content.handling, name, words(enum).get(sent.text(name), 0))
    replace_all(content.releasable_to, sent.all("releasable_to"))
    replace_all(content.handling.onward_recipients, sent.all("onward_recipients"))
    replace_all(content.territories, [each.upper() for each in _split(sent.text("territories"))])
    born = _split(sent.text("birth_dates"))
    if not all(map(_BORN.fullmatch, born)):
        sent.problems["birth_dates"] = _("Write a year, a month or a day: 1963, 1963-05 or 1963-05-17.")
    replace_all(content.birth_dates, born)
    for name in ("valid_from", "valid_until"):
        _read_moment(sent, content, name, zone)
    numbers = {kind.name: read_rows(sent, kind, base, content) for kind in ROWS}
    for violation in violations(content):
        sent.problems.setdefault(field_of(violation.field, numbers), violation.message)
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
    return parts[0] if parts[0] in (*_TEXTS, *_ENUMS, "birth_dates", "territories", "releasable_to") else "names-0-text"


def _split(text: str) -> list[str]:
    return [part for part in dict.fromkeys(_SEPARATORS.split(text)) if part]


def _moment(content: WatchlistContent, name: Any, zone: ZoneInfo) -> str:
    """A time for a field `datetime-local`; empty for none."""
    if not content.HasField(name):
        return ""
    return bounded(getattr(content, name)).astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def _read_moment(sent: Form, content: WatchlistContent, name: Any, zone: ZoneInfo) -> None:
    """The form has minutes: a time that wasn't changed keeps its seconds."""
    if sent.text(name) == _moment(content, name, zone):
        return
    content.ClearField(name)
    if sent.text(name):
        at = sent.moment(name, zone)
        if at is not None:
            getattr(content, name).FromDatetime(at.astimezone(UTC).replace(tzinfo=None))
