"""Files and texts of a bundle about one answer on shipments.

Rendering a bundle's originals again gives the same bytes in every version that knows the format, except for characters
that don't print: see bundle_text.

    README.txt  manifest.json  directory.note  query.binpb  query.note  query.json  statement.note  completeness.binpb
    records/00017/  record.binpb  record.tlog-proof  record.json
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from google.protobuf.json_format import Error
from google.protobuf.message import Message

from gateway.contract.json_document import JsonValue, dump_json, format_time_ms
from gateway.contract.messages import to_ms
from gateway.errors import MalformedError
from gateway.evidence.codec.bundle import DIRECTORY, MANIFEST, README, Bundle
from gateway.evidence.codec.bundle_text import printing_json
from gateway.history.codec.key_tree_heads import ClaimedProof, claimed_proof
from gateway.history.codec.signed_texts import Statement, parse_query, parse_record, parse_statement, question_origin
from gateway.plurals import counted
from gateway.tlog.merkle import leaf_hash
from gateway.tlog.note import Verifier, parse_note
from gateway.tlog.proof_file import TlogProof, parse_proof
from gateway.trust.codec.directory import decode_directory
from gateway.trust.rules.directory import Directory, of_algorithm
from gateway.v1 import history_pb2

FORMAT = "customs-gateway-answer/v2"

FORMAT_WITH_POSITIONS = "customs-gateway-answer/v1"
"""Of a bundle whose statement names positions, as those of earlier versions do."""

FORMAT_WITH_LAG = "customs-gateway-answer/v3"
"""Of a bundle whose statement says that records aren't indexed yet; earlier versions don't read such a statement."""

FORMAT_WITH_LOSS = "customs-gateway-answer/v4"
"""Of one whose statement says that records may be lost; v3 don't read that."""

FORMAT_WITH_PROOF = "customs-gateway-answer/v5"
"""Of one with a proof that the answer is complete."""

FORMATS = (FORMAT, FORMAT_WITH_POSITIONS, FORMAT_WITH_LAG, FORMAT_WITH_LOSS, FORMAT_WITH_PROOF)

QUERY, NOTE, QUERY_JSON, STATEMENT = "query.binpb", "query.note", "query.json", "statement.note"
PROOF = "completeness.binpb"
"""A CompletenessProof, beside all records of an answer."""

MAX_RECORDS = 1_000
"""Most records in a bundle; larger answers need a choice of records."""

_RECORD = re.compile(r"records/([0-9]{5})/(record\.binpb|record\.tlog-proof|record\.json)")
_FILES = ("record.binpb", "record.tlog-proof", "record.json")


@dataclass(frozen=True, slots=True)
class AnswerParts:
    """A bundle's originals, unverified.

    Attributes:
        directory_note: the directory with the keys.
        query, note: the question and the asker's signature.
        statement: signed by the answerer.
        records: with proofs, by number from 0.
        proof: that the answer is complete; empty for none.
    """

    directory_note: bytes
    query: bytes
    note: bytes
    statement: bytes
    records: Mapping[int, tuple[bytes, bytes]]
    proof: bytes = b""


@dataclass(frozen=True, slots=True)
class ClaimedRecord:
    """A record and its proof, unverified. `leaf` is SHA-256(0x00 ‖ its bytes)."""

    index: int
    record: history_pb2.HistoryRecord
    leaf: bytes
    proof: TlogProof


@dataclass(frozen=True, slots=True)
class ClaimedAnswer:
    """The content of the originals, unverified."""

    query: history_pb2.HistoryQuery
    statement: Statement
    records: tuple[ClaimedRecord, ...]
    proof: ClaimedProof | None = None

    @property
    def whole(self) -> bool:
        """Whether all records of the answer are here."""
        return self.statement.hit is None and len(self.records) == self.statement.count

    @property
    def asked_at(self) -> datetime:
        """By the asker's clock."""
        return datetime.fromtimestamp(to_ms(self.query.asked_at) / 1000, UTC)


def format_of(claimed: ClaimedAnswer) -> str:
    """The format of a bundle with these originals."""
    statement = claimed.statement
    if claimed.proof is not None:
        return FORMAT_WITH_PROOF
    if statement.lost_before_ms:
        return FORMAT_WITH_LOSS
    if statement.unindexed.records:
        return FORMAT_WITH_LAG
    return FORMAT_WITH_POSITIONS if statement.as_of_time is None else FORMAT


def is_answer(bundle: Bundle) -> bool:
    """Whether a bundle is about an answer, not an alert."""
    return STATEMENT in bundle.files


def parts_of_answer(bundle: Bundle) -> AnswerParts:
    """Takes a bundle apart; raises MalformedError that names missing and unknown files."""
    left = dict(bundle.files)
    singles = (README, MANIFEST, DIRECTORY, QUERY, NOTE, QUERY_JSON, STATEMENT)
    missing = [name for name in singles if name not in left]
    taken = {name: left.pop(name, b"") for name in singles}
    numbers = sorted({match[1] for name in left if (match := _RECORD.fullmatch(name))})
    records: dict[int, tuple[bytes, bytes]] = {}
    for number in numbers:
        names = [f"records/{number}/{name}" for name in _FILES]
        missing.extend(name for name in names if name not in left)
        record, proof, _ = (left.pop(name, b"") for name in names)
        records[int(number)] = (record, proof)
    proof = left.pop(PROOF, b"")
    problems = [f"{name} is missing" for name in missing] + [f"{name} is unknown" for name in left]
    if problems:
        raise MalformedError("the bundle isn't complete: " + "; ".join(problems[:20]))
    return AnswerParts(taken[DIRECTORY], taken[QUERY], taken[NOTE], taken[STATEMENT], records, proof)


def read_answer(parts: AnswerParts) -> ClaimedAnswer:
    """Parses the originals without verifying them; raises MalformedError or InvalidRequestError if not canonical."""
    records = tuple(
        ClaimedRecord(index, parse_record(record), leaf_hash(record), parse_proof(proof))
        for index, (record, proof) in sorted(parts.records.items())
    )
    statement = parse_statement(parts.statement)
    proof = claimed_proof(parts.proof, statement.federation, statement.answerer) if parts.proof else None
    return ClaimedAnswer(parse_query(parts.query), statement, records, proof)


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How a bundle's files for people are written.

    Attributes:
        plurals: one record isn't `1 records`.
        as_before: JSON has characters that don't print as they are.
    """

    plurals: bool = True
    as_before: bool = False


ANSWER_FORMS = (AnswerForm(), AnswerForm(plurals=False), AnswerForm(plurals=False, as_before=True))
"""The present form, and those of earlier versions."""


def render_answer(parts: AnswerParts, form: AnswerForm = ANSWER_FORMS[0]) -> Bundle:
    """Renders the bundle of these originals.

    Raises:
        MalformedError, InvalidRequestError: one isn't in canonical form.
        TooLargeError: the bundle would exceed a limit.
    """
    if len(parts.records) > MAX_RECORDS:
        raise MalformedError(f"a bundle has at most {MAX_RECORDS} records; name those that matter")
    directory = decode_directory(parse_note(parts.directory_note).unverified_text)
    claimed = read_answer(parts)
    files = {
        DIRECTORY: parts.directory_note,
        QUERY: parts.query,
        NOTE: parts.note,
        QUERY_JSON: _json(claimed.query, form.as_before),
        STATEMENT: parts.statement,
    }
    if parts.proof:
        files[PROOF] = parts.proof
    for claim in claimed.records:
        folder = f"records/{claim.index:05}"
        record, proof = parts.records[claim.index]
        contents = record, proof, _json(claim.record, form.as_before)
        files |= {f"{folder}/{name}": content for name, content in zip(_FILES, contents, strict=True)}
    files[README] = _readme(directory, claimed, parts, form).encode()
    files[MANIFEST] = dump_json(_manifest(directory, claimed, files))
    return Bundle(files)


def answer_text(claimed: ClaimedAnswer) -> str:
    """A sentence on question, answer and parties."""
    said, grounds = claimed.statement, claimed.query.grounds
    if said.hit is not None:
        what = "that it has such records" if said.hit else "that it has no such record"
    else:
        what = counted(said.count, "record")
        if said.withheld:
            what += f", {_withheld(said)}"
    scope = "; ".join((f"searched {as_of(said, 'its ')}", *_rest(claimed)))
    return (
        f"{said.answerer} told {said.asker} on {format_time_ms(said.answered_at)}, asked under query {said.query_id} "
        f"for {grounds.purpose} (legal basis {grounds.legal_basis}; case {grounds.case_reference}): {what}; {scope}."
    )


def _rest(claimed: ClaimedAnswer) -> Iterator[str]:
    """What the answer lacks, or that it lacks nothing."""
    said = claimed.statement
    if said.hit is None and said.more_before:
        yield _more(said)
    if said.unindexed.records:
        yield _unindexed(said)
    if said.hit is None and said.is_complete:
        yield "these were all from where it was asked to begin" if claimed.query.before else "these were all"
    if claimed.proof is not None:
        but = f", but for up to {counted(claimed.proof.untold, 'record')} that it doesn't tell"
        until = format_time_ms(datetime.fromtimestamp(claimed.proof.until_ms / 1000, UTC))
        yield f"proven complete up to {until}{but if claimed.proof.untold else ''}"


def as_of(said: Statement, whose: str = "") -> str:
    """What was searched; `whose` stands before a position."""
    if said.as_of_time is None:
        return f"as of {whose}position {said.as_of}"
    return f"as of {format_time_ms(said.as_of_time)}"


def record_summary(claimed: ClaimedAnswer, record_id: str, form: AnswerForm = ANSWER_FORMS[0]) -> str:
    """A sentence on whether the answer had a record."""
    said = claimed.statement
    of = f"the answer of {counted(said.count, 'record') if form.plurals else f'{said.count} records'}"
    records = [record for record in claimed.records if record.record.shipment.record_id == record_id]
    if records:
        first = records[0]
        return f"Record {record_id}, revision {first.record.revision}, was in {of}, as its number {first.index}."
    if said.hit is not None:
        return f"Whether record {record_id} was meant can't be told: only hit or no hit was answered."
    if claimed.whole:
        more = f" {_more_to_come(said)}" if said.more_before else ""
        lag = f" {_unindexed(said).capitalize()}." if said.unindexed.records else ""
        return f"Record {record_id} was not in {of}, {as_of(said)}.{more}{lag}"
    return f"Whether record {record_id} was in {of} can't be told: {len(claimed.records)} of them are in this bundle."


def _withheld(said: Statement) -> str:
    if said.as_of_time is None:
        return f"{said.withheld} fields of them withheld"
    return "without the fields that the agreement withholds"


def _more(said: Statement) -> str:
    return f"there are more at positions below {said.more_before}" if said.as_of_time is None else "there are more"


def _unindexed(said: Statement) -> str:
    count, or_more = said.unindexed
    records = counted(count, "record that may match was", "records that may match were")
    return f"{'at least ' if or_more else ''}{records} recorded and not indexed yet"


def _more_to_come(said: Statement) -> str:
    at = f" at positions below {said.more_before}" if said.as_of_time is None else ""
    return f"More{at} was still to come."


def _json(message: Message, as_before: bool) -> bytes:
    try:
        return printing_json(message, as_before=as_before)
    except (ValueError, Error) as error:  # e.g. a time beyond the year 9999
        raise MalformedError(f"a message has no JSON form: {error}") from None


def _manifest(directory: Directory, claimed: ClaimedAnswer, files: dict[str, bytes]) -> dict[str, JsonValue]:
    said = claimed.statement
    return {
        "format": format_of(claimed),
        "federation": directory.federation,
        "directory_version": directory.version,
        "query_id": said.query_id,
        "asker": said.asker,
        "answerer": said.answerer,
        "count": said.count,
        "records": [
            {
                "index": record.index,
                "record_id": record.record.shipment.record_id,
                "revision": record.record.revision,
                "leaf_hash": record.leaf.hex(),
            }
            for record in claimed.records
        ],
        "files": [
            {"name": name, "bytes": len(content), "sha256": sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        ],
    }


def _readme(directory: Directory, claimed: ClaimedAnswer, parts: AnswerParts, form: AnswerForm) -> str:
    said = claimed.statement
    sentences = [record_summary(claimed, record.record.shipment.record_id, form) for record in claimed.records]
    records = "".join(f"  {sentence}\n" for sentence in sentences)
    asked_by = question_origin(said.federation, said.asker, said.answerer)
    return _README.format(
        format=format_of(claimed),
        query_id=said.query_id,
        answerer=said.answerer,
        asker=said.asker,
        federation=directory.federation,
        version=directory.version,
        asked=format_time_ms(claimed.asked_at),
        answered=format_time_ms(said.answered_at),
        told=answer_text(claimed),
        records=records or "  None.\n",
        held=f"{len(claimed.records)} of {said.count}",
        asker_key=_vkey(directory, said.asker, asked_by, parts.note),
        answerer_key=_vkey(directory, said.answerer, said.origin, parts.statement),
    )


def _vkey(directory: Directory, node: str, name: str, note: bytes) -> str:
    """The directory's key for a note's signature; verified elsewhere."""
    signatures = parse_note(note).signatures
    known = directory.signers().get(node)
    keys = [] if known is None else [Verifier(name, record.public_key) for record in of_algorithm(known.log_keys)]
    return next((key.to_vkey() for key in keys if key.key_id == signatures[0].key_id), _UNNAMED)


_UNNAMED = "(none that this directory names)"

_README = """\
EVIDENCE OF AN ANSWER BETWEEN CUSTOMS AUTHORITIES
{format}

  Query       {query_id}
  Asked by    {asker}, at {asked} by its clock
  Answered by {answerer}, at {answered} by its clock
  Federation  {federation}, directory version {version}

WHAT WAS SAID
  {told}

RECORDS IN THIS BUNDLE ({held} of the answer)
{records}
WHAT IT PROVES
  1. {asker} asked exactly this: its signature covers the question.
  2. {answerer} answered it so: its signature covers the number of records, every byte of each in their order, and up to
     where it had searched. A record that is here was in the answer.
  3. Nothing here was changed since: one changed bit and nothing verifies.

WHAT IT DOESN'T PROVE
  That what a record says is true; that a clock was right; that {answerer} had no other record and kept it back.

HOW TO VERIFY IT
  gateway evidence verify THIS --directory directory.note

  THIS is the folder or .zip file. It needs no network. Take the directory from an authority that you trust, or name
  the authorities' directory keys with --anchor: the directory in here is only the claim of whoever gave you this.

HOW TO VERIFY IT BY HAND, WITH OTHER TOOLS
  1. The digest of the question stands in query.note (line 3) and in statement.note (its line "query"), in base64:
       openssl dgst -sha256 -binary query.binpb | base64
  2. The leaf hash of a record, as manifest.json has it:
       (printf '\\000'; cat records/00000/record.binpb) | sha256sum
  3. record.tlog-proof (c2sp.org/tlog-proof@v1) leads from that leaf hash to the root in the statement. Statement and
     query.note are signed notes (c2sp.org/signed-note); any tool for these formats verifies them with these keys:
       {answerer}  {answerer_key}
       {asker}  {asker_key}
  4. Those keys stand in directory.note, a signed note in JSON, with the times in which they count.
  5. query.binpb and record.binpb are protobuf messages HistoryQuery and HistoryRecord of package gateway.v1; the .json
     beside each says the same in JSON. manifest.json lists all files with their SHA-256.
"""
