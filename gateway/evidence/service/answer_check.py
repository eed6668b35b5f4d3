"""Verifies a bundle about an answer in steps, from bundle and directory (or its pinned keys) alone.

1. bundle: no file is missing or unknown; the manifest has each one's SHA-256.
2. directory: as for evidence of an alert.
3. question: in canonical form, of this federation, between two of its nodes.
4. note: the asker's log key, by the directory for the time of asking, signed the question's digest.
5. statement: the answerer's log key, by the directory for the time of answering, signed it under the name of the
   answer to this question; it is over this question's digest and doesn't contradict it.
6. records: each is of the answerer, and its proof leads from its bytes to that statement's root, under its folder's
   number. A proof that the answer is complete is right, as far as this directory's agreements say for which numbers.
7. words: README, manifest and JSON are the bytes that these originals render to.

Both sides state their own times, which a key's thief could backdate: a key must be valid at the stated time and not
revoked since.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from gateway.errors import AgreementForbidsError, MalformedError, SignatureInvalidError, VerificationError
from gateway.evidence.codec.answer_bundle import (
    ANSWER_FORMS,
    FORMATS,
    AnswerParts,
    ClaimedAnswer,
    answer_text,
    as_of,
    parts_of_answer,
    read_answer,
    record_summary,
    render_answer,
)
from gateway.evidence.codec.bundle import MANIFEST, Bundle
from gateway.evidence.service.check import read_manifest, require_listed, trusted_directory
from gateway.evidence.service.report import Examination, StepRun, examined
from gateway.history.codec.key_tree_heads import ClaimedProof
from gateway.history.codec.signed_texts import open_question, query_digest, question_origin
from gateway.history.service.answer_verification import require_answer_to, verified_statement
from gateway.history.service.completeness import keys_to_prove, verify_completeness
from gateway.history.service.terms import require_terms
from gateway.plurals import counted
from gateway.tlog.note import Verifier
from gateway.tlog.proofs import verify_inclusion
from gateway.trust.rules.directory import Directory, of_algorithm
from gateway.trust.service.directory_versions import RootOfTrust, TrustedDirectory
from gateway.v1 import exchange_service_pb2

STEPS = {
    1: "bundle",
    2: "directory",
    3: "question",
    4: "note",
    5: "statement",
    6: "records",
    7: "words",
}
"""Names by number, as in docs/protocol.md."""


@dataclass(frozen=True, slots=True)
class VerifiedAnswer:
    """Facts that a bundle proves; `directory_version` is of the directory whose keys were used."""

    directory_version: int
    answer: ClaimedAnswer

    @property
    def told(self) -> str:
        """A sentence on question, answer and parties."""
        return answer_text(self.answer)

    def record_summary(self, record_id: str) -> str:
        """A sentence on whether the answer had a record."""
        return record_summary(self.answer, record_id)


AnswerExamination: TypeAlias = Examination[VerifiedAnswer]


def examine_answer(
    bundle: Bundle, *, anchors: RootOfTrust | None = None, directory_note: bytes | None = None
) -> AnswerExamination:
    """Verifies a bundle and returns the steps.

    Arguments are as for `check.verify`. Raises ConfigurationError without anchors and directory.
    """
    return examined(STEPS, lambda run: _evidence(run, bundle, anchors, directory_note), anchors, directory_note)


def _evidence(
    run: StepRun, bundle: Bundle, anchors: RootOfTrust | None, directory_note: bytes | None
) -> VerifiedAnswer:
    with run.step(1) as facts:
        parts = _complete(bundle)
        facts.append(counted(len(bundle.files), "file"))
    with run.step(2) as facts:
        trust = trusted_directory(parts.directory_note, anchors, directory_note, facts)
    with run.step(3) as facts:
        claimed = read_answer(parts)
        query = claimed.query
        _require_parties(claimed, trust)
        facts.append(f"query {query.query_id}, from {query.asker} to {query.answerer}")
    with run.step(4):
        _require_note(claimed, parts, trust)
    with run.step(5) as facts:
        keys = _keys(trust.directory, query.answerer, claimed.statement.answered_at)
        statement = verified_statement(parts.statement, query, keys)
        require_answer_to(statement, query, parts.query)
        facts.append(f"{counted(statement.count, 'record')}, {as_of(statement)}")
    with run.step(6) as facts:
        _require_records(claimed, parts)
        facts.append(f"{len(claimed.records)} of {counted(statement.count, 'record')}")
        if claimed.proof is not None:
            facts.append(_judged_proof(claimed, claimed.proof, trust.directory))
    with run.step(7):
        _require_words(bundle, parts)
    return VerifiedAnswer(trust.version, claimed)


def _complete(bundle: Bundle) -> AnswerParts:
    parts = parts_of_answer(bundle)
    reader, listed = read_manifest(bundle, *FORMATS)
    for member in ("federation", "query_id", "asker", "answerer"):
        reader.text(member, ".*", "text")
    for member in ("directory_version", "count"):
        reader.integer(member, 0, 1 << 53)
    for below in reader.objects("records", maximum=len(bundle.files)):
        below.integer("index", 0, 99_999)
        below.integer("revision", 0, 1 << 32)
        below.text("record_id", ".*", "text")
        below.text("leaf_hash", "[0-9a-f]{64}", "a hash in hexadecimal")
    reader.finish(MANIFEST)
    require_listed(bundle, listed)
    return parts


def _require_parties(claimed: ClaimedAnswer, trust: TrustedDirectory) -> None:
    query = claimed.query
    if query.federation != trust.federation:
        raise VerificationError(f"the question is of {query.federation}, the trusted directory of {trust.federation}")
    for node in (query.asker, query.answerer):
        trust.directory.signer(node)


def _require_note(claimed: ClaimedAnswer, parts: AnswerParts, trust: TrustedDirectory) -> None:
    query = claimed.query
    origin = question_origin(query.federation, query.asker, query.answerer)
    keys = _keys(trust.directory, query.asker, claimed.asked_at)
    query_id, digest = open_question(parts.note, tuple(Verifier(origin, key) for key in keys), origin)
    if (query_id, digest) != (query.query_id, query_digest(parts.query)):
        raise SignatureInvalidError("the asker's note is over another question")


def _keys(directory: Directory, node: str, at: datetime) -> list[bytes]:
    """Log keys that count for a self-stated time."""
    records = of_algorithm(directory.signer(node).log_keys)
    return [record.public_key for record in records if record.usable_as_told(at)]


def _require_records(claimed: ClaimedAnswer, parts: AnswerParts) -> None:
    statement = claimed.statement
    for record in claimed.records:
        where = f"record {record.index:05}"
        if record.record.node != statement.answerer:
            raise VerificationError(f"{where} is of {record.record.node!r}, not of {statement.answerer}")
        if record.proof.extra is not None:
            raise MalformedError(f"{where}: its proof has extra data, which nothing authenticates; bundles have none")
        if record.proof.index != record.index or record.proof.checkpoint_note != parts.statement:
            raise VerificationError(f"{where}: its proof is for another record or another statement")
        try:
            verify_inclusion(record.leaf, record.index, statement.count, record.proof.hashes, statement.root)
        except VerificationError as error:
            raise VerificationError(f"{where} was not in this answer: {error.message}") from error


def _judged_proof(claimed: ClaimedAnswer, proof: ClaimedProof, directory: Directory) -> str:
    """What the proof of completeness comes to.

    Raises:
        VerificationError, MalformedError, SignatureInvalidError: it is wrong.
    """
    query, answered = claimed.query, claimed.statement.answered_at
    if not claimed.whole:
        raise VerificationError("a proof of completeness stands beside all records of an answer, and some are missing")
    try:
        classes = require_terms(directory, query, claimed.asked_at).field_classes
    except AgreementForbidsError:
        return "its proof of completeness isn't judged: the directory has no agreement on such an answer"
    keys = keys_to_prove(query, (), classes)
    of_question = exchange_service_pb2.CompletenessProof(head=proof.message.head, keys=proof.message.keys[: len(keys)])
    proven = verify_completeness(
        of_question,
        query,
        keys=keys,
        record_ids=[record.record.shipment.record_id for record in claimed.records],
        log_keys=_keys(directory, query.answerer, answered),
        now_ms=claimed.statement.answered_at_ms,
    )
    if proven is None:
        return "its proof of completeness isn't judged: the directory's agreement is for other numbers"
    return f"proven complete, {counted(proven.untold, 'record')} untold"


def _require_words(bundle: Bundle, parts: AnswerParts) -> None:
    if any(render_answer(parts, form).files == bundle.files for form in ANSWER_FORMS):
        return
    again = render_answer(parts).files
    different = [
        name for name in sorted(again.keys() | bundle.files.keys()) if again.get(name) != bundle.files.get(name)
    ]
    if different:
        raise VerificationError(
            f"these files don't say what the originals say: {', '.join(different[:20])}; if a record is of a newer "
            "contract, verify with the newest version"
        )
