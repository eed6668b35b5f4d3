"""Own acts that partners are to get, until their feeds have them: statements on a table of any capability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Table, bindparam, delete, select

from gateway.db.statements import Prepared, insert_rows

KeyT = TypeVar("KeyT", bound=tuple[str | int, ...])


class Due(NamedTuple, Generic[KeyT]):
    """An own act that a partner is to get, and where it stands."""

    partner: str
    key: KeyT
    purpose: str
    feed_id: int
    idx: int


class Dues(Generic[KeyT]):
    """What partners are to get, in a table with a key's fields as columns beside those of `Due`."""

    def __init__(self, table: Table, key: type[KeyT]) -> None:
        self._table, self._key = table, key
        self._fields: tuple[str, ...] = key._fields  # type: ignore[attr-defined]
        self._columns = ("partner", *self._fields, "purpose", "feed_id", "idx")
        of = table.c
        self._drop = Prepared(
            delete(table).where(
                of.partner == bindparam("to"), *(of[name] == bindparam(f"of_{name}") for name in self._fields)
            )
        )
        self._pairs = Prepared(select(of.partner, of.purpose).distinct().order_by(of.partner, of.purpose))
        self._of_pair = Prepared(
            select(*(of[name] for name in self._columns))
            .where(of.partner == bindparam("to"), of.purpose == bindparam("for_purpose"))
            .order_by(of.feed_id, of.idx)
            .limit(bindparam("most"))
        )

    def add(self, conn: Connection, rows: Sequence[Due[KeyT]]) -> None:
        """Notes what partners are to get, once."""
        values = [(row.partner, *row.key, row.purpose, row.feed_id, row.idx) for row in rows]
        insert_rows(conn, self._table, self._columns, values, or_ignore=True)

    def drop(self, conn: Connection, partner: str, key: KeyT) -> None:
        """A partner's feed has the act."""
        of_key = {f"of_{name}": value for name, value in zip(self._fields, key, strict=True)}
        self._drop(conn, to=partner, **of_key)

    def pairs(self, conn: Connection) -> list[tuple[str, str]]:
        """Partners that are to get something, each with the purposes of that."""
        return [(row[0], row[1]) for row in self._pairs(conn)]

    def of(self, conn: Connection, partner: str, purpose: str, limit: int) -> list[Due[KeyT]]:
        """What a partner is to get for a purpose, in the order in which it was done."""
        rows = self._of_pair(conn, to=partner, for_purpose=purpose, most=limit)
        end = 1 + len(self._fields)
        return [Due(row[0], self._key(*row[1:end]), *row[end:]) for row in rows]
