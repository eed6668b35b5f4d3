"""Goods of a draft alert, as declared, with suspicions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gateway.plurals import counted
from gateway.v1 import goods_pb2, shipment_pb2, trace_pb2

SUSPECTS = "suspects"
SUSPECTED_CODES = "suspected_codes"
SUSPECTED_ELEMENT = "suspected_element"
"""Inputs of a discrepancy: substances separated by commas, or `none`; codes; a chemical symbol."""

MAX_SUSPECTS = 3

MAX_SUBSTANCE_CHARS = 128

MAX_ITEMS = 200
MAX_CODES = 8
"""The contract's limits on goods."""

_CODE = re.compile(r"[0-9]{4,13}")
_ELEMENT = re.compile(r"[A-Z][a-z]?")


def goods_of(
    trace: trace_pb2.Trace, legs: Iterable[int], discrepancies: Sequence[trace_pb2.Discrepancy]
) -> list[goods_pb2.GoodsItem]:
    """Distinct goods of legs, with suspicions."""
    goods: dict[bytes, goods_pb2.GoodsItem] = {}
    for index in legs:
        leg = trace.legs[index]
        for item in leg.record.shipment.goods:
            about = [discrepancy for discrepancy in discrepancies if _is_about(discrepancy, index, item.sequence)]
            made = _item(item)
            _suspect(
                made,
                item,
                about,
                [controlled_good for controlled_good in leg.controlled if controlled_good.sequence == item.sequence],
            )
            goods.setdefault(made.SerializeToString(deterministic=True), made)
    return list(goods.values())[:MAX_ITEMS]


def _is_about(discrepancy: trace_pb2.Discrepancy, leg: int, sequence: int) -> bool:
    return leg in discrepancy.legs and discrepancy.goods_sequence in (0, sequence)


def _item(item: shipment_pb2.ShipmentGoods) -> goods_pb2.GoodsItem:
    made = goods_pb2.GoodsItem(
        declared_codes=item.codes,
        description=item.description,
        substance=item.substance,
        element=item.element,
        form=item.form,
        origin_territory=item.origin_territory,
    )
    if item.HasField("purity_percent"):
        made.purity_percent = item.purity_percent
    if item.HasField("net_mass_kg"):
        made.net_mass_kg = item.net_mass_kg
    if item.HasField("gross_mass_kg"):
        made.gross_mass_kg = item.gross_mass_kg
    if item.packages:
        made.package_count = min(sum(package.count for package in item.packages), 0xFFFFFFFF)
    if item.HasField("customs_value") and item.customs_value.currency_code:
        made.customs_value.CopyFrom(item.customs_value)
    return made


def _suspect(
    made: goods_pb2.GoodsItem,
    item: shipment_pb2.ShipmentGoods,
    discrepancies: Sequence[trace_pb2.Discrepancy],
    controlled: Sequence[trace_pb2.ControlledItem],
) -> None:
    said = [
        discrepancy.inputs[SUSPECTED_CODES] for discrepancy in discrepancies if SUSPECTED_CODES in discrepancy.inputs
    ]
    codes = [code for text in said for code in _CODE.findall(text)]
    codes += [controlled_good.code for controlled_good in controlled if _CODE.fullmatch(controlled_good.code)]
    for code in list(dict.fromkeys(codes))[:MAX_CODES]:
        scheme = "hs" if len(code) <= 6 else "tariff"
        made.suspected_codes.add(code=code, scheme=scheme, territory="" if scheme == "hs" else "CN")
    substances = _suspects(discrepancies) or list(
        dict.fromkeys(controlled_good.substance for controlled_good in controlled if controlled_good.substance)
    )
    elements = _all(discrepancies, SUSPECTED_ELEMENT) or list(
        dict.fromkeys(controlled_good.element for controlled_good in controlled if controlled_good.element)
    )
    if substances:
        more = f" or {counted(len(substances) - MAX_SUSPECTS, 'other')}" if len(substances) > MAX_SUSPECTS else ""
        named = " / ".join(substances[:MAX_SUSPECTS])
        made.substance = named[: MAX_SUBSTANCE_CHARS - len(more)] + more
    # unknown which, if several share a subheading
    if len(elements) == 1 and _ELEMENT.fullmatch(elements[0]):
        made.element = elements[0]


def _suspects(discrepancies: Sequence[trace_pb2.Discrepancy]) -> list[str]:
    names = (name.strip() for said in _all(discrepancies, SUSPECTS) for name in said.split(","))
    return list(dict.fromkeys(name for name in names if name not in ("", "none")))


def _all(discrepancies: Sequence[trace_pb2.Discrepancy], name: str) -> list[str]:
    return list(
        dict.fromkeys(discrepancy.inputs[name] for discrepancy in discrepancies if discrepancy.inputs.get(name))
    )
