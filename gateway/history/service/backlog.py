"""Finds recorded items that aren't indexed yet and may change what a search says.

They are compared by the keys and the filter that the index would have of them. Names aren't, since that needs the
vocabularies of screening: a record with any name may match a question for one. Of a long backlog nothing is read, and
all of it may match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.history.service.criteria import KeyCriteria, LoggedItem, SearchPlan
from gateway.history.tables import releases, shipments
from gateway.history.tables.shipments import LogRow

MOST_COMPARED = 100
"""Most items compared with a question, some 60 µs each."""


class Lag(NamedTuple):
    """Records that may match and aren't indexed.

    Attributes:
        records: how many; of a long backlog its items.
        since: when the first of them was recorded, milliseconds since 1970; 0 if there is none.
        position: of the last of them.
        compared: whether they were compared with everything that was asked.
    """

    records: int = 0
    since: int = 0
    position: int = 0
    compared: bool = True


class _PendingItem(NamedTuple):
    """An item that shows something to the searcher.

    Attributes:
        matches: by what could be compared.
        compared: whether that was everything.
    """

    position: int
    record_id: str
    recorded_at: int
    matches: bool
    compared: bool


class Backlog:
    """The items between two positions, as one search sees them."""

    def __init__(self, items: Sequence[_PendingItem] = (), uncompared: Lag | None = None) -> None:
        self._items = items
        self._uncompared = uncompared
        self._shown: set[str] = set()

    @classmethod
    def read(cls, conn: Connection, plan: SearchPlan, after: int, last: int, *, newest: int) -> Backlog:
        """Items after one position up to another; none if these are equal.

        `newest`: the last item in this database; a standby may not have all of them yet.
        """
        if last <= after:
            return cls()
        if last - after > MOST_COMPARED or last > newest:
            return cls((), Lag(last - after, shipments.recorded_after(conn, after), last, compared=False))
        rows = [row for row in shipments.log_after(conn, after, last - after) if row.position <= last]
        hidden = releases.unreleased(conn, {row.record_id for row in rows}, plan.asker) if plan.asker else set()
        return cls(list(_pending([row for row in rows if row.record_id not in hidden], plan)))

    def shown(self, record_ids: Iterable[str]) -> None:
        """Notes records that the search shows: what waits of them changes them."""
        if self._items:
            self._shown.update(record_ids)

    @property
    def lag(self) -> Lag:
        """What may change the search so far."""
        if self._uncompared is not None:
            return self._uncompared
        missing = [item for item in self._items if item.matches or item.record_id in self._shown]
        if not missing:
            return Lag()
        return Lag(
            len({item.record_id for item in missing}),
            min(item.recorded_at for item in missing),
            missing[-1].position,
            all(item.compared for item in missing),
        )


def _pending(rows: Iterable[LogRow], plan: SearchPlan) -> Iterator[_PendingItem]:
    for row in rows:
        item = LoggedItem.of(row)
        if not row.content or item.keys.isdisjoint(keys_wire.record_keys(row.record_id, plan.classes)):
            continue  # erased, or it shows the searcher nothing
        matching = [one for one in plan.alternatives if _matches(one, item)]
        compared = not matching or any(not one.has_names for one in matching)
        yield _PendingItem(row.position, row.record_id, row.recorded_at, bool(matching), compared)


def _matches(criteria: KeyCriteria, item: LoggedItem) -> bool:
    """An addition has the time and procedure of its record, wherever that stands: these exclude none."""
    if criteria.has_names and not item.names:
        return False
    if item.revision is not None and not criteria.record_filter.matches(item.revision):
        return False
    return all(not item.keys.isdisjoint(of_criterion) for of_criterion in criteria.exact_sets)
