"""Realistic alerts for the measurements: about 600 bytes each, all different, the same ones in every run.

Names are placeholders; codes and places are real.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from stdnum import iso6346

from gateway.client.bulk import new_alert
from gateway.v1 import alert_pb2, goods_pb2, party_pb2
from gateway.v1.alert_service_pb2 import PublishAlertRequest

VALID_S = 7 * 24 * 3600
"""Seconds for which the alerts are valid: longer than any run, so that none expires in it."""

PRIORITIES = (alert_pb2.PRIORITY_A, alert_pb2.PRIORITY_B, alert_pb2.PRIORITY_C)
SHARES = (5, 25, 70)
"""Alerts of each priority among a hundred of a customs day."""

_DISTINCT = 997
"""Different contents; a prime, so that they don't fall into step with batches."""

# Substance, element, form, true heading, declared heading and what it is declared as.
_GOODS = (
    ("antimony ingots", "Sb", "ingot", "811010", "780110", "Refined lead ingots, unwrought"),
    ("germanium dioxide", "Ge", "powder", "282560", "281122", "Silicon dioxide, industrial grade"),
    ("gallium metal", "Ga", "ingot", "811292", "760110", "Aluminium, not alloyed, unwrought"),
    ("ammonium paratungstate", "W", "powder", "284180", "284150", "Pigment intermediate, chromate"),
    ("dysprosium oxide", "Dy", "powder", "284690", "282550", "Copper oxide for glazes"),
)
_ROUTES = (("CNSZX", "CN", "HKHKG", "HK"), ("CNNSA", "CN", "HKHKG", "HK"), ("CNZUH", "CN", "MOMFM", "MO"))


def contents(seed: int = 1) -> list[alert_pb2.AlertContent]:
    """A fixed set of different contents."""
    chance = random.Random(seed)
    valid_until = int(time.time()) + VALID_S
    return [_content(chance, number, valid_until) for number in range(_DISTINCT)]


def requests(count: int, *, recipient: str, seed: int = 1) -> Iterator[PublishAlertRequest]:
    """Requests with fresh ids, made one by one."""
    bodies = contents(seed)
    for number in range(count):
        yield new_alert(bodies[number % _DISTINCT], [recipient])


def _content(chance: random.Random, number: int, valid_until: int) -> alert_pb2.AlertContent:
    substance, element, form, suspected, declared, description = chance.choice(_GOODS)
    start, start_territory, end, end_territory = chance.choice(_ROUTES)
    content = alert_pb2.AlertContent(
        priority=chance.choices(PRIORITIES, SHARES)[0],
        typologies=["false_declaration", "transshipment"],
        requested_action=alert_pb2.REQUESTED_ACTION_INSPECT,
        legal_basis="Customs cooperation arrangement, art. 5",
        purpose="export_control",
        case_reference=f"CASE-2026-{number:06d}",
        handling=alert_pb2.Handling(
            classification=alert_pb2.CLASSIFICATION_RESTRICTED, onward_transfer=alert_pb2.ONWARD_TRANSFER_PROHIBITED
        ),
    )
    content.valid_until.seconds = valid_until
    subject = content.subject
    subject.references.add(
        kind=goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION, value=f"5304{chance.randrange(10**14):014d}", territory="CN"
    )
    subject.equipment.add(id=_container(chance), seals=[f"CN{chance.randrange(10**7):07d}"])
    _party(subject, party_pb2.PARTY_ROLE_EXPORTER, f"示例有色金属贸易有限公司{number % 90}", "Hani", chance)
    _party(subject, party_pb2.PARTY_ROLE_CONSIGNEE, f"Placeholder Metals {number % 70} Limited", "Latn", chance)
    mass = round(chance.uniform(500, 24_000), 1)
    goods = content.goods.add(
        description=description, substance=substance, element=element, form=form, purity_percent=99.85, net_mass_kg=mass
    )
    goods.declared_codes.add(code=declared, scheme="hs")
    goods.suspected_codes.add(code=suspected, scheme="hs")
    leg = content.route.add()
    leg.to.unlocode, leg.to.territory = end, end_territory
    _set_start(leg, start, start_territory)
    leg.departure.seconds = valid_until - VALID_S
    hit = content.rule_hits.add(rule_id="R02", rule_version="2026.1", score=round(chance.uniform(0.6, 1.0), 3))
    hit.inputs["density_kg_per_m3"] = str(chance.randrange(5_000, 12_000))
    content.narratives.add(language="en", text="Mass per package doesn't fit the goods declared.")
    return content


def _set_start(leg: goods_pb2.RouteLeg, unlocode: str, territory: str) -> None:
    place: goods_pb2.Place = getattr(leg, "from")  # a keyword in Python
    place.unlocode, place.territory = unlocode, territory


def _party(
    subject: alert_pb2.Subject, role: party_pb2.PartyRole.ValueType, name: str, script: str, chance: random.Random
) -> None:
    party = subject.parties.add(role=role)
    party.names.add(text=name, script=script)
    party.identifiers.add(scheme="customs_registration", value=f"{chance.randrange(10**10):010d}")


def _container(chance: random.Random) -> str:
    body = f"GWBU{chance.randrange(10**6):06d}"
    return body + str(iso6346.calc_check_digit(body))
