"""Two nodes on paper, of which one asks and the other answers: all of it but the call between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from gateway.db.database import Database
from gateway.history.codec.signed_texts import Statement, encode_query, query_digest, question_origin, question_text
from gateway.history.commands.key_tree import KeepKeyTreeCommand
from gateway.history.commands.record import RecordCommand, check, records_feed
from gateway.history.projection.index import IndexCommand
from gateway.history.service.answers import (
    KeepAnsweredCommand,
    QueryService,
    SignedAnswer,
    VerifiedQuery,
    answered_row,
)
from gateway.history.service.completeness import CompletenessProver
from gateway.history.service.indexer import HistoryIndexer
from gateway.history.service.key_tree_builder import KeyTreeBuilder
from gateway.history.service.names import NameSearch
from gateway.history.service.queries import (
    DAY_MS,
    AnswerVerifier,
    KeepAskedCommand,
    KeepRecordsCommand,
    QuerySigner,
    SignedQuery,
    asked_row,
)
from gateway.history.service.search import HistorySearch
from gateway.history.tables import key_tree
from gateway.tlog.note import Signer, sign_note
from gateway.tracing.rules.inquiry import LinkQuestions
from gateway.trust.codec.directory import encode_directory
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.directory import directory_key_name
from gateway.trust.service.directory_versions import RootOfTrust, TrustedDirectory, accept
from gateway.trust.service.trial_federation import FEDERATION, FederationFolder
from gateway.v1 import exchange_service_pb2, history_pb2, shipment_pb2
from tests.support.databases import MakeDatabase, new_database
from tests.support.nodes import NODES, START, PaperNode, paper_nodes
from tests.support.shipments import grounds, items

CONTAINER = "CSQU3054383"
KEEP_MS = 30 * DAY_MS


class NoSubstances:
    """A controlled goods list without entries."""

    def codes(self, substance: str) -> Sequence[str]:
        return ()


@dataclass
class Answered:
    """A question and what came back for it."""

    question: SignedQuery
    records: list[bytes]
    statement_note: bytes
    received: AnswerVerifier
    statement: Statement
    proof: exchange_service_pb2.CompletenessProof | None = None


class Pair:
    """cn asks, hk answers."""

    def __init__(self, folder: Path, cn: PaperNode, hk: PaperNode) -> None:
        self.folder = FederationFolder(folder / "federation", self._anchors(folder))
        self.cn, self.hk, self.clock = cn, hk, cn.clock
        self.search = HistorySearch(
            hk.database, node="hk", substances=NoSubstances(), names=NameSearch(hk.database).find, links=LinkQuestions
        )
        self.asker = QuerySigner(node="cn", trust=lambda: self.cn.trust, signer_for=self.key("cn"), clock=self.clock)
        self.answerer = QueryService(
            node="hk",
            database=hk.database,
            search=self.search,
            trust=lambda: self.hk.trust,
            signer_for=self.key("hk"),
            clock=self.clock,
            quotas=hk.quotas,
            prover=CompletenessProver(
                hk.database, federation=FEDERATION, node="hk", signer_for=self.key("hk"), clock=self.clock
            ),
        )

    @staticmethod
    def _anchors(folder: Path) -> RootOfTrust:
        offline = folder / "federation" / "offline"
        vkeys = [(offline / name / "directory.vkey").read_text().strip() for name in NODES]
        return RootOfTrust.from_vkeys(vkeys, federation=FEDERATION, threshold=3)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock() / 1000, UTC)

    def key(self, node: str) -> Any:
        """A node's log key under any name."""
        return load_signing_key(self.folder.node(node).log_key, name="unnamed").named

    def record(self, *shipments: shipment_pb2.Shipment | shipment_pb2.ShipmentAddition) -> None:
        """Records and indexes at hk."""
        self.record_alone(*shipments)
        self.index()

    def record_alone(self, *shipments: shipment_pb2.Shipment | shipment_pb2.ShipmentAddition) -> None:
        """Records at hk, and leaves the index behind."""
        good, refused = check(items(*shipments), NODES, retention_classes=lambda name: False)
        assert not refused, refused
        self.hk.writer.run(RecordCommand(records_feed(FEDERATION, "hk"), good, "clearance"))

    def index(self) -> None:
        """Indexes what hk has recorded."""
        indexer = HistoryIndexer(self.hk.database)
        while (batch := indexer.next()) is not None:
            self.hk.writer.run(IndexCommand(batch, lambda given, declared_at: ("standard", declared_at + KEEP_MS)))

    def enter(self) -> int:
        """Enters what hk has recorded and erased into its tree of keys; returns the head's number."""
        origin, builder, number = records_feed(FEDERATION, "hk"), KeyTreeBuilder(self.hk.database), 0
        while (batch := builder.next()) is not None:
            assert self.hk.writer.run(KeepKeyTreeCommand(origin, batch))
            with self.hk.database.read() as conn:
                number = key_tree.state(conn).number
        return number

    def agree(self, *, both: bool = True, id: str = "hk-cn", **changes: Any) -> TrustedDirectory:
        """A further version of the directory with one agreement changed, in force at hk, and at cn if `both`."""
        old = self.hk.trust.directory
        changed = tuple(replace(one, **changes) if one.id == id else one for one in old.agreements)
        return self.direct(both=both, agreements=changed)

    def direct(self, *, both: bool = True, **changes: Any) -> TrustedDirectory:
        """A further version of the directory, signed by all."""
        old = self.hk.trust
        keys = [load_signing_key(self.folder.directory_key(n), name=directory_key_name(FEDERATION, n)) for n in NODES]

        note = sign_note(encode_directory(replace(old.directory, version=old.version + 1, **changes)), keys)
        self.hk.trust = accept(note, now=START, previous=old)
        if both:
            self.cn.trust = self.hk.trust
        return self.hk.trust

    def question(self, **asked: Any) -> SignedQuery:
        """A question of cn to hk, by default for the container of the tests' shipment."""
        asked.setdefault("criteria", history_pb2.SearchCriteria(containers=[CONTAINER]))
        asked.setdefault("grounds", grounds())
        asked.setdefault("mode", history_pb2.ANSWER_MODE_RECORDS)
        return self.asker.sign("hk", **asked)

    def signed(self, query: history_pb2.HistoryQuery, signer: Signer | None = None) -> tuple[bytes, bytes]:
        """Bytes and note of a query that cn's gateway would never make."""

        origin = question_origin(FEDERATION, "cn", "hk")
        data = encode_query(query)
        text = question_text(origin, query.query_id, query_digest(data))
        return data, sign_note(text, [signer or self.key("cn")(origin)])

    def ask(self, *, keep: bool = True, **asked: Any) -> Answered:
        """Asks, answers, verifies, and keeps it at both."""
        question = self.question(**asked)
        accepted = self.answerer.verify("cn", question.data, question.note)
        answer = self.answerer.begin(accepted)
        answer.wants_proof = True
        answer.search()
        records, statement_note = self.parts(answer)
        received = AnswerVerifier(question)
        received.take(exchange_service_pb2.AnswerRecords(records=records))
        end = exchange_service_pb2.AnswerEnd(statement=statement_note, followed=answer.followed, proof=answer.proof)
        statement = received.end(end, self.cn.trust.directory, self.now)
        answered = Answered(question, records, statement_note, received, statement, answer.proof)
        if keep:
            self.keep(answer, answered)
        return answered

    def answer(self, accepted: VerifiedQuery) -> tuple[list[bytes], bytes]:
        """hk's records and statement."""
        return self.parts(self.answerer.begin(accepted))

    @staticmethod
    def parts(answer: SignedAnswer) -> tuple[list[bytes], bytes]:
        """All records of an answer, and its statement."""
        records: list[bytes] = []
        statement = b""
        while not statement:
            some, statement = answer.next_part()
            records.extend(some)
        return records, statement

    def keep(self, answer: SignedAnswer, answered: Answered) -> None:
        """What the two nodes keep of it."""
        at = {"now_ms": self.clock(), "keep_ms": KEEP_MS}
        row = answered_row(
            answer.verified,
            actor="gateway/cn",
            outcome="answered",
            count=answered.received.count,
            statement=answered.statement_note,
            **at,
        )
        self.hk.writer.run(KeepAnsweredCommand(row, answer.next_page))
        query_id = answered.question.query.query_id
        for first in range(0, len(answered.records), 7):
            some = exchange_service_pb2.AnswerRecords(records=answered.records[first : first + 7])
            self.cn.writer.run(KeepRecordsCommand(query_id, first, some, "hk", self.cn.quotas))
        asked = asked_row(
            answered.question,
            actor="system/cn/officer",
            outcome="complete",
            reason="",
            answer=answered.received,
            **at,
        )
        self.cn.writer.run(KeepAskedCommand(asked, answered.received.proof_row))


@contextmanager
def pairs(folder: Path, make_database: MakeDatabase) -> Iterator[Pair]:
    """Both nodes, running."""
    with paper_nodes(folder, make_database, ("cn", "hk")) as (cn, hk):
        yield Pair(folder, cn, hk)


@contextmanager
def one_pair(folder: Path) -> Iterator[Pair]:
    """Both nodes on SQLite, for what the database has no part in."""
    with ExitStack() as stack:
        numbers = count()

        def make() -> Database:
            made = new_database(f"sqlite:///{folder}/{next(numbers)}.sqlite3")
            stack.callback(made.close)
            return made

        yield stack.enter_context(pairs(folder, make))
