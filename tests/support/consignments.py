"""The demo's case as three authorities would have recorded it, its innocent twin, and what makes others of them.

Antimony ingots declared as lead, from Yantian over Hong Kong to Macao. The twin is the same goods under their own name,
with a licence. Names, numbers and plates are made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from google.protobuf.timestamp_pb2 import Timestamp

from demo import case as demo
from gateway.tracing.rules.records import RecordHit
from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2, trace_pb2

ZONE = timezone(timedelta(hours=8))
BEGIN = datetime(2026, 1, 15, 8, 0, tzinfo=ZONE)
CONTAINER = "GWDU2601174"
GROUNDS = history_pb2.QueryGrounds(
    purpose="export_control",
    legal_basis="Customs cooperation arrangement, article 5 (placeholder)",
    case_reference="SZ-2026-0117",
)

YANTIAN = demo.place(demo.YANTIAN)
HEUNG_YUEN_WAI = demo.place(demo.HEUNG_YUEN_WAI)
BRIDGE_HK = demo.place(demo.BRIDGE_HK)
BRIDGE_MO = demo.place(demo.BRIDGE_MO)

EXPORTER = demo.party(party_pb2.PARTY_ROLE_EXPORTER, demo.EXPORTER, ("uscc", "91440300MA5EXMPLXX"))
HK_CONSIGNEE = demo.party(party_pb2.PARTY_ROLE_CONSIGNEE, demo.HK_CONSIGNEE, ("hk_brn", "99999999"))
MO_CONSIGNEE = demo.party(party_pb2.PARTY_ROLE_CONSIGNEE, demo.MO_CONSIGNEE)

DECLARATION = goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION
UCR = goods_pb2.SHIPMENT_REFERENCE_KIND_UCR
TRANSPORT_DOCUMENT = goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT
PREVIOUS_DOCUMENT = goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT


def at(hours: float) -> Timestamp:
    """Hours after the beginning of the case."""
    time = Timestamp()
    time.FromDatetime(BEGIN + timedelta(hours=hours))
    return time


def record(
    node: str, record_id: str, procedure: shipment_pb2.ShipmentProcedure.ValueType, hours: float, **fields: object
) -> history_pb2.HistoryRecord:
    """A record of a node with a shipment of these fields, recorded half an hour after it was declared."""
    offices = {"cn": YANTIAN, "hk": HEUNG_YUEN_WAI, "mo": BRIDGE_MO}
    shipment = shipment_pb2.Shipment(
        record_id=record_id,
        procedure=procedure,
        declared_at=at(hours),
        utc_offset_minutes=480,
        office=offices.get(node),
        **fields,  # type: ignore[arg-type]  # fields of the message
    )
    return history_pb2.HistoryRecord(node=node, revision=1, position=1, recorded_at=at(hours + 0.5), shipment=shipment)


def reference(
    kind: goods_pb2.ShipmentReferenceKind.ValueType, value: str, territory: str = ""
) -> goods_pb2.ShipmentReference:
    return goods_pb2.ShipmentReference(kind=kind, value=value, territory=territory)


def goods(
    code: str, description: str, *, element: str = "", net_kg: float = 20_000, value_usd: float = 44_000
) -> shipment_pb2.ShipmentGoods:
    """One item of 20 cases."""
    return shipment_pb2.ShipmentGoods(
        sequence=1,
        codes=[goods_pb2.CommodityCode(code=code, scheme="hs")],
        description=description,
        element=element,
        form="ingot",
        net_mass_kg=net_kg,
        gross_mass_kg=net_kg * 1.045,
        packages=[shipment_pb2.Packaging(type="CS", count=20, volume_m3=9.504)],
        customs_value=goods_pb2.Money(currency_code="USD", units=int(value_usd)),
        value_usd=value_usd,
        origin_territory="CN",
    )


def lorry(*plates: tuple[str, str]) -> goods_pb2.TransportMeans:
    return goods_pb2.TransportMeans(
        mode=goods_pb2.TRANSPORT_MODE_ROAD,
        registrations=[goods_pb2.TransportMeans.Identifier(scheme=scheme, value=value) for scheme, value in plates],
    )


CN_LORRY = lorry(("cn_cross_border_plate", "粤Z·DM26港"), ("hk_vehicle_plate", "ZZ 2617"))
MO_LORRY = lorry(("hk_vehicle_plate", "ZZ2617"), ("mo_vehicle_plate", "MZ-26-17"))


def way(
    start: goods_pb2.Place, end: goods_pb2.Place, left: float, came: float, means: goods_pb2.TransportMeans
) -> goods_pb2.RouteLeg:
    leg = goods_pb2.RouteLeg(to=end, departure=at(left), arrival=at(came), utc_offset_minutes=480, means=means)
    getattr(leg, "from").CopyFrom(start)
    return leg


def event(
    kind: str, hours: float, place: goods_pb2.Place, *, seal: str = "", source: str = ""
) -> shipment_pb2.ShipmentEvent:
    return shipment_pb2.ShipmentEvent(
        kind=shipment_pb2.ShipmentEventKind.Value(f"SHIPMENT_EVENT_KIND_{kind.upper()}"),
        occurred_at=at(hours),
        utc_offset_minutes=480,
        place=place,
        equipment_id=CONTAINER,
        seal=seal,
        source=source,
    )


def weighed(mass_kg: float, hours: float, place: goods_pb2.Place) -> shipment_pb2.MeasuredMass:
    return shipment_pb2.MeasuredMass(
        mass_kg=mass_kg,
        source=shipment_pb2.MASS_SOURCE_WEIGHBRIDGE,
        measured_at=at(hours),
        place=place,
        equipment_id=CONTAINER,
    )


def the_case(
    code: str = "780110", description: str = "Refined lead ingots, unwrought", element: str = "Pb"
) -> list[history_pb2.HistoryRecord]:
    """Export from cn, import and re-export at hk, import at mo, with other papers and another seal from hk on."""
    out = way(YANTIAN, HEUNG_YUEN_WAI, 1.33, 2.83, CN_LORRY)
    over = way(BRIDGE_HK, BRIDGE_MO, 28.1, 28.9, MO_LORRY)
    ucr = reference(UCR, "6CN91440300MA5EXMPLXX-0117")
    export = record(
        "cn",
        "531620260000260117",
        shipment_pb2.SHIPMENT_PROCEDURE_EXPORT,
        0.33,
        references=[
            reference(DECLARATION, "531620260000260117", "CN"),
            ucr,
            reference(TRANSPORT_DOCUMENT, "RMC-2601-17001"),
        ],
        parties=[EXPORTER, HK_CONSIGNEE],
        goods=[goods(code, description, element=element)],
        equipment=[goods_pb2.Equipment(id=CONTAINER, seals=["CN2601174"], e_lock="EL-771203")],
        means=[CN_LORRY],
        route=[out],
        masses=[weighed(20_930, 0.8, YANTIAN)],
        export_territory="CN",
        destination_territory="HK",
        package_count=20,
        gross_mass_kg=20_900,
        events=[
            event("gate_in", 0.1, YANTIAN, source="gate camera 7"),
            event("e_lock_applied", 0.9, YANTIAN, seal="EL-771203"),
            event("gate_out", 1.3, YANTIAN),
        ],
    )
    arrival = record(
        "hk",
        "HKI-2026-004711",
        shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
        2.5,
        references=[
            reference(DECLARATION, "HKI-2026-004711", "HK"),
            reference(UCR, "6cn91440300ma5exmplxx-0117"),
            reference(TRANSPORT_DOCUMENT, "RMC 2601 17001"),
        ],
        parties=[EXPORTER, HK_CONSIGNEE],
        goods=[goods(code, "Lead ingots" if code == "780110" else description)],
        equipment=[goods_pb2.Equipment(id="GWDU 260117-4", seals=["CN2601174"])],
        means=[CN_LORRY],
        route=[out],
        gross_mass_kg=20_900,
        events=[event("e_lock_checked", 2.95, HEUNG_YUEN_WAI, seal="EL-771203"), event("release", 4.5, HEUNG_YUEN_WAI)],
    )
    onward = record(
        "hk",
        "HKR-2026-004902",
        shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT,
        27.0,
        references=[
            reference(DECLARATION, "HKR-2026-004902", "HK"),
            reference(PREVIOUS_DOCUMENT, "HKI2026004711"),
            reference(TRANSPORT_DOCUMENT, "HZMB-88231"),
        ],
        parties=[MO_CONSIGNEE],
        goods=[goods(code, "Lead ingots, in transit" if code == "780110" else description)],
        equipment=[goods_pb2.Equipment(id=CONTAINER, seals=["HK7700926"])],
        means=[MO_LORRY],
        route=[over],
        destination_territory="MO",
        gross_mass_kg=20_900,
        events=[event("seal_applied", 26.2, BRIDGE_HK, seal="HK7700926")],
    )
    end = record(
        "mo",
        "MO-IMP-26-03381",
        shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
        28.7,
        references=[reference(DECLARATION, "MO-IMP-26-03381", "MO"), reference(TRANSPORT_DOCUMENT, "HZMB88231")],
        parties=[MO_CONSIGNEE],
        goods=[goods(code, "Lead ingots" if code == "780110" else description)],
        equipment=[goods_pb2.Equipment(id=CONTAINER, seals=["HK7700926"])],
        means=[MO_LORRY],
        route=[over],
        masses=[weighed(20_880, 29.2, BRIDGE_MO)],
        gross_mass_kg=20_900,
        events=[event("gate_in", 28.95, BRIDGE_MO)],
    )
    return [export, arrival, onward, end]


def the_twin() -> list[history_pb2.HistoryRecord]:
    """The same goods on the same way under their own name: licensed, worth what they are worth, and for Macao from the
    beginning; Hong Kong sees them in transit."""
    records = the_case("811010", "Antimony ingots, unwrought, 99.65 %", "Sb")
    export, arrival, onward, end = (each.shipment for each in records)
    export.licences.add(
        number="EXAMPLE-LIC-26-118",
        type="dual-use",
        territory="CN",
        valid_from=at(-400),
        valid_until=at(4_000),
        codes=[goods_pb2.CommodityCode(code="811010", scheme="hs")],
    )
    for shipment in (export, arrival):
        shipment.route.extend(onward.route)
    arrival.procedure = shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT
    onward.procedure = shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT
    for shipment in (export, arrival, onward, end):
        shipment.destination_territory = "MO"
        shipment.goods[0].value_usd = 700_000
        shipment.goods[0].customs_value.units = 700_000
        consignors = [party for party in shipment.parties if party.role == party_pb2.PARTY_ROLE_EXPORTER]
        del shipment.parties[:]
        shipment.parties.extend([*consignors, MO_CONSIGNEE])
    return records


def contradictions() -> list[trace_pb2.Discrepancy]:
    """What rules may find on the case."""
    density = trace_pb2.Discrepancy(
        rule_id="R02",
        rule_version="2026.1",
        name="density_mismatch",
        typology="false declaration",
        severity=trace_pb2.SEVERITY_HIGH,
        confidence="medium",
        inputs={
            "net_kg": "20000",
            "volume_m3": "9.504",
            "density_g_cm3": "2.104",
            "declared_density_g_cm3": "11.3",
            "suspected_codes": "811010, 8110101000",
            "suspects": "antimony ingot",
            "suspected_element": "Sb",
        },
        thresholds={"impossibly_light": "0.2", "fill_min": "0.3", "fill_max": "0.95"},
        measured=0.186,
        explanation="By the cases' volume the goods have 2.10 g/cm³: 19 % of lead's 11.3, below the 20 % that rules "
        "lead out, and 31 % of antimony's 6.68, as cases of ingots have.",
        legs=[0],
        goods_sequence=1,
    )
    seal = trace_pb2.Discrepancy(
        rule_id="R09",
        rule_version="2026.1",
        name="leg_weight_change",
        typology="concealment",
        severity=trace_pb2.SEVERITY_MEDIUM,
        confidence="low",
        inputs={"seal_before": "CN2601174", "seal_after": "HK7700926", "event": "none"},
        explanation="The seal was changed between import and re-export, and no event says by whom.",
        legs=[1, 2],
    )
    again = trace_pb2.Discrepancy(
        rule_id="R12",
        rule_version="2026.1",
        name="reexport_within_n_days",
        typology="transshipment",
        severity=trace_pb2.SEVERITY_LOW,
        confidence="low",
        inputs={"import_net_kg": "20000", "reexport_net_kg": "20000", "gap_days": "1"},
        thresholds={"days": "30", "days_high": "7", "mass_tolerance": "0.05"},
        measured=1,
        explanation="Re-exported a day after its import, with the same mass.",
        legs=[1, 2],
    )
    return [density, seal, again]


def answers() -> list[history_pb2.NodeAnswer]:
    """What became of the question at each node: all complete."""
    return [
        history_pb2.NodeAnswer(
            node=node,
            status=history_pb2.ANSWER_STATUS_COMPLETE,
            count=count,
            as_of_position=1_000 + count,
            answered_at=at(48),
            query_id=f"019bbf30-0000-7000-8000-00000000000{number}",
            elapsed_ms=10 * number,
            statement=b"gba.customs.example/%b/history\n4\n" % node.encode() if node != "cn" else b"",
        )
        for number, (node, count) in enumerate((("cn", 1), ("hk", 2), ("mo", 1)), start=1)
    ]


def found_by_first_question(records: Sequence[history_pb2.HistoryRecord], starts: int = 1) -> list[RecordHit]:
    """The first records as what the trace began with, the others as found by asking for the container."""
    by = history_pb2.SearchCriteria(containers=[CONTAINER])
    return [RecordHit(each, None if number < starts else by) for number, each in enumerate(records)]
