"""Reads names of licences and puts licences, balances and uses into cells and facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from gateway.cli.clock import now
from gateway.cli.output import stacked
from gateway.contract.ids import is_node_name
from gateway.errors import OptionError
from gateway.translation.labels import label_of
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.goods_pb2 import CommodityCode
from gateway.v1.licence_pb2 import (
    LicenceBalance,
    LicenceBreach,
    LicenceBreachKind,
    LicenceCondition,
    LicenceContent,
    LicenceGoods,
    LicenceGoodsBalance,
    LicenceReference,
)
from gateway.v1.party_pb2 import Name, Party

_MAX_NUMBER_CHARS = 64

LicenceArgument = Annotated[
    str, typer.Argument(metavar="LICENCE", help=_("ISSUER/NUMBER, or the number alone of an own licence."))
]
NumberArgument = Annotated[str, typer.Argument(metavar="NUMBER", help=_("Number of an own licence."))]
QuantityOption = Annotated[str, typer.Option(help=_("A decimal number; 0 where the declaration was cancelled."))]
DayOption = Annotated[str, typer.Option(help=_("Day, e.g. 2026-01-15; today without it."))]
UnitOption = Annotated[str, typer.Option(help=_("Unit: KGM, GRM, TNE, NMB; that of the licence without it."))]
CodeOption = Annotated[str, typer.Option(help=_("Commodity code as declared: 811292, or a tariff's: 8112929010@CN."))]
DestinationOption = Annotated[str, typer.Option(help=_("Territory to which the goods go, e.g. HK."))]
ConsigneeOption = Annotated[str, typer.Option(help=_("Name of the consignee by the declaration."))]


def licence_reference(text: str, own_node: str) -> LicenceReference:
    """A reference from ISSUER/NUMBER, or from the number alone of an own licence; OptionError otherwise.

    A number may have slashes: what stands before the first one is an issuer where it can be a node's name.
    """
    issuer, slash, number = text.partition("/")
    if not slash or not is_node_name(issuer):
        issuer, number = own_node, text
    if not 0 < len(number) <= _MAX_NUMBER_CHARS:
        raise OptionError(
            _("{text!r} doesn't name a licence", text=text),
            way_out=_("Give ISSUER/NUMBER as `gateway licence list` shows it, or the number alone of an own licence."),
        )
    return LicenceReference(issuer=issuer, number=number)


def today() -> str:
    """The day of this machine's clock and zone."""
    return now().astimezone().date().isoformat()


def commodity_code(text: str) -> CommodityCode | None:
    """A commodity code, a tariff's with its territory; None for an empty text."""
    code, _at, territory = text.replace(".", "").partition("@")
    return CommodityCode(code=code, scheme="tariff" if territory else "hs", territory=territory) if code else None


def party(name: str) -> Party | None:
    """A party of a name; None for an empty one."""
    return Party(names=[Name(text=name)]) if name else None


def content_facts(content: LicenceContent) -> dict[str, object]:
    """Facts of what a licence allows."""
    return {
        N_("Holder"): called(content.holder),
        N_("Consignee"): called(content.consignee),
        N_("End user"): called(content.end_user),
        N_("End use"): content.end_use,
        N_("Goods"): stacked(map(_goods, content.goods)),
        N_("Uses allowed"): content.uses or _("any number"),
        N_("Valid"): _("{start} to {end}", start=content.valid_from, end=content.valid_until),
        N_("Destinations"): list(content.destinations),
        N_("Conditions"): [
            *(label_of(LicenceCondition, condition) for condition in content.conditions),
            *content.other_conditions,
        ],
        N_("Purpose"): content.purpose,
        N_("Legal basis"): content.legal_basis,
        N_("Concerns"): list(content.parties),
    }


def called(one: Party) -> str:
    """The first name of a party, or else its first identifier."""
    return next((name.text for name in one.names), next((item.value for item in one.identifiers), ""))


def remaining(balance: LicenceBalance) -> Iterator[str]:
    """What is left, by line of the goods."""
    for goods in balance.goods:
        yield _("{remaining} of {quantity} {unit}", remaining=goods.remaining, quantity=goods.quantity, unit=goods.unit)


def balance_row(line: int, goods: LicenceGoodsBalance) -> tuple[object, ...]:
    """Cells: line, allowed, with tolerance, drawn, left, arrived, re-exported, returned, unit."""
    return (
        line,
        goods.quantity,
        goods.quantity_with_tolerance,
        goods.drawn,
        goods.remaining,
        goods.arrived,
        goods.reexported,
        goods.returned,
        goods.unit,
    )


def breach_row(breach: LicenceBreach) -> tuple[object, ...]:
    """Cells: what, reporter, declaration, day, quantity."""
    return (
        label_of(LicenceBreachKind, breach.kind),
        breach.reporter,
        f"{breach.declaration}/{breach.line}",
        breach.day,
        f"{breach.quantity} {breach.unit}",
    )


def _goods(goods: LicenceGoods) -> str:
    codes = " ".join(f"{code.code}@{code.territory}" if code.territory else code.code for code in goods.codes)
    tolerance = f"±{goods.tolerance_percent} %" if goods.tolerance_percent else ""
    quantity = " ".join(filter(None, (goods.quantity, goods.unit, tolerance)))
    return ", ".join(filter(None, (goods.control_code, codes, goods.description, quantity)))
