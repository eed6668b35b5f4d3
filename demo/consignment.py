"""The case as three authorities recorded it, and its innocent twin: the same goods and way under their own name.

The twin is licensed, worth what antimony is worth, and for Macao from the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from demo import case
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2
from gateway.v1.shipment_pb2 import Shipment

TWIN_CONTAINER = "GWDU2601390"
LEAD_CODE, ANTIMONY_CODE = "780110", "811010"
LEAD_USD, ANTIMONY_USD = 44_000.0, 700_000.0
"""What 20 tonnes are declared to be worth: refined lead costs some 2 USD/kg, antimony 20 to 65."""

_UCR = goods_pb2.SHIPMENT_REFERENCE_KIND_UCR
_DECLARATION = goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION
_DOCUMENT = goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT
_PREVIOUS = goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT

Records = Mapping[str, Sequence[Shipment]]
"""By node what it recorded."""


def records_of_the_case(now: datetime) -> Records:
    """Lead by its papers: exported to Hong Kong, imported there, exported again under other papers to Macao."""
    return _Way(now - timedelta(hours=31), "0117", case.CONTAINER, case.SEAL).of_the_case()


def records_of_the_twin(now: datetime) -> Records:
    """Antimony by its papers, with a licence."""
    return _Way(now - timedelta(hours=55), "0139", TWIN_CONTAINER, "CN2601390").of_the_twin()


class _Way:
    """One consignment from Yantian over Hong Kong to Macao; hours count from its beginning."""

    def __init__(self, begin: datetime, number: str, container: str, seal: str) -> None:
        self._begin = begin
        self._number = number
        self._container = container
        self._seal = seal
        out = (case.YANTIAN, case.HEUNG_YUEN_WAI, 1.3, 2.8, case.CN_LORRY)
        over = (case.BRIDGE_HK, case.BRIDGE_MO, 28.1, 28.9, case.MO_LORRY)
        self._out, self._over = self._leg(*out), self._leg(*over)

    def of_the_case(self) -> Records:
        goods = self._goods(LEAD_CODE, "Refined lead ingots, unwrought", "Pb", LEAD_USD)
        export = self._export(goods, case.HK_CONSIGNEE, "HK")
        arrival = self._arrival(goods, shipment_pb2.SHIPMENT_PROCEDURE_IMPORT, case.HK_CONSIGNEE)
        onward = self._onward(goods, shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT, f"HK77{self._number}")
        return {"cn": [export], "hk": [arrival, onward], "mo": [self._end(goods, f"HK77{self._number}")]}

    def of_the_twin(self) -> Records:
        goods = self._goods(ANTIMONY_CODE, "Antimony ingots, unwrought, 99.65 %", "Sb", ANTIMONY_USD)
        export = self._export(goods, case.MO_CONSIGNEE, "MO")
        export.licences.add(
            number=f"EXAMPLE-LIC-26-{self._number}",
            type="dual-use",
            territory="CN",
            valid_from=self._at(-400),
            valid_until=self._at(4_000),
            codes=[goods_pb2.CommodityCode(code=ANTIMONY_CODE, scheme="hs")],
        )
        arrival = self._arrival(goods, shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT, case.MO_CONSIGNEE)
        arrival.destination_territory = "MO"
        for shipment in (export, arrival):
            shipment.route.append(self._over)
        onward = self._onward(goods, shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT, self._seal)
        return {"cn": [export], "hk": [arrival, onward], "mo": [self._end(goods, self._seal)]}

    def _export(self, goods: shipment_pb2.ShipmentGoods, consignee: case.Names, destination: str) -> Shipment:
        shipment = self._record(
            f"531620260000{260_000 + int(self._number)}",
            shipment_pb2.SHIPMENT_PROCEDURE_EXPORT,
            0.3,
            office=case.YANTIAN,
            goods=goods,
            seal=self._seal,
        )
        self._reference(shipment, _UCR, f"6CN91440300MA5EXMPLXX-{self._number}")
        self._reference(shipment, _DOCUMENT, f"RMC-2601-{self._number}")
        shipment.parties.append(
            case.party(party_pb2.PARTY_ROLE_EXPORTER, case.EXPORTER, ("uscc", "91440300MA5EXMPLXX"))
        )
        shipment.parties.append(case.party(party_pb2.PARTY_ROLE_CONSIGNEE, consignee))
        shipment.equipment[0].e_lock = f"EL-77{self._number}"
        shipment.means.append(case.CN_LORRY)
        shipment.route.append(self._out)
        shipment.export_territory, shipment.destination_territory = "CN", destination
        self._event(shipment, "GATE_IN", 0.1, case.YANTIAN)
        self._event(shipment, "E_LOCK_APPLIED", 0.9, case.YANTIAN, f"EL-77{self._number}")
        self._event(shipment, "GATE_OUT", 1.3, case.YANTIAN)
        return shipment

    def _arrival(
        self,
        goods: shipment_pb2.ShipmentGoods,
        procedure: shipment_pb2.ShipmentProcedure.ValueType,
        consignee: case.Names,
    ) -> Shipment:
        shipment = self._record(
            f"HKI-2026-{self._number}", procedure, 2.5, office=case.HEUNG_YUEN_WAI, goods=goods, seal=self._seal
        )
        self._reference(shipment, _UCR, f"6cn91440300ma5exmplxx-{self._number}")
        self._reference(shipment, _DOCUMENT, f"RMC 2601 {self._number}")
        shipment.parties.append(case.party(party_pb2.PARTY_ROLE_EXPORTER, case.EXPORTER))
        shipment.parties.append(case.party(party_pb2.PARTY_ROLE_CONSIGNEE, consignee))
        shipment.means.append(case.CN_LORRY)
        shipment.route.append(self._out)
        self._event(shipment, "E_LOCK_REMOVED", 2.9, case.HEUNG_YUEN_WAI, f"EL-77{self._number}")
        return shipment

    def _onward(
        self, goods: shipment_pb2.ShipmentGoods, procedure: shipment_pb2.ShipmentProcedure.ValueType, seal: str
    ) -> Shipment:
        shipment = self._record(
            f"HKR-2026-{self._number}", procedure, 27.0, office=case.BRIDGE_HK, goods=goods, seal=seal
        )
        self._reference(shipment, _PREVIOUS, f"HKI2026{self._number}")
        self._reference(shipment, _DOCUMENT, f"HZMB-88{self._number}")
        shipment.parties.append(case.party(party_pb2.PARTY_ROLE_CONSIGNEE, case.MO_CONSIGNEE))
        shipment.means.append(case.MO_LORRY)
        shipment.route.append(self._over)
        shipment.destination_territory = "MO"
        if seal != self._seal:
            self._event(shipment, "SEAL_APPLIED", 26.2, case.BRIDGE_HK, seal)
        return shipment

    def _end(self, goods: shipment_pb2.ShipmentGoods, seal: str) -> Shipment:
        shipment = self._record(
            f"MO-IMP-26-{self._number}",
            shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
            28.7,
            office=case.BRIDGE_MO,
            goods=goods,
            seal=seal,
        )
        self._reference(shipment, _DOCUMENT, f"HZMB88{self._number}")
        shipment.parties.append(case.party(party_pb2.PARTY_ROLE_CONSIGNEE, case.MO_CONSIGNEE))
        shipment.means.append(case.MO_LORRY)
        shipment.route.append(self._over)
        shipment.destination_territory = "MO"
        self._event(shipment, "GATE_IN", 28.95, case.BRIDGE_MO)
        return shipment

    def _record(
        self,
        record_id: str,
        procedure: shipment_pb2.ShipmentProcedure.ValueType,
        hours: float,
        *,
        office: case.PlaceNames,
        goods: shipment_pb2.ShipmentGoods,
        seal: str,
    ) -> Shipment:
        shipment = Shipment(
            record_id=record_id,
            procedure=procedure,
            declared_at=self._at(hours),
            utc_offset_minutes=case.UTC_OFFSET_MINUTES,
            office=case.place(office),
            goods=[goods],
            equipment=[goods_pb2.Equipment(id=self._container, seals=[seal])],
            package_count=case.CASES,
            gross_mass_kg=goods.gross_mass_kg,
        )
        self._reference(shipment, _DECLARATION, record_id, office[2])
        return shipment

    def _goods(self, code: str, description: str, element: str, value_usd: float) -> shipment_pb2.ShipmentGoods:
        net_kg = case.CASES * case.CASE_NET_KG
        volume_m3 = round(case.CASES * case.CASE_VOLUME_M3, 3)
        return shipment_pb2.ShipmentGoods(
            sequence=1,
            codes=[goods_pb2.CommodityCode(code=code, scheme="hs")],
            description=description,
            element=element,
            form="ingot",
            net_mass_kg=net_kg,
            gross_mass_kg=net_kg + case.CASES * case.CASE_TARE_KG,
            packages=[shipment_pb2.Packaging(type="CS", count=case.CASES, volume_m3=volume_m3)],
            value_usd=value_usd,
            origin_territory="CN",
        )

    def _reference(
        self,
        shipment: Shipment,
        kind: goods_pb2.ShipmentReferenceKind.ValueType,
        value: str,
        territory: str = "",
    ) -> None:
        shipment.references.add(kind=kind, value=value, territory=territory)

    def _event(self, shipment: Shipment, kind: str, hours: float, place: case.PlaceNames, seal: str = "") -> None:
        shipment.events.add(
            kind=shipment_pb2.ShipmentEventKind.Value(f"SHIPMENT_EVENT_KIND_{kind}"),
            occurred_at=self._at(hours),
            utc_offset_minutes=case.UTC_OFFSET_MINUTES,
            place=case.place(place),
            equipment_id=self._container,
            seal=seal,
        )

    def _leg(
        self,
        start: case.PlaceNames,
        end: case.PlaceNames,
        left: float,
        came: float,
        lorry: goods_pb2.TransportMeans,
    ) -> goods_pb2.RouteLeg:
        return case.leg(start, end, self._begin + timedelta(hours=left), self._begin + timedelta(hours=came), lorry)

    def _at(self, hours: float) -> Timestamp:
        return case.time(self._begin + timedelta(hours=hours))
