"""Statements on the words of alerts: a full-text index of SQLite (FTS5), an inverted index of PostgreSQL.

A document is all that was said of one alert; its number is the position of the alert's first step in the local log.
Words are already cut and folded (`rules.words`), so neither database's rules of language have a part in it.
SQLite's index is a virtual table beside the others, made when the first document is written: a node that has no use for
it has none, and it can be made again from `alert_documents`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, select

from gateway.alerts.tables.schema import alert_events
from gateway.casework.tables.schema import alert_documents
from gateway.db.database import insert_rows
from gateway.db.statements import PreparedList, run

_VIRTUAL = "alert_words"
_MAKE = (
    f"CREATE VIRTUAL TABLE {_VIRTUAL} USING fts5(words, content='alert_documents', content_rowid='doc', "
    "detail='none', tokenize='unicode61 remove_diacritics 0')"
)
_values: BindParameter[Any] = bindparam("values", expanding=True)
_FIRST = PreparedList(
    select(alert_events.c.alert_id, alert_events.c.publisher, func.min(alert_events.c.position))
    .where(alert_events.c.alert_id.in_(_values))
    .group_by(alert_events.c.alert_id, alert_events.c.publisher)
)
_WORDS = PreparedList(select(alert_documents.c.doc, alert_documents.c.words).where(alert_documents.c.doc.in_(_values)))
_REMOVE = PreparedList(delete(alert_documents).where(alert_documents.c.doc.in_(_values)))
_OF = PreparedList(
    select(alert_documents.c.doc, alert_documents.c.alert_id, alert_documents.c.publisher).where(
        alert_documents.c.doc.in_(_values)
    )
)


class AlertDocument(NamedTuple):
    """All words of an alert, each once, in order."""

    doc: int
    alert_id: str
    publisher: str
    words: tuple[str, ...]


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


def put(conn: Connection, documents: Sequence[AlertDocument]) -> None:
    """Writes documents in place of earlier ones of the same alerts."""
    if not documents:
        return
    docs = [document.doc for document in documents]
    if conn.dialect.name == "sqlite":
        _put_into_fts5(conn, documents, docs)
        return
    _REMOVE.execute(conn, docs)
    for document in documents:
        run(
            conn,
            "INSERT INTO alert_documents (doc, alert_id, publisher, words) "
            "VALUES (%s, %s, %s, array_to_tsvector(%s::text[]))",
            [document.doc, document.alert_id, document.publisher, list(document.words)],
        )


def _put_into_fts5(conn: Connection, documents: Sequence[AlertDocument], docs: Sequence[int]) -> None:
    _ensure_virtual(conn)
    for doc, words in list(_WORDS(conn, docs)):
        run(conn, f"INSERT INTO {_VIRTUAL} ({_VIRTUAL}, rowid, words) VALUES ('delete', ?, ?)", [doc, words])
    _REMOVE.execute(conn, docs)
    rows = [(one.doc, one.alert_id, one.publisher, " ".join(one.words)) for one in documents]
    insert_rows(conn, alert_documents, ("doc", "alert_id", "publisher", "words"), rows)
    for doc, _, _, words in rows:
        run(conn, f"INSERT INTO {_VIRTUAL} (rowid, words) VALUES (?, ?)", [doc, words])


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
