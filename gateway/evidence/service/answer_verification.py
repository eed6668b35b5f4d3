"""Verifies stored answers about shipments against their signed statements.

* The asker's note and the answerer's statement are over the question's digest, and signed by log keys that the
  directory lists for those nodes, past and revoked ones included (evidence.service.answer_check decides whether a key
  counts).
* Stored records of an answer to this node lead to the signed root.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.db.database import Database
from gateway.errors import DirectoryError, GatewayError, VerificationError
from gateway.evidence.service.answer_export import stored_records
from gateway.history.codec.signed_texts import open_question, parse_query, query_digest, question_origin
from gateway.history.service.answer_verification import require_answer_to, verified_statement
from gateway.history.tables import answers
from gateway.history.tables.answers import ANSWERED, ASKED, AnswerRow
from gateway.plurals import counted
from gateway.tlog.merkle import Tree, leaf_hash
from gateway.tlog.note import Verifier
from gateway.trust.rules.directory import of_algorithm
from gateway.trust.service.directory_versions import TrustedDirectory

STEP = "10 answers"

CHUNK = 100
"""Answer ids read at once."""

_JUDGED = {ASKED: ("complete", "partial"), ANSWERED: ("answered",)}
"""Outcomes with a verified statement; failed ones are stored unverified."""


def check_answers(database: Database, trust: TrustedDirectory, add: Callable[[str], None]) -> int:
    """Verifies all answers and returns their number; `add` gets each problem with its query id."""
    looked_at = 0
    for side in (ASKED, ANSWERED):
        after = ""
        while True:
            with database.read() as conn:
                ids = answers.ids_after(conn, side, after, CHUNK)
            if not ids:
                break
            for query_id in ids:
                looked_at += _check(database, trust, side, query_id, add)
            after = ids[-1]
    return looked_at


def _check(database: Database, trust: TrustedDirectory, side: int, query_id: str, add: Callable[[str], None]) -> int:
    with database.read() as conn:
        row = answers.find(conn, side, query_id)
        stored = answers.records(conn, query_id) if side == ASKED else []
    if row is None or row.outcome not in _JUDGED[side]:  # gone meanwhile, or nothing was signed
        return 0
    try:
        _verify_row(row, trust, stored)
    except DirectoryError as error:
        add(f"query {query_id}: it can't be judged: {error.message}")
    except GatewayError as error:
        add(f"query {query_id}: {error.message}")
    return 1


def _verify_row(row: AnswerRow, trust: TrustedDirectory, stored: list[tuple[int, bytes]]) -> None:
    query = parse_query(row.query)
    if query.query_id != row.query_id:
        raise VerificationError(f"the question is another one, {query.query_id}")
    origin = question_origin(query.federation, query.asker, query.answerer)
    keys = {
        node: [key.public_key for key in of_algorithm(trust.directory.signer(node).log_keys)]
        for node in (query.asker, query.answerer)
    }
    noted = open_question(row.note, tuple(Verifier(origin, key) for key in keys[query.asker]), origin)
    if noted != (query.query_id, query_digest(row.query)):
        raise VerificationError("the asker's note is over another question")
    statement = verified_statement(row.statement, query, keys[query.answerer])
    require_answer_to(statement, query, row.query)
    if row.side == ASKED:
        tree = Tree.empty().append([leaf_hash(record) for record in stored_records(stored)]).tree
        if (tree.size, tree.root) != (statement.count, statement.root):
            raise VerificationError(
                f"{query.answerer} signed for {counted(statement.count, 'record')}, "
                f"and the {tree.size} stored ones aren't those"
            )
