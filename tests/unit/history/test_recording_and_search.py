"""Recording shipments and finding them again: revisions, additions, every criterion, pages, and building it anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway.contract.limits import MAX_STREAM_ITEMS, SALT_BYTES
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.tables import feeds
from gateway.history.codec.shipments import parse_log_event, salted_digest
from gateway.history.commands.record import check, records_feed
from gateway.history.projection.rebuild import rebuild_records
from gateway.history.service import names as history_names
from gateway.history.service import record_messages as history_found
from gateway.history.service.risk import RiskScreening
from gateway.history.tables import shipments
from gateway.history.tables.schema import record_log
from gateway.risk.rule_engine import RuleEngine
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2
from gateway.watchlists.service.match_sources import SHIPMENTS
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes
from tests.support.recording import history_tables, ids, index, record, retention, search, searching
from tests.support.shipments import DECLARED, items, shipment


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        yield made[0]


CRITERIA: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"record_ids": ["CN-EXP-1"]}, {"record_ids": ["cn-exp-1"]}),
    (
        {"references": [history_pb2.SearchReference(value="5345 2026 0000 0001 01")]},
        {
            "references": [
                history_pb2.SearchReference(kind=goods_pb2.SHIPMENT_REFERENCE_KIND_UCR, value="534520260000000101")
            ]
        },
    ),
    ({"containers": ["csqu 305438-3"]}, {"containers": ["CSQU3054384"]}),
    ({"seals": ["HKC881204"]}, {"seals": ["HKC881205"]}),
    ({"seals": ["el77120"]}, {"seals": ["el77121"]}),
    ({"registrations": ["粤ZA123港"]}, {"registrations": ["粤ZA124港"]}),
    ({"registrations": ["ab1234"]}, {"registrations": ["AB1235"]}),
    (
        {"party_identifiers": [history_pb2.SearchIdentifier(value="91440300715267260G")]},
        {"party_identifiers": [history_pb2.SearchIdentifier(value="91440300715267261G")]},
    ),
    ({"commodity_codes": ["7901"]}, {"commodity_codes": ["7902"]}),
    ({"commodity_codes": ["7901110000"]}, {"commodity_codes": ["7901110001"]}),
    ({"places": ["CNSZW"], "commodity_codes": ["790111"]}, {"places": ["CNYTN"], "commodity_codes": ["790111"]}),
    (
        {"containers": ["CSQU3054383"], "procedures": [shipment_pb2.SHIPMENT_PROCEDURE_EXPORT]},
        {"containers": ["CSQU3054383"], "procedures": [shipment_pb2.SHIPMENT_PROCEDURE_IMPORT]},
    ),
    (
        {"containers": ["CSQU3054383"], "declared_from": to_timestamp(int(DECLARED.timestamp() * 1000))},
        {"containers": ["CSQU3054383"], "declared_until": to_timestamp(int(DECLARED.timestamp() * 1000))},
    ),
    ({"party_names": ["深圳市宏達金屬有限公司"]}, {"party_names": ["深圳市宏远木业有限公司"]}),
    ({"party_names": ["Wang Tat Metals Ltd"]}, {"party_names": ["Lee Kee Shipping Limited"]}),
    ({"containers": ["CSQU3054383"], "seals": ["HKC881204"]}, {"containers": ["CSQU3054383"], "seals": ["X1"]}),
    (
        {"party_identifiers": [history_pb2.SearchIdentifier(scheme="uscc", value="91440300715267260G")]},
        {"party_identifiers": [history_pb2.SearchIdentifier(scheme="hk_brn", value="91440300715267260G")]},
    ),
    ({"vessel": "zhong yuan  8"}, {"vessel": "ZHONG YUAN 9"}),
    ({"journey": "026 W"}, {"journey": "026E"}),
    ({"journey": "cx-881"}, {"journey": "CX882"}),
    ({"vessel": "Zhong Yuan 8", "journey": "026W"}, {"vessel": "Zhong Yuan 8", "journey": "CX881"}),
]

MEANS = [
    *shipment().means,
    goods_pb2.TransportMeans(mode=goods_pb2.TRANSPORT_MODE_SEA, name="Zhong Yuan 8", journey="026W"),
    goods_pb2.TransportMeans(mode=goods_pb2.TRANSPORT_MODE_AIR, journey="CX881"),
]


@pytest.mark.parametrize(("meets", "misses"), CRITERIA, ids="-".join)
def test_a_record_is_found_by_what_it_says_and_by_nothing_else(
    node: PaperNode, meets: dict[str, Any], misses: dict[str, Any]
) -> None:
    record(
        node,
        shipment(means=MEANS),
        shipment("OTHER", equipment=[], means=[], parties=[], references=[], goods=[], office=None),
    )
    index(node)

    assert ids(search(node, **meets)) == ["CN-EXP-1"]
    assert search(node, **misses) == []


def test_a_substance_is_found_by_its_declaration_and_by_its_codes(node: PaperNode) -> None:
    declared = [shipment_pb2.ShipmentGoods(sequence=1, substance="Antimony", element="Sb")]
    coded = [shipment_pb2.ShipmentGoods(codes=[goods_pb2.CommodityCode(code="81101020", scheme="tariff")])]
    record(node, shipment("A", goods=declared), shipment("B", goods=coded), shipment("C"))
    index(node)

    assert ids(search(node, substances=["antimony"])) == ["B", "A"]
    assert ids(search(node, substances=["Sb"])) == ["A"]


@pytest.mark.both_databases
def test_another_content_is_the_next_revision_and_the_old_one_stays(node: PaperNode) -> None:
    record(node, shipment())
    record(node, shipment(equipment=[goods_pb2.Equipment(id="MSCU6639870")]))
    index(node)

    (found,) = search(node, containers=["CSQU3054383"])
    (newest,) = search(node, containers=["MSCU6639870"])
    response = searching(node).get("CN-EXP-1").response

    assert (found.revision, found.matched_revision) == (2, 1)
    assert found.shipment.equipment[0].id == "MSCU6639870"
    assert (newest.revision, newest.matched_revision) == (2, 0)
    assert response is not None
    assert [one.revision for one in response.revisions] == [1, 2]
    assert response.revisions[0].item.shipment.equipment[0].id == "CSQU3054383"
    assert len(search(node, record_ids=["CN-EXP-1"])) == 1


def test_each_item_of_the_largest_message_has_a_salt_of_its_own() -> None:
    """What an erased item said can't be guessed from the digest that the log keeps."""
    good, _ = check(items(*(shipment(f"R{at}") for at in range(MAX_STREAM_ITEMS))), retention_classes=lambda _: True)
    assert len({one.salt for one in good}) == MAX_STREAM_ITEMS
    assert {len(one.salt) for one in good} == {SALT_BYTES}


def test_the_same_content_again_changes_nothing(node: PaperNode) -> None:
    record(node, shipment())
    record(node, shipment())
    index(node)

    (found,) = search(node, containers=["CSQU3054383"])

    assert (found.revision, found.position) == (1, 1)


@pytest.mark.both_databases
def test_what_is_added_belongs_to_the_record_in_whatever_order_it_came(node: PaperNode) -> None:
    at = to_timestamp(int((DECLARED + timedelta(hours=2)).timestamp() * 1000))
    event = shipment_pb2.ShipmentEvent(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_REMOVED, occurred_at=at, seal="EL-9", equipment_id="CSQU3054383"
    )
    record(node, shipment_pb2.ShipmentAddition(record_id="CN-EXP-1", events=[event]))
    index(node)
    assert search(node, seals=["EL9"]) == []  # nothing is known of the shipment itself

    record(node, shipment(), shipment_pb2.ShipmentAddition(record_id="CN-EXP-1", events=[event]))
    index(node)

    (found,) = search(node, seals=["EL9"])
    assert [one.seal for one in found.shipment.events] == ["EL-9"]


def test_pages_give_every_record_once_the_newest_first(node: PaperNode) -> None:
    for at in range(25):
        record(node, shipment(f"R-{at:02}"))
    index(node)
    search_ = searching(node)
    criteria = history_pb2.SearchCriteria(containers=["CSQU3054383"])

    pages, before = [], 0
    while True:
        chunks = list(search_.chunks(criteria, before=before, limit=10))
        pages.append([one.shipment.record_id for chunk in chunks for one in chunk.records])
        before = chunks[-1].more_before
        if not before:
            break
        record(node, shipment(f"LATER-{len(pages)}"))
        index(node)

    assert pages == [
        [f"R-{at:02}" for at in range(24, 14, -1)],
        [f"R-{at:02}" for at in range(14, 4, -1)],
        [f"R-{at:02}" for at in range(4, -1, -1)],
    ]


def test_what_grows_between_pages_is_given_once_all_the_same(node: PaperNode) -> None:
    record(node, *(shipment(f"R-{at:02}") for at in range(25)))
    index(node)
    search_ = searching(node)
    criteria = history_pb2.SearchCriteria(containers=["CSQU3054383"])

    (first, *_) = chunks = list(search_.chunks(criteria, limit=10))
    record(node, shipment("R-03", package_count=7), shipment("R-20", package_count=7))
    index(node)
    chunks += search_.chunks(criteria, before=chunks[-1].more_before, as_of=first.as_of, limit=100)
    found = [one for chunk in chunks for one in chunk.records]

    assert ids(found) == [f"R-{at:02}" for at in range(24, -1, -1)]
    assert {one.shipment.record_id: one.revision for one in found if one.revision > 1} == {"R-03": 2}


def test_of_more_than_are_of_use_none_is_given(node: PaperNode) -> None:
    record(node, *(shipment(f"R-{at}") for at in range(7)))
    index(node)
    criteria = history_pb2.SearchCriteria(containers=["CSQU3054383"])

    (few, *rest) = searching(node).chunks(criteria, limit=7, whole=True)
    (many,) = searching(node).chunks(criteria, limit=6, whole=True)
    (later,) = searching(node).chunks(criteria, limit=6, whole=True, before=4)

    assert (len(few.records), few.more_before, rest) == (7, 0, [])
    assert (many.records, many.more_before, many.as_of, many.last) == ([], 8, 7, True)
    assert len(later.records) == 3


def test_alternatives_find_what_meets_any_of_them_and_say_which(node: PaperNode) -> None:
    other = shipment("B", equipment=[goods_pb2.Equipment(id="MSCU6639870", seals=["X-1"])])
    record(node, shipment("A"), other, shipment("C", equipment=[], references=[]))
    record(node, shipment("A", equipment=[goods_pb2.Equipment(id="CSQU3054383", seals=["X-1"])]))
    index(node)
    asked = [
        history_pb2.SearchCriteria(seals=["HKC 88-1204"]),
        history_pb2.SearchCriteria(containers=["MSCU6639870"]),
        history_pb2.SearchCriteria(
            seals=["X-1"], declared_until=to_timestamp(int(DECLARED.timestamp() * 1000) + 60_000)
        ),
    ]

    for limit in (1, 2, 100):
        found, before = [], 0
        while not found or before:
            chunks = list(searching(node).chunks(asked[0], alternatives=asked[1:], before=before, limit=limit))
            found += [one for chunk in chunks for one in chunk.records]
            before = chunks[-1].more_before
        assert [(one.shipment.record_id, list(one.met)) for one in found] == [("A", [0, 2]), ("B", [1, 2])]
    with pytest.raises(InvalidRequestError, match=r"alternatives\[0\]"):
        list(searching(node).chunks(asked[0], alternatives=[history_pb2.SearchCriteria(places=["CN"])]))


def test_a_record_with_more_additions_than_a_message_takes_says_what_is_missing(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_found, "MAX_RECORD_BYTES", 66_500)
    monkeypatch.setattr(history_found, "_FRAME_BYTES", 65_536)
    record(node, shipment())
    for number in range(20):
        record(node, addition("CN-EXP-1", "N" * 20 + str(number)))
    index(node)

    (found,) = search(node, containers=["CSQU3054383"])

    kept = [one.seal for one in found.shipment.events]
    assert 0 < len(kept) < 20
    assert kept == [f"{'N' * 20}{number}" for number in range(20 - len(kept), 20)]
    (left_out,) = found.withheld
    assert (left_out.path, left_out.reason) == (
        "events",
        f"the first {20 - len(kept)} of 20 additions to this record are too much for one message",
    )


def addition(record_id: str, seal: str) -> shipment_pb2.ShipmentAddition:
    event = shipment_pb2.ShipmentEvent(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_IN,
        occurred_at=to_timestamp(int(DECLARED.timestamp() * 1000)),
        seal=seal,
    )
    return shipment_pb2.ShipmentAddition(record_id=record_id, events=[event])


def test_a_name_that_too_many_may_have_is_refused(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_names, "MAX_NAMES", 1)
    names = [party_pb2.Party(names=[party_pb2.Name(text=text)]) for text in ("Chan Tai Man", "Chan Tai Man Peter")]
    record(node, shipment(parties=names))
    index(node)

    with pytest.raises(InvalidRequestError, match="'Chan Tai Man' may be any of more than 1 recorded names"):
        search(node, party_names=["Chan Tai Man"])


def test_a_search_for_places_alone_is_refused(node: PaperNode) -> None:
    with pytest.raises(InvalidRequestError, match="would find everything"):
        search(node, places=["CN"])


def test_a_bad_item_is_refused_with_everything_that_is_wrong_and_the_others_are_recorded(node: PaperNode) -> None:
    bad = shipment("BAD", retention_class="nonsense")
    worse = shipment("WORSE")
    worse.parties.add(role=party_pb2.PARTY_ROLE_AGENT)
    worse.ClearField("declared_at")

    good, refused = check(items(bad, shipment(), worse), retention_classes=lambda _: False)

    assert [one.record_id for one in good] == ["CN-EXP-1"]
    assert [(one.index, one.record_id) for one in refused] == [(0, "BAD"), (2, "WORSE")]
    assert [v.field for v in refused[0].error.violations] == ["shipment.retention_class"]
    assert {v.field for v in refused[1].error.violations} == {"shipment.declared_at", "shipment.parties[2]"}


def test_the_own_log_commits_to_every_record(node: PaperNode) -> None:
    record(node, shipment("A"), shipment("B"))
    record(node, shipment("C"))

    with node.database.read() as conn:
        feed = feeds.get(conn, records_feed(FEDERATION, "cn"))
        entries = feeds.read_entries(conn, feed.id, 0, feed.size)
        rows = shipments.log_after(conn, 0, 10)
    added = [parse_log_event(entry.payload).added for entry in entries]

    assert [one.first_position for one in added] == [1, 3]
    assert b"".join(one.digests for one in added) == b"".join(salted_digest(row.salt, row.content) for row in rows)


def test_everything_is_found_again_after_the_projections_were_dropped(node: PaperNode) -> None:
    record(node, shipment("A"), shipment("B", destination_territory="MO"))
    record(node, shipment("A", destination_territory="US"))
    index(node)
    before = history_tables(node)

    with node.database.write() as conn:
        node.projector.clear(conn)
    rebuild(node.writer, report_progress=lambda _: None)
    found = rebuild_records(node.writer, node.database, retention, progress=lambda _: None)

    assert found == 3
    assert history_tables(node) == before


def test_an_item_that_somebody_spoilt_holds_up_nothing_else(node: PaperNode) -> None:
    record(node, shipment("A"), shipment("B"))
    with node.database.write() as conn:
        conn.execute(update(record_log).where(record_log.c.position == 1).values(content=b"\xff\xff"))
    index(node)
    screening = RiskScreening(node.database, rules=RuleEngine.load())
    judged = screening.next()

    assert ids(search(node, containers=["CSQU3054383"])) == ["B"]
    assert search(node, record_ids=["A"]) == []
    assert judged is not None
    assert (judged.positions, judged.last) == ((2,), 2)
    with node.database.read() as conn:
        items, reached = SHIPMENTS.after(conn, 0, 10)
    assert ([item.key.id for item in items], reached) == (["B"], 2)
