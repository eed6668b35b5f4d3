"""Licences for pages: what they say, what is left as a picture, and what isn't as they say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from gateway.console.filters import calendar_day, foreign
from gateway.console.pictures.charts import ChartSeries, bar_chart
from gateway.console.pictures.svg import Illustration
from gateway.console.views.words import capitalised
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed as joined
from gateway.v1.licence_pb2 import (
    LicenceBreachKind,
    LicenceCondition,
    LicenceContent,
    LicenceFollowUp,
    LicenceFollowUpKind,
    LicenceGoods,
    LicenceGoodsBalance,
    LicenceReference,
    LicenceUse,
)
from gateway.v1.licence_service_pb2 import GetLicenceResponse, ListedLicence, ListedLicenceProposal
from gateway.v1.party_pb2 import Party

_UNITS: Final = {"KGM": "kg", "GRM": "g", "TNE": "t", "LTR": "l", "MTR": "m", "MTK": "m²", "MTQ": "m³"}


@dataclass(frozen=True, slots=True)
class LicenceListRow:
    """A licence in a list."""

    path: str
    name: str
    issuer: str
    consignee: str
    until: str
    withdrawn: bool
    left: str
    breaches: int


def licence_path(licence: LicenceReference) -> str:
    """Address of a licence's page."""
    return f"/licences/{licence.issuer}/{quote(licence.number, safe='')}"


def licence_rows(licences: Iterable[ListedLicence]) -> list[LicenceListRow]:
    """Licences for a list."""
    return [
        LicenceListRow(
            licence_path(listed.reference),
            listed.reference.number,
            listed.reference.issuer,
            _called(listed.newest.content.consignee),
            calendar_day(listed.newest.content.valid_until),
            listed.withdrawn,
            joined(_amount(goods.remaining, goods.unit) for goods in listed.balance.goods),
            len(listed.balance.breaches),
        )
        for listed in licences
    ]


def content_rows(content: LicenceContent) -> list[tuple[str, Any]]:
    """What a licence allows, as names with values."""
    return [
        (_("Holder"), _foreign(_called(content.holder))),
        (_("Consignee"), _foreign(_called(content.consignee))),
        (_("End user"), _foreign(_called(content.end_user))),
        (_("End use"), _foreign(content.end_use)),
        (_("Goods"), [foreign(goods_name(at, goods)) for at, goods in enumerate(content.goods, 1)]),
        (_("Uses allowed"), str(content.uses) if content.uses else _("any number")),
        (
            _("Valid"),
            _("{start} to {end}", start=calendar_day(content.valid_from), end=calendar_day(content.valid_until)),
        ),
        (_("Destinations"), joined(content.destinations)),
        (
            _("Conditions"),
            [
                *(label_of(LicenceCondition, condition) for condition in content.conditions),
                *map(foreign, content.other_conditions),
            ],
        ),
        (_("Legal basis"), foreign(content.legal_basis)),
        (_("Concerns"), joined(party.upper() for party in content.parties)),
    ]


def proposal_title(listed: ListedLicenceProposal) -> str:
    """What a proposed change is, in a line."""
    change = listed.proposal.change
    if change.HasField("withdrawn"):
        return _("Withdraw licence {number}", number=change.withdrawn.number)
    number = change.revised.number
    if change.revised.revision == 1:
        return _("Publish licence {number}", number=number)
    return _("Amend licence {number}", number=number)


def change_rows(listed: ListedLicenceProposal) -> list[tuple[str, Any]]:
    """What a proposed change says, as names with values."""
    change = listed.proposal.change
    if change.HasField("withdrawn"):
        withdrawn = change.withdrawn
        return [(_("Effective from"), calendar_day(withdrawn.effective_on)), (_("Reason"), _foreign(withdrawn.reason))]
    revised = change.revised
    first = [(_("Effective from"), calendar_day(revised.effective_on))] if revised.revision > 1 else []
    return [*first, *content_rows(revised.content)]


def goods_name(line: int, goods: LicenceGoods) -> str:
    """A line of the goods in a few words."""
    codes = " ".join(code.code for code in goods.codes)
    named = ", ".join(filter(None, (goods.control_code, codes, goods.description)))
    return f"{line}: {named}" if named else _("Line {line}", line=line)


def balance_picture(response: GetLicenceResponse) -> Illustration:
    """What was drawn of each line of the goods and what is left of it, in percent of the quantity."""
    content, balance = response.licence.newest.content, response.licence.balance
    names = [goods_name(at, goods) for at, goods in enumerate(content.goods, 1)]
    drawn = [_share(goods.drawn, goods) for goods in balance.goods]
    series = [
        ChartSeries(_("Drawn"), tuple(min(share, 100.0) for share in drawn)),
        ChartSeries(_("Left"), tuple(max(100.0 - share, 0.0) for share in drawn)),
        ChartSeries(_("Beyond the quantity"), tuple(max(share - 100.0, 0.0) for share in drawn)),
    ]
    return bar_chart(_("Balance"), names, series, heading=_("Goods"), wording=_percent)


def balance_rows(response: GetLicenceResponse) -> list[Sequence[str]]:
    """The same in quantities."""
    lines = enumerate(zip(response.licence.newest.content.goods, response.licence.balance.goods, strict=False), 1)
    return [
        (
            foreign(goods_name(at, goods)),
            _amount(left.quantity, left.unit),
            left.quantity_with_tolerance,
            left.drawn,
            left.remaining,
            left.arrived,
            left.reexported,
            left.returned,
        )
        for at, (goods, left) in lines
    ]


def breach_rows(response: GetLicenceResponse) -> list[Sequence[str]]:
    """What isn't as the licence says."""
    return [
        (
            capitalised(label_of(LicenceBreachKind, breach.kind)),
            breach.reporter.upper(),
            foreign(f"{breach.declaration}/{breach.line}"),
            calendar_day(breach.day),
            _amount(breach.quantity, breach.unit),
        )
        for breach in response.licence.balance.breaches
    ]


def report_rows(response: GetLicenceResponse) -> list[Sequence[str]]:
    """Uses and what followed, by day."""
    reports: list[tuple[str, str, str, LicenceUse | LicenceFollowUp]] = [
        (one.use.day, _("used"), one.reporter, one.use) for one in response.uses
    ]
    reports += [
        (one.follow_up.day, label_of(LicenceFollowUpKind, one.follow_up.kind), one.reporter, one.follow_up)
        for one in response.follow_ups
    ]
    return [
        (
            calendar_day(day),
            capitalised(what),
            by.upper(),
            f"{report.declaration}/{report.line}",
            _amount(report.quantity, report.unit),
            report.destination,
        )
        for day, what, by, report in sorted(reports, key=lambda row: (row[0], row[2], row[3].declaration))
    ]


def _amount(quantity: str, unit: str) -> str:
    """A quantity with its unit, by its symbol where one is known for the code of UN/ECE recommendation 20."""
    return f"{quantity} {_UNITS.get(unit, unit)}"


def _foreign(text: str) -> str:
    """As `foreign`; nothing where there is nothing."""
    return foreign(text) if text else ""


def _called(party: Party) -> str:
    return next((name.text for name in party.names), next((item.value for item in party.identifiers), ""))


def _share(quantity: str, goods: LicenceGoodsBalance) -> float:
    """In percent of the quantity; of none all is beyond."""
    allowed = Decimal(goods.quantity)
    return float(Decimal(quantity) / allowed * 100) if allowed else (200.0 if Decimal(quantity) else 0.0)


def _percent(value: float) -> str:
    return f"{value:,.1f} %".replace(".0 %", " %")
