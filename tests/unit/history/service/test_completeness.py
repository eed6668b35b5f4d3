"""An answer is proven complete, or its lack is found: by records, lists, places and heads that are and aren't right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from gateway.contract.identification import shipment_keys
from gateway.contract.messages import to_timestamp
from gateway.errors import GatewayError
from gateway.evidence.service.record_verification import check_records
from gateway.feed.tables import feeds
from gateway.history.codec.key_tree_heads import KeyTreeHead, head_origin, verified_head
from gateway.history.codec.signed_texts import parse_record, parse_statement
from gateway.history.commands.answer_retention import PurgeAnswersCommand
from gateway.history.commands.key_tree import ForgetKeyTreeCommand
from gateway.history.commands.record import records_feed
from gateway.history.commands.retention import PurgeCommand
from gateway.history.rules import key_tree as rules
from gateway.history.rules.key_tree import HiddenNames
from gateway.history.rules.provable_numbers import provable_keys, provable_keys_of
from gateway.history.service.completeness import Completeness
from gateway.history.service.queries import AnswerVerifier
from gateway.history.tables import answers, key_tree
from gateway.history.tables.schema import key_tree_leaves, key_tree_progress, key_tree_tiles
from gateway.tlog.checkpoint import sign_checkpoint
from gateway.tlog.merkle import Tree, leaf_hash
from gateway.tlog.prefix_tree import EMPTY
from gateway.trust.rules.directory import FieldClass
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import goods_pb2, history_pb2, shipment_pb2
from tests.support.answers import CONTAINER, KEEP_MS, Answered, Pair, pairs
from tests.support.databases import MakeDatabase
from tests.support.shipments import shipment

pytestmark = pytest.mark.both_databases

EVERYTHING = frozenset(FieldClass)
NOWHERE = history_pb2.SearchCriteria(containers=["MSCU1234566"])


@pytest.fixture
def pair(tmp_path: Path, make_database: MakeDatabase) -> Iterator[Pair]:
    """cn asks hk."""
    with pairs(tmp_path, make_database) as made:
        yield made


def proven(answered: Answered) -> Completeness:
    completeness = answered.received.completeness
    assert completeness is not None
    return completeness


def ids(answered: Answered) -> set[str]:
    return {parse_record(one).shipment.record_id for one in answered.records}


def test_an_answer_with_every_record_is_proven_complete(pair: Pair) -> None:
    pair.record(*(shipment(f"HK-{at}") for at in range(5)))
    pair.enter()
    answered = pair.ask()
    assert len(answered.records) == 5
    assert proven(answered).untold == 0
    assert pair.clock() - 1_000 <= proven(answered).head.until_ms <= pair.clock()


def test_that_there_is_nothing_is_proven_too(pair: Pair) -> None:
    pair.record(*(shipment(f"HK-{at}") for at in range(5)))
    pair.enter()
    answered = pair.ask(criteria=NOWHERE)
    assert not answered.records
    assert proven(answered).untold == 0


def test_without_a_tree_an_answer_is_as_told(pair: Pair) -> None:
    pair.record(shipment("HK-0"))
    assert pair.ask().received.completeness is None


def test_what_came_after_the_head_is_in_the_answer_and_not_in_the_proof(pair: Pair) -> None:
    pair.record(shipment("HK-0"))
    pair.enter()
    at = pair.clock()
    pair.clock.forward(5_000)
    pair.record(shipment("HK-1"))
    pair.clock.forward(5_000)
    answered = pair.ask()
    assert ids(answered) == {"HK-0", "HK-1"}
    assert at <= proven(answered).head.until_ms <= pair.clock() - 5_000
    pair.enter()
    assert proven(pair.ask()).head.until_ms >= pair.clock() - 1_000


def test_revisions_and_additions_are_of_their_record(pair: Pair) -> None:
    pair.record(shipment("HK-0"), shipment("HK-0", destination_territory="MO"))
    event = shipment_pb2.ShipmentEvent(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT,
        occurred_at=to_timestamp(pair.clock()),
        equipment_id=CONTAINER,
        seal="LATE-1",
    )
    pair.record(shipment_pb2.ShipmentAddition(record_id="HK-0", events=[event]))
    pair.enter()
    for criteria in (history_pb2.SearchCriteria(containers=[CONTAINER]), history_pb2.SearchCriteria(seals=["late1"])):
        answered = pair.ask(criteria=criteria)
        assert ids(answered) == {"HK-0"}
        assert proven(answered).untold == 0


def test_records_that_may_not_be_told_are_counted(pair: Pair) -> None:
    pair.record(
        shipment("HK-0"),
        shipment("HK-1", releasable_to=shipment_pb2.ReleaseList(nodes=["mo"])),
        shipment("HK-2", releasable_to=shipment_pb2.ReleaseList(nodes=[])),
    )
    pair.enter()
    answered = pair.ask()
    assert ids(answered) == {"HK-0"}
    assert proven(answered).untold == 2
    assert b"HK-1" not in answered.proof.SerializeToString()


def test_where_the_agreement_lets_no_record_go_an_answer_is_as_told(pair: Pair) -> None:
    pair.record(shipment("HK-0"))
    pair.enter()
    for criteria in (history_pb2.SearchCriteria(containers=[CONTAINER]), NOWHERE):
        answered = pair.ask(criteria=criteria, mode=history_pb2.ANSWER_MODE_HIT)
        assert answered.proof is None
        assert answered.received.completeness is None


@pytest.mark.parametrize(
    "asked",
    [
        {"criteria": history_pb2.SearchCriteria(containers=[CONTAINER], places=["CN"])},
        {"criteria": history_pb2.SearchCriteria(containers=[CONTAINER], seals=["EL-77120"])},
        {"criteria": history_pb2.SearchCriteria(commodity_codes=["7901"])},
        {"limit": 1},
    ],
)
def test_what_lists_of_numbers_cannot_prove_is_as_told(pair: Pair, asked: dict[str, object]) -> None:
    pair.record(shipment("HK-0"), shipment("HK-1"))
    pair.enter()
    assert pair.ask(**asked).received.completeness is None


def test_several_numbers_and_criteria_are_proven_together(pair: Pair) -> None:
    pair.record(shipment("HK-0"), shipment("HK-1", equipment=[goods_pb2.Equipment(id="MSCU1234566")]))
    pair.enter()
    uscc = history_pb2.SearchIdentifier(scheme="uscc", value="91440300715267260G")
    answered = pair.ask(
        criteria=history_pb2.SearchCriteria(containers=[CONTAINER, "MSCU1234566"]),
        alternatives=[
            history_pb2.SearchCriteria(seals=["HKC881204"]),
            history_pb2.SearchCriteria(party_identifiers=[uscc]),
            history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value="6CN9144030071526726XG-1")]),
        ],
    )
    assert ids(answered) == {"HK-0", "HK-1"}
    assert proven(answered).untold == 0
    assert len(answered.proof.keys) >= 5


def test_each_of_many_numbers_is_proven(pair: Pair) -> None:
    for first in range(0, 600, 100):
        pair.record(
            *(
                shipment(f"HK-{at}", equipment=[goods_pb2.Equipment(id=f"MSCU{at:07}", seals=[f"S{at}", f"T{at}"])])
                for at in range(first, first + 100)
            )
        )
    pair.enter()
    for at in (0, 7, 599, 600):
        answered = pair.ask(criteria=history_pb2.SearchCriteria(seals=[f"T{at}"]))
        assert ids(answered) == ({f"HK-{at}"} if at < 600 else set())
        assert proven(answered).untold == 0
    assert problems(pair) == []


def test_an_erased_record_leaves_the_tree(pair: Pair) -> None:
    pair.record(shipment("HK-0"), shipment("HK-1", equipment=[goods_pb2.Equipment(id="MSCU1234566")]))
    pair.enter()
    pair.clock.forward(KEEP_MS + 1)
    pair.record(shipment("HK-2"))
    pair.hk.writer.run(PurgeCommand(records_feed(FEDERATION, "hk"), lambda _, __: None))
    between = pair.ask()
    assert ids(between) == {"HK-2"}
    assert proven(between).untold == 1  # the tree still has HK-0
    assert pair.enter()
    assert proven(pair.ask()).untold == 0
    gone = pair.ask(criteria=NOWHERE)
    assert not gone.records
    assert proven(gone).untold == 0
    with pair.hk.database.read() as conn:
        assert not key_tree.erasures(conn, 10)


def test_a_record_that_comes_again_while_it_is_erased_stays_in_the_tree(pair: Pair) -> None:
    pair.record(shipment("HK-0"))
    pair.enter()
    pair.clock.forward(KEEP_MS + 1)
    pair.record_alone(shipment("HK-0", destination_territory="MO"))  # not indexed when the purge looks
    assert pair.enter() == 0
    pair.hk.writer.run(PurgeCommand(records_feed(FEDERATION, "hk"), lambda _, __: None))
    pair.index()
    pair.enter()
    answered = pair.ask()
    assert ids(answered) == {"HK-0"}
    assert len(answered.proof.keys[0].records) == 1
    assert proven(answered).untold == 0


def test_the_last_erased_record_leaves_the_empty_tree(pair: Pair) -> None:
    pair.record(shipment("HK-0"))
    pair.enter()
    pair.clock.forward(KEEP_MS + 1)
    pair.hk.writer.run(PurgeCommand(records_feed(FEDERATION, "hk"), lambda _, __: None))
    pair.enter()
    with pair.hk.database.read() as conn:
        assert key_tree.state(conn).root == EMPTY
    assert proven(pair.ask()).untold == 0


def test_of_a_number_with_too_many_records_an_answer_is_as_told(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_RECORDS", 3)
    pair.record(*(shipment(f"HK-{at}") for at in range(3)))
    pair.enter()
    assert proven(pair.ask()).untold == 0
    pair.record(shipment("HK-3"), shipment("OTHER", equipment=[goods_pb2.Equipment(id="MSCU1234566")]))
    pair.enter()
    assert pair.ask().received.completeness is None
    assert proven(pair.ask(criteria=NOWHERE)).untold == 0


def test_a_tree_that_moved_during_the_search_proves_nothing(pair: Pair) -> None:
    pair.record(shipment("HK-0"))
    pair.enter()
    question = pair.question()
    answer = pair.answerer.begin(pair.answerer.verify("cn", question.data, question.note))
    answer.wants_proof = True
    answer.search()
    pair.record(shipment("HK-1"))
    pair.enter()
    pair.parts(answer)
    assert answer.proof is None


@pytest.mark.parametrize("column", ["value", "records"])
def test_a_damaged_tree_proves_nothing(pair: Pair, column: str) -> None:
    pair.record(shipment("HK-0"))
    pair.enter()
    with pair.hk.database.write() as conn:
        conn.execute(key_tree_leaves.update().values({column: bytes(32)}))
    assert pair.ask().received.completeness is None


def test_another_process_goes_on_with_the_tree(pair: Pair) -> None:
    pair.record(shipment("HK-0"))
    first = pair.enter()
    assert pair.enter() == 0  # it has everything
    pair.record(shipment("HK-1"))
    second = pair.enter()  # by a builder that knows nothing
    assert proven(pair.ask()).head.number == second > first


def test_a_node_that_no_longer_proves_keeps_nothing_of_its_tree(pair: Pair) -> None:
    pair.record(shipment("HK-0"))
    number = pair.enter()
    pair.hk.writer.run(ForgetKeyTreeCommand())
    pair.clock.forward(KEEP_MS + 1)
    pair.hk.writer.run(PurgeCommand(records_feed(FEDERATION, "hk"), lambda _, __: None))
    with pair.hk.database.read() as conn:
        assert not list(key_tree.all_leaves(conn))
        assert not key_tree.erasures(conn, 10)
        assert key_tree.state(conn).number == number
    assert problems(pair) == []


def problems(pair: Pair) -> list[str]:
    """What `gateway verify` finds in hk's log of records."""
    found: list[str] = []
    with pair.hk.database.read() as conn:
        feed = feeds.get(conn, records_feed(FEDERATION, "hk"))
    check_records(pair.hk.database, feed.id, feed.size, lambda _, problem: found.append(problem))
    return found


@pytest.mark.parametrize(
    "spoil",
    [
        lambda conn: conn.execute(key_tree_leaves.delete()),
        lambda conn: conn.execute(key_tree_leaves.update().values(value=bytes(32))),
        lambda conn: conn.execute(key_tree_leaves.update().values(records=bytes(32))),
        lambda conn: conn.execute(key_tree_tiles.update().values(subtrees=bytes(16 * 33))),
        lambda conn: conn.execute(key_tree_progress.update().values(root=bytes(32))),
    ],
    ids=["no leaf", "value", "list", "tiles", "root"],
)
def test_verification_compares_the_tree_with_the_log(pair: Pair, spoil: Callable[[Connection], object]) -> None:
    pair.record(*(shipment(f"HK-{at}", equipment=[goods_pb2.Equipment(id=f"MSCU{at:07}")]) for at in range(60)))
    pair.enter()
    assert problems(pair) == []
    with pair.hk.database.write() as conn:
        spoil(conn)
    (problem,) = problems(pair)
    assert "isn't the one that the log committed to" in problem


def test_a_tree_that_is_built_again_has_the_same_root_under_another_number(pair: Pair) -> None:
    pair.record(*(shipment(f"HK-{at}") for at in range(3)))
    before = pair.enter()
    root = proven(pair.ask()).head.root
    with pair.hk.database.write() as conn:
        key_tree.clear(conn)
    assert pair.ask().received.completeness is None  # it would be another tree under the number
    assert problems(pair) == []
    assert pair.enter() > before
    assert proven(pair.ask()).head.root == root


def test_a_proof_is_kept_as_long_as_its_answer(pair: Pair) -> None:
    pair.record(shipment("HK-0"))
    pair.enter()
    answered = pair.ask()
    query_id = answered.question.query.query_id
    with pair.cn.database.read() as conn:
        assert answers.proof(conn, query_id) == answered.proof.SerializeToString(deterministic=True)
    pair.clock.forward(KEEP_MS + 60_000)
    assert pair.cn.writer.run(PurgeAnswersCommand())
    with pair.cn.database.read() as conn:
        assert answers.proof(conn, query_id) == b""


# What a partner does that leaves a record out


class Dishonest:
    """hk's answer to one question, without its second record."""

    def __init__(self, pair: Pair) -> None:
        pair.record(shipment("HK-0"), shipment("HK-1"), shipment("ELSEWHERE", equipment=[]))
        pair.enter()
        self.pair, self.answered = pair, pair.ask(keep=False)
        assert self.answered.proof is not None
        self.records = self.answered.records[:1]
        self.proof = pb.CompletenessProof()
        self.proof.CopyFrom(self.answered.proof)
        (self.list,) = (key.records for key in self.proof.keys if key.records)
        (self.key,) = (key for key in self.proof.keys if key.records)
        with pair.hk.database.read() as conn:
            self.hidden = HiddenNames(key_tree.state(conn).secret)

    @property
    def told(self) -> int:
        """The place in the list of the record that is told."""
        return next(at for at, listed in enumerate(self.list) if not listed.index)

    def sign_head(self, signer: str = "hk", **changes: object) -> None:
        head = verified_head(self.proof.head, FEDERATION, "hk", self.log_keys)
        changed: KeyTreeHead = replace(head, **changes)  # type: ignore[arg-type]
        self.proof.head = sign_checkpoint(changed.checkpoint(), self.pair.key(signer)(head_origin(FEDERATION, "hk")))

    @property
    def log_keys(self) -> list[bytes]:
        return list(self.pair.cn.trust.directory.log_keys("hk", self.pair.now))

    def completeness(self) -> Completeness | None:
        statement = parse_statement(self.answered.statement_note)
        tree = Tree.empty().append([leaf_hash(one) for one in self.records]).tree
        changed = replace(statement, count=tree.size, root=tree.root)
        note = sign_checkpoint(changed.checkpoint(), self.pair.key("hk")(changed.origin))
        received = AnswerVerifier(self.answered.question)
        received.take(pb.AnswerRecords(records=self.records))
        received.end(pb.AnswerEnd(statement=note, proof=self.proof), self.pair.cn.trust.directory, self.pair.now)
        return received.completeness


def unchanged(_: Dishonest) -> None:
    pass


def unlisted(lie: Dishonest) -> None:
    del lie.list[1 - lie.told]


def another_name(lie: Dishonest) -> None:
    lie.list[1 - lie.told].CopyFrom(pb.ListedRecord(hidden_name=bytes(32)))


def opened_as_the_other(lie: Dishonest) -> None:
    lie.list[1 - lie.told].index = 0


def listed_twice(lie: Dishonest) -> None:
    lie.list[1 - lie.told].CopyFrom(lie.list[lie.told])


def nothing_there(lie: Dishonest) -> None:
    lie.records = []
    del lie.list[:]


def another_leaf(lie: Dishonest) -> None:
    nothing_there(lie)
    with lie.pair.hk.database.read() as conn:
        first = next(iter(key_tree.StoredKeyTree(conn).leaves("")))
    lie.key.other_leaf = b"".join(first)


def another_place(lie: Dishonest) -> None:
    lie.records = []
    key = next(iter(provable_keys([NOWHERE], EVERYTHING)))
    lie.key.place = lie.hidden.prove_place(key)
    del lie.list[:]


def another_tree(lie: Dishonest) -> None:
    lie.sign_head(root=bytes(range(32)))


def another_key(lie: Dishonest) -> None:
    lie.sign_head(vrf_key=HiddenNames((5).to_bytes(32) * 2).public_key)


def another_signer(lie: Dishonest) -> None:
    lie.sign_head("mo")


def of_tomorrow(lie: Dishonest) -> None:
    lie.sign_head(until_ms=lie.pair.clock() + 24 * 3_600_000)


def cut_hashes(lie: Dishonest) -> None:
    lie.key.siblings = lie.key.siblings[:-1]


def no_head(lie: Dishonest) -> None:
    lie.proof.head = b""


@pytest.mark.parametrize(
    "lies",
    [
        unchanged,
        unlisted,
        another_name,
        opened_as_the_other,
        listed_twice,
        nothing_there,
        another_leaf,
        another_place,
        another_tree,
        another_key,
        another_signer,
        of_tomorrow,
        cut_hashes,
        no_head,
    ],
)
def test_an_answer_that_leaves_a_record_out_is_refused(pair: Pair, lies: Callable[[Dishonest], None]) -> None:
    lie = Dishonest(pair)
    lies(lie)
    with pytest.raises(GatewayError):
        lie.completeness()


def test_a_record_that_is_held_back_as_untold_shows(pair: Pair) -> None:
    lie = Dishonest(pair)
    listed = lie.list[1 - lie.told]
    name = rules.hidden_name(listed.opening, "HK-1" if b"HK-0" in lie.records[0] else "HK-0")
    listed.CopyFrom(pb.ListedRecord(hidden_name=name))
    completeness = lie.completeness()
    assert completeness is not None
    assert completeness.untold == 1


def test_a_proof_of_fewer_numbers_leaves_the_answer_as_told(pair: Pair) -> None:
    lie = Dishonest(pair)
    lie.records = lie.answered.records
    del lie.proof.keys[-1]
    assert lie.completeness() is None


# Numbers


def test_the_tree_has_a_record_under_each_number_that_finds_it() -> None:
    made = shipment("HK-0")
    keys = provable_keys_of(made)
    assert keys <= shipment_keys.keys_of(made)
    for criteria in (
        history_pb2.SearchCriteria(containers=[CONTAINER]),
        history_pb2.SearchCriteria(seals=["HKC 88-1204"]),
        history_pb2.SearchCriteria(seals=["EL77120"]),
        history_pb2.SearchCriteria(registrations=["粤ZA123港"]),
        history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value="534520260000000101")]),
        history_pb2.SearchCriteria(party_identifiers=[history_pb2.SearchIdentifier(value="91440300715267260G")]),
    ):
        assert keys.intersection(provable_keys([criteria], EVERYTHING)), criteria
    assert shipment_keys.record_key("HK-0") not in keys


def test_keys_of_fields_that_a_partner_may_not_see_are_not_proven() -> None:
    uscc = history_pb2.SearchCriteria(party_identifiers=[history_pb2.SearchIdentifier(value="91440300715267260G")])
    assert provable_keys([uscc], EVERYTHING)
    assert not provable_keys([uscc], frozenset())
