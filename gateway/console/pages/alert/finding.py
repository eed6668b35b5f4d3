"""The forms of a finding: what an inspection found, the goods as found, what was done with them; its correction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gateway.console.form import Form
from gateway.console.pages.alert.step_forms import (
    METHODS,
    StepContext,
    StepForm,
    choice,
    decimal,
    element,
    local_value,
    measures_of,
    revision_of,
)
from gateway.console.views.written import code_in
from gateway.contract.enum_words import word_of
from gateway.contract.findings import ReportedFinding
from gateway.errors import NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertFinding, FindingReference, FindingResult, MeasureKind
from gateway.v1.alert_service_pb2 import CorrectFindingRequest, ReportFindingRequest, WithdrawFindingRequest
from gateway.v1.goods_pb2 import GoodsItem, Place

MAX_GOODS: Final = 20
"""Kinds of goods that the form has room for; the contract takes more."""

_LOCODE: Final = re.compile(r"[A-Z]{2}[A-Z2-9]{3}")
_TERRITORY: Final = re.compile(r"[A-Z]{2}")
_CODE: Final = re.compile(r"\d{4,13}")


def goods_rows(sent: Form) -> int:
    """How many kinds of goods the form shows: those that were there, and one more where that was asked for."""
    text = sent.text("goods")
    rows = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 1
    return min(rows + (sent.text("edit") == "goods"), MAX_GOODS)


def checked_as(name: str) -> str:
    """The kind of a field's value, for what is said of it beside the field."""
    goods, _dash, field = name.rpartition("-")
    if goods.startswith("goods-"):
        return field if field in ("code", "substance", "purity") else ""
    return "locode" if name == "unlocode" else ""


def _read(sent: Form, context: StepContext) -> ReportFindingRequest:
    finding = AlertFinding(alert=context.view.reference, revision=revision_of(sent))
    _fill(finding, sent, context)
    return ReportFindingRequest(request_id=sent.text("request_id"), finding=finding)


def _read_correction(sent: Form, context: StepContext) -> CorrectFindingRequest:
    """What the form has no room for stays as it was reported."""
    finding = AlertFinding()
    finding.CopyFrom(_known(context).finding)
    _fill(finding, sent, context)
    return CorrectFindingRequest(
        request_id=sent.text("request_id"),
        replaces=_replaced(sent),
        finding=finding,
        reason=sent.required("reason", _("Say why, for the partner's officers.")),
    )


def _read_withdrawal(sent: Form, context: StepContext) -> WithdrawFindingRequest:
    return WithdrawFindingRequest(
        request_id=sent.text("request_id"),
        alert=context.view.reference,
        finding=_replaced(sent),
        reason=sent.required("reason", _("Say why, for the partner's officers.")),
    )


def _known(context: StepContext) -> ReportedFinding:
    if context.finding is None:
        raise NotFoundError("there is no such finding")
    return context.finding


def _replaced(sent: Form) -> FindingReference:
    """The entry that the person read: the gateway refuses it once it was corrected or withdrawn."""
    origin, _hash, index = sent.text("replaces").rpartition("#")
    return FindingReference(origin=origin, index=int(index) if index.isdecimal() and len(index) < 19 else 0)


def _fill(finding: AlertFinding, sent: Form, context: StepContext) -> None:
    """Puts into a finding what the form says; its further measures and evidence stay."""
    finding.result = choice(sent, "result", FindingResult)  # type: ignore[assignment]
    finding.remarks = sent.text("remarks")
    finding.mass_confirmed = sent.text("mass_confirmed") == "yes"
    finding.methods[:] = [method for method in sent.all("methods") if method in METHODS]
    inspected = sent.moment("inspected_at", context.zone)
    if inspected is not None:
        finding.inspected_at.FromDatetime(inspected)
        if inspected > datetime.now(UTC):
            sent.problems.setdefault("inspected_at", _("An inspection that is reported lies in the past."))
    place = _place(sent)
    if place is not None:
        finding.place.CopyFrom(place)
    else:
        finding.ClearField("place")
    known = list(finding.goods_found)
    del finding.goods_found[:]
    finding.goods_found.extend(
        _goods(sent, number, known[number] if number < len(known) else GoodsItem())
        for number in range(goods_rows(sent))
        if _has_goods(sent, number)
    )
    finding.goods_found.extend(known[MAX_GOODS:])
    further = finding.measures[1:]
    del finding.measures[:]
    finding.measures.extend([*measures_of(sent), *further])


def _place(sent: Form) -> Place | None:
    code, name, territory = sent.text("unlocode").upper(), sent.text("place_name"), sent.text("territory").upper()
    if not (code or name or territory):
        return None
    if code and not _LOCODE.fullmatch(code):
        sent.problems["unlocode"] = _("A UN/LOCODE has five letters, e.g. HKHKG.")
    territory = territory or code[:2]
    if not _TERRITORY.fullmatch(territory):
        sent.problems["territory"] = _("Enter the two letters of a territory, e.g. HK.")
    return Place(unlocode=code, name=name, territory=territory)


def _has_goods(sent: Form, number: int) -> bool:
    return any(sent.text(f"goods-{number}-{field}") for field in ("description", "substance", "code", "net_mass"))


def _goods(sent: Form, number: int, known: GoodsItem) -> GoodsItem:
    """Goods of the form; `known`: what was reported of them, of which the form has no room for all."""

    def text(field: str) -> str:
        return sent.text(f"goods-{number}-{field}")

    item = GoodsItem()
    item.CopyFrom(known)
    for field in ("declared_codes", "purity_percent", "net_mass_kg"):
        item.ClearField(field)
    item.description, item.substance = text("description"), text("substance")
    if code := code_in(text("code")):
        if not _CODE.fullmatch(code):
            sent.problems[f"goods-{number}-code"] = _("A commodity code has 4 to 13 digits.")
        item.declared_codes.extend(each for each in known.declared_codes if each.code == code)
        if not item.declared_codes:
            item.declared_codes.add(code=code, scheme="hs")
    item.element = element(sent, f"goods-{number}-element")
    purity, mass = (decimal(sent, f"goods-{number}-{field}") for field in ("purity", "net_mass"))
    if purity is not None:
        item.purity_percent = purity
    if mass is not None:
        item.net_mass_kg = mass
    return item


def _first(context: StepContext) -> Mapping[str, str | list[str]]:
    return {"inspected_at": local_value(datetime.now(UTC), context.zone), "goods": "1"}


def _first_of_correction(context: StepContext) -> Mapping[str, str | list[str]]:
    finding = _known(context).finding
    values: dict[str, str | list[str]] = {
        **_first_of_change(context),
        "result": word_of(FindingResult, finding.result),
        "inspected_at": local_value(finding.inspected_at.ToDatetime(UTC), context.zone),
        "methods": list(finding.methods),
        "place_name": finding.place.name,
        "unlocode": finding.place.unlocode,
        "territory": finding.place.territory,
        "remarks": finding.remarks,
        "mass_confirmed": "yes" if finding.mass_confirmed else "",
        "goods": str(min(max(1, len(finding.goods_found)), MAX_GOODS)),
    }
    for number, item in enumerate(finding.goods_found[:MAX_GOODS]):
        code = item.declared_codes[0].code if item.declared_codes else ""
        texts = {"description": item.description, "substance": item.substance, "element": item.element, "code": code}
        numbers = {"purity": _number(item, "purity_percent"), "net_mass": _number(item, "net_mass_kg")}
        values |= {f"goods-{number}-{field}": text for field, text in {**texts, **numbers}.items()}
    for measure in finding.measures[:1]:
        values["measure"] = word_of(MeasureKind, measure.kind)
        values["measure_element"], values["measure_mass"] = measure.element, _number(measure, "net_mass_kg")
    return values


def _first_of_change(context: StepContext) -> Mapping[str, str | list[str]]:
    place = _known(context).place
    return {"replaces": f"{place.origin}#{place.index}"}


def _number(message: Any, field: str) -> str:
    """A number as a field takes it; empty where it isn't known."""
    return f"{getattr(message, field):.6f}".rstrip("0").rstrip(".") if message.HasField(field) else ""


_VIOLATIONS: Final = {
    "finding.result": "result",
    "finding.inspected_at": "inspected_at",
    "finding.place.unlocode": "unlocode",
    "finding.place": "territory",
    "finding.remarks": "remarks",
    "finding.methods": "methods",
    "finding.evidence": "file",
    "finding.mass_confirmed": "mass_confirmed",
    **{f"finding.goods_found[{number}]": f"goods-{number}-description" for number in range(MAX_GOODS)},
}


FINDING: Final = StepForm(
    title=lambda: _("Report a finding"),
    send=lambda: _("Send the finding"),
    first=_first,
    read=_read,
    act=lambda client, request: client.report_finding(request.finding, request_id=request.request_id),
    violations=_VIOLATIONS,
    evidence=lambda request: request.finding.evidence,
)
"""The step."""

FINDING_CHANGES: Final[dict[str, StepForm]] = {
    "correct-finding": StepForm(
        title=lambda: _("Correct the finding"),
        send=lambda: _("Send the correction"),
        first=_first_of_correction,
        read=_read_correction,
        act=lambda client, request: client.correct_finding(
            request.replaces, request.finding, reason=request.reason, request_id=request.request_id
        ),
        violations={**_VIOLATIONS, "reason": "reason"},
        evidence=lambda request: request.finding.evidence,
    ),
    "withdraw-finding": StepForm(
        title=lambda: _("Withdraw the finding"),
        send=lambda: _("Withdraw the finding"),
        first=_first_of_change,
        read=_read_withdrawal,
        act=lambda client, request: client.withdraw_finding(
            request.alert, request.finding, reason=request.reason, request_id=request.request_id
        ),
        violations={"reason": "reason"},
        danger=True,
    ),
}
"""Steps on a finding of this authority, by the name in the path; the finding's number follows it."""
