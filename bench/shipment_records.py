"""Makes shipments for benchmarks, the same in every run.

Some 600 bytes with two parties, a container with seal and lock, a lorry, a leg, two references and one goods item.
Exporters and consignees repeat as in trade (a few ship most), containers are used again after 1,500,000 shipments (a
month), declaration numbers grow by office.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.v1 import goods_pb2, party_pb2, shipment_pb2

COMMON_CODE = "790111"
COMMON_PLACE = "CNSZW"
COMMON_ONE_IN = 20
"""Code and place that one of twenty shipments has together."""

_BEGIN_S = 1_767_225_600  # 2026-01-01
_OFFICES = (("CNSZW", "5345"), ("CNYTN", "5316"), ("CNSHK", "5304"), ("CNHUG", "5301"))
_GOODS = (("790111", 3.0), ("780110", 2.1), ("760110", 3.0), ("740311", 9.0), ("800110", 30.0)) * 2
_CONTROLLED = ("811010", 25.0)
"""Codes with a usual value in US dollars for a kilogram; one shipment of four hundred is of a controlled one."""
_WORDS = "宏达永盛金辉华瑞鑫源恒泰利丰远东南山海天"
_REUSED = 1_500_000


def container(number: int) -> str:
    """Container of a shipment."""
    serial = (
        f"GWDU{number % _REUSED:06d}" if number % _REUSED < 1_000_000 else f"GWEU{number % _REUSED - 1_000_000:06d}"
    )
    return serial + str(sum(_LETTERS[char] << at for at, char in enumerate(serial)) % 11 % 10)


_LETTERS = {"D": 14, "E": 15, "G": 17, "U": 32, "W": 35} | {str(digit): digit for digit in range(10)}
"""Values of characters in ISO 6346, as far as they occur here."""


def ucr(number: int) -> str:
    """Unique consignment reference of a shipment, at every node."""
    return f"6CN9144-{number:012d}"


def shipment(number: int, *, node: str = "cn") -> shipment_pb2.Shipment:
    """One shipment by its number."""
    chance = random.Random(number)
    place, office = _OFFICES[number % len(_OFFICES)]
    exporter, consignee = int(chance.paretovariate(0.9)) % 50_000, int(chance.paretovariate(0.9)) % 50_000
    declared_s = _BEGIN_S + number * 2 % 25_000_000
    code, usd = _CONTROLLED if number % 400 == 7 else _GOODS[number // 4 % len(_GOODS)]
    net_kg = 1_000 + chance.randrange(20_000)
    declaration = f"{office}2026{number:010d}"
    leg = goods_pb2.RouteLeg(
        to=goods_pb2.Place(unlocode="HKHKG", territory="HK"),
        departure=Timestamp(seconds=declared_s + 3_600),
        arrival=Timestamp(seconds=declared_s + 9_000),
        utc_offset_minutes=480,
    )
    getattr(leg, "from").CopyFrom(goods_pb2.Place(unlocode=place, territory="CN"))
    return shipment_pb2.Shipment(
        record_id=f"{node.upper()}{declaration}",
        procedure=shipment_pb2.SHIPMENT_PROCEDURE_EXPORT if node == "cn" else shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
        declared_at=Timestamp(seconds=declared_s + (0 if node == "cn" else 9_000)),
        utc_offset_minutes=480,
        office=goods_pb2.Place(unlocode=place, customs_office=office, territory="CN"),
        references=[
            goods_pb2.ShipmentReference(
                kind=goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION, value=f"{node}{declaration}", territory="CN"
            ),
            goods_pb2.ShipmentReference(kind=goods_pb2.SHIPMENT_REFERENCE_KIND_UCR, value=ucr(number)),
        ],
        parties=[
            _party(party_pb2.PARTY_ROLE_EXPORTER, exporter, "zh"),
            _party(party_pb2.PARTY_ROLE_CONSIGNEE, consignee, "en"),
        ],
        goods=[
            shipment_pb2.ShipmentGoods(
                sequence=1,
                codes=[goods_pb2.CommodityCode(code=code, scheme="hs")],
                description="Unwrought metal, in ingots",
                net_mass_kg=net_kg,
                gross_mass_kg=22_000,
                value_usd=round(net_kg * usd * chance.uniform(0.9, 1.1)),
            )
        ],
        equipment=[
            goods_pb2.Equipment(id=container(number), seals=[f"CN{number:09d}"], e_lock=f"EL{number % 90_000:06d}")
        ],
        means=[
            goods_pb2.TransportMeans(
                mode=goods_pb2.TRANSPORT_MODE_ROAD,
                registrations=[
                    goods_pb2.TransportMeans.Identifier(
                        scheme="cn_cross_border_plate", value=f"粤Z{chance.randrange(9_999):04d}港"
                    )
                ],
            )
        ],
        route=[leg],
        export_territory="CN",
        destination_territory="HK",
        package_count=20,
        gross_mass_kg=22_000,
    )


def shipments(count: int, *, first: int = 0, node: str = "cn") -> Iterator[shipment_pb2.Shipment]:
    """Shipments in the order of their numbers."""
    return (shipment(number, node=node) for number in range(first, first + count))


def sample(count: int, size: int) -> Sequence[int]:
    """Numbers of some shipments among the first so many, the same in every run."""
    return random.Random(count).sample(range(count), size)


@lru_cache(maxsize=65_536)
def _party(role: party_pb2.PartyRole.ValueType, number: int, language: str) -> party_pb2.Party:
    chance = random.Random(number)
    if language == "zh":
        text = f"深圳市{''.join(chance.choice(_WORDS) for _ in range(3))}{number}贸易有限公司"
        name = party_pb2.Name(text=text, script="Hans", language="zh")
    else:
        name = party_pb2.Name(text=f"Kam Wing {number} Metals Limited", script="Latn", language="en")
    return party_pb2.Party(
        role=role, names=[name], identifiers=[party_pb2.Identifier(scheme="trader_no", value=f"91440300{number:010d}")]
    )
