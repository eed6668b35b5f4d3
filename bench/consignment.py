"""How long it takes to put a consignment together: records in memory to a trace with links and events.

Run: `python -m bench.consignment`. Pure computation: no node, no database. Prints milliseconds of processor time for
records that share much (one document), that share in turn (a chain), and that all look alike (regular shipments).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.tracing.rules.assembly import assemble
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.inquiry import next_questions
from gateway.tracing.rules.onward_transfer import OnwardTransfer
from gateway.tracing.rules.records import RecordHit
from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2
from gateway.v1.history_pb2 import SearchCriteria
from gateway.v1.trace_pb2 import Trace

RECORDS = 300
ROUNDS = 20

_DAY_S = 86_400
_BEGIN_S = 1_768_400_000


def record(number: int, document: str, container: str) -> history_pb2.HistoryRecord:
    """A record as customs systems have them: four references, a container, two parties, a leg, two events."""
    at = Timestamp(seconds=_BEGIN_S + number * _DAY_S // 4)
    node = ("cn", "hk", "mo")[number % 3]
    leg = goods_pb2.RouteLeg(departure=at, arrival=Timestamp(seconds=at.seconds + 7_200), utc_offset_minutes=480)
    getattr(leg, "from").territory = "CN"
    leg.to.territory = "HK"
    shipment = shipment_pb2.Shipment(
        record_id=f"{node}-2026-{number:06d}",
        procedure=shipment_pb2.SHIPMENT_PROCEDURE_EXPORT if node == "cn" else shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
        declared_at=at,
        references=[
            goods_pb2.ShipmentReference(kind=goods_pb2.SHIPMENT_REFERENCE_KIND_UCR, value=document),
            goods_pb2.ShipmentReference(
                kind=goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT, value=f"DOC-{number:06d}"
            ),
            goods_pb2.ShipmentReference(
                kind=goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT, value=f"DOC-{max(number - 1, 0):06d}"
            ),
        ],
        equipment=[goods_pb2.Equipment(id=container, seals=[f"SEAL{number:05d}"])],
        parties=[
            party_pb2.Party(
                role=party_pb2.PARTY_ROLE_EXPORTER,
                names=[party_pb2.Name(text="Example Metals Ltd")],
                identifiers=[party_pb2.Identifier(scheme="hk_brn", value="99999999")],
            )
        ],
        goods=[
            shipment_pb2.ShipmentGoods(
                sequence=1, codes=[goods_pb2.CommodityCode(code="780110", scheme="hs")], net_mass_kg=20_000
            )
        ],
        route=[leg],
        events=[
            shipment_pb2.ShipmentEvent(kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_IN, occurred_at=at),
            shipment_pb2.ShipmentEvent(kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT, occurred_at=at),
        ],
    )
    return history_pb2.HistoryRecord(node=node, revision=1, position=number + 1, shipment=shipment)


def sets() -> dict[str, list[history_pb2.HistoryRecord]]:
    """Records by what they share."""
    return {
        "a usual one": [record(number, "6CN-ONE", "GWDU2601174") for number in range(4)],
        "one UCR, one container": [record(number, "6CN-ONE", "GWDU2601174") for number in range(RECORDS)],
        "a chain of documents": [record(number, f"6CN-{number}", f"GWDU{number:07d}") for number in range(RECORDS)],
        "alike, a container again and again": [_alike(number) for number in range(RECORDS)],
    }


def _alike(number: int) -> history_pb2.HistoryRecord:
    made = record(number, f"6CN-{number}", "GWDU2601174")
    del made.shipment.references[1:]
    return made


def quickest_ms(work: Callable[[], object]) -> float:
    """The quickest of some rounds in milliseconds of processor time: what else the machine does only adds."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        taken.append((time.process_time() - began) * 1_000)
    return min(taken)


def _put_together(found: Sequence[RecordHit]) -> Trace:
    return assemble(Gathering(found), [])


def _ask_next(found: Sequence[RecordHit], asked: Sequence[SearchCriteria]) -> list[SearchCriteria]:
    return next_questions(Gathering(found), {"own": asked}, ["own"], OnwardTransfer("own")).get("own", [])


def main() -> None:
    """Prints one line for each set."""
    asked = [SearchCriteria(containers=["GWDU2601174"])]
    for name, records in sets().items():
        found = [RecordHit(each, None if not number else asked[0]) for number, each in enumerate(records)]
        legs = len(_put_together(found).legs)
        put_together = quickest_ms(partial(_put_together, found))
        next_round = quickest_ms(partial(_ask_next, found, asked))
        print(
            f"{name}: {len(records)} records, {legs} legs: put together in {put_together:.1f} ms, "
            f"next questions in {next_round:.1f} ms"
        )


if __name__ == "__main__":
    main()
