"""Statements on the words of alerts: a full-text index of SQLite (FTS5), an inverted index of PostgreSQL.

A document is all that was said of one alert; its number is the position of the alert's first step in the local log.
Words are already cut and folded (`rules.words`), so neither database's rules of language have a part in it.
SQLite's index is a virtual table beside the others, made when the first document is written: a node that has no use for
it has none, and it can be made again from `alert_documents`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    column,
    delete,
    func,
    insert,
    literal_column,
    select,
    table,
)

from gateway.alerts.tables.schema import alert_events
from gateway.casework.tables.schema import alert_documents
from gateway.db.database import note_erasure
from gateway.db.statements import PreparedList, insert_rows, run

_VIRTUAL = "alert_words"
_MAKE = (
    f"CREATE VIRTUAL TABLE {_VIRTUAL} USING fts5(words, content='alert_documents', content_rowid='doc', "
    "detail='none', tokenize='unicode61 remove_diacritics 0')"
)
_SECURE_DELETE = f"INSERT INTO {_VIRTUAL} ({_VIRTUAL}, rank) VALUES ('secure-delete', ?)"
_MERGED_PAGES = 200
"""Pages that one merge writes: some 10 ms."""
_LEAST_CHANGES = 2
"""Rows that a merge changes which did something, by FTS5's documentation."""
_values: BindParameter[Any] = bindparam("values", expanding=True)
_FIRST = PreparedList(
    select(alert_events.c.alert_id, alert_events.c.publisher, func.min(alert_events.c.position))
    .where(alert_events.c.alert_id.in_(_values))
    .group_by(alert_events.c.alert_id, alert_events.c.publisher)
)
_DOCUMENTS = alert_documents.c.doc.in_(_values)
_REMOVE = PreparedList(delete(alert_documents).where(_DOCUMENTS))
_words = table(_VIRTUAL, column("rowid"), column("words"), column(_VIRTUAL))
_LIST = PreparedList(
    insert(_words).from_select(
        ["rowid", "words"], select(alert_documents.c.doc, alert_documents.c.words).where(_DOCUMENTS)
    )
)
_UNLIST = PreparedList(
    insert(_words).from_select(
        [_VIRTUAL, "rowid", "words"],
        select(literal_column("'delete'"), alert_documents.c.doc, alert_documents.c.words).where(_DOCUMENTS),
    )
)
"""SQLite: enter documents that are in the table, and take them out before they change there."""
_PUT = (
    "INSERT INTO alert_documents (doc, alert_id, publisher, words) "
    "SELECT doc, alert_id, publisher, array_to_tsvector(string_to_array(words, ' ')) "
    "FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::text[]) AS made (doc, alert_id, publisher, words)"
)
_OF = PreparedList(
    select(alert_documents.c.doc, alert_documents.c.alert_id, alert_documents.c.publisher).where(_DOCUMENTS)
)


AlertDocument = tuple[int, str, str, str]
"""Number, alert id, publisher, and all words of an alert, each once, in order, with spaces between them."""

_COLUMNS = ("doc", "alert_id", "publisher", "words")


class DocumentBatch(NamedTuple):
    """Documents of the alerts that changed between two positions of the local log, and names new to the index."""

    after: int
    last: int
    documents: tuple[AlertDocument, ...]
    names: tuple[tuple[int, str], ...]
    name_keys: tuple[tuple[int, int], ...]


class WordQuery(NamedTuple):
    """Alternatives, each of words that must all be there; True marks a beginning."""

    alternatives: tuple[tuple[tuple[str, bool], ...], ...]


def first_positions(conn: Connection, alert_ids: Collection[str]) -> dict[tuple[str, str], int]:
    """Numbers of documents, by publisher and alert id."""
    return {(row[1], row[0]): row[2] for row in _FIRST(conn, alert_ids)}


def put(conn: Connection, documents: Sequence[AlertDocument], *, after: int) -> None:
    """Writes documents in place of earlier ones of the same alerts.

    Args:
        after: last document that there may be already.
    """
    if not documents:
        return
    docs = [document[0] for document in documents]
    earlier = [doc for doc in docs if doc <= after]
    if conn.dialect.name != "sqlite":
        _REMOVE.execute(conn, earlier)
        columns = [list(values) for values in zip(*documents, strict=True)]
        run(conn, _PUT, columns)
        return
    _ensure_virtual(conn)
    _UNLIST.execute(conn, earlier)
    _REMOVE.execute(conn, earlier)
    insert_rows(conn, alert_documents, _COLUMNS, documents)
    _LIST.execute(conn, docs)


def search(conn: Connection, query: WordQuery, limit: int) -> list[int]:
    """Documents with all words of any alternative, the newest first."""
    if not any(query.alternatives):
        return []
    if conn.dialect.name == "sqlite":
        if not _has_virtual(conn):
            return []
        statement = f"SELECT rowid FROM {_VIRTUAL} WHERE {_VIRTUAL} MATCH ? ORDER BY rowid DESC LIMIT ?"
        return [row[0] for row in run(conn, statement, [_fts5_text(query), limit])]
    statement = "SELECT doc FROM alert_documents WHERE words @@ %s::tsquery ORDER BY doc DESC LIMIT %s"
    return [row[0] for row in run(conn, statement, [_tsquery_text(query), limit])]


def alerts_of(conn: Connection, docs: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Publisher and alert id of documents."""
    return {row[0]: (row[2], row[1]) for row in _OF(conn, list(docs))}


def forget(conn: Connection, publisher: str, alert_id: str) -> None:
    """Removes the document of an alert that was erased. SQLite's index has its words in segments until `merge`."""
    c = alert_documents.c
    docs = list(conn.execute(select(c.doc).where(c.alert_id == alert_id, c.publisher == publisher)).scalars())
    is_listed = conn.dialect.name == "sqlite" and _has_virtual(conn)
    if docs and is_listed:
        _UNLIST.execute(conn, docs)
        run(conn, _SECURE_DELETE, [1])
    _REMOVE.execute(conn, docs)


def has_erased_words(conn: Connection) -> bool:
    """Whether segments of SQLite's index still have words of erased documents; its own option for that says so."""
    if conn.dialect.name != "sqlite" or not _has_virtual(conn):
        return False
    return bool(run(conn, f"SELECT 1 FROM {_VIRTUAL}_config WHERE k = 'secure-delete' AND v = 1", []))


def merge(conn: Connection) -> bool:
    """Merges some pages of the segments; False at the end, when no segment has a word of what was erased."""
    before = int(run(conn, "SELECT total_changes()", []).scalar_one())
    run(conn, f"INSERT INTO {_VIRTUAL} ({_VIRTUAL}, rank) VALUES ('merge', ?)", [-_MERGED_PAGES])
    if int(run(conn, "SELECT total_changes()", []).scalar_one()) - before >= _LEAST_CHANGES:
        return True
    run(conn, _SECURE_DELETE, [0])
    note_erasure(conn)
    return False


def clear(conn: Connection) -> None:
    """Removes all documents."""
    conn.execute(delete(alert_documents))
    if conn.dialect.name == "sqlite" and _has_virtual(conn):
        run(conn, f"INSERT INTO {_VIRTUAL} ({_VIRTUAL}) VALUES ('delete-all')", [])


def _has_virtual(conn: Connection) -> bool:
    return bool(run(conn, "SELECT 1 FROM sqlite_master WHERE name = ?", [_VIRTUAL]))


def _ensure_virtual(conn: Connection) -> None:
    if not _has_virtual(conn):
        run(conn, _MAKE, [])
        run(conn, f"INSERT INTO {_VIRTUAL} ({_VIRTUAL}) VALUES ('rebuild')", [])


def _fts5_text(query: WordQuery) -> str:
    def word(text: str, beginning: bool) -> str:
        return f'"{text}"*' if beginning else f'"{text}"'

    return " OR ".join(
        "(" + " AND ".join(word(*one) for one in alternative) + ")" for alternative in query.alternatives if alternative
    )


def _tsquery_text(query: WordQuery) -> str:
    def word(text: str, beginning: bool) -> str:
        return f"'{text}':*" if beginning else f"'{text}'"

    return " | ".join(
        "(" + " & ".join(word(*one) for one in alternative) + ")" for alternative in query.alternatives if alternative
    )
