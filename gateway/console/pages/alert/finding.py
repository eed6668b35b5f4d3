"""The form of a finding: what an inspection found, the goods as found, and what was done with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

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
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertFinding, FindingResult
from gateway.v1.alert_service_pb2 import ReportFindingRequest
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


def _read(sent: Form, context: StepContext) -> ReportFindingRequest:
    finding = AlertFinding(
        alert=context.view.reference,
        result=choice(sent, "result", FindingResult),  # type: ignore[arg-type]
        methods=[method for method in sent.all("methods") if method in METHODS],
        remarks=sent.text("remarks"),
        revision=revision_of(sent),
        mass_confirmed=sent.text("mass_confirmed") == "yes",
    )
    inspected = sent.moment("inspected_at", context.zone)
    if inspected is not None:
        finding.inspected_at.FromDatetime(inspected)
        if inspected > datetime.now(UTC):
            sent.problems.setdefault("inspected_at", _("An inspection that is reported lies in the past."))
    place = _place(sent)
    if place is not None:
        finding.place.CopyFrom(place)
    finding.goods_found.extend(_goods(sent, number) for number in range(goods_rows(sent)) if _has_goods(sent, number))
    finding.measures.extend(measures_of(sent))
    return ReportFindingRequest(request_id=sent.text("request_id"), finding=finding)


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


def _goods(sent: Form, number: int) -> GoodsItem:
    def text(field: str) -> str:
        return sent.text(f"goods-{number}-{field}")

    item = GoodsItem(description=text("description"), substance=text("substance"))
    if code := text("code").replace(".", "").replace(" ", ""):
        if not _CODE.fullmatch(code):
            sent.problems[f"goods-{number}-code"] = _("A commodity code has 4 to 13 digits.")
        item.declared_codes.add(code=code, scheme="hs")
    item.element = element(sent, f"goods-{number}-element")
    purity, mass = (decimal(sent, f"goods-{number}-{field}") for field in ("purity", "net_mass"))
    if purity is not None:
        item.purity_percent = purity
    if mass is not None:
        item.net_mass_kg = mass
    return item


def _first(context: StepContext) -> Mapping[str, str]:
    return {"inspected_at": local_value(datetime.now(UTC), context.zone), "goods": "1"}


FINDING: Final = StepForm(
    title=lambda: _("Report a finding"),
    send=lambda: _("Send the finding"),
    first=_first,
    read=_read,
    act=lambda client, request: client.report_finding(request.finding, request_id=request.request_id),
    violations={
        "finding.result": "result",
        "finding.inspected_at": "inspected_at",
        "finding.place.unlocode": "unlocode",
        "finding.place": "territory",
        "finding.remarks": "remarks",
        "finding.methods": "methods",
        "finding.evidence": "file",
        "finding.mass_confirmed": "mass_confirmed",
        **{f"finding.goods_found[{number}]": f"goods-{number}-description" for number in range(MAX_GOODS)},
    },
    evidence=lambda request: request.finding.evidence,
)
"""The step."""
