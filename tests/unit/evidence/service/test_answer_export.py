"""Evidence of an answer: what is exported verifies and says what was told; nothing in it can be changed unseen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update

from gateway.contract.json_document import format_time_ms
from gateway.errors import (
    ConfigurationError,
    InvalidRequestError,
    MalformedError,
    NotFoundError,
    TooLargeError,
    VerificationError,
)
from gateway.evidence.codec import answer_bundle
from gateway.evidence.codec.answer_bundle import is_answer, parts_of_answer, render_answer
from gateway.evidence.codec.bundle import Bundle, decode_zip, encode_zip
from gateway.evidence.service.answer_check import AnswerExamination, VerifiedAnswer, examine_answer
from gateway.evidence.service.answer_export import export_answer
from gateway.evidence.service.verification import DatabaseFinding, verify_database
from gateway.history.service.answers import KeepAnsweredCommand, answered_row
from gateway.history.tables.schema import history_answer_records, history_answers
from gateway.tlog.checkpoint import sign_checkpoint
from gateway.tlog.merkle import leaf_hash
from gateway.tlog.note import Verifier
from gateway.tlog.proof_file import parse_proof, verify_proof
from gateway.trust.rules.directory import KeyRecord
from gateway.v1 import exchange_service_pb2, history_pb2, shipment_pb2
from tests.support.answers import KEEP_MS, Answered, Pair, one_pair
from tests.support.nodes import START
from tests.support.shipments import shipment


@dataclass
class Told:
    """An answer of 20 records, kept at both nodes."""

    pair: Pair
    answered: Answered

    @property
    def query_id(self) -> str:
        return self.answered.question.query.query_id

    @property
    def directory(self) -> bytes:
        return self.pair.cn.trust.note

    def export(self, *record_ids: str) -> Bundle:
        return export_answer(self.pair.cn.database, self.pair.cn.trust, query_id=self.query_id, record_ids=record_ids)

    def examine(self, bundle: Bundle) -> AnswerExamination:
        return examine_answer(bundle, directory_note=self.directory)

    def verified(self, *record_ids: str) -> VerifiedAnswer:
        evidence = self.examine(self.export(*record_ids)).evidence
        assert evidence is not None
        return evidence


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with one_pair(tmp_path_factory.mktemp("told")) as pair:
        pair.record(*(shipment(f"HK-{at:02}") for at in range(20)))
        yield Told(pair, pair.ask())


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Told]:
    """One that a test may spoil in the store."""
    with one_pair(tmp_path) as pair:
        pair.record(*(shipment(f"HK-{at:02}") for at in range(20)))
        yield Told(pair, pair.ask())


def searched(evidence: VerifiedAnswer) -> str:
    time = evidence.answer.statement.as_of_time
    assert time is not None
    return format_time_ms(time)


def test_a_bundle_says_in_words_what_was_told(told: Told) -> None:
    evidence = told.verified("HK-07")
    date = evidence.answer.statement.answered_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert evidence.told == (
        f"hk told cn on {date}, asked under query {told.query_id} for export_control (legal basis CEPA art. 5; case "
        f"SZ-2026-17): 20 records; searched as of {searched(evidence)}; these were all."
    )
    assert evidence.record_summary("HK-07") == (
        "Record HK-07, revision 1, was in the answer of 20 records, as its number 12."
    )
    assert evidence.record_summary("HK-08") == (
        "Whether record HK-08 was in the answer of 20 records can't be told: 1 of them are in this bundle."
    )
    readme = told.export("HK-07").files["README.txt"].decode()
    assert evidence.told in readme
    assert evidence.record_summary("HK-07") in readme
    assert "1 of 20 of the answer" in readme


def test_the_whole_answer_shows_what_was_not_in_it(told: Told) -> None:
    evidence = told.verified()
    assert evidence.answer.whole
    assert evidence.record_summary("HK-99") == (
        f"Record HK-99 was not in the answer of 20 records, as of {searched(evidence)}."
    )
    assert "was in the answer" in evidence.record_summary("HK-00")


def test_a_page_says_that_there_was_more(fresh: Told) -> None:
    page = Told(fresh.pair, fresh.pair.ask(limit=5))
    evidence = page.verified()
    assert evidence.told.endswith(f"5 records; searched as of {searched(evidence)}; there are more.")
    assert evidence.record_summary("HK-01").endswith("More was still to come.")


def test_every_bit_counts(told: Told) -> None:
    bundle = told.export("HK-03")
    for name, content in bundle.files.items():
        step = max(1, len(content) // 60)
        for at in range(0, len(content), step):
            changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
            assert told.examine(Bundle({**bundle.files, name: changed})).evidence is None, (name, at)


def consistent(bundle: Bundle, **changes: bytes) -> Bundle:
    """A bundle with other originals whose words and digests fit them: what a forger would hand out."""
    parts = parts_of_answer(bundle)
    return render_answer(replace(parts, **changes))


def failing(told: Told, bundle: Bundle) -> tuple[int, str]:
    examination = told.examine(bundle)
    assert examination.evidence is None
    return examination.steps[-1].number, examination.steps[-1].detail


def test_a_forger_who_makes_everything_else_fit_is_found(told: Told) -> None:
    bundle = told.export("HK-03")
    parts = parts_of_answer(bundle)
    ((index, (record, proof)),) = parts.records.items()
    forged = record.replace(b"zinc", b"tin ")
    assert failing(told, _with_records(bundle, {index: (forged, proof)})) == (
        6,
        f"record {index:05} was not in this answer: the proof leads to another root",
    )
    number, detail = failing(told, _with_records(bundle, {index + 1: (record, proof)}))
    assert (number, "another record" in detail) == (6, True)
    asked = history_pb2.HistoryQuery.FromString(parts.query)
    asked.grounds.case_reference = "ANOTHER"
    number, detail = failing(told, consistent(bundle, query=asked.SerializeToString(deterministic=True)))
    assert (number, detail) == (4, "the asker's note is over another question")
    other = told.pair.ask(limit=3)
    number, detail = failing(told, consistent(_with_records(bundle, {}), statement=other.statement_note))
    assert number == 5
    number, detail = failing(told, consistent(_with_records(bundle, {}), note=other.question.note))
    assert number == 4


def _with_records(bundle: Bundle, records: Mapping[int, tuple[bytes, bytes]]) -> Bundle:
    return render_answer(replace(parts_of_answer(bundle), records=records))


def test_files_missing_or_unknown_are_named(told: Told) -> None:
    bundle = told.export("HK-03")
    without = {name: content for name, content in bundle.files.items() if name != "query.note"}
    assert failing(told, Bundle(without)) == (1, "the bundle isn't complete: query.note is missing")
    number, detail = failing(told, Bundle({**bundle.files, "extra.txt": b"x"}))
    assert (number, "extra.txt is unknown" in detail) == (1, True)
    with pytest.raises(MalformedError):
        parts_of_answer(Bundle({"statement.note": b""}))


def test_another_directory_doesnt_vouch_for_it(told: Told) -> None:
    bundle = told.export("HK-03")
    old = told.pair.cn.trust.directory
    cn, hk = old.node("cn"), old.node("hk")
    for nodes, step in (
        ({**old.nodes, "hk": replace(hk, log_keys=_others(hk.log_keys))}, 5),
        ({**old.nodes, "cn": replace(cn, log_keys=_others(cn.log_keys))}, 4),
        ({**old.nodes, "hk": replace(hk, log_keys=_revoked(hk.log_keys))}, 5),
        ({**old.nodes, "cn": replace(cn, log_keys=_revoked(cn.log_keys))}, 4),
    ):
        before = told.pair.hk.trust
        note = told.pair.direct(both=False, nodes=nodes).note
        told.pair.hk.trust = before
        examination = examine_answer(bundle, directory_note=note)
        assert examination.evidence is None
        assert examination.steps[-1].number == step
    with pytest.raises(ConfigurationError):
        examine_answer(bundle)


def _others(keys: tuple[KeyRecord, ...]) -> tuple[KeyRecord, ...]:
    return tuple(replace(key, public_key=Ed25519PrivateKey.generate().public_key().public_bytes_raw()) for key in keys)


def _revoked(keys: tuple[KeyRecord, ...]) -> tuple[KeyRecord, ...]:
    return tuple(replace(key, revoked_at=START) for key in keys)


def test_anchors_alone_are_enough(told: Told) -> None:
    examination = examine_answer(told.export("HK-03"), anchors=told.pair.folder.anchors)
    assert examination.evidence is not None
    assert [step.number for step in examination.steps] == [1, 2, 3, 4, 5, 6, 7]


def test_the_proof_is_one_that_other_tools_verify(told: Told) -> None:
    files = told.export("HK-03").files
    ((name, proof),) = [(name, content) for name, content in files.items() if name.endswith(".tlog-proof")]
    record = files[name.replace("record.tlog-proof", "record.binpb")]
    origin = told.answered.statement.origin
    (key,) = told.pair.cn.trust.directory.log_keys("hk", told.pair.now)
    verified = verify_proof(proof, leaf_hash(record), Verifier(origin, key), [], 0)
    assert verified.checkpoint.checkpoint.size == 20
    assert Verifier(origin, key).to_vkey() in files["README.txt"].decode()


def test_a_zip_of_it_is_one_file(told: Told) -> None:
    bundle = told.export()
    assert is_answer(bundle)
    assert decode_zip(encode_zip(bundle)) == bundle
    manifest = json.loads(bundle.files["manifest.json"])
    assert [one["record_id"] for one in manifest["records"]] == [f"HK-{at:02}" for at in reversed(range(20))]


def test_hit_or_no_hit_is_proved_without_records(fresh: Told) -> None:
    hit = Told(fresh.pair, fresh.pair.ask(mode=history_pb2.ANSWER_MODE_HIT))
    assert hit.verified().told.endswith(f"that it has such records; searched as of {searched(hit.verified())}.")
    assert "can't be told" in hit.verified().record_summary("HK-01")
    nothing = history_pb2.SearchCriteria(containers=["MSKU0000000"])
    miss = Told(fresh.pair, fresh.pair.ask(mode=history_pb2.ANSWER_MODE_HIT, criteria=nothing))
    assert miss.verified().told.endswith(f"that it has no such record; searched as of {searched(miss.verified())}.")
    empty = Told(fresh.pair, fresh.pair.ask(criteria=nothing))
    assert "0 records" in empty.verified().told
    assert empty.verified().record_summary("HK-01").startswith("Record HK-01 was not in the answer of 0 records")


def test_who_answered_proves_what_it_was_asked_and_how_many_it_gave(told: Told) -> None:
    bundle = export_answer(told.pair.hk.database, told.pair.hk.trust, query_id=told.query_id)
    evidence = told.examine(bundle).evidence
    assert evidence is not None
    assert "20 records" in evidence.told
    assert not evidence.answer.records
    with pytest.raises(NotFoundError):
        export_answer(told.pair.hk.database, told.pair.hk.trust, query_id=told.query_id, record_ids=["HK-01"])


def test_what_isnt_there_isnt_exported(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="no record HK-77"):
        told.export("HK-01", "HK-77")
    with pytest.raises(NotFoundError, match="neither asked nor answered"):
        export_answer(told.pair.cn.database, told.pair.cn.trust, query_id="019bbf30-0000-7000-8000-000000000000")
    monkeypatch.setattr("gateway.evidence.service.answer_export.MAX_RECORDS", 19)
    with pytest.raises(TooLargeError, match="name those"):
        told.export()
    assert answer_bundle.MAX_RECORDS == 1_000


def test_an_answer_that_never_was_has_no_evidence(told: Told) -> None:
    question = told.pair.question()
    accepted = told.pair.answerer.verify("cn", question.data, question.note)
    row = answered_row(accepted, actor="gateway/cn", now_ms=1, keep_ms=KEEP_MS, outcome="denied", reason="article 3")
    told.pair.hk.writer.run(KeepAnsweredCommand(row))
    with pytest.raises(InvalidRequestError, match="article 3"):
        export_answer(told.pair.hk.database, told.pair.hk.trust, query_id=question.query.query_id)


def looked_over(told: Told, node: str = "cn") -> list[DatabaseFinding]:
    at = told.pair.cn if node == "cn" else told.pair.hk
    report = verify_database(at.database, at.trust, node=at.name, progress=lambda done: None)
    assert report.answers == 1
    return list(report.findings)


def test_a_record_changed_in_the_store_is_found(fresh: Told) -> None:
    assert looked_over(fresh) == []
    assert looked_over(fresh, "hk") == []
    table = history_answer_records
    with fresh.pair.cn.database.write() as conn:
        where = table.c.first == 7
        stored = conn.execute(table.select().where(where)).one()
        some = exchange_service_pb2.AnswerRecords.FromString(stored.records)
        some.records[2] = some.records[2].replace(b"zinc", b"tin ")
        conn.execute(update(table).where(where).values(records=some.SerializeToString()))
    (finding,) = looked_over(fresh)
    assert (finding.place, finding.step) == ("answers", "10 answers")
    assert finding.problem == (f"query {fresh.query_id}: hk signed for 20 records, and the 20 stored ones aren't those")
    with pytest.raises(VerificationError, match="doesn't verify"):
        fresh.export("HK-00")
    with fresh.pair.cn.database.write() as conn:
        conn.execute(table.delete().where(where))
    assert "from number 7 on aren't stored" in looked_over(fresh)[0].problem
    with pytest.raises(MalformedError):
        fresh.export()


@pytest.mark.parametrize("column", ["query", "note", "statement"])
@pytest.mark.parametrize("node", ["cn", "hk"])
def test_a_question_or_statement_changed_in_the_store_is_found(fresh: Told, column: str, node: str) -> None:
    at = fresh.pair.cn if node == "cn" else fresh.pair.hk
    with at.database.write() as conn:
        (row,) = conn.execute(history_answers.select()).all()
        content = getattr(row, column)
        changed = content[:80] + bytes([content[80] ^ 1]) + content[81:]
        conn.execute(update(history_answers).values({column: changed}))
    (finding,) = looked_over(fresh, node)
    assert fresh.query_id in finding.problem


def test_a_statement_with_positions_is_verified_as_before(told: Told) -> None:
    """As statements of earlier versions are."""
    said = told.answered.statement
    old = replace(said, as_of=20, more_before=16)
    note = sign_checkpoint(old.checkpoint(), told.pair.key("hk")(old.origin))
    bundle = told.export("HK-07")
    index, _ = next(iter(parts_of_answer(bundle).records.items()))
    record, proof = parts_of_answer(bundle).records[index]
    restated = replace(parse_proof(proof), checkpoint_note=note).encode()
    bundle = render_answer(replace(parts_of_answer(bundle), statement=note, records={index: (record, restated)}))
    evidence = told.examine(bundle).evidence
    assert evidence is not None
    assert evidence.told.endswith("20 records; searched as of its position 20; there are more at positions below 16.")
    assert json.loads(bundle.files["manifest.json"])["format"] == "customs-gateway-answer/v1"
    assert json.loads(told.export().files["manifest.json"])["format"] == "customs-gateway-answer/v2"


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """An answer with a proof that it is complete."""
    with one_pair(tmp_path_factory.mktemp("proven")) as pair:
        hidden = shipment("HK-HIDDEN", releasable_to=shipment_pb2.ReleaseList(nodes=["mo"]))
        pair.record(hidden, *(shipment(f"HK-{at:02}") for at in range(3)))
        pair.enter()
        yield Told(pair, pair.ask())


def test_a_proof_of_completeness_is_part_of_the_evidence(proven: Told) -> None:
    bundle = proven.export()
    assert b"customs-gateway-answer/v5" in bundle.files["manifest.json"]
    examination = proven.examine(decode_zip(encode_zip(bundle)))
    assert examination.evidence is not None
    assert "but for up to 1 record that it doesn't tell" in examination.evidence.told
    assert "proven complete, 1 record untold" in examination.steps[5].detail


def test_a_proof_stands_beside_all_records_alone(proven: Told) -> None:
    one = proven.export("HK-01")
    assert answer_bundle.PROOF not in one.files
    assert b"customs-gateway-answer/v2" in one.files["manifest.json"]
    parts = replace(parts_of_answer(one), proof=proven.export().files[answer_bundle.PROOF])
    examination = proven.examine(render_answer(parts))
    assert examination.evidence is None
    assert examination.steps[-1].number == 6


def test_a_changed_proof_is_no_evidence(proven: Told) -> None:
    parts = parts_of_answer(proven.export())
    proof = exchange_service_pb2.CompletenessProof.FromString(parts.proof)
    (listed,) = (key.records for key in proof.keys if key.records)
    del listed[next(at for at, record in enumerate(listed) if not record.opening)]
    examination = proven.examine(render_answer(replace(parts, proof=proof.SerializeToString(deterministic=True))))
    assert examination.evidence is None
    assert examination.steps[-1].number == 6
    with pytest.raises(MalformedError):
        render_answer(replace(parts, proof=b"\xff"))


def test_a_proof_is_judged_where_the_directory_has_the_agreement(tmp_path: Path) -> None:
    with one_pair(tmp_path) as pair:
        pair.record(shipment("HK-00"))
        pair.enter()
        told = Told(pair, pair.ask())
        pair.agree(message_types=frozenset({"AlertEvent"}))
        examination = told.examine(told.export())
        assert examination.evidence is not None
        assert "isn't judged" in examination.steps[5].detail
