"""Describes the tables of a database in canonical form, and says where they aren't those that the code expects.

The code works on tables that have more than it expects, as long as it can write them: so a version of the software
works on the schema of the next one, if that only adds to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Index, MetaData, Table, UniqueConstraint, inspect
from sqlalchemy.types import NullType

from gateway.db.schema import POSTGRESQL_ONLY, SQLITE_ONLY

RETIRED = "retired"
"""Key in a column's or table's `info`: the code doesn't use it any more, and the next version may drop it."""

Columns = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnDescription:
    """A column as a database has it; `type` in the words of its dialect."""

    type: str
    nullable: bool
    has_default: bool
    retired: bool = False

    @property
    def must_be_given(self) -> bool:
        """Whether a row can't be added without it."""
        return not self.nullable and not self.has_default


@dataclass(frozen=True, slots=True)
class TableDescription:
    """A table; constraints and indexes by their columns, since their names don't matter."""

    columns: dict[str, ColumnDescription]
    key: Columns
    unique: frozenset[Columns]
    indexes: frozenset[Columns]
    references: frozenset[tuple[Columns, str]]
    retired: bool = False


Schema = dict[str, TableDescription]
"""Tables by name."""


def expected(metadata: MetaData, dialect: Dialect) -> Schema:
    """The tables that the code declares, in the words of a dialect."""
    return {name: _expected(table, dialect) for name, table in metadata.tables.items()}


_SQLITE_TABLES = "FROM sqlite_master AS t JOIN {} WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite^_%' ESCAPE '^'"
_SQLITE_COLUMNS = f"""SELECT t.name, c.name, upper(c.type), c."notnull", c.dflt_value, c.pk
{_SQLITE_TABLES.format("pragma_table_xinfo(t.name) AS c")} AND c.hidden <> 1 ORDER BY t.name, c.cid"""
_SQLITE_INDEXES = f"""SELECT t.name, i.name, i."unique", c.name
{_SQLITE_TABLES.format("pragma_index_list(t.name) AS i JOIN pragma_index_info(i.name) AS c")} AND i.origin <> 'pk'
ORDER BY t.name, i.name, c.seqno"""
_SQLITE_REFERENCES = f"""SELECT t.name, r.id, r."table", r."from"
{_SQLITE_TABLES.format("pragma_foreign_key_list(t.name) AS r")} ORDER BY t.name, r.id, r.seq"""


def described(conn: Connection) -> Schema:
    """The tables that a database has."""
    return _described_by_sqlite(conn) if conn.dialect.name == "sqlite" else reflected(conn)


def _described_by_sqlite(conn: Connection) -> Schema:
    """The same as `reflected`, which asks SQLite a thousand questions: a third of a node's start."""
    columns: dict[str, dict[str, ColumnDescription]] = {}
    keys: dict[str, dict[int, str]] = {}
    for table, name, kind, required, default, place in conn.exec_driver_sql(_SQLITE_COLUMNS):
        columns.setdefault(table, {})[name] = ColumnDescription(kind, not required, default is not None)
        if place:
            keys.setdefault(table, {})[place] = name
    indexes: dict[tuple[str, str, int], Columns] = {}
    for table, index, unique, name in conn.exec_driver_sql(_SQLITE_INDEXES):
        indexes[table, index, unique] = (*indexes.get((table, index, unique), ()), name)
    references: dict[tuple[str, int, str], Columns] = {}
    for table, number, other, name in conn.exec_driver_sql(_SQLITE_REFERENCES):
        references[table, number, other] = (*references.get((table, number, other), ()), name)
    return {
        table: TableDescription(
            columns=of_table,
            key=tuple(name for _, name in sorted(keys.get(table, {}).items())),
            unique=frozenset(names for (on, _, unique), names in indexes.items() if on == table and unique),
            indexes=frozenset(names for (on, _, unique), names in indexes.items() if on == table and not unique),
            references=frozenset((names, other) for (of, _, other), names in references.items() if of == table),
        )
        for table, of_table in columns.items()
    }


def reflected(conn: Connection) -> Schema:
    """The tables that any database has, as SQLAlchemy reads them."""
    inspector = inspect(conn)
    keys, unique = inspector.get_multi_pk_constraint(), inspector.get_multi_unique_constraints()
    indexes, references = inspector.get_multi_indexes(), inspector.get_multi_foreign_keys()
    return {
        place[1]: TableDescription(
            columns={column["name"]: _column(column, conn.dialect) for column in columns},
            key=tuple(keys[place]["constrained_columns"]),
            unique=frozenset(
                [tuple(one["column_names"]) for one in unique.get(place, [])]
                + [_indexed(one) for one in indexes.get(place, []) if one["unique"]]
            ),
            indexes=frozenset(_indexed(one) for one in indexes.get(place, []) if not one["unique"]),
            references=frozenset(
                (tuple(one["constrained_columns"]), one["referred_table"]) for one in references.get(place, [])
            ),
        )
        for place, columns in inspector.get_multi_columns().items()
    }


def differences(needed: Schema, present: Schema, *, same_dialect: bool = True) -> list[str]:
    """Why code that needs these tables can't work on those that are present; empty when it can.

    Args:
        same_dialect: types are compared too.
    """
    found = []
    for name, table in sorted(needed.items()):
        if name in present:
            found += [f"table {name}: {what}" for what in _of_table(table, present[name], same_dialect)]
        elif not table.retired:
            found.append(f"table {name} is missing")
    return found


def _of_table(needed: TableDescription, present: TableDescription, same_dialect: bool) -> Iterator[str]:
    yield from _of_columns(needed, present, same_dialect)
    if needed.key != present.key:
        yield f"its key is {_listed(present.key)}, not {_listed(needed.key)}"
    for columns in needed.unique - present.unique:
        yield f"{_listed(columns)} should be unique"
    for columns in present.unique - needed.unique:
        yield f"{_listed(columns)} shouldn't be unique"
    for columns in needed.indexes - present.indexes:
        yield f"there is no index on {_listed(columns)}"
    for columns, other in needed.references ^ present.references:
        yield f"{_listed(columns)} {'should refer' if (columns, other) in needed.references else 'refers'} to {other}"


def _of_columns(needed: TableDescription, present: TableDescription, same_dialect: bool) -> Iterator[str]:
    for name, column in needed.columns.items():
        there = present.columns.get(name)
        if there is None:
            if not column.retired:
                yield f"column {name} is missing"
        elif same_dialect and there.type != column.type:
            yield f"column {name} is {there.type}, not {column.type}"
        elif there.nullable is not column.nullable:
            yield f"column {name} {'may' if there.nullable else 'must not'} be NULL"
        elif there.must_be_given and not column.must_be_given:
            yield f"column {name} has no default"
    for name in present.columns.keys() - needed.columns.keys():
        if present.columns[name].must_be_given:
            yield f"column {name} is unknown, and no row can be added without it"


def _listed(columns: Columns) -> str:
    return f"({', '.join(columns)})"


def _expected(table: Table, dialect: Dialect) -> TableDescription:
    unique = [tuple(one.columns.keys()) for one in table.constraints if isinstance(one, UniqueConstraint)]
    return TableDescription(
        columns={
            column.name: ColumnDescription(
                column.type.compile(dialect),
                bool(column.nullable),
                column.server_default is not None or _numbered(column, dialect),
                bool(column.info.get(RETIRED)),
            )
            for column in table.columns
        },
        key=tuple(table.primary_key.columns.keys()),
        unique=frozenset(unique + [_columns(one) for one in table.indexes if one.unique]),
        indexes=frozenset(_columns(one) for one in table.indexes if not one.unique and _made_on(one, dialect)),
        references=frozenset(
            (tuple(one.column_keys), one.referred_table.name) for one in table.foreign_key_constraints
        ),
        retired=bool(table.info.get(RETIRED)),
    )


def _columns(index: Index) -> Columns:
    return tuple(getattr(one, "name", None) or str(one) for one in index.expressions)


def _made_on(index: Index, dialect: Dialect) -> bool:
    return not index.info.get(POSTGRESQL_ONLY if dialect.name == "sqlite" else SQLITE_ONLY)


def _numbered(column: Column[Any], dialect: Dialect) -> bool:
    """Whether PostgreSQL numbers the rows, which it shows as a default."""
    return dialect.name == "postgresql" and column is column.table.autoincrement_column


def _column(column: Any, dialect: Dialect) -> ColumnDescription:
    kind = column["type"]  # columns of SQLite's full-text tables have none
    return ColumnDescription(
        "" if isinstance(kind, NullType) else kind.compile(dialect),
        bool(column["nullable"]),
        column.get("default") is not None or bool(column.get("identity")),
    )


def _indexed(index: Any) -> Columns:
    return tuple(index.get("expressions") or index["column_names"])
