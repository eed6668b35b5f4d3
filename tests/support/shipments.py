"""Shipments for tests: a believable one, with what a test wants different."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.contract.messages import to_timestamp
from gateway.v1 import goods_pb2, history_pb2, history_service_pb2, party_pb2, shipment_pb2

DECLARED = datetime(2026, 1, 10, 4, 0, tzinfo=UTC)

Kind = goods_pb2.ShipmentReferenceKind


def shipment(record_id: str = "CN-EXP-1", **changes: Any) -> shipment_pb2.Shipment:
    """An export of antimony ingots by road from Shenzhen to Hong Kong, declared as zinc."""
    made = shipment_pb2.Shipment(
        record_id=record_id,
        procedure=shipment_pb2.SHIPMENT_PROCEDURE_EXPORT,
        declared_at=to_timestamp(int(DECLARED.timestamp() * 1000)),
        utc_offset_minutes=480,
        office=goods_pb2.Place(unlocode="CNSZW", customs_office="5345", territory="CN", name="Shenzhen Bay"),
        references=[
            goods_pb2.ShipmentReference(
                kind=goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION, value="534520260000000101", territory="CN"
            ),
            goods_pb2.ShipmentReference(kind=goods_pb2.SHIPMENT_REFERENCE_KIND_UCR, value="6CN9144030071526726XG-1"),
        ],
        parties=[
            party_pb2.Party(
                role=party_pb2.PARTY_ROLE_EXPORTER,
                names=[party_pb2.Name(text="深圳市宏达金属有限公司", script="Hans", language="zh")],
                identifiers=[party_pb2.Identifier(scheme="uscc", value="91440300715267260G")],
            ),
            party_pb2.Party(
                role=party_pb2.PARTY_ROLE_CONSIGNEE,
                names=[party_pb2.Name(text="Wang Tat Metals Limited", script="Latn", language="en")],
            ),
        ],
        goods=[
            shipment_pb2.ShipmentGoods(
                sequence=1,
                codes=[goods_pb2.CommodityCode(code="7901110000", scheme="tariff", territory="CN")],
                description="zinc ingots",
                net_mass_kg=20_000,
                gross_mass_kg=20_400,
            )
        ],
        equipment=[goods_pb2.Equipment(id="CSQU3054383", seals=["HKC 88-1204"], e_lock="EL-77120")],
        means=[
            goods_pb2.TransportMeans(
                mode=goods_pb2.TRANSPORT_MODE_ROAD,
                registrations=[
                    goods_pb2.TransportMeans.Identifier(scheme="cn_cross_border_plate", value="粤Z·A123港"),
                    goods_pb2.TransportMeans.Identifier(scheme="hk_vehicle_plate", value="AB 1234"),
                ],
            )
        ],
        export_territory="CN",
        destination_territory="HK",
    )
    for name, value in changes.items():
        made.ClearField(name)  # type: ignore[arg-type]
        made.MergeFrom(shipment_pb2.Shipment(**{name: value}))
    return made


def items(
    *recorded: shipment_pb2.Shipment | shipment_pb2.ShipmentAddition,
) -> history_service_pb2.RecordShipmentsRequest:
    """A request that records these."""
    request = history_service_pb2.RecordShipmentsRequest()
    for one in recorded:
        if isinstance(one, shipment_pb2.Shipment):
            request.items.add(shipment=one)
        else:
            request.items.add(addition=one)
    return request


def grounds(purpose: str = "export_control") -> history_pb2.QueryGrounds:
    """Why a test asks."""
    return history_pb2.QueryGrounds(purpose=purpose, legal_basis="CEPA art. 5", case_reference="SZ-2026-17")


def named_shipments(prefix: str, party: str, count: int, *, declared: datetime) -> list[shipment_pb2.Shipment]:
    """Shipments that have nothing in common with others but one party's name among themselves."""
    return [
        shipment(
            f"{prefix}-{at}",
            declared_at=to_timestamp(int(declared.timestamp() * 1000)),
            references=[
                goods_pb2.ShipmentReference(
                    kind=goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION, value=f"{prefix}-{at}", territory="CN"
                )
            ],
            parties=[party_pb2.Party(role=party_pb2.PARTY_ROLE_CONSIGNEE, names=[party_pb2.Name(text=party)])],
            equipment=[],
            means=[],
        )
        for at in range(count)
    ]
