"""Verifies the stored tree of keys against its newest head in the log of records.

Whether the tree has the records' numbers isn't verified: each would cost a tenth of a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.db.database import Database
from gateway.history.rules.key_tree import MANY, list_value, split_names
from gateway.history.tables import key_tree
from gateway.history.tables.key_tree import LeafRow, StoredKeyTree
from gateway.plurals import counted
from gateway.tlog.prefix_tree import Subtree, root_of, subtree
from gateway.v1 import record_log_pb2

_DIGITS = "0123456789abcdef"

Add = Callable[[str], None]
"""Called with a problem."""


def check_key_tree(database: Database, logged: record_log_pb2.KeyTreeMoved, add: Add) -> None:
    """Compares lists, tiles and root with each other and with the head, but while the tree moves or is built again."""
    with database.read() as conn:
        state = key_tree.state(conn)
        if state.number < logged.number:
            add(f"the tree of keys has head {state.number}, and its log goes to {logged.number}")
        if not state.position or state.number != logged.number:
            return
        wrong: list[str] = []
        root = _checked(StoredKeyTree(conn), "", wrong).hash
        lists = sum(not _fits(row) for row in key_tree.all_leaves(conn))
    if wrong or lists or not state.root == root == logged.root:
        found = f"wrong are {counted(len(wrong), 'tile')} and {counted(lists, 'list')}"
        add(f"the tree of keys isn't the one that the log committed to ({found}); `gateway rebuild` builds it again")


def _checked(tree: StoredKeyTree, prefix: str, wrong: list[str]) -> Subtree:
    """The subtree by its leaves; `wrong` gets prefixes of tiles that say otherwise."""
    tile = tree.tile(prefix)
    if tile is None:
        return subtree(tree.leaves(prefix), len(prefix) * 4)
    below = tuple(_checked(tree, prefix + digit, wrong) for digit in _DIGITS)
    if below != tile:
        wrong.append(prefix)
    return root_of(below)


def _fits(row: LeafRow) -> bool:
    return row.value == (list_value(split_names(row.records)) if row.records else MANY)
