"""The case that is played: antimony ingots declared as lead, from Yantian over Hong Kong to Macao.

Places, codes, densities and prices are real; names, numbers and plates are placeholders, built so that their check
digits hold (but for one, which shows what a failed one leads to). Sources: UN/LOCODE and customs office codes from
`gateway/reference/locations.csv`, densities at 20 °C from handbooks, rule R02 (mass against volume) as customs risk
engines have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.client import AlertContent, AlertReference
from gateway.v1 import alert_pb2, goods_pb2, party_pb2

LEAD_G_CM3 = 11.3
ANTIMONY_G_CM3 = 6.68
"""Densities of the metals."""

CASES = 20
CASE_NET_KG = 1_000.0
CASE_TARE_KG = 45.0
CASE_VOLUME_M3 = 1.10 * 0.90 * 0.48
"""Wooden cases of 40 ingots of 25 kg: mass, and volume by their outer measures."""

R02_IMPOSSIBLY_LIGHT = 0.2
R02_FILL = (0.30, 0.95)
"""Rule R02: a hit below 0.2 of the declared goods' density; a package is filled to 30 to 95 % with what is in it."""

CONTAINER = "GWDU2601174"
SEAL = "CN2601174"
LEGAL_BASIS = "Customs cooperation arrangement, article 5 (placeholder)"
RULES = "demo 2026.1"
UTC_OFFSET_MINUTES = 480

PlaceNames = tuple[str, str, str, str]
"""UN/LOCODE, customs office, territory, and name of a place."""

Names = Mapping[str, str]
"""Names of one party by language."""

YANTIAN: PlaceNames = ("CNYTN", "5316", "CN", "Yantian 盐田")
HEUNG_YUEN_WAI: PlaceNames = ("HKHKG", "", "HK", "Heung Yuen Wai 香園圍")
BRIDGE_HK: PlaceNames = ("HKHKG", "", "HK", "HZMB Hong Kong Port 港珠澳大橋香港口岸")
BRIDGE_MO: PlaceNames = ("MOMFM", "", "MO", "HZMB Macao Port 港珠澳大橋澳門口岸")

EXPORTER: Names = {
    "zh": "示例有色金属贸易（深圳）有限公司",
    "en": "Example Nonferrous Metals Trading (Shenzhen) Co., Ltd.",
}
HK_CONSIGNEE: Names = {"zh-Hant": "示例物流（香港）有限公司", "en": "Example Logistics (Hong Kong) Limited"}
MO_CONSIGNEE: Names = {"zh-Hant": "示例國際貿易有限公司", "pt": "Exemplo Comércio Internacional, Limitada"}
_SCRIPTS = {"zh": "Hans", "zh-Hant": "Hant", "en": "Latn", "pt": "Latn"}


def alert_from_cn(now: datetime) -> AlertContent:
    """What cn tells hk: the lorry is on its way, the cases are far too light for lead. hk may tell mo."""
    content = _frame(now, case="SZ-2026-0117", typologies=["false_declaration", "transshipment"])
    content.priority = alert_pb2.PRIORITY_A
    content.requested_action = alert_pb2.REQUESTED_ACTION_INSPECT
    handling = content.handling
    handling.classification = alert_pb2.CLASSIFICATION_RESTRICTED
    handling.onward_transfer = alert_pb2.ONWARD_TRANSFER_LISTED
    handling.onward_recipients.append("mo")
    handling.caveat = "Don't let the declarant notice before the goods are held."
    content.reply_by.CopyFrom(time(now + timedelta(hours=6)))
    subject = content.subject
    declaration = f"5316{now.year}0{260117:09d}"
    subject.references.add(kind=goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION, value=declaration, territory="CN")
    subject.equipment.add(id=CONTAINER, seals=[SEAL])
    subject.means.append(CN_LORRY)
    subject.parties.append(party(party_pb2.PARTY_ROLE_EXPORTER, EXPORTER, ("uscc", "91440300MA5EXMPLXX")))
    subject.parties.append(party(party_pb2.PARTY_ROLE_CONSIGNEE, HK_CONSIGNEE, ("hk_brn", "99999999")))
    # A wrong check character is noted on the alert and stops nothing: registered companies have such numbers.
    subject.parties.append(party(party_pb2.PARTY_ROLE_AGENT, {"zh": "示例报关行"}, ("uscc", "91440300MA5EXMPLX7")))
    content.goods.append(_goods(declared="780110", description="Refined lead ingots, unwrought"))
    content.route.append(leg(YANTIAN, HEUNG_YUEN_WAI, now - timedelta(minutes=40), now + timedelta(minutes=50)))
    content.rule_hits.append(_density_hit())
    content.evidence.add(
        sha256=sha256(f"weighbridge ticket of {CONTAINER}".encode()).digest(),
        media_type="image/tiff",
        description="X-ray image and weighbridge ticket at Yantian",
    )
    _say(
        content,
        {
            "zh-Hans": "申报为精炼铅锭，20箱每箱1000千克；按箱体体积计算的密度仅为铅的19%，与锑锭相符。已驶往香港。",
            "zh-Hant": "申報為精煉鉛錠，20箱每箱1000公斤；按箱體體積計算的密度僅為鉛的19%，與銻錠相符。已駛往香港。",
            "en": "Declared as refined lead ingots, 20 cases of 1,000 kg. By the cases' volume the density is 19 % of "
            "lead's and fits antimony ingots. The lorry is on its way to Hong Kong.",
        },
    )
    return content


def alert_from_hk(now: datetime, derived_from: AlertReference) -> AlertContent:
    """What hk passes on to mo: the same goods leave for Macao, with papers that say lead again."""
    content = _frame(now, case="HK-2026-0042", typologies=["transshipment", "false_declaration"])
    content.priority = alert_pb2.PRIORITY_A
    content.requested_action = alert_pb2.REQUESTED_ACTION_INSPECT
    content.handling.classification = alert_pb2.CLASSIFICATION_RESTRICTED
    content.handling.onward_transfer = alert_pb2.ONWARD_TRANSFER_PROHIBITED
    content.derived_from.append(derived_from)
    subject = content.subject
    subject.equipment.add(id=CONTAINER, seals=["HK7700926"])
    subject.means.append(MO_LORRY)
    subject.parties.append(party(party_pb2.PARTY_ROLE_EXPORTER, HK_CONSIGNEE, ("hk_brn", "99999999")))
    subject.parties.append(party(party_pb2.PARTY_ROLE_CONSIGNEE, MO_CONSIGNEE))
    content.goods.append(_goods(declared="780110", description="Lead ingots, in transit"))
    content.route.append(leg(BRIDGE_HK, BRIDGE_MO, now, now + timedelta(minutes=45)))
    hit = content.rule_hits.add(rule_id="R12", rule_version=RULES, score=1.0)
    hit.inputs.update({"import.net_kg": "20000", "re_export.net_kg": "20000", "gap_days": "1"})
    hit.explanation = "Re-exported within 7 days with the same mass (at most 5 % apart): after 1 day, 0 % apart."
    _say(
        content,
        {
            "zh-Hant": "同一貨櫃翌日經港珠澳大橋轉往澳門，重量不變，封條已更換。",
            "pt": "O mesmo contentor segue no dia seguinte para Macau pela ponte, com a mesma massa e selo novo.",
            "en": "The same container goes on to Macao over the bridge a day later: same mass, new seal.",
        },
    )
    return content


ROMANISED_CONSIGNEE = "Shili Guoji Maoyi Youxian Gongsi"
"""示例国际贸易有限公司 of cn's watchlist, as a carrier's manifest in Latin letters has it."""


def alert_of_a_consignee(now: datetime) -> AlertContent:
    """An alert like many others, whose consignee is on the watchlist in another script."""
    content = next(routine_alerts(now, "M"))
    content.subject.parties.append(party(party_pb2.PARTY_ROLE_CONSIGNEE, {"en": ROMANISED_CONSIGNEE}))
    return content


QUESTION = "Which seal was on the container when it left Yantian, and how were the cases measured?"
ANSWER = f"Seal {SEAL}. Each case on the floor scale; outer measures from the X-ray image, 110 x 90 x 48 cm."


def finding_by_mo(alert: AlertReference, now: datetime) -> alert_pb2.AlertFinding:
    """What mo found in the cases."""
    finding = alert_pb2.AlertFinding(
        alert=alert,
        result=alert_pb2.FINDING_RESULT_CONFIRMED,
        inspected_at=time(now),
        place=goods_pb2.Place(unlocode=BRIDGE_MO[0], territory="MO", name=BRIDGE_MO[3]),
        methods=["x_ray", "physical", "laboratory"],
        remarks="20 cases, 800 ingots of 25 kg. X-ray fluorescence: antimony, 99.65 %. Goods are held.",
    )
    found = _goods(declared="780110", description="Ingots, grey, crystalline surface")
    found.purity_percent = 99.65
    finding.goods_found.append(found)
    return finding


def finding_by_hk(alert: AlertReference, now: datetime) -> alert_pb2.AlertFinding:
    """What hk reports to cn: it didn't inspect itself but has Macao's signed finding."""
    return alert_pb2.AlertFinding(
        alert=alert,
        result=alert_pb2.FINDING_RESULT_CONFIRMED,
        inspected_at=time(now),
        place=goods_pb2.Place(unlocode=BRIDGE_MO[0], territory="MO"),
        methods=["document"],
        remarks="Inspected on arrival in Macao: antimony ingots, 20,000 kg. The goods are held there.",
    )


def routine_alerts(now: datetime, series: str) -> Iterator[AlertContent]:
    """Alerts as a risk engine makes them all day, all different; without end."""
    number = 0
    while True:
        number += 1
        content = _frame(now, case=f"{series}-{number:04d}", typologies=["false_declaration"])
        content.priority = alert_pb2.PRIORITY_B
        content.requested_action = alert_pb2.REQUESTED_ACTION_INFORM
        content.handling.classification = alert_pb2.CLASSIFICATION_OFFICIAL
        content.handling.onward_transfer = alert_pb2.ONWARD_TRANSFER_PROHIBITED
        content.subject.references.add(
            kind=goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT, value=f"{series}{number:06d}"
        )
        content.goods.append(_goods(declared="780110", description="Lead ingots"))
        content.rule_hits.append(_density_hit())
        yield content


def _density_hit() -> alert_pb2.RuleHit:
    effective = CASE_NET_KG / (CASE_VOLUME_M3 * 1000)
    of_lead, of_antimony = effective / LEAD_G_CM3, effective / ANTIMONY_G_CM3
    hit = alert_pb2.RuleHit(rule_id="R02", rule_version=RULES, score=round(of_lead, 3))
    hit.inputs.update(
        {
            "net_kg": f"{CASE_NET_KG:g}",
            "outer_volume_m3": f"{CASE_VOLUME_M3:.4f}",
            "density_g_cm3": f"{effective:.3f}",
            "declared_density_g_cm3": f"{LEAD_G_CM3:g}",
            "suspected_density_g_cm3": f"{ANTIMONY_G_CM3:g}",
            "fill_if_declared": f"{of_lead:.3f}",
            "fill_if_suspected": f"{of_antimony:.3f}",
        }
    )
    hit.explanation = (
        f"A case has {effective:.2f} g/cm³ by its outer measures: {of_lead:.0%} of lead's {LEAD_G_CM3:g}, below the "
        f"{R02_IMPOSSIBLY_LIGHT:.0%} that rules lead out, and {of_antimony:.0%} of antimony's {ANTIMONY_G_CM3:g}, as a "
        f"case of ingots has ({R02_FILL[0]:.0%} to {R02_FILL[1]:.0%})."
    )
    return hit


def _frame(now: datetime, *, case: str, typologies: list[str]) -> AlertContent:
    return AlertContent(
        typologies=typologies,
        legal_basis=LEGAL_BASIS,
        purpose="export_control",
        case_reference=case,
        valid_until=time(now + timedelta(days=30)),
    )


def _goods(*, declared: str, description: str) -> goods_pb2.GoodsItem:
    item = goods_pb2.GoodsItem(
        description=description,
        substance="antimony ingot",
        element="Sb",
        form="ingot",
        net_mass_kg=CASES * CASE_NET_KG,
        gross_mass_kg=CASES * (CASE_NET_KG + CASE_TARE_KG),
        package_count=CASES,
        customs_value=goods_pb2.Money(currency_code="USD", units=44_000),
        origin_territory="CN",
    )
    item.declared_codes.add(code=declared, scheme="hs")
    item.suspected_codes.add(code="811010", scheme="hs")
    item.suspected_codes.add(code="8110101000", scheme="tariff", territory="CN")
    return item


def leg(
    start: PlaceNames,
    end: PlaceNames,
    departure: datetime,
    arrival: datetime,
    means: goods_pb2.TransportMeans | None = None,
) -> goods_pb2.RouteLeg:
    """A leg by road, by any lorry or by this one."""
    made = goods_pb2.RouteLeg(
        to=place(end),
        departure=time(departure),
        arrival=time(arrival),
        utc_offset_minutes=UTC_OFFSET_MINUTES,
        means=means or goods_pb2.TransportMeans(mode=goods_pb2.TRANSPORT_MODE_ROAD),
    )
    getattr(made, "from").CopyFrom(place(start))  # `from` is a keyword of Python
    return made


def place(names: PlaceNames) -> goods_pb2.Place:
    """A place by its names."""
    unlocode, office, territory, name = names
    return goods_pb2.Place(unlocode=unlocode, customs_office=office, territory=territory, name=name)


def _lorry(*plates: tuple[str, str]) -> goods_pb2.TransportMeans:
    return goods_pb2.TransportMeans(
        mode=goods_pb2.TRANSPORT_MODE_ROAD,
        registrations=[goods_pb2.TransportMeans.Identifier(scheme=scheme, value=value) for scheme, value in plates],
    )


CN_LORRY = _lorry(("cn_cross_border_plate", "粤Z·DM26港"), ("hk_vehicle_plate", "ZZ 2617"))
MO_LORRY = _lorry(("hk_vehicle_plate", "ZZ 2617"), ("mo_vehicle_plate", "MZ-26-17"))
"""The lorry as it is on its way to Hong Kong, and on to Macao: a plate of each side."""


def party(
    role: party_pb2.PartyRole.ValueType, names: Names, identifier: tuple[str, str] | None = None
) -> party_pb2.Party:
    """A party by its names and, where it has one, an identifier as (scheme, value)."""
    made = party_pb2.Party(role=role)
    for language, text in names.items():
        made.names.add(text=text, script=_SCRIPTS[language], language=language)
    if identifier is not None:
        made.identifiers.add(scheme=identifier[0], value=identifier[1])
    return made


def _say(content: AlertContent, narratives: Mapping[str, str]) -> None:
    for language, text in narratives.items():
        content.narratives.add(language=language, text=text)


def time(moment: datetime) -> Timestamp:
    """A moment as the contract has it."""
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
