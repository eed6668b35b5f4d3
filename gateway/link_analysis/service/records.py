"""Finds the records that name a party or thing: own shipments, alerts, and held answers that the caller names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
from gateway.link_analysis.rules.graph import LinkedThing, NameComparison, NamedRecord
from gateway.link_analysis.rules.things import Mention, Space, keys_of, term
from gateway.link_analysis.tables import terms
from gateway.v1 import alert_pb2, history_pb2

NAMES_COMPARED = 8
"""Most names of one party that are compared with others: each costs a look at the vocabularies."""

NUMBERS_SOUGHT = 50

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


@dataclass(slots=True)
class RecordsOfNode:
    """What was found.

    Attributes:
        comparisons: (key of the node, key of the other, comparison) of names that agree only when compared.
        is_hub: more records than the limit name it; none is given then.
    """

    records: list[NamedRecord] = field(default_factory=list)
    comparisons: list[tuple[str, str, NameComparison]] = field(default_factory=list)
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
        names = sorted(node.names)[:NAMES_COMPARED] if node.space is Space.PARTY else []
        try:
            self._add_shipments(found, node, names, period)
            if not found.is_hub:
                self._add_alerts(found, node, names)
        except InvalidRequestError:  # a name that more than 2,000 others may be
            found.is_hub = True
        if found.is_hub:
            return RecordsOfNode(is_hub=True)
        keys = node.keys
        found.records += [record for record in held if any(not keys.isdisjoint(each.keys) for each in record.mentions)]
        return found

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
        refs = terms.refs(conn, [term(key) for key in sorted(node.keys)], terms.ALERT, most)
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
            refs = terms.refs(conn, [term(key) for key in sorted(node.keys)], terms.SHIPMENT, self._hub + 1)
            if len(refs) > self._hub:
                found.is_hub = True
                return
            ids = {row.record_id for row in shipments.revisions(conn, refs).values()}
            for record in current_records(conn, sorted(ids)):
                named = _of_history(history_pb2.HistoryRecord(shipment=record.shipment))
                if _is_within(named, period) and any(not node.keys.isdisjoint(each.keys) for each in named.mentions):
                    found.records.append(named)

    def _add_alerts(self, found: RecordsOfNode, node: LinkedThing, names: Sequence[str]) -> None:
        matches = self._alert_names(names) if names else {}
        keys = {term(key) for key in node.keys} | set(matches)
        with self._database.read() as conn:
            refs = terms.refs(conn, sorted(keys), terms.ALERT, self._hub + 1)
            if len(refs) > self._hub:
                found.is_hub = True
                return
            found.records += _alerts_at(conn, refs)
        found.comparisons += _comparisons(matches.values(), node)


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


def _comparisons(
    matches: Iterable[history_pb2.NameMatch], node: LinkedThing
) -> Iterator[tuple[str, str, NameComparison]]:
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
