"""Follows the links of what a question has found, as far as the node's own records lead.

A trace would ask for the same next, in rounds of a question and an answer each. The criteria are made of what the asker
sees, so nothing is found that it couldn't ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from gateway.history.tables.cells import CellsState
from gateway.trust.rules.directory import FieldClass
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria
from gateway.v1.history_service_pb2 import SearchShipmentsResponse

MOST_STEPS = 4
"""How often what was found is followed on."""

MOST_CRITERIA = 8
"""Most sets of criteria that are followed."""

NextCriteria: TypeAlias = Callable[[Sequence[HistoryRecord], Sequence[SearchCriteria]], Sequence[SearchCriteria]]
"""Further criteria from the records found and the criteria asked, which the records' `met` numbers; none at the end."""


MayFollow: TypeAlias = Callable[[SearchCriteria], bool]
"""Whether the searcher could ask with these criteria."""


class FollowedPage(NamedTuple):
    """The page whose links are followed.

    Attributes:
        classes, asker, as_of, recorded: see HistorySearch.chunks.
        limit: most records in all.
    """

    state: CellsState
    classes: frozenset[FieldClass]
    asker: str
    as_of: int
    recorded: int
    limit: int


class FoundRecords(NamedTuple):
    """What some criteria find; `removed` counts withheld fields, `complete` says that nothing is missing."""

    messages: Sequence[SearchShipmentsResponse]
    removed: int
    complete: bool


class FollowedLinks(NamedTuple):
    """Further records and the criteria that found them, numbered by `met` after those that were asked."""

    messages: Sequence[SearchShipmentsResponse] = ()
    criteria: Sequence[SearchCriteria] = ()
    removed: int = 0


def follow_links(
    records: Sequence[HistoryRecord],
    asked: Sequence[SearchCriteria],
    further: NextCriteria,
    find: Callable[[Sequence[SearchCriteria]], FoundRecords],
    *,
    may: MayFollow,
    limit: int,
) -> FollowedLinks:
    """Follows links until nothing is open or there would be more than `limit` records in all.

    What isn't found whole isn't followed: the asker can ask for it.
    """
    known, seen = list(records), {record.shipment.record_id for record in records}
    messages: list[SearchShipmentsResponse] = []
    criteria: list[SearchCriteria] = []
    removed = 0
    for _ in range(MOST_STEPS):
        next_criteria = [one for one in further(known, [*asked, *criteria]) if may(one)][
            : MOST_CRITERIA - len(criteria)
        ]
        if not next_criteria:
            break
        found = find(next_criteria)
        new = list(_new(found.messages, seen, len(asked) + len(criteria)))
        count = sum(len(message.records.records) for message in new)
        if not found.complete or len(known) + count > limit:
            break
        criteria += next_criteria
        messages += new
        removed += found.removed
        known += [record for message in new for record in message.records.records]
        seen.update(record.shipment.record_id for record in known)
    return FollowedLinks(messages, criteria, removed)


def _new(messages: Sequence[SearchShipmentsResponse], seen: set[str], first: int) -> Iterator[SearchShipmentsResponse]:
    """Messages with the records that aren't known yet; the number of their first criteria is `first`."""
    for message in messages:
        records = message.records.records
        for at in range(len(records) - 1, -1, -1):
            if records[at].shipment.record_id in seen:
                del records[at]
            else:
                met = [first + number for number in records[at].met or (0,)]
                records[at].met[:] = met
        if records:
            yield message
