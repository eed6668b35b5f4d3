"""Makes consignments with a known truth, as three authorities would have recorded them.

Containers, locks and lorries are used again where they were emptied; traders, agents and quantities recur; papers name
each other sometimes only; declarations come before the goods or up to two weeks late. Nothing here is taken from the
rules of tracing: what belongs together is known because it was made together.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2

BEGIN = datetime(2025, 1, 6, tzinfo=UTC)
DAYS = 120.0
"""Days in which the consignments begin."""

EXPORT = shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
IMPORT = shipment_pb2.SHIPMENT_PROCEDURE_IMPORT
TRANSIT = shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT
REEXPORT = shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT
TRANSSHIPMENT = shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT

_UCR = goods_pb2.SHIPMENT_REFERENCE_KIND_UCR
_DECLARATION = goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION
_PREVIOUS = goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT
_DOCUMENT = goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT

_GOODS = (
    ("760110", "aluminium ingots"),
    ("780110", "lead ingots"),
    ("811010", "antimony ingots"),
    ("740311", "copper cathodes"),
    ("850440", "power supplies"),
    ("392690", "articles of plastics"),
    ("640399", "shoes"),
    ("281820", "aluminium oxide"),
)

_WAYS: Sequence[tuple[float, str]] = (
    (0.34, "cn:export hk:import"),
    (0.14, "cn:export hk:transit mo:import"),
    (0.12, "cn:export hk:import hk:reexport mo:import"),
    (0.12, "hk:export cn:import"),
    (0.08, "mo:export hk:import"),
    (0.06, "hk:export mo:import"),
    (0.06, "cn:export hk:transshipment"),
    (0.05, "cn:export hk:import hk:reexport cn:import"),  # returned
    (0.03, "cn:export mo:import"),
)
"""Share of consignments, and the records of their way."""

_PROCEDURES = {
    "export": EXPORT,
    "import": IMPORT,
    "transit": TRANSIT,
    "reexport": REEXPORT,
    "transshipment": TRANSSHIPMENT,
}


@dataclass(slots=True)
class _Box:
    """A container or lock: where it stands empty, and since when (days)."""

    name: str
    place: str
    free_at: float


@dataclass(slots=True)
class _World:
    """What consignments have in common."""

    random: random.Random
    boxes: list[_Box]
    locks: list[_Box]
    lorries: list[str]
    traders: dict[str, list[party_pb2.Party]]
    agents: list[party_pb2.Party]
    count: int = 0


@dataclass(slots=True)
class HeldOut:
    """Records, and the consignment that each belongs to by (node, record id)."""

    records: list[history_pb2.HistoryRecord] = field(default_factory=list)
    truth: dict[tuple[str, str], int] = field(default_factory=dict)


def held_out(seed: int, consignments: int) -> HeldOut:
    """Consignments of a seed."""
    world = _world(random.Random(seed), consignments)
    made = HeldOut()
    begins = sorted(world.random.uniform(0, DAYS) for _ in range(consignments))
    for number, begin in enumerate(begins):
        for node, shipment in _consignment(world, begin):
            record = history_pb2.HistoryRecord(node=node, revision=1, position=len(made.records) + 1, shipment=shipment)
            made.records.append(record)
            made.truth[node, shipment.record_id] = number
    return made


def _world(rng: random.Random, consignments: int) -> _World:
    places = ("cn", "cn", "hk", "mo")
    boxes = [
        _Box(f"{rng.choice(('CSQU', 'MSKU', 'TGHU', 'GWDU'))}{rng.randrange(10**6):06}{rng.randrange(10)}", place, 0.0)
        for place in places
        for _ in range(max(4, consignments // 24))
    ]
    locks = [
        _Box(f"EL{rng.randrange(10**6):06}", place, 0.0) for place in places for _ in range(consignments // 60 + 2)
    ]
    traders = {
        node: [_party(rng, node, number) for number in range(size)]
        for node, size in (("cn", 24), ("hk", 16), ("mo", 8))
    }
    lorries = [f"粤Z{rng.randrange(10**4):04}港" for _ in range(24)]
    agents = [_party(rng, "agent", number, party_pb2.PARTY_ROLE_DECLARANT) for number in range(6)]
    return _World(rng, boxes, locks, lorries, traders, agents)


def _party(
    rng: random.Random,
    node: str,
    number: int,
    role: party_pb2.PartyRole.ValueType = party_pb2.PARTY_ROLE_UNSPECIFIED,
) -> party_pb2.Party:
    made = party_pb2.Party(role=role)
    made.names.add(text=f"{node.upper()} trading house {number}")
    made.identifiers.add(scheme=f"{node}_number", value=f"{rng.randrange(10**9):09}")
    return made


def _consignment(world: _World, begin: float) -> Iterator[tuple[str, shipment_pb2.Shipment]]:
    rng = world.random
    steps = [tuple(step.split(":")) for step in _way(rng).split()]
    parts = 2 if rng.random() < 0.08 and len(steps) == 2 else 1  # groupage: two declarations at each end
    documents = rng.choices(("good", "some", "box", "bare"), (0.45, 0.30, 0.20, 0.05))[0]
    box = _take(rng, world.boxes, steps[0][0], begin) if documents == "box" or rng.random() < 0.85 else None
    if box is None and documents == "box":
        documents = "some"
    lock = _take(rng, world.locks, steps[0][0], begin) if rng.random() < 0.25 else None
    kg = [float(rng.choice((5_000, 10_000, 20_000, rng.randrange(800, 24_000)))) for _ in range(parts)]
    goods = [rng.choice(_GOODS) for _ in range(parts)]
    seller = rng.choice(world.traders[steps[0][0]])
    buyer = rng.choice(world.traders[steps[-1][0] if len(steps) > 1 else "hk"])
    ucr = f"5{steps[0][0].upper()}{rng.randrange(10**10):010}"
    document = f"BL{rng.randrange(10**8):08}"
    seal = f"{steps[0][0].upper()}{rng.randrange(10**7):07}"
    lorry = rng.choice(world.lorries)
    at, before = begin, ""
    last = ""
    for number, (node, word) in enumerate(steps):
        procedure = _PROCEDURES[word]
        if number:
            onward = procedure in (REEXPORT,)
            at += rng.uniform(0.5, 14.0) if onward else rng.uniform(0.1, 1.5)
            if onward:  # another transport, often another container
                document, seal = f"BL{rng.randrange(10**8):08}", f"HK{rng.randrange(10**7):07}"
                if box is not None and rng.random() < 0.5:
                    _leave(rng, box, node, at - 0.1)
                    box = _take(rng, world.boxes, node, at)
        numbers: list[str] = []
        for part in range(parts):
            shipment = _shipment(world, node, procedure, at)
            numbers.append(shipment.record_id)
            _describe(rng, shipment, goods[part], kg[part])
            shipment.parties.extend(_parties(world, seller, buyer))
            _name(rng, shipment, documents, ucr=ucr, document=document, previous=last)
            _carry(rng, shipment, box, lock, seal, lorry)
            _route(rng, shipment, node, before, steps[number + 1][0] if number + 1 < len(steps) else "", at)
            yield node, shipment
        before, last = node, numbers[0]
    for thing in (box, lock):
        if thing is not None:
            _leave(rng, thing, steps[-1][0], at)


def _way(rng: random.Random) -> str:
    return rng.choices([way for _, way in _WAYS], [share for share, _ in _WAYS])[0]


def _take(rng: random.Random, things: list[_Box], place: str, at: float) -> _Box | None:
    free = [thing for thing in things if thing.place == place and thing.free_at <= at]
    if not free:
        return None
    taken = rng.choice(free)
    taken.free_at = at + 365.0
    return taken


def _leave(rng: random.Random, thing: _Box, place: str, at: float) -> None:
    """Unloaded, and soon used again."""
    thing.place, thing.free_at = place, at + rng.choice((0.2, 0.5, 1.0, 2.0, 4.0, 8.0))


def _shipment(
    world: _World, node: str, procedure: shipment_pb2.ShipmentProcedure.ValueType, at: float
) -> shipment_pb2.Shipment:
    """Declared when the goods go, a little before, or late."""
    rng = world.random
    world.count += 1
    late = rng.choice((0.0, 0.05, 0.3, rng.uniform(0, 10))) if procedure == IMPORT else rng.choice((-0.3, -0.05, 0.0))
    if procedure == IMPORT and rng.random() < 0.15:
        late = -0.5  # in advance
    shipment = shipment_pb2.Shipment(
        record_id=f"{node.upper()}{rng.randrange(10**6):06}{world.count:06}",
        procedure=procedure,
        declared_at=_time(at + late),
        utc_offset_minutes=480,
        office=goods_pb2.Place(territory=node.upper()),
    )
    return shipment


def _describe(rng: random.Random, shipment: shipment_pb2.Shipment, goods: tuple[str, str], kg: float) -> None:
    code, description = goods
    item = shipment.goods.add(sequence=1, description=description)
    item.codes.add(code=code, scheme="hs")
    if rng.random() < 0.9:
        item.net_mass_kg = kg * rng.choice((1.0, 1.0, 1.0, 0.998))


def _parties(world: _World, seller: party_pb2.Party, buyer: party_pb2.Party) -> Iterator[party_pb2.Party]:
    rng = world.random
    for party, role in ((seller, party_pb2.PARTY_ROLE_EXPORTER), (buyer, party_pb2.PARTY_ROLE_CONSIGNEE)):
        if rng.random() < 0.8:
            made = party_pb2.Party()
            made.CopyFrom(party)
            made.role = role
            yield made
    yield rng.choice(world.agents)


def _name(
    rng: random.Random, shipment: shipment_pb2.Shipment, documents: str, *, ucr: str, document: str, previous: str
) -> None:
    shipment.references.add(kind=_DECLARATION, value=shipment.record_id, territory=shipment.office.territory)
    likely = {"good": 0.95, "some": 0.6, "box": 0.0, "bare": 0.0}[documents]
    if rng.random() < likely:
        shipment.references.add(kind=_UCR, value=ucr)
    if rng.random() < likely:
        shipment.references.add(kind=_DOCUMENT, value=document)
    if previous and rng.random() < likely:
        shipment.references.add(kind=_PREVIOUS, value=previous)


def _carry(
    rng: random.Random, shipment: shipment_pb2.Shipment, box: _Box | None, lock: _Box | None, seal: str, lorry: str
) -> None:
    if box is not None:
        equipment = shipment.equipment.add(id=box.name)
        if rng.random() < 0.5:
            equipment.seals.append(seal)
        if lock is not None and rng.random() < 0.8:
            equipment.e_lock = lock.name
    if rng.random() < 0.7:
        means = shipment.means.add(mode=goods_pb2.TRANSPORT_MODE_ROAD)
        means.registrations.add(scheme="cn_cross_border_plate", value=lorry)


def _route(rng: random.Random, shipment: shipment_pb2.Shipment, node: str, before: str, after: str, at: float) -> None:
    leaves = shipment.procedure in (EXPORT, REEXPORT)
    if leaves:
        shipment.export_territory = node.upper()
        shipment.destination_territory = (after or rng.choice(("us", "vn", "hk"))).upper()
    elif before and rng.random() < 0.7:
        shipment.export_territory = before.upper()
    if rng.random() < 0.5 and (before or after):
        start, end = (node, after) if leaves else (before, node)
        if start and end:
            leg = shipment.route.add(to=goods_pb2.Place(territory=end.upper()))
            getattr(leg, "from").territory = start.upper()
            if leaves:
                leg.departure.CopyFrom(_time(at))
            else:
                leg.arrival.CopyFrom(_time(at))


def _time(days: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(BEGIN + timedelta(days=days))
    return stamp
