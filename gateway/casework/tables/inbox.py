"""Statements on the inbox: a row for each copy of an alert, with what it wants of this authority.

`pages` walks indexes in the order of `rules.urgency`: a test compares it with that rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, func, literal_column, or_, select, tuple_
from sqlalchemy.sql.expression import BindParameter, Select

from gateway.casework.rules.urgency import (
    FIRST_PRIORITY,
    SOON_MS,
    InboxTimes,
    InboxUrgency,
    UrgencyGroup,
    urgency_of,
)
from gateway.casework.tables.schema import case_assignments, inbox_items
from gateway.db.statements import PreparedList, insert_rows

_COLUMNS = tuple(inbox_items.c.keys())
_C = inbox_items.c
_KEY = (_C.alert_id, _C.publisher, _C.recipient)
_values: BindParameter[Any] = bindparam("values", expanding=True)
_OF_ALERTS = PreparedList(select(inbox_items).where(_C.alert_id.in_(_values)))
_REMOVE = PreparedList(inbox_items.delete().where(_C.alert_id.in_(_values)))

_ZERO: ColumnElement[int] = literal_column("0")
"""Not a parameter: or the databases couldn't see that an index of some rows will do."""

_IS_FIRST = _C.priority == literal_column(f"'{FIRST_PRIORITY}'")
_IS_NOT_FIRST = _C.priority != literal_column(f"'{FIRST_PRIORITY}'")
_IS_WANTED, _HAS_DUE, _HAS_NO_DUE, _IS_OPEN = (
    _C.wanted > _ZERO,
    _C.due_at > _ZERO,
    _C.due_at == _ZERO,
    _C.open_until > _ZERO,
)

InboxKey = tuple[str, str, str]
"""Alert id, publisher, recipient."""


class InboxItem(NamedTuple):
    """One recipient's copy of an alert, as the table's columns; times in milliseconds since 1970.

    Attributes:
        wanted: flags of rules.wanted.RequiredAction.
        typologies: between commas.
        due_at, act_by, open_until: see rules.urgency.InboxTimes.
    """

    alert_id: str
    publisher: str
    recipient: str
    partner: str
    direction: str
    status: str
    priority: str
    typologies: str
    wanted: int
    due_at: int
    act_by: int
    open_until: int

    @property
    def key(self) -> InboxKey:
        return self.alert_id, self.publisher, self.recipient

    @property
    def times(self) -> InboxTimes:
        return InboxTimes(self.wanted > 0, self.due_at, self.act_by, self.open_until, self.priority)


class InboxPlace(NamedTuple):
    """Where a row stands in an order."""

    urgency: InboxUrgency
    key: InboxKey


@dataclass(frozen=True, slots=True)
class InboxCriteria:
    """Conditions on items; empty ones don't restrict. The same in SQL and of a row that was read.

    Attributes:
        now: the reader's clock, milliseconds since 1970.
        wanted_only, open_only: which scope.
        actions: flags, any of which is wanted.
        due_until: deadline at the latest; 0: any.
        unassigned: only alerts that are nobody's.
        former: former partners: alerts from and to them have ended, whatever their validity.
    """

    now: int
    wanted_only: bool = False
    open_only: bool = False
    statuses: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    direction: str = ""
    typologies: tuple[str, ...] = ()
    actions: int = 0
    overdue: bool = False
    due_until: int = 0
    unassigned: bool = False
    former: frozenset[str] = frozenset()

    def item(self, row: Iterable[Any]) -> InboxItem:
        """An item as read; one of a former partner has ended."""
        item = InboxItem(*row)
        return item._replace(open_until=0) if item.partner in self.former else item

    def valid(self) -> ColumnElement[bool]:
        """Items that no step, no clock and no partner's leaving has ended."""
        return and_(_C.open_until > self.now, *([_C.partner.not_in(self.former)] if self.former else []))

    def conditions(self) -> list[ColumnElement[bool]]:
        """For statements on `inbox_items`, without scope."""
        found: list[ColumnElement[bool]] = []
        for column, values in ((_C.status, self.statuses), (_C.priority, self.priorities), (_C.partner, self.partners)):
            if values:
                found.append(column.in_(values))
        if self.direction:
            found.append(_C.direction == self.direction)
        if self.typologies:
            found.append(or_(*(_C.typologies.contains(f",{one},", autoescape=True) for one in self.typologies)))
        if self.actions:
            found.append(_C.wanted.op("&")(self.actions) > 0)
        if self.overdue or self.due_until:
            until = min(filter(None, (self.now - 1 if self.overdue else 0, self.due_until)))
            found.append(and_(_HAS_DUE, _C.due_at <= until, _IS_WANTED, self.valid()))
        if self.unassigned:
            of_alert = (case_assignments.c.alert_id == _C.alert_id, case_assignments.c.publisher == _C.publisher)
            found.append(~select(literal_column("1")).select_from(case_assignments).where(*of_alert).exists())
        return found

    def matches(self, item: InboxItem) -> bool:
        """The same of an item that `item` has read, with scope; without `unassigned`."""
        wants = item.wanted > 0 and item.open_until > self.now
        due = item.due_at if wants else 0
        return (
            (wants or not self.wanted_only)
            and (item.open_until > 0 or not self.open_only)
            and (not self.statuses or item.status in self.statuses)
            and (not self.priorities or item.priority in self.priorities)
            and (not self.partners or item.partner in self.partners)
            and self.direction in ("", item.direction)
            and (not self.typologies or any(f",{one}," in item.typologies for one in self.typologies))
            and (not self.actions or item.wanted & self.actions > 0)
            and (not self.overdue or 0 < due < self.now)
            and (not self.due_until or 0 < due <= self.due_until)
        )


def put(conn: Connection, items: Sequence[InboxItem]) -> None:
    """Writes items in place of earlier ones of the same alerts; of each alert all copies must be given."""
    _REMOVE.execute(conn, {item.alert_id for item in items})
    insert_rows(conn, inbox_items, _COLUMNS, sorted(items))


def forget(conn: Connection, publisher: str, alert_id: str) -> None:
    """Removes the items of an alert that was erased."""
    conn.execute(inbox_items.delete().where(_C.alert_id == alert_id, _C.publisher == publisher))


def of_alerts(conn: Connection, alert_ids: Collection[str], criteria: InboxCriteria) -> list[InboxItem]:
    """Items of alerts, as the criteria read them; they needn't match."""
    return [criteria.item(row) for row in _OF_ALERTS(conn, alert_ids)] if alert_ids else []


def place_of(item: InboxItem, now_ms: int) -> InboxPlace:
    """An item's place in the order of urgency."""
    return InboxPlace(urgency_of(item.times, now_ms), item.key)


def sort_key(place: InboxPlace) -> tuple[Any, ...]:
    """Sorts places in Python as `by_urgency` does in SQL: ascending, the newest first where nothing is wanted."""
    urgency, key = place
    return (*urgency, tuple(_reversed(part) for part in key) if urgency.group is UrgencyGroup.REST else key)


def _reversed(text: str) -> tuple[int, ...]:
    """Sorts texts of one length, as ids are, in descending order."""
    return (*(-ord(one) for one in text), 1)


SEGMENTS: Final = (
    (UrgencyGroup.NOW, "A"),
    (UrgencyGroup.NOW, "B"),
    (UrgencyGroup.NOW, "C"),
    (UrgencyGroup.DUE, ""),
    (UrgencyGroup.LATER, ""),
    (UrgencyGroup.REST, ""),
)
"""Parts of the order that one walk along an index reads: group and leading priority."""


def by_urgency(
    conn: Connection, criteria: InboxCriteria, *, after: InboxPlace | None, limit: int
) -> Iterator[InboxItem]:
    """Items in the order of urgency after a place."""
    begin = SEGMENTS[0] if after is None else after.urgency[:2]
    left = limit
    for segment in SEGMENTS:
        if segment < begin or left <= 0:
            continue
        walk = walk_of(segment, criteria, after if segment == begin else None, left)
        for row in conn.execute(walk) if walk is not None else ():
            yield criteria.item(row)
            left -= 1


def newest(conn: Connection, criteria: InboxCriteria, *, before: InboxKey | None, limit: int) -> Iterator[InboxItem]:
    """Items, the newest first."""
    conditions = criteria.conditions() + _scope(criteria)
    if before is not None:
        conditions.append(tuple_(*_KEY) < tuple_(*before))
    query = select(inbox_items).where(*conditions).order_by(*(column.desc() for column in _KEY)).limit(limit)
    yield from (criteria.item(row) for row in conn.execute(query))


def walk_of(
    segment: tuple[UrgencyGroup, str], criteria: InboxCriteria, after: InboxPlace | None, limit: int
) -> Select[Any] | None:
    """The statement of a part of the order; None where the criteria leave nothing of it."""
    group, leading = segment
    if group is UrgencyGroup.REST:
        return None if criteria.wanted_only else _rest(criteria, after, limit)
    if group is UrgencyGroup.LATER and (criteria.overdue or criteria.due_until):
        return None
    soon = criteria.now + SOON_MS
    conditions = [*criteria.conditions(), _IS_WANTED, criteria.valid()]
    if leading == FIRST_PRIORITY:
        return _walk(_C.act_by, [*conditions, _IS_FIRST], after, limit)
    if group is UrgencyGroup.NOW:
        return _walk(_C.due_at, [*conditions, _HAS_DUE, _C.due_at <= soon, _C.priority == leading], after, limit)
    if group is UrgencyGroup.DUE:
        return _walk(_C.due_at, [*conditions, _HAS_DUE, _C.due_at > soon, _IS_NOT_FIRST], after, limit)
    return _walk(_C.act_by, [*conditions, _HAS_NO_DUE, _IS_NOT_FIRST], after, limit)


def _walk(
    order: ColumnElement[int], conditions: Sequence[ColumnElement[bool]], after: InboxPlace | None, limit: int
) -> Select[Any]:
    sorts = (order, _C.priority, *_KEY)
    query = select(inbox_items).where(*conditions).order_by(*sorts).limit(limit)
    if after is not None:
        query = query.where(tuple_(*sorts) > tuple_(after.urgency.act_by, after.urgency.priority, *after.key))
    return query


def _rest(criteria: InboxCriteria, after: InboxPlace | None, limit: int) -> Select[Any]:
    conditions = criteria.conditions() + _scope(criteria)
    left = [_C.partner.in_(criteria.former)] if criteria.former else []
    conditions.append(or_(_C.wanted == 0, _C.open_until <= criteria.now, *left))
    if after is not None:
        conditions.append(tuple_(*_KEY) < tuple_(*after.key))
    return select(inbox_items).where(*conditions).order_by(*(column.desc() for column in _KEY)).limit(limit)


def _scope(criteria: InboxCriteria) -> list[ColumnElement[bool]]:
    if criteria.wanted_only:
        return [_IS_WANTED, criteria.valid()]
    if not criteria.open_only:
        return []
    return [_IS_OPEN, _C.partner.not_in(criteria.former)] if criteria.former else [_IS_OPEN]


def number_of(conn: Connection, criteria: InboxCriteria, most: int) -> int:
    """Number of items, at most `most`."""
    conditions = [*criteria.conditions(), *_scope(criteria)]
    chosen: Select[Any] = select(literal_column("1")).select_from(inbox_items).where(*conditions)
    return int(conn.execute(select(func.count()).select_from(chosen.limit(most).subquery())).scalar_one())


class FacetRow(NamedTuple):
    """Number of items that have these values in common; `group`: of rules.urgency.UrgencyGroup."""

    priority: str
    partner: str
    direction: str
    status: str
    typologies: str
    wanted: int
    overdue: bool
    group: int
    assignee: str
    items: int


def facet_rows(conn: Connection, criteria: InboxCriteria, most: int) -> list[FacetRow]:
    """Counts of the items of some criteria, of the most urgent `most` where there are more."""
    conditions = [*criteria.conditions(), *_scope(criteria)]
    walks = [[*conditions, _HAS_DUE], [*conditions, _HAS_NO_DUE]] if criteria.wanted_only else [conditions]
    orders = (_C.due_at, _C.act_by)
    rows: list[FacetRow] = []
    left = most
    for number, where in enumerate(walks):
        columns = (*_KEY[:2], _C.priority, _C.partner, _C.direction, _C.status, _C.typologies, _C.wanted, _C.due_at)
        chosen = select(*columns, _C.open_until).where(*where).limit(left)
        if criteria.wanted_only:
            chosen = chosen.order_by(orders[number])
        rows += _grouped(conn, chosen, criteria)
        left = most - sum(row.items for row in rows)
        if left <= 0:
            break
    return rows


def _grouped(conn: Connection, chosen: Select[Any], criteria: InboxCriteria) -> list[FacetRow]:
    c, now = chosen.subquery(), criteria.now
    left = [c.c.partner.not_in(criteria.former)] if criteria.former else []
    wants = and_(c.c.wanted > 0, c.c.open_until > now, *left)
    overdue = and_(wants, c.c.due_at > 0, c.c.due_at < now)
    assigned = case_assignments
    joined = c.outerjoin(assigned, and_(assigned.c.alert_id == c.c.alert_id, assigned.c.publisher == c.c.publisher))
    values = (c.c.priority, c.c.partner, c.c.direction, c.c.status, c.c.typologies, c.c.wanted)
    is_soon = or_(c.c.priority == FIRST_PRIORITY, and_(c.c.due_at > 0, c.c.due_at <= now + SOON_MS))
    group = case(
        (~wants, int(UrgencyGroup.REST)),
        (is_soon, int(UrgencyGroup.NOW)),
        (c.c.due_at > 0, int(UrgencyGroup.DUE)),
        else_=int(UrgencyGroup.LATER),
    )
    computed = (
        overdue.label("overdue"),
        group.label("urgency"),
        func.coalesce(assigned.c.assignee, "").label("assignee"),
    )
    query = select(*values, *computed, func.count()).select_from(joined).group_by(*values, *computed)
    return [FacetRow._make((*row[:6], bool(row[6]), *row[7:])) for row in conn.execute(query)]
