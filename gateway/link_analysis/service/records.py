"""Finds the records that name a party or thing: own shipments, alerts, and held answers that the caller names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.alerts.codec import alert_of, parse_event
from gateway.alerts.tables import copies, events
from gateway.contract.messages import to_ms, to_timestamp
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.history.service.current_records import current_records
from gateway.history.service.search import HistorySearch
from gateway.history.tables import shipments
from gateway.link_analysis.rules import mentions
from gateway.link_analysis.rules.graph import LinkedThing, NameComparison, NamedRecord, RecordKey
from gateway.link_analysis.rules.things import Mention, Space, keys_of, term
from gateway.link_analysis.tables import terms
from gateway.v1 import alert_pb2, history_pb2

NAMES_COMPARED = 8
"""Most names of one party that are compared with others: each costs a look at the vocabularies."""

NUMBERS_SOUGHT = 50

PAGE_RECORDS = 30
"""Records of a hub that are read at once."""

MOST_COUNTED = 5_000
"""Items of a hub that are counted, by the contract: more than make a hub by any setting."""

LINK_NAMES = "link names"
"""Handler of the history process; its result: matching names of parties in alerts, by key."""

AlertNames = Callable[[Sequence[str]], Mapping[int, history_pb2.NameMatch]]
"""Matching names of parties in alerts, by `name_key`."""


@dataclass(frozen=True, slots=True)
class ShipmentPeriod:
    """Bounds on the time of declaration, inclusive and exclusive; milliseconds since 1970, 0: none."""

    declared_from: int = 0
    declared_until: int = 0


ALWAYS = ShipmentPeriod()


ComparedKeys = tuple[str, str, NameComparison]
"""Key of a node, key of another, and how their names agree, which they do only when compared."""

HELD, ALERTS, SHIPMENTS = range(3)
"""Parts of a hub's records, in the order of its pages."""


class HubPlace(NamedTuple):
    """Where a hub's records go on: after `shown` records of the read that begins at `below`.

    `below`, `as_of`, `recorded`: positions as the index of the part has them; 0: from the newest.
    """

    part: int = HELD
    below: int = 0
    as_of: int = 0
    recorded: int = 0
    shown: int = 0


HUB_START = HubPlace()


class HubRead(NamedTuple):
    """Records that were read at once, each with its comparisons, and where the next read begins; None at the end."""

    records: Sequence[tuple[NamedRecord, Sequence[ComparedKeys]]]
    following: HubPlace | None


class HubRecord(NamedTuple):
    """A record of a hub and the place after it; None instead where nothing of what was read is in the period."""

    record: NamedRecord | None
    comparisons: Sequence[ComparedKeys]
    after: HubPlace


@dataclass(slots=True)
class RecordsOfNode:
    """What was found.

    Attributes:
        comparisons: of names that agree only when compared.
        is_hub: more records than the limit name it; none is given then.
    """

    records: list[NamedRecord] = field(default_factory=list)
    comparisons: list[ComparedKeys] = field(default_factory=list)
    is_hub: bool = False


class RecordLookup:
    """Looks up records. Thread-safe; not for the event loop's thread."""

    def __init__(
        self,
        database: Database,
        *,
        search: HistorySearch,
        alert_names: AlertNames,
        hub_records: int,
    ) -> None:
        """`hub_records`: most records of a node; one with more is a hub."""
        self._database = database
        self._search = search
        self._alert_names = alert_names
        self._hub = hub_records

    def of_node(self, node: LinkedThing, period: ShipmentPeriod, held: Sequence[NamedRecord]) -> RecordsOfNode:
        """Records that name a node; a hub has none."""
        found = RecordsOfNode()
        names = _compared_names(node)
        try:
            self._add_shipments(found, node, names, period)
            if not found.is_hub:
                self._add_alerts(found, node, names)
        except InvalidRequestError:  # a name that more than 2,000 others may be
            found.is_hub = True
        if found.is_hub:
            return RecordsOfNode(is_hub=True)
        found.records += [record for record in held if _names(record, node)]
        return found

    def is_hub(self, count: int) -> bool:
        """Whether so many records are more than a node may have to be expanded at once."""
        return count > self._hub

    def count(self, node: LinkedThing, period: ShipmentPeriod) -> int:
        """Own shipments and alerts that name a node, up to `MOST_COUNTED`; 0 where its name may be any of too many."""
        names = _compared_names(node)
        criteria = [_within(one, period) for one in _criteria(node, names)]
        try:
            alert_keys = self._alert_keys(node, names)[0]
            count = self._search.count(criteria, most=MOST_COUNTED) if criteria else 0
        except InvalidRequestError:
            return 0
        with self._database.read() as conn:
            if node.space is Space.ADDRESS:
                refs = terms.refs(conn, _terms_of(node), terms.SHIPMENT, MOST_COUNTED)
                count = len({row.record_id for row in shipments.revisions(conn, refs).values()})
            count += len(events.alerts_at(conn, terms.refs(conn, alert_keys, terms.ALERT, MOST_COUNTED)))
        return min(count, MOST_COUNTED)

    def of_hub(
        self, node: LinkedThing, period: ShipmentPeriod, held: Sequence[NamedRecord], start: HubPlace = HUB_START
    ) -> Iterator[HubRecord]:
        """Records of a node however many there are, from a place on, some read at once.

        Raises:
            InvalidRequestError: its name may be any of too many.
        """
        place: HubPlace | None = start
        while place is not None:
            read = self._read(node, period, held, place)
            for number, (record, comparisons) in enumerate(read.records, start=1):
                if number > place.shown:
                    yield HubRecord(record, comparisons, place._replace(shown=number))
            if not read.records and read.following is not None:
                yield HubRecord(None, (), read.following)
            place = read.following

    def _read(self, node: LinkedThing, period: ShipmentPeriod, held: Sequence[NamedRecord], place: HubPlace) -> HubRead:
        if place.part == HELD:
            named = sorted((record for record in held if _names(record, node)), key=_newest_first)
            return HubRead([(record, ()) for record in named], HubPlace(ALERTS))
        if place.part == ALERTS:
            return self._alerts_of_hub(node, place)
        if node.space is Space.ADDRESS:
            return self._shipments_at_hub(node, period, place)
        criteria = [_within(one, period) for one in _criteria(node, _compared_names(node))]
        return self._shipments_of_hub(node, criteria, place) if criteria else HubRead((), None)

    def _alerts_of_hub(self, node: LinkedThing, place: HubPlace) -> HubRead:
        keys, comparisons = self._alert_keys(node, _compared_names(node))
        with self._database.read() as conn:
            refs = terms.refs(conn, keys, terms.ALERT, PAGE_RECORDS, below=place.below or terms.NEWEST)
            alerts = sorted(_alerts_at(conn, refs), key=_newest_first)
        following = HubPlace(ALERTS, refs[-1]) if len(refs) == PAGE_RECORDS else HubPlace(SHIPMENTS)
        named = [(alert, {key for mention in alert.mentions for key in mention.keys}) for alert in alerts]
        return HubRead([(alert, [one for one in comparisons if one[1] in keys]) for alert, keys in named], following)

    def _shipments_of_hub(
        self, node: LinkedThing, criteria: Sequence[history_pb2.SearchCriteria], place: HubPlace
    ) -> HubRead:
        first, *others = criteria
        below, as_of, recorded = place.below, place.as_of, place.recorded
        records: list[tuple[NamedRecord, Sequence[ComparedKeys]]] = []
        for chunk in self._search.chunks(
            first, alternatives=others, before=below, as_of=as_of, recorded=recorded, limit=PAGE_RECORDS
        ):
            records += [(_of_history(one), list(_comparisons(one.name_matches, node))) for one in chunk.records]
            following = HubPlace(SHIPMENTS, chunk.more_before, chunk.as_of, chunk.recorded)
        return HubRead(records, following if following.below else None)

    def _shipments_at_hub(self, node: LinkedThing, period: ShipmentPeriod, place: HubPlace) -> HubRead:
        with self._database.read() as conn:
            refs = terms.refs(conn, _terms_of(node), terms.SHIPMENT, PAGE_RECORDS, below=place.below or terms.NEWEST)
            records = sorted(_shipments_at(conn, refs, node, period), key=_newest_first)
        following = HubPlace(SHIPMENTS, refs[-1]) if len(refs) == PAGE_RECORDS else None
        return HubRead([(record, ()) for record in records], following)

    def _alert_keys(self, node: LinkedThing, names: Sequence[str]) -> tuple[list[int], list[ComparedKeys]]:
        """Under which keys alerts with a node stand, and how names that agree with its names do."""
        matches = self._alert_names(names) if names else {}
        return sorted({*_terms_of(node), *matches}), list(_comparisons(matches.values(), node))

    def shipment(self, record_id: str) -> NamedRecord:
        """An own record. Raises NotFoundError."""
        with self._database.read() as conn:
            record = next(current_records(conn, [record_id]), None)
        if record is None:
            raise NotFoundError(f"record_id: there is no record {record_id!r} here")
        shipment = record.shipment
        return NamedRecord(("shipment", record_id), to_ms(shipment.declared_at), tuple(mentions.of_shipment(shipment)))

    def alert(self, publisher: str, alert_id: str) -> NamedRecord:
        """An alert in its current revision. Raises NotFoundError."""
        with self._database.read() as conn:
            payload = copies.current_payload(conn, publisher, alert_id)
        alert = alert_of(parse_event(payload)) if payload else None
        if alert is None:
            raise NotFoundError(f"alert: there is no alert {publisher}/{alert_id} here")
        return _of_alert(alert)

    def alerts_naming(self, conn: Connection, node: LinkedThing, most: int) -> list[NamedRecord]:
        """Newest alerts that name a node as it is written."""
        refs = terms.refs(conn, _terms_of(node), terms.ALERT, most)
        return _alerts_at(conn, refs)

    def _add_shipments(
        self, found: RecordsOfNode, node: LinkedThing, names: Sequence[str], period: ShipmentPeriod
    ) -> None:
        if node.space is Space.ADDRESS:
            self._add_shipments_at(found, node, period)
            return
        criteria = [_within(one, period) for one in _criteria(node, names)]
        if not criteria:
            return
        first, *others = criteria
        for chunk in self._search.chunks(first, alternatives=others, limit=self._hub, whole=True):
            if chunk.last and chunk.more_before and not chunk.records:
                found.is_hub = True
                return
            for record in chunk.records:
                found.records.append(_of_history(record))
                found.comparisons += _comparisons(record.name_matches, node)

    def _add_shipments_at(self, found: RecordsOfNode, node: LinkedThing, period: ShipmentPeriod) -> None:
        """Shipments with an address, which history's index doesn't have."""
        with self._database.read() as conn:
            refs = terms.refs(conn, _terms_of(node), terms.SHIPMENT, self._hub + 1)
            if len(refs) > self._hub:
                found.is_hub = True
                return
            found.records += _shipments_at(conn, refs, node, period)

    def _add_alerts(self, found: RecordsOfNode, node: LinkedThing, names: Sequence[str]) -> None:
        keys, comparisons = self._alert_keys(node, names)
        with self._database.read() as conn:
            refs = terms.refs(conn, keys, terms.ALERT, self._hub + 1)
            if len(refs) > self._hub:
                found.is_hub = True
                return
            found.records += _alerts_at(conn, refs)
        found.comparisons += comparisons


def _newest_first(record: NamedRecord) -> tuple[int, RecordKey]:
    return record.newest_first


def _compared_names(node: LinkedThing) -> list[str]:
    return sorted(node.names)[:NAMES_COMPARED] if node.space is Space.PARTY else []


def _terms_of(node: LinkedThing) -> list[int]:
    return [term(key) for key in sorted(node.keys)]


def _names(record: NamedRecord, node: LinkedThing) -> bool:
    return any(not node.keys.isdisjoint(mention.keys) for mention in record.mentions)


def _shipments_at(
    conn: Connection, refs: Sequence[int], node: LinkedThing, period: ShipmentPeriod
) -> Iterator[NamedRecord]:
    """Shipments at positions of the index of addresses that name a node still, in a period."""
    ids = {row.record_id for row in shipments.revisions(conn, refs).values()}
    for record in current_records(conn, sorted(ids)):
        named = _of_history(history_pb2.HistoryRecord(shipment=record.shipment))
        if _is_within(named, period) and _names(named, node):
            yield named


def _criteria(node: LinkedThing, names: Sequence[str]) -> Iterator[history_pb2.SearchCriteria]:
    """What history's index is asked for, as alternatives."""
    values = [value for _, value in node.identifiers][:NUMBERS_SOUGHT]
    match node.space:
        case Space.PARTY:
            if node.identifiers:
                yield history_pb2.SearchCriteria(
                    party_identifiers=[
                        history_pb2.SearchIdentifier(scheme=scheme, value=value)
                        for scheme, value in list(node.identifiers)[:NUMBERS_SOUGHT]
                    ]
                )
            if names:
                yield history_pb2.SearchCriteria(party_names=names)
        case Space.CONTAINER:
            if values:
                yield history_pb2.SearchCriteria(containers=values)
        case Space.VEHICLE | Space.VESSEL:
            if values:
                yield history_pb2.SearchCriteria(registrations=values)
            for name in sorted(node.names)[:1] if node.space is Space.VESSEL else ():
                yield history_pb2.SearchCriteria(vessel=name)


def _within(criteria: history_pb2.SearchCriteria, period: ShipmentPeriod) -> history_pb2.SearchCriteria:
    if period.declared_from:
        criteria.declared_from.CopyFrom(to_timestamp(period.declared_from))
    if period.declared_until:
        criteria.declared_until.CopyFrom(to_timestamp(period.declared_until))
    return criteria


def _is_within(record: NamedRecord, period: ShipmentPeriod) -> bool:
    return record.at_ms >= period.declared_from and (not period.declared_until or record.at_ms < period.declared_until)


def _comparisons(matches: Iterable[history_pb2.NameMatch], node: LinkedThing) -> Iterator[ComparedKeys]:
    """Comparisons with names that aren't the node's as they are written."""
    for match in matches:
        asked, found = (keys_of(Space.PARTY, [name], ()) for name in (match.asked, match.recorded))
        if asked and found and found[0] not in node.keys:
            yield asked[0], found[0], NameComparison(match.asked, match.recorded, match.score, match.because)


def _of_history(record: history_pb2.HistoryRecord) -> NamedRecord:
    shipment = record.shipment
    named = tuple(mentions.of_shipment(shipment))
    return NamedRecord(("shipment", shipment.record_id), to_ms(shipment.declared_at), named)


def of_answer(record: history_pb2.HistoryRecord, query_id: str) -> NamedRecord:
    """A record in a partner's answer."""
    shipment = record.shipment
    key = ("answer", record.node, query_id, shipment.record_id)
    return NamedRecord(key, to_ms(shipment.declared_at), tuple(mentions.of_shipment(shipment)))


def _alerts_at(conn: Connection, positions: Sequence[int]) -> list[NamedRecord]:
    """Alerts by the newest of these steps of each."""
    newest: dict[tuple[str, str], alert_pb2.Alert] = {}
    for row, _, payload in events.at_positions(conn, positions):
        alert = alert_of(parse_event(payload)) if payload else None
        if alert is not None:
            newest[row.key.publisher, row.key.alert_id] = alert
    return [_of_alert(alert) for alert in newest.values()]


def _of_alert(alert: alert_pb2.Alert) -> NamedRecord:
    named: list[Mention] = mentions.of_alert(alert.content)
    return NamedRecord(("alert", alert.publisher, alert.id), to_ms(alert.published_at), tuple(named))
