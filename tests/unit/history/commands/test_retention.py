"""What happens to records whose time is over, and what holds keep."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from gateway.contract.identification.shipment_keys import name_key
from gateway.contract.messages import to_ms, to_timestamp
from gateway.errors import IllegalTransitionError, InvalidRequestError, NotFoundError
from gateway.evidence.service.record_verification import check_records
from gateway.feed.tables import feeds
from gateway.history.codec.shipments import parse_log_event, salted_digest
from gateway.history.commands import retention as history_retention
from gateway.history.commands.legal_holds import PlaceHoldCommand, ReleaseHoldCommand
from gateway.history.commands.record import records_feed
from gateway.history.commands.retention import PurgeResult
from gateway.history.service import search as history_search
from gateway.history.tables import shipments
from gateway.history.tables.schema import party_name_keys, party_names
from gateway.trust import tables as audit
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import history_pb2, history_service_pb2, party_pb2, shipment_pb2
from tests.support.databases import MakeDatabase, new_database
from tests.support.nodes import DAY_MS, PaperNode, paper_nodes
from tests.support.recording import KEPT_MS, history_tables, ids, index, purge_command, record, search, searching
from tests.support.shipments import DECLARED, shipment

Pb = history_service_pb2


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        yield made[0]


def place(node: PaperNode, criteria: history_pb2.SearchCriteria) -> Pb.PlaceHoldResponse:
    request = Pb.PlaceHoldRequest(
        request_id=str(uuid.uuid4()), criteria=criteria, reason="Order 12 of the court", case_reference="CASE-9"
    )
    origin = records_feed(FEDERATION, node.name)
    response: Pb.PlaceHoldResponse = node.writer.run(
        PlaceHoldCommand(origin, request, "system/cn/legal", "legal", node.publisher.new_id)
    )
    return response


def release(node: PaperNode, hold_id: str) -> None:
    request = Pb.ReleaseHoldRequest(request_id=str(uuid.uuid4()), hold_id=hold_id, reason="case closed")
    node.writer.run(ReleaseHoldCommand(records_feed(FEDERATION, node.name), request, "system/cn/legal", "legal"))


def purge(node: PaperNode) -> tuple[int, int, str]:
    """Records erased, records held, and the last one that was looked at."""
    done: PurgeResult = node.writer.run(purge_command(node))
    return done.erased, done.held, done.last[1] if done.last else ""


def when_over(node: PaperNode) -> None:
    node.clock.forward(KEPT_MS["short"] + DAY_MS)


def test_a_record_goes_when_its_time_is_over_with_all_revisions_and_additions(node: PaperNode) -> None:
    event = shipment_pb2.ShipmentEvent(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT, occurred_at=to_timestamp(node.clock.now), seal="LATE-1"
    )
    record(node, shipment("A", retention_class="short"), shipment("B"))
    record(node, shipment("A", retention_class="short", destination_territory="MO"))
    record(node, shipment_pb2.ShipmentAddition(record_id="A", events=[event]))
    index(node)
    before = _log(node)

    assert purge(node) == (0, 0, "")
    when_over(node)
    done = purge(node)

    assert done == (1, 0, "A")
    assert ids(search(node, containers=["CSQU3054383"])) == ["B"]
    assert search(node, seals=["LATE1"]) == []
    assert [(row.position, bool(row.content), bool(row.salt)) for row in _log(node)] == [
        (1, False, False),
        (2, True, True),
        (3, False, False),
        (4, False, False),
    ]
    assert purge(node) == (0, 0, "")
    erased = [salted_digest(row.salt, row.content) for row in before if row.record_id == "A"]
    _assert_told(node, positions=[1, 3, 4], digest=sha256(b"".join(erased)).digest())


def _assert_told(node: PaperNode, *, positions: list[int], digest: bytes) -> None:
    """In our log of records and in the audit log."""
    with node.database.read() as conn:
        feed = feeds.get(conn, records_feed(FEDERATION, "cn"))
        (last,) = feeds.read_entries(conn, feed.id, feed.size - 1, feed.size)
        events = [one.event for one in audit.list_events(conn)]
    erased = parse_log_event(last.payload).erased
    assert (list(erased.positions), erased.retention_class, erased.digest) == (positions, "short", digest)
    (event,) = [one for one in events if one.method == "purge"]
    assert event.subject_ids == ("A",)
    assert event.counts == (("items", 3), ("records", 1))
    assert digest.hex() in event.detail


def _log(node: PaperNode) -> list[shipments.LogRow]:
    with node.database.read() as conn:
        return shipments.log_after(conn, 0, 100)


def test_a_record_of_more_items_than_one_statement_gives_goes_whole(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_search, "POSITIONS_AT_ONCE", 2)
    for number in range(5):
        record(node, shipment("A", retention_class="short", package_count=number + 1), shipment("B"))
    index(node)
    when_over(node)

    assert purge(node) == (1, 0, "A")
    assert [row.position for row in _log(node) if row.content] == [2, 4, 6, 8, 10]
    assert ids(search(node, seals=["HKC 88-1204"])) == ["B"]


def test_a_purge_takes_as_many_records_as_have_few_enough_items(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_retention, "PURGE_ITEMS", 2)
    for _ in range(3):
        record(node, shipment("A", retention_class="short"))
    record(node, *(shipment(name, retention_class="short") for name in "BCD"))
    index(node)
    when_over(node)

    assert [purge(node) for _ in range(4)] == [(1, 0, "A"), (2, 0, "C"), (1, 0, "D"), (0, 0, "")]


@pytest.mark.both_databases
def test_entries_that_say_what_was_erased_stay_small(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_retention, "ERASED_IN_ENTRY", 2)
    for _ in range(3):
        record(node, shipment("A", retention_class="short"))
    index(node)
    when_over(node)
    purge(node)

    with node.database.read() as conn:
        feed = feeds.get(conn, records_feed(FEDERATION, "cn"))
        told = [parse_log_event(one.payload).erased for one in feeds.read_entries(conn, feed.id, 3, feed.size)]
        counts = [one.event.counts for one in audit.list_events(conn) if one.event.method == "purge"]
    problems: list[tuple[int | None, str]] = []
    assert [list(one.positions) for one in told] == [[1, 2], [3]]
    assert sorted(counts) == [(("items", 1), ("records", 1)), (("items", 2), ("records", 1))]
    assert check_records(node.database, feed.id, feed.size, lambda at, what: problems.append((at, what))) == 3
    assert problems == []


def test_names_that_stand_in_no_record_any_more_go_too(node: PaperNode) -> None:
    only = [party_pb2.Party(names=[party_pb2.Name(text="黃大文")])]
    record(node, shipment("A", retention_class="short", parties=[*shipment().parties, *only]), shipment("B"))
    index(node)
    when_over(node)
    purge(node)

    with node.database.read() as conn:
        names = sorted(row[0] for row in conn.execute(select(party_names.c.text)))
        filed = set(conn.execute(select(party_name_keys.c.name)).scalars())
    assert names == ["Wang Tat Metals Limited", "深圳市宏达金属有限公司"]
    assert filed == {name_key(name) for name in names}


def test_what_a_hold_names_stays_until_the_hold_is_let_go(node: PaperNode) -> None:
    record(node, shipment("A", retention_class="short"), shipment("B", retention_class="short", equipment=[]))
    index(node)
    placed = place(node, history_pb2.SearchCriteria(containers=["CSQU 305438-3"]))
    when_over(node)

    assert placed.records == 1
    assert purge(node) == (1, 1, "B")
    found = searching(node).get("A").response
    assert found is not None
    assert list(found.hold_ids) == [placed.hold_id]
    assert not found.HasField("delete_after")

    release(node, placed.hold_id)
    assert purge(node) == (1, 0, "A")


def test_a_record_stays_to_the_second_that_is_shown_as_its_end(node: PaperNode) -> None:
    record(node, shipment("A", retention_class="short"))
    index(node)
    found = searching(node).get("A").response
    assert found is not None
    ends_at = to_ms(found.delete_after)

    node.clock.forward(ends_at - 1_000 - node.clock.now)
    assert purge(node) == (0, 0, "")
    node.clock.forward(1_000)
    assert purge(node) == (1, 0, "A")


def test_each_of_several_holds_keeps_what_it_names(node: PaperNode) -> None:
    record(node, *(shipment(name, retention_class="short") for name in "ABC"))
    index(node)
    for name in "AB":
        place(node, history_pb2.SearchCriteria(record_ids=[name]))
    when_over(node)

    assert purge(node) == (1, 2, "C")


def test_a_hold_keeps_what_is_recorded_after_it_too(node: PaperNode) -> None:
    placed = place(node, history_pb2.SearchCriteria(record_ids=["LATER"]))
    record(node, shipment("LATER", retention_class="short"))
    index(node)
    when_over(node)

    assert placed.records == 0
    assert purge(node) == (0, 1, "LATER")


def test_a_hold_by_an_older_revision_keeps_the_record(node: PaperNode) -> None:
    record(node, shipment("A", retention_class="short"))
    record(node, shipment("A", retention_class="short", equipment=[]))
    index(node)
    place(node, history_pb2.SearchCriteria(containers=["CSQU3054383"]))
    when_over(node)

    assert purge(node) == (0, 1, "A")


def sealed(record_id: str, seal: str) -> shipment_pb2.ShipmentAddition:
    event = shipment_pb2.ShipmentEvent(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_SEAL_APPLIED, occurred_at=to_timestamp(1_768_000_000_000), seal=seal
    )
    return shipment_pb2.ShipmentAddition(record_id=record_id, events=[event])


UCR = history_pb2.SearchReference(value="6CN9144030071526726XG-1")


def test_a_hold_keeps_what_meets_its_criteria_with_all_that_was_recorded_of_it(node: PaperNode) -> None:
    record(node, shipment("A", retention_class="short"), shipment("B", retention_class="short"), sealed("A", "LATE-1"))
    index(node)
    placed = place(node, history_pb2.SearchCriteria(references=[UCR], seals=["LATE1"]))
    when_over(node)

    assert placed.records == 1
    assert purge(node) == (1, 1, "B")
    found = searching(node).get("A").response
    assert found is not None
    assert list(found.hold_ids) == [placed.hold_id]


@pytest.mark.both_databases
def test_a_hold_by_time_keeps_a_record_that_was_declared_then_in_any_revision(node: PaperNode) -> None:
    record(node, shipment("A", retention_class="short"), shipment("B", retention_class="short"))
    later = to_timestamp(int(DECLARED.timestamp() * 1000) + DAY_MS)
    record(node, shipment("A", retention_class="short", declared_at=later))
    index(node)
    since = place(node, history_pb2.SearchCriteria(seals=["HKC881204"], declared_from=later))
    until = place(node, history_pb2.SearchCriteria(seals=["HKC881204"], declared_until=later))
    when_over(node)

    assert (since.records, until.records) == (1, 2)
    release(node, since.hold_id)
    assert purge(node) == (0, 2, "A")
    since = place(node, history_pb2.SearchCriteria(seals=["HKC881204"], declared_from=later))
    release(node, until.hold_id)
    assert since.records == 1
    assert purge(node) == (1, 1, "A")


def test_a_hold_by_time_keeps_a_record_of_which_no_time_is_known_yet(node: PaperNode) -> None:
    record(node, sealed("A", "LATE-1"))
    index(node)
    placed = place(node, history_pb2.SearchCriteria(seals=["LATE1"], declared_from=to_timestamp(1)))
    node.clock.forward(KEPT_MS["standard"] + DAY_MS)

    assert placed.records == 1
    assert purge(node) == (0, 1, "A")


HELD_BY = st.fixed_dictionaries(
    {"seals": st.just(["S-11111"])},
    optional={
        "containers": st.just(["CSQU3054383"]),
        "references": st.just([UCR]),
        "procedures": st.just([shipment_pb2.SHIPMENT_PROCEDURE_EXPORT]),
        "declared_from": st.just(to_timestamp(int(DECLARED.timestamp() * 1000) + DAY_MS)),
    },
)
RECORDED = st.lists(
    st.one_of(
        st.builds(sealed, st.sampled_from("ABC"), st.sampled_from(["S-11111", "S-22222"])),
        st.builds(
            lambda name, days, done, changes: shipment(
                name,
                retention_class="short",
                declared_at=to_timestamp(int(DECLARED.timestamp() * 1000) + days * DAY_MS),
                procedure=done,
                **changes,
            ),
            st.sampled_from("ABC"),
            st.integers(0, 1),
            st.sampled_from([shipment_pb2.SHIPMENT_PROCEDURE_EXPORT, shipment_pb2.SHIPMENT_PROCEDURE_IMPORT]),
            st.sampled_from([{}, {"equipment": []}, {"references": []}]),
        ),
    ),
    max_size=10,
)


@pytest.mark.both_databases
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=RECORDED, criteria=HELD_BY)
def test_what_a_new_hold_is_said_to_keep_is_what_it_keeps(
    node: PaperNode, items: list[Any], criteria: dict[str, Any]
) -> None:
    if items:
        record(node, *items)
    index(node)
    placed = place(node, history_pb2.SearchCriteria(**criteria))
    node.clock.forward(KEPT_MS["standard"] + 2 * DAY_MS)
    _, held, _ = purge(node)
    release(node, placed.hold_id)
    erased, _, _ = purge(node)

    assert (placed.records, erased) == (held, held)


def test_what_is_added_after_a_purge_goes_in_its_time(node: PaperNode) -> None:
    record(node, shipment("A", retention_class="short"))
    index(node)
    when_over(node)
    purge(node)
    event = shipment_pb2.ShipmentEvent(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT, occurred_at=to_timestamp(node.clock.now), seal="X-1"
    )
    record(node, shipment_pb2.ShipmentAddition(record_id="A", events=[event]))
    index(node)

    assert search(node, seals=["X1"]) == []
    assert purge(node) == (0, 0, "")
    node.clock.forward(KEPT_MS["standard"] + DAY_MS)
    assert purge(node) == (1, 0, "A")
    assert not any(row.content for row in _log(node))


def test_a_hold_by_names_or_places_is_refused(node: PaperNode) -> None:
    criteria = history_pb2.SearchCriteria(containers=["C1"], party_names=["Wang"], places=["CN"])

    with pytest.raises(InvalidRequestError) as refused:
        place(node, criteria)

    assert [one.field for one in refused.value.violations] == ["criteria.party_names", "criteria.places"]


def test_a_hold_is_let_go_once(node: PaperNode) -> None:
    hold_id = place(node, history_pb2.SearchCriteria(record_ids=["A"])).hold_id
    release(node, hold_id)

    with pytest.raises(IllegalTransitionError, match="legal"):
        release(node, hold_id)
    with pytest.raises(NotFoundError):
        release(node, str(uuid.uuid4()))


def test_the_projections_are_the_same_when_they_are_built_again_after_a_purge(node: PaperNode) -> None:
    record(node, shipment("A", retention_class="short"), shipment("B"), shipment("A", retention_class="short"))
    index(node)
    when_over(node)
    purge(node)
    before = history_tables(node)

    with node.database.write() as conn:
        node.projector.clear(conn)
    index(node)

    assert history_tables(node) == before


def test_looking_for_what_is_over_reads_nothing_else(tmp_path: Path) -> None:
    """It is done every minute by the writer, however many records there are."""
    database = new_database(f"sqlite:///{tmp_path / 'plan.sqlite3'}")
    said: list[tuple[str, Any]] = []

    @event.listens_for(database.readers, "before_cursor_execute")
    def hear(_conn: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        said.append((statement, values))

    with database.read() as conn:
        shipments.due(conn, 5, 100, after=(1, "A"))
        statement, values = said[-1]
        plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    database.close()

    assert len(plan) == 1
    assert plan[0][3].startswith("SEARCH shipments USING INDEX ix_shipments_delete_at")
