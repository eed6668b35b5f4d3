"""What comes back for a question is an answer only if every part of it fits: each kind of tampering is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.contract.ids import uuid7_unix_ms
from gateway.errors import AgreementForbidsError, GatewayError, VerificationError
from gateway.history.codec.signed_texts import Statement, parse_record, parse_statement
from gateway.history.commands.answer_retention import PurgeAnswersCommand, PurgeOrphansCommand
from gateway.history.commands.legal_holds import PlaceHoldCommand, ReleaseHoldCommand
from gateway.history.commands.record import records_feed
from gateway.history.service import queries as history_ask
from gateway.history.service.queries import DAY_MS, AnswerVerifier, SignedQuery
from gateway.history.tables import answers
from gateway.tlog.checkpoint import sign_checkpoint
from gateway.tlog.merkle import Tree, leaf_hash
from gateway.tlog.note import sign_note
from gateway.trust import tables as audit
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import history_pb2, history_service_pb2, shipment_pb2
from gateway.v1.exchange_service_pb2 import AnswerEnd, AnswerRecords
from tests.support.answers import CONTAINER, KEEP_MS, Pair, one_pair, pairs
from tests.support.databases import MakeDatabase
from tests.support.nodes import START
from tests.support.shipments import shipment

pytestmark = pytest.mark.both_databases


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with one_pair(tmp_path) as made:
        yield made


@dataclass
class Came:
    """An answer on its way; a test changes it."""

    pair: Pair
    question: SignedQuery
    records: list[bytes]
    note: bytes

    @property
    def statement(self) -> Statement:
        return parse_statement(self.note)

    def restate(self, signer: str = "hk", **changes: object) -> None:
        """Signs another statement with a node's own key: what a dishonest partner can do."""
        changed = replace(self.statement, **changes)  # type: ignore[arg-type]
        self.note = sign_checkpoint(changed.checkpoint(), self.pair.key(signer)(changed.origin))

    def over(self, records: list[bytes]) -> None:
        """Other records with a statement that fits them."""
        self.records = records
        tree = Tree.empty().append([leaf_hash(one) for one in records]).tree
        self.restate(count=tree.size, root=tree.root)

    @property
    def refused(self) -> bool:
        try:
            self.accept()
        except GatewayError:
            return True
        return False

    def accept(self) -> Statement:
        received = AnswerVerifier(self.question)
        received.take(AnswerRecords(records=self.records))
        return received.end(AnswerEnd(statement=self.note), self.pair.cn.trust.directory, self.pair.now)


@pytest.fixture
def came(pair: Pair) -> Came:
    pair.record(*(shipment(f"HK-{at}") for at in range(5)))
    answered = pair.ask(keep=False)
    return Came(pair, answered.question, answered.records, answered.statement_note)


def test_a_right_answer_is_accepted(came: Came) -> None:
    assert came.accept() == came.statement
    assert came.statement.count == 5


def changed_byte(came: Came) -> None:
    came.records[2] = came.records[2].replace(b"zinc", b"tin ")


def left_out(came: Came) -> None:
    del came.records[1]


def added(came: Came) -> None:
    came.records.append(came.records[0])


def reordered(came: Came) -> None:
    came.records[0], came.records[1] = came.records[1], came.records[0]


def none_came(came: Came) -> None:
    came.records = []


def text_changed(came: Came) -> None:
    as_of = came.statement.as_of
    came.note = came.note.replace(b"as-of %d" % as_of, b"as-of %d" % (as_of - 1))


def signed_by_another(came: Came) -> None:
    came.restate("mo")


def unsigned(came: Came) -> None:
    came.note = came.note.rpartition(b"\n\n")[0] + b"\n\n"


def cosigned(came: Came) -> None:
    name = came.statement.origin
    text = came.statement.checkpoint().body()
    came.note = sign_note(text, [came.pair.key("hk")(name), came.pair.key("mo")(name)])


def of_another_query(came: Came) -> None:
    other = came.pair.ask(keep=False)
    came.note = other.statement_note


def of_another_digest(came: Came) -> None:
    came.restate(digest=bytes(32))


def to_another_asker(came: Came) -> None:
    came.restate(asker="mo")


def wrong_count(came: Came) -> None:
    came.restate(count=6)


def wrong_root(came: Came) -> None:
    came.restate(root=bytes(32))


def wrong_withheld(came: Came) -> None:
    came.restate(withheld=1)


def more_where_was_searched_already(came: Came) -> None:
    came.restate(more_before=came.statement.as_of + 2)


def records_beside_a_hit(came: Came) -> None:
    came.restate(hit=True)


def of_another_node(came: Came) -> None:
    record = parse_record(came.records[0])
    record.node = "mo"
    came.over([record.SerializeToString(deterministic=True)])


def no_record_at_all(came: Came) -> None:
    came.over([b"\xff\xff"])


def a_line_more(came: Came) -> None:
    checkpoint = came.statement.checkpoint()
    more = replace(checkpoint, extensions=(*checkpoint.extensions, "further"))
    came.note = sign_checkpoint(more, came.pair.key("hk")(checkpoint.origin))


def lines_in_another_order(came: Came) -> None:
    checkpoint = came.statement.checkpoint()
    first, second, *rest = checkpoint.extensions
    came.note = sign_checkpoint(
        replace(checkpoint, extensions=(second, first, *rest)), came.pair.key("hk")(checkpoint.origin)
    )


def a_feeds_checkpoint(came: Came) -> None:
    checkpoint = replace(came.statement.checkpoint(), origin=f"{FEDERATION}/hk/cn/alerts")
    came.note = sign_checkpoint(checkpoint, came.pair.key("hk")(checkpoint.origin))


TAMPERING = [
    changed_byte,
    left_out,
    added,
    reordered,
    none_came,
    text_changed,
    signed_by_another,
    unsigned,
    cosigned,
    of_another_query,
    of_another_digest,
    to_another_asker,
    wrong_count,
    wrong_root,
    wrong_withheld,
    more_where_was_searched_already,
    records_beside_a_hit,
    of_another_node,
    no_record_at_all,
    a_line_more,
    lines_in_another_order,
    a_feeds_checkpoint,
]


def test_whatever_was_changed_is_no_answer(came: Came) -> None:
    right = Came(came.pair, came.question, list(came.records), came.note)
    for tamper in TAMPERING:
        wrong = Came(came.pair, came.question, list(right.records), right.note)
        tamper(wrong)
        assert wrong.refused, tamper.__name__
    assert right.accept().count == 5


def test_every_bit_of_the_statement_counts(came: Came) -> None:
    right = came.note
    for at in range(len(right)):
        came.note = right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :]
        with pytest.raises(GatewayError):
            came.accept()
    came.note = right
    came.accept()


def test_a_key_that_was_revoked_answers_no_more(came: Came) -> None:
    directory = came.pair.hk.trust.directory
    hk = directory.node("hk")
    revoked = tuple(replace(key, revoked_at=START) for key in hk.log_keys)
    came.pair.direct(nodes={**directory.nodes, "hk": replace(hk, log_keys=revoked)})
    with pytest.raises(VerificationError, match="no log key of hk"):
        came.accept()


def test_records_where_only_a_hit_was_asked_for_are_refused(pair: Pair) -> None:
    pair.record(shipment("HK-1"))
    asked = pair.question(mode=history_pb2.ANSWER_MODE_HIT)
    answered = pair.ask(keep=False)
    came = Came(pair, asked, answered.records, answered.statement_note)
    changed = replace(came.statement, query_id=asked.query.query_id)
    changed = replace(changed, digest=history_ask.query_digest(asked.data))
    came.note = sign_checkpoint(changed.checkpoint(), pair.key("hk")(changed.origin))
    with pytest.raises(VerificationError, match="only a hit was asked for"):
        came.accept()


def test_a_page_goes_back_only(pair: Pair) -> None:
    pair.record(*(shipment(f"HK-{at}") for at in range(9)))
    before = pair.ask(limit=3).statement.more_before
    answered = pair.ask(keep=False, limit=3, before=before)
    came = Came(pair, answered.question, answered.records, answered.statement_note)
    assert 0 < came.accept().more_before < before
    came.restate(more_before=before + 1)
    with pytest.raises(VerificationError, match="lies before what was asked for"):
        came.accept()


def test_more_than_is_of_use_is_not_told(pair: Pair) -> None:
    pair.record(*(shipment(f"HK-{at}") for at in range(9)))
    all_of_them = pair.ask(limit=9, whole=True)
    too_many = pair.ask(limit=8, whole=True)
    assert (all_of_them.statement.count, all_of_them.statement.more_before) == (9, 0)
    assert (too_many.records, too_many.statement.count) == ([], 0)
    assert too_many.statement.more_before


def test_an_answer_within_an_earlier_one_looks_at_nothing_later(pair: Pair) -> None:
    pair.record(*(shipment(f"HK-{at}") for at in range(9)))
    first = pair.ask(limit=3).statement
    pair.record(shipment("HK-9"))
    answered = pair.ask(keep=False, before=first.more_before, as_of=first.as_of)
    came = Came(pair, answered.question, answered.records, answered.statement_note)
    assert (came.accept().as_of, came.statement.count) == (first.as_of, 6)
    came.restate(as_of=first.as_of + 1)
    with pytest.raises(VerificationError, match="searched beyond what was asked for"):
        came.accept()


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (
            lambda made: setattr(made.events.add().occurred_at, "seconds", 1 << 45),
            r"shipment\.events\[0\]\.occurred_at",
        ),
        (lambda made: setattr(made, "utc_offset_minutes", 1440), r"shipment\.utc_offset_minutes"),
    ],
)
def test_times_that_nothing_can_show_are_no_answer(
    came: Came, spoil: Callable[[shipment_pb2.Shipment], object], field: str
) -> None:
    record = parse_record(came.records[0])
    spoil(record.shipment)
    came.over([record.SerializeToString(), *came.records[1:]])
    with pytest.raises(VerificationError, match=rf"{field} of record 'HK-4' isn't"):
        came.accept()


def test_more_than_was_asked_for_is_refused_as_it_comes(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.record(*(shipment(f"HK-{at}") for at in range(5)))
    answered = pair.ask(keep=False)
    few = AnswerVerifier(pair.question(limit=4))
    with pytest.raises(VerificationError, match="more than the 4 records"):
        few.take(AnswerRecords(records=answered.records))
    monkeypatch.setattr(history_ask, "MAX_ANSWER_BYTES", 1_000)
    with pytest.raises(GatewayError, match="1000 bytes"):
        AnswerVerifier(answered.question).take(AnswerRecords(records=answered.records))


def test_a_question_says_who_asks_whom_when_and_why(pair: Pair) -> None:
    question = pair.question(limit=7, before=9)
    query = question.query
    assert (query.federation, query.asker, query.answerer) == (FEDERATION, "cn", "hk")
    assert (query.limit, query.before) == (7, 9)
    assert query.criteria.containers == [CONTAINER]
    assert query.grounds.case_reference == "SZ-2026-17"
    assert abs(uuid7_unix_ms(query.query_id) - pair.clock()) < 1_000
    assert not question.terms.hit_only
    assert pair.question().query.query_id != query.query_id


def test_what_may_not_be_asked_is_not_made(pair: Pair) -> None:
    pair.agree(id="cn-hk", message_types=frozenset({"AlertEvent"}))
    with pytest.raises(AgreementForbidsError):
        pair.question()


@pytest.fixture
def either(tmp_path: Path, make_database: MakeDatabase) -> Iterator[Pair]:
    with pairs(tmp_path, make_database) as made:
        yield made


def test_answers_go_when_their_time_is_over_but_for_those_of_a_held_case(either: Pair) -> None:
    either.record(*(shipment(f"HK-{at}") for at in range(20)))
    held = either.ask().question.query.query_id
    other = history_pb2.QueryGrounds(purpose="export_control", legal_basis="art. 5", case_reference="OTHER")
    going = either.ask(grounds=other).question.query.query_id
    origin = records_feed(FEDERATION, "cn")
    request = history_service_pb2.PlaceHoldRequest(
        request_id="7d444840-9dc0-41d1-b245-5ffdce74fad2",
        criteria=history_pb2.SearchCriteria(containers=[CONTAINER]),
        reason="court order",
        case_reference="SZ-2026-17",
    )
    hold_id = "019bbf30-0000-7000-8000-000000000000"
    either.cn.writer.run(PlaceHoldCommand(origin, request, "system/cn/boss", "boss", lambda: hold_id))
    assert either.cn.writer.run(PurgeAnswersCommand()) == 0
    either.clock.forward(KEEP_MS + DAY_MS)
    assert either.cn.writer.run(PurgeAnswersCommand()) == 2
    assert either.cn.writer.run(PurgeAnswersCommand()) == 0
    with either.cn.database.read() as conn:
        assert answers.find(conn, answers.ASKED, going) is None
        assert answers.records(conn, going) == []
        assert answers.find(conn, answers.ASKED, held) is not None
        assert len(answers.records(conn, held)) == 3
        (event,) = [one.event for one in audit.list_events(conn, limit=10) if one.event.method == "purge"]
    assert event.subject_ids == (going,)
    assert dict(event.counts) == {"answers": 1, "records": 20}
    let_go = history_service_pb2.ReleaseHoldRequest(
        request_id="7d444840-9dc0-41d1-b245-5ffdce74fad3", hold_id=hold_id, reason="over"
    )
    either.cn.writer.run(ReleaseHoldCommand(origin, let_go, "system/cn/boss", "boss"))
    either.clock.forward(2 * DAY_MS)
    assert either.cn.writer.run(PurgeAnswersCommand()) == 1
    with either.cn.database.read() as conn:
        assert answers.find(conn, answers.ASKED, held) is None


def test_whatever_a_partner_gives_as_its_reason_is_kept(either: Pair) -> None:
    question = either.question()
    row = history_ask.asked_row(
        question,
        actor="system/cn/officer",
        now_ms=1,
        keep_ms=KEEP_MS,
        outcome="failed",
        reason="\0" + "x" * 5_000,
        answer=AnswerVerifier(question),
    )
    either.cn.writer.run(history_ask.KeepAskedCommand(row))
    with either.cn.database.read() as conn:
        kept = answers.find(conn, answers.ASKED, question.query.query_id)
    assert kept is not None
    assert kept == replace(row, reason="\ufffd" + "x" * (answers.MAX_REASON_CHARS - 1))


def test_records_of_an_answer_that_never_ended_go(either: Pair) -> None:
    either.record(*(shipment(f"HK-{at}") for at in range(20)))
    kept = either.ask().question.query.query_id
    orphan = either.question().query.query_id
    for first in (0, 7):
        command = history_ask.KeepRecordsCommand(
            orphan, first, AnswerRecords(records=[b"came"]), "hk", either.cn.quotas
        )
        either.cn.writer.run(command)
    assert either.cn.writer.run(PurgeOrphansCommand()) == 0  # it may still be coming
    either.clock.forward(2 * DAY_MS)
    assert either.cn.writer.run(PurgeOrphansCommand()) == 2
    with either.cn.database.read() as conn:
        assert answers.records(conn, orphan) == []
        assert len(answers.records(conn, kept)) == 3
