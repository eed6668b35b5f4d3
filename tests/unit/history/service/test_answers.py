"""Answering a partner's question: every check for itself, what an answer may hold, and what it is signed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from google.protobuf.message import Message

from gateway.contract.ids import uuid7
from gateway.contract.limits import MAX_CLOCK_SKEW_MS
from gateway.contract.messages import to_timestamp
from gateway.errors import (
    AgreementForbidsError,
    GatewayError,
    InvalidRequestError,
    MalformedError,
    PermissionDeniedError,
    RequestIdReusedError,
    SignatureInvalidError,
    TooLargeError,
)
from gateway.history.codec.signed_texts import (
    parse_record,
    parse_statement,
    query_digest,
    question_origin,
    question_text,
)
from gateway.history.service import answers as history_answer
from gateway.history.service.answers import KeepAnsweredCommand, answered_row
from gateway.history.tables import answers
from gateway.tlog.note import sign_note
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import alert_pb2, goods_pb2, history_pb2, options_pb2, shipment_pb2
from tests.support import merkle_oracle
from tests.support.answers import CONTAINER, KEEP_MS, Pair, one_pair, pairs
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, START
from tests.support.shipments import grounds, shipment

Pb = history_pb2
COMMERCIAL = goods_pb2.Money(currency_code="USD", units=10)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with one_pair(tmp_path) as made:
        yield made


@pytest.fixture
def either(tmp_path: Path, make_database: MakeDatabase) -> Iterator[Pair]:
    """For what the database has a part in."""
    with pairs(tmp_path, make_database) as made:
        yield made


def spoiled(pair: Pair, spoil: Callable[[Pb.HistoryQuery], None]) -> tuple[bytes, bytes]:
    """Bytes and note of a question with something wrong in it, signed all the same."""
    query = Pb.HistoryQuery()
    query.CopyFrom(pair.question().query)
    spoil(query)
    return pair.signed(query)


def test_an_answer_is_signed_over_its_records_in_order(pair: Pair) -> None:
    pair.record(*(shipment(f"HK-{at}") for at in range(37)))
    answered = pair.ask()
    records = [parse_record(one) for one in answered.records]
    assert [one.shipment.record_id for one in records] == [f"HK-{at}" for at in reversed(range(37))]
    said = parse_statement(answered.statement_note)
    assert (said.count, said.withheld, said.more_before, said.hit) == (37, 0, 0, None)
    assert said.as_of == pytest.approx(pair.clock(), abs=100)
    assert said.root == merkle_oracle.root([sha256(b"\x00" + one).digest() for one in answered.records])
    assert said.digest == query_digest(answered.question.data)
    assert said.answered_at_ms == pytest.approx(pair.clock(), abs=100)
    assert answered.statement_note.startswith(
        f"gba.customs.example/hk/cn/history/{answered.question.query.query_id}\n37\n".encode()
    )


def test_what_is_recorded_while_an_answer_is_made_is_not_in_it_and_takes_nothing_out(pair: Pair) -> None:
    pair.record(*(shipment(f"HK-{at:02}") for at in range(80)))
    question = pair.question()
    answer = pair.answerer.begin(pair.answerer.verify("cn", question.data, question.note))
    records, statement = answer.next_part()
    assert not statement
    pair.record(shipment("HK-LATER"), shipment("HK-05", package_count=7))
    while not statement:
        more, statement = answer.next_part()
        records += more

    found = [parse_record(one) for one in records]
    assert [one.shipment.record_id for one in found] == [f"HK-{at:02}" for at in reversed(range(80))]
    assert [(one.shipment.record_id, one.revision) for one in found if one.revision > 1] == [("HK-05", 2)]
    said = parse_statement(statement)
    assert (said.count, said.more_before) == (80, 0)


@pytest.mark.both_databases
def test_pages_follow_each_other_without_a_gap_or_a_record_twice(either: Pair) -> None:
    either.record(*(shipment(f"HK-{at:02}") for at in range(30)))
    found: list[str] = []
    before, pages = 0, 0
    while True:
        answered = either.ask(limit=7, before=before)
        found += [parse_record(one).shipment.record_id for one in answered.records]
        pages += 1
        before = answered.statement.more_before
        if not before:
            break
    assert found == [f"HK-{at:02}" for at in reversed(range(30))]
    assert pages == 5


@pytest.mark.parametrize(("count", "limit"), [(0, 0), (1, 0), (10, 0), (11, 0), (700, 0), (700, 699), (700, 450)])
def test_an_answer_comes_in_steps_and_ends_with_its_statement(pair: Pair, count: int, limit: int) -> None:
    for first in range(0, count, 500):
        pair.record(*(shipment(f"HK-{at}") for at in range(first, min(first + 500, count))))
    question = pair.question(limit=limit)
    answer = pair.answerer.begin(pair.answerer.verify("cn", question.data, question.note))
    steps = [answer.next_part()]
    while not steps[-1][1]:
        steps.append(answer.next_part())
    sizes = [len(records) for records, _ in steps]
    assert sum(sizes) == min(count, limit or count)
    assert sizes[0] <= 50  # so that the first are there soon
    assert max(sizes) <= 250
    records = [one for some, _ in steps for one in some]
    said = parse_statement(steps[-1][1])
    assert said.count == len(records)
    assert said.root == merkle_oracle.root([sha256(b"\x00" + one).digest() for one in records])
    assert bool(said.more_before) == (0 < limit < count)


def test_an_answer_ends_where_it_gets_too_large_and_says_that_there_is_more(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.record(*(shipment(f"HK-{at:03}") for at in range(150)))
    monkeypatch.setattr(history_answer, "ANSWER_BYTES", 2_000)
    first = pair.ask()
    assert 0 < first.statement.count < 150
    rest: list[bytes] = []
    before = first.statement.more_before
    while before:
        answered = pair.ask(before=before)
        rest += answered.records
        before = answered.statement.more_before
    assert len({parse_record(one).shipment.record_id for one in [*first.records, *rest]}) == 150


def test_a_record_larger_than_a_message_is_named(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.record(shipment("HK-LARGE"))
    monkeypatch.setattr(history_answer, "MAX_RECORD_BYTES", 100)
    with pytest.raises(TooLargeError, match="record HK-LARGE"):
        pair.ask()


# 1: signature


def other_node(pair: Pair) -> tuple[bytes, bytes]:
    question = pair.question()
    (name,) = [one for one in question.note.decode().split("\n") if one.endswith("/query")]
    return pair.signed(question.query, pair.key("mo")(name))


def other_bytes(pair: Pair) -> tuple[bytes, bytes]:
    return pair.question().data, pair.question().note


def other_name(pair: Pair) -> tuple[bytes, bytes]:
    question = pair.question()
    return pair.signed(question.query, pair.key("cn")("gba.customs.example/cn/hk/alerts"))


def other_pair(pair: Pair) -> tuple[bytes, bytes]:
    question = pair.question()
    text = question.note.partition(b"\n\n")[0].replace(b"/cn/hk/", b"/cn/mo/") + b"\n"
    return question.data, sign_note(text, [pair.key("cn")("gba.customs.example/cn/hk/query")])


def two_signatures(pair: Pair) -> tuple[bytes, bytes]:
    question = pair.question()
    text = question.note.partition(b"\n\n")[0] + b"\n"
    name = "gba.customs.example/cn/hk/query"
    return question.data, sign_note(text, [pair.key("cn")(name), pair.key("mo")(name)])


@pytest.mark.parametrize("make", [other_node, other_bytes, other_name, other_pair])
def test_1_only_the_askers_log_key_signs_a_question(pair: Pair, make: Callable[[Pair], tuple[bytes, bytes]]) -> None:
    with pytest.raises(SignatureInvalidError):
        pair.answerer.verify("cn", *make(pair))


def test_1_a_note_has_one_signature(pair: Pair) -> None:
    with pytest.raises(MalformedError, match="one signature"):
        pair.answerer.verify("cn", *two_signatures(pair))


def test_1_a_key_that_was_revoked_signs_no_more(pair: Pair) -> None:
    question = pair.question()
    cn = pair.hk.trust.directory.node("cn")
    revoked = tuple(replace(key, revoked_at=START) for key in cn.log_keys)
    nodes = {**pair.hk.trust.directory.nodes, "cn": replace(cn, log_keys=revoked)}
    pair.direct(nodes=nodes)
    with pytest.raises(SignatureInvalidError):
        pair.answerer.verify("cn", question.data, question.note)


# 2: form


def without_purpose(query: Pb.HistoryQuery) -> None:
    query.grounds.purpose = ""


def without_legal_basis(query: Pb.HistoryQuery) -> None:
    query.grounds.legal_basis = ""


def without_case(query: Pb.HistoryQuery) -> None:
    query.grounds.case_reference = ""


def without_grounds(query: Pb.HistoryQuery) -> None:
    query.ClearField("grounds")


def without_criteria(query: Pb.HistoryQuery) -> None:
    query.ClearField("criteria")


def for_everything(query: Pb.HistoryQuery) -> None:
    query.criteria.CopyFrom(Pb.SearchCriteria(places=["HK"]))


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (without_purpose, "query.grounds.purpose"),
        (without_legal_basis, "query.grounds.legal_basis"),
        (without_case, "query.grounds.case_reference"),
        (without_grounds, "query.grounds"),
        (without_criteria, "query.criteria"),
        (for_everything, "query.criteria"),
    ],
)
def test_2_a_question_keeps_the_contracts_rules(
    pair: Pair, spoil: Callable[[Pb.HistoryQuery], None], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        pair.answerer.verify("cn", *spoiled(pair, spoil))
    assert field in [one.field for one in refused.value.violations]


def test_2_bytes_that_are_not_canonical_or_not_known_are_refused(pair: Pair) -> None:
    query = pair.question().query
    for data, what in (
        (b"\xff\xff", "not a HistoryQuery"),
        (query.SerializeToString(deterministic=True) + b"\x0a\x00", "canonical"),
        (query.SerializeToString(deterministic=True) + b"\xf8\x7f\x01", "doesn't know"),
        (_with_unknown_criterion(query).SerializeToString(deterministic=True), "doesn't know"),
    ):
        with pytest.raises(MalformedError, match=what):
            pair.answerer.verify("cn", data, _note(pair, query, data))


def _with_unknown_criterion(query: Pb.HistoryQuery) -> Message:
    changed = Pb.HistoryQuery()
    changed.CopyFrom(query)
    changed.criteria.MergeFromString(b"\xf8\x7f\x01")
    return changed


def _note(pair: Pair, query: Pb.HistoryQuery, data: bytes) -> bytes:
    origin = question_origin(query.federation, "cn", "hk")
    return sign_note(question_text(origin, query.query_id, query_digest(data)), [pair.key("cn")(origin)])


# 3: parties


def from_mo(query: Pb.HistoryQuery) -> None:
    query.asker = "mo"


def to_mo(query: Pb.HistoryQuery) -> None:
    query.answerer = "mo"


def of_another_federation(query: Pb.HistoryQuery) -> None:
    query.federation = "other.example"


@pytest.mark.parametrize("spoil", [from_mo, to_mo, of_another_federation])
def test_3_a_question_is_from_the_caller_to_this_node(pair: Pair, spoil: Callable[[Pb.HistoryQuery], None]) -> None:
    with pytest.raises(PermissionDeniedError):
        pair.answerer.verify("cn", *spoiled(pair, spoil))


def test_3_the_note_names_the_same_query(pair: Pair) -> None:
    first, second = pair.question(), pair.question()
    origin = question_origin("gba.customs.example", "cn", "hk")
    text = question_text(origin, second.query.query_id, query_digest(first.data))
    with pytest.raises(SignatureInvalidError, match="another query id"):
        pair.answerer.verify("cn", first.data, sign_note(text, [pair.key("cn")(origin)]))


# 4: time


@pytest.mark.parametrize("skew_ms", [-MAX_CLOCK_SKEW_MS - 1_000, MAX_CLOCK_SKEW_MS + 1_000])
def test_4_an_old_question_is_not_answered_later(pair: Pair, skew_ms: int) -> None:
    pair.clock.now += DAY_MS
    question = pair.question()
    pair.clock.now += skew_ms
    with pytest.raises(InvalidRequestError, match="check both clocks"):
        pair.answerer.verify("cn", question.data, question.note)


def test_4_within_the_bound_it_is(pair: Pair) -> None:
    question = pair.question()
    pair.clock.now += MAX_CLOCK_SKEW_MS - 1_000
    assert pair.answerer.verify("cn", question.data, question.note).query == question.query


def test_4_an_id_is_of_its_time(pair: Pair) -> None:
    def older(query: Pb.HistoryQuery) -> None:
        query.query_id = uuid7(pair.clock() - DAY_MS, bytes(10))

    def of_no_time(query: Pb.HistoryQuery) -> None:
        query.query_id = "7d444840-9dc0-41d1-b245-5ffdce74fad2"

    for spoil in (older, of_no_time):
        with pytest.raises(InvalidRequestError, match=r"query\.query_id"):
            pair.answerer.verify("cn", *spoiled(pair, spoil))


# 5: once


def test_5_a_query_is_answered_once(pair: Pair) -> None:
    pair.record(shipment("HK-1"))
    answered = pair.ask()
    with pytest.raises(RequestIdReusedError):
        pair.answerer.verify("cn", answered.question.data, answered.question.note)

    def same_id(query: Pb.HistoryQuery) -> None:
        query.query_id = answered.question.query.query_id

    with pytest.raises(RequestIdReusedError):
        pair.answerer.verify("cn", *spoiled(pair, same_id))


@pytest.mark.both_databases
def test_5_of_two_at_once_one_statement_leaves(either: Pair) -> None:
    question = either.question()
    accepted = [either.answerer.verify("cn", question.data, question.note) for _ in range(2)]
    kept = {"actor": "gateway/cn", "now_ms": either.clock(), "keep_ms": KEEP_MS, "outcome": "answered"}
    rows = [answered_row(one, statement=b"s", **kept) for one in accepted]  # type: ignore[arg-type]
    either.hk.writer.run(KeepAnsweredCommand(rows[0]))
    with pytest.raises(RequestIdReusedError):
        either.hk.writer.run(KeepAnsweredCommand(rows[1]))
    with either.hk.database.read() as conn:
        assert answers.find(conn, answers.ANSWERED, question.query.query_id) == rows[0]


# 6: agreement


def denied(pair: Pair, **asked: object) -> AgreementForbidsError:
    """What hk says to a question that cn, under an older directory, still puts."""
    question = pair.question(**asked)
    with pytest.raises(AgreementForbidsError) as refused:
        pair.answerer.begin(pair.answerer.verify("cn", question.data, question.note))
    return refused.value


NAMED = Pb.SearchCriteria(party_names=["Wang Tat Metals"])
REFERENCED = Pb.SearchCriteria(references=[Pb.SearchReference(value="6CN9144030071526726XG-1")])


def test_6_without_an_agreement_nothing_is_answered(pair: Pair) -> None:
    pair.agree(both=False, message_types=frozenset({"AlertEvent"}), clause="Alerts alone, article 3")
    error = denied(pair)
    assert "no agreement lets hk answer cn about shipments" in error.message
    assert "Alerts alone, article 3" in error.message
    assert error.metadata["clause"] == "hk-cn: Alerts alone, article 3"


def test_6_nobody_asks_without_an_agreement(pair: Pair) -> None:
    pair.agree(both=False, id="cn-hk", message_types=frozenset({"AlertEvent", "HistoryRecord"}), clause="No questions")
    assert "no agreement lets cn ask hk" in denied(pair).message


def test_6_where_two_nodes_have_no_agreement_that_is_said(pair: Pair) -> None:
    left = tuple(one for one in pair.hk.trust.directory.agreements if one.id != "hk-cn")
    pair.direct(both=False, agreements=left)
    assert "there is no agreement between them" in denied(pair).message


@pytest.mark.parametrize("id", ["cn-hk", "hk-cn"])
def test_6_the_purpose_is_allowed_both_ways(pair: Pair, id: str) -> None:
    pair.agree(both=False, id=id, purposes=frozenset({"smuggling"}), clause="Smuggling alone")
    error = denied(pair)
    assert "for the purpose 'export_control'" in error.message
    assert "Smuggling alone" in error.message
    question = pair.question(grounds=grounds("smuggling"))
    pair.answerer.begin(pair.answerer.verify("cn", question.data, question.note))


@pytest.mark.parametrize("id", ["cn-hk", "hk-cn"])
@pytest.mark.parametrize(
    ("criteria", "missing", "field"),
    [
        (NAMED, FieldClass.PERSONAL, "criteria.party_names"),
        (REFERENCED, FieldClass.COMMERCIAL, "criteria.references[0].value"),
    ],
)
def test_6_criteria_are_information_too(
    pair: Pair, id: str, criteria: Pb.SearchCriteria, missing: FieldClass, field: str
) -> None:
    pair.agree(both=False, id=id, field_classes=frozenset(FieldClass) - {missing}, clause="Not these")
    error = denied(pair, criteria=criteria)
    assert field in error.message
    assert missing.value in error.message
    pair.agree(both=True)
    with pytest.raises(AgreementForbidsError):  # the asking side knows it too, and sends nothing
        pair.question(criteria=criteria)


def test_6_an_agreement_counts_in_its_time(pair: Pair) -> None:
    pair.agree(both=False, valid_until=START)
    assert "no agreement lets hk answer" in denied(pair).message


def test_6_hits_alone(pair: Pair) -> None:
    pair.record(shipment("HK-1"))
    pair.agree(message_types=frozenset({"HistoryHit"}))
    answered = pair.ask()
    assert (answered.records, answered.statement.hit, answered.statement.count) == ([], True, 0)
    nothing = pair.ask(criteria=Pb.SearchCriteria(containers=["MSKU0000000"]))
    assert nothing.statement.hit is False


def test_6_a_hit_can_be_asked_for_where_records_are_allowed(pair: Pair) -> None:
    pair.record(shipment("HK-1"))
    answered = pair.ask(mode=Pb.ANSWER_MODE_HIT)
    assert (answered.records, answered.statement.hit) == ([], True)


# 7: what is left out


def test_7_what_may_not_be_told_is_left_out_and_listed(pair: Pair) -> None:
    inspected = shipment_pb2.ShipmentInspection(
        result=goods_pb2.FINDING_RESULT_CONFIRMED if hasattr(goods_pb2, "FINDING_RESULT_CONFIRMED") else 1,  # type: ignore[arg-type]
        inspected_at=to_timestamp(pair.clock()),
        remarks="antimony",
    )
    pair.record(shipment("HK-1", total_value=COMMERCIAL, inspections=[inspected]), shipment("HK-2"))
    pair.agree(field_classes=frozenset({FieldClass.PERSONAL}))
    answered = pair.ask()
    second, first = [parse_record(one) for one in answered.records]
    assert first.withheld == second.withheld
    said = {one.path: one.disclosure_class for one in first.withheld}
    assert said["total_value"] == options_pb2.DISCLOSURE_CLASS_COMMERCIAL
    assert said["inspections"] == options_pb2.DISCLOSURE_CLASS_INVESTIGATIVE
    assert not first.shipment.HasField("total_value")
    assert not first.shipment.inspections
    assert first.shipment.parties[1].names[0].text == "Wang Tat Metals Limited"
    assert answered.statement.withheld == len(first.withheld) + len(second.withheld)
    assert b"antimony" not in b"".join(answered.records)


def test_7_no_third_nodes_alert_is_named(pair: Pair) -> None:
    """hk inspected on alerts of mo, of cn and of its own: mo's isn't told to cn, nor that there is one."""
    ids = {publisher: uuid7(1_767_000_000_000, publisher.encode() * 5) for publisher in ("mo", "cn", "hk")}
    inspections = [
        shipment_pb2.ShipmentInspection(
            result=alert_pb2.FINDING_RESULT_CONFIRMED,
            inspected_at=to_timestamp(int(START.timestamp() * 1000)),
            alert=alert_pb2.AlertReference(publisher=publisher, alert_id=alert_id),
        )
        for publisher, alert_id in ids.items()
    ]
    pair.record(shipment("HK-1", inspections=inspections))
    (data,) = pair.ask().records
    record = parse_record(data)
    assert [one.alert.alert_id for one in record.shipment.inspections] == ["", ids["cn"], ids["hk"]]
    assert not record.withheld
    assert ids["mo"].encode() not in data


def test_7_names_that_matched_go_with_their_reasons_where_allowed(pair: Pair) -> None:
    pair.record(shipment("HK-1"))
    answered = pair.ask(criteria=NAMED)
    (record,) = [parse_record(one) for one in answered.records]
    assert record.name_matches[0].asked == "Wang Tat Metals"
    assert CONTAINER in [one.id for one in record.shipment.equipment]


def test_what_was_asked_is_kept_by_who_answered(either: Pair) -> None:
    either.record(shipment("HK-1"))
    answered = either.ask()
    query_id = answered.question.query.query_id
    with either.hk.database.read() as conn:
        row = answers.find(conn, answers.ANSWERED, query_id)
        assert answers.find(conn, answers.ASKED, query_id) is None
    assert row is not None
    assert (row.partner, row.actor, row.outcome, row.count) == ("cn", "gateway/cn", "answered", 1)
    assert (row.query, row.note, row.statement) == (
        answered.question.data,
        answered.question.note,
        answered.statement_note,
    )
    assert row.delete_at == row.ended_at + KEEP_MS
    assert row.ended_at >= row.asked_at > 0


def test_every_refusal_is_an_error_of_the_tree(pair: Pair) -> None:
    for data, note in ((b"", b""), (b"\x00", b"\xff"), (pair.question().data, b"x\n\n")):
        with pytest.raises(GatewayError):
            pair.answerer.verify("cn", data, note)
