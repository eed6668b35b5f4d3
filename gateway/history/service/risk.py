"""Evaluates the rules on recorded shipments, and reads the hits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection

from gateway.contract.filters import (
    Term,
    decode_number_token,
    encode_page_token,
    invalid_value,
    page_size,
    parse_filter,
)
from gateway.contract.identification.shipment_keys import KeySets
from gateway.contract.messages import to_ms, to_timestamp
from gateway.db.database import Database
from gateway.errors import StoreUnavailableError
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.codec.batches import RecordOutcome, RiskBatch
from gateway.history.rules.releases import is_releasable
from gateway.history.service.current_records import CurrentShipment, current_records, current_shipments
from gateway.history.service.search import NEWEST
from gateway.history.tables import inspection_outcomes, shipment_search, shipments
from gateway.history.tables import progress as record_progress
from gateway.history.tables import risk_hits as risk
from gateway.history.tables.risk_hits import RecordRisk, RiskRow
from gateway.history.tables.schema import risk_hits
from gateway.history.tables.schema import shipments as shipments_table
from gateway.history.tables.shipment_search import RecordFilter
from gateway.licences.service.presented import PresentedLicences
from gateway.risk.facts.consignments import hs6_of
from gateway.risk.facts.findings import EarlierFindings, Outcomes, outcome_of
from gateway.risk.learning import learned_threshold, lift
from gateway.risk.rule_engine import RuleEngine
from gateway.risk.rule_file import Rule
from gateway.v1 import history_service_pb2, shipment_pb2, trace_pb2

log = logging.getLogger(__name__)

BATCH = 500
"""Items in one batch: some milliseconds."""

MAX_AROUND = 200
"""Most records of a series: as many as rules evaluate together."""

MAX_BEFORE = 300
"""Most earlier records read for an exporter's usual quantities."""

MAX_LEARNED_FROM = 10_000
"""Most inspected hits, the newest, that a threshold is learned from."""

MAX_LEGS_LOOKED_AT = 20
"""Most own exports of a trace whose series are searched; a split consignment has a few."""

_POSITIONS = range(10**18)
_ORDINALS = range(1 << 31)
"""PostgreSQL refuses a number that doesn't fit the column."""

_SEVERITY = "SEVERITY_"
_FIELDS = dict.fromkeys(("rule", "severity", "record"), ("=",))


class SiblingSearch:
    """Searches exports in one series. Thread-safe."""

    def __init__(self, database: Database, *, rules: RuleEngine) -> None:
        self._database = database
        self._rules = rules

    def of(self, shipment: shipment_pb2.Shipment) -> list[shipment_pb2.Shipment]:
        """Current records that may be in a series with a shipment, with itself; mostly none.

        Raises:
            StoreUnavailableError: the database can't be read.
        """
        siblings: dict[str, shipment_pb2.Shipment] = {}
        for query in self._rules.sibling_queries(shipment):
            around = self._records(query.key_sets, RecordFilter(*query.around, query.procedures), MAX_AROUND)
            if any(item.record_id != shipment.record_id for item in around):
                before = self._records(query.key_sets, RecordFilter(*query.before, query.procedures), MAX_BEFORE)
                siblings.update((item.record_id, item) for item in (*before, *around))
        return list(siblings.values())

    def of_trace(
        self, trace: trace_pb2.Trace, node: str, recipient: str = ""
    ) -> dict[int, list[shipment_pb2.Shipment]]:
        """The same for own legs of a trace, by index; for a recipient, what may be released to it."""
        by_leg: dict[int, list[shipment_pb2.Shipment]] = {}
        for index, leg in enumerate(trace.legs):
            if leg.record.node == node and len(by_leg) < MAX_LEGS_LOOKED_AT:
                siblings = self.of(leg.record.shipment)
                if recipient:
                    siblings = [sibling for sibling in siblings if is_releasable(sibling, recipient)]
                if siblings:
                    by_leg[index] = siblings
        return by_leg

    def _records(self, key_sets: KeySets, record_filter: RecordFilter, limit: int) -> list[shipment_pb2.Shipment]:
        with self._database.read() as conn:
            positions = list(shipment_search.search(conn, key_sets, record_filter, before=NEWEST, limit=limit))
            ids = [row.record_id for row in shipments.revisions(conn, positions).values()]
            return [record.shipment for record in current_records(conn, ids)]


AdoptedRules = Callable[[Connection], tuple[Rule, ...]]
"""Reads the rules of partners' risk profiles that are in force here."""


def no_adopted_rules(_conn: Connection) -> tuple[Rule, ...]:
    """None."""
    return ()


class RulesInForce:
    """A node's own rules with those of adopted profiles; these may change with each transaction."""

    def __init__(self, rules: RuleEngine, adopted: AdoptedRules) -> None:
        self._own, self._adopted = rules, adopted
        self._known: tuple[tuple[Rule, ...], RuleEngine] = ((), rules)

    def read(self, conn: Connection) -> RuleEngine:
        """The rules as they are now."""
        adopted, (before, engine) = self._adopted(conn), self._known
        if adopted != before:
            engine = self._own.with_rules(adopted) if adopted else self._own
            self._known = adopted, engine
        return engine


class RiskScreening:
    """Evaluates the rules in a worker process; reads only."""

    def __init__(self, database: Database, *, rules: RuleEngine, adopted: AdoptedRules = no_adopted_rules) -> None:
        self._database = database
        self._rules = RulesInForce(rules, adopted)
        self._siblings = SiblingSearch(database, rules=rules)
        self._licences = PresentedLicences(database)

    def next(self, after: int | None = None, most: int = BATCH) -> RiskBatch | None:
        """Hits on the next indexed items, at most so many, if any: after a position, or by default after the evaluated
        ones.

        Raises:
            StoreUnavailableError: the database can't be read; nothing is lost.
        """
        with self._database.read() as conn:
            after = record_progress.evaluated(conn) if after is None else after
            head = record_progress.indexed(conn)
            logged = [row for row in shipments.log_after(conn, after, most) if row.position <= head]
            if not logged:
                return None
            records = list(current_shipments(conn, logged))
            earlier = EarlierOutcomes(conn)
            rules = self._rules.read(conn)
            hits = [(record.position, hit) for record in records for hit in self._screened(rules, record, earlier)]
        outcomes = [outcome for record in records if (outcome := _outcome(record)) is not None]
        positions, ids = tuple(record.position for record in records), tuple(record.record_id for record in records)
        return RiskBatch(after, logged[-1].position, positions, tuple(hits), ids, tuple(outcomes))

    def _screened(
        self, rules: RuleEngine, record: CurrentShipment, earlier: EarlierFindings
    ) -> Sequence[trace_pb2.Discrepancy]:
        """Hits on one record; a failure is logged and delays no other record."""
        try:
            shipment = record.shipment
            licences = self._licences.of(shipment)
            return rules.screen(shipment, self._siblings.of(shipment), licences, earlier=earlier)
        except StoreUnavailableError:
            raise  # else the record would pass as evaluated
        except Exception:
            log.exception("rules failed on record %s", record.record_id)
            return ()


class EarlierOutcomes:
    """What inspections of other records found under a subheading before a record was declared."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._known: dict[str, bool] = {}

    def __call__(self, hs6: str, shipment: shipment_pb2.Shipment) -> Outcomes:
        """Most subheadings were never inspected: that is asked once."""
        if hs6 not in self._known:
            self._known[hs6] = inspection_outcomes.count(self._conn, hs6).confirmed > 0
        if not self._known[hs6]:
            return Outcomes(0, 0)
        before = to_ms(shipment.declared_at)
        return inspection_outcomes.count(self._conn, hs6, before=before, without=shipment.record_id)


def _outcome(record: CurrentShipment) -> RecordOutcome | None:
    outcome = outcome_of(record.shipment)
    if outcome is None:
        return None
    return RecordOutcome(
        record.record_id, outcome.inspected_at * 1_000, outcome.confirmed, tuple(hs6_of(record.shipment))
    )


@dataclass(frozen=True, slots=True)
class KeepRisksCommand:
    """Stores hits and moves the cursor; False if the batch isn't the next.

    A record erased meanwhile gets none, since hits quote records.
    """

    batch: RiskBatch

    @property
    def weight(self) -> int:
        return max(1, len(self.batch.hits))

    def execute(self, tx: Transaction) -> bool:
        batch = self.batch
        if record_progress.evaluated(tx.conn) != batch.after:
            return False
        rows = [
            RiskRow(position, ordinal, hit.rule_id, hit.severity, tx.now_ms, hit.SerializeToString(deterministic=True))
            for ordinal, (position, hit) in enumerate(self._standing(tx.conn))
        ]
        if batch.positions:
            risk.replace(tx.conn, batch.positions, rows)
        if batch.record_ids:
            known = shipments.find(tx.conn, [outcome.record_id for outcome in batch.outcomes])  # else erased meanwhile
            standing = [outcome for outcome in batch.outcomes if outcome.record_id in known]
            inspection_outcomes.replace(tx.conn, batch.record_ids, standing)
        record_progress.move_evaluated(tx.conn, batch.last)
        return True

    def _standing(self, conn: Connection) -> Iterator[tuple[int, trace_pb2.Discrepancy]]:
        logged = shipments.log_rows(conn, sorted({position for position, _ in self.batch.hits}))
        for position, hit in self.batch.hits:
            if position in logged and logged[position].content:
                yield position, hit


class RiskQueries:
    """Reads hits. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def outcomes(self, described: Iterable[history_service_pb2.RiskRule]) -> None:
        """Adds to rules what inspections of their hits came to."""
        with self._database.read() as conn:
            every = inspection_outcomes.count(conn, inspection_outcomes.WHOLE_RECORD)
            hits = inspection_outcomes.hits_by_rule(conn)
            for rule in described:
                count, inspected = hits.get(rule.rule_id, (0, Outcomes(0, 0)))
                outcomes = rule.outcomes
                outcomes.hits, outcomes.confirmed = count, inspected.confirmed
                outcomes.unfounded = inspected.inspected - inspected.confirmed
                if (found := lift(inspected, every)) is not None:
                    outcomes.lift = found
                if rule.learns and inspected.inspected:
                    _learn(rule, inspection_outcomes.inspected_hits(conn, rule.rule_id, MAX_LEARNED_FROM), every)

    def list(self, request: history_service_pb2.ListRiskHitsRequest) -> history_service_pb2.ListRiskHitsResponse:
        """A page of hits on newest revisions, newest first.

        Raises:
            InvalidRequestError: malformed filter or page token.
        """
        conditions = [_condition(term) for term in parse_filter(request.filter, _FIELDS)]
        token = decode_number_token(request.page_token, request.filter, _POSITIONS, _ORDINALS)
        limit = page_size(request.page_size)
        before = None if token is None else (token[0], token[1])
        with self._database.read() as conn:
            rows = risk.page(conn, conditions, before=before, limit=limit + 1)
            unevaluated = shipments.last_position(conn) - record_progress.evaluated(conn)
        response = history_service_pb2.ListRiskHitsResponse(hits=map(_shown, rows[:limit]), unevaluated=unevaluated)
        if len(rows) > limit:
            last = rows[limit - 1].row
            response.next_page_token = encode_page_token((str(last.position), str(last.ordinal)), request.filter)
        return response


def risks_of(conn: Connection, record_id: str) -> Sequence[trace_pb2.RiskHit]:
    """Hits on a record's newest revision."""
    rows = risk.page(conn, [shipments_table.c.record_id == record_id], before=None, limit=1_000)
    return [_shown(row) for row in rows]


def _learn(rule: history_service_pb2.RiskRule, hits: Iterable[tuple[bytes, bool]], every: Outcomes) -> None:
    parsed = ((trace_pb2.Discrepancy.FromString(message), confirmed) for message, confirmed in hits)
    learned = learned_threshold(((hit.measured, found) for hit, found in parsed if hit.HasField("measured")), every)
    if learned is not None:
        rule.outcomes.learned.name = rule.learns
        rule.outcomes.learned.value, rule.outcomes.learned.lift, rule.outcomes.learned.hits = learned


def _shown(shown: RecordRisk) -> trace_pb2.RiskHit:
    return trace_pb2.RiskHit(
        position=shown.row.position,
        record_id=shown.record_id,
        revision=shown.revision,
        found_at=to_timestamp(shown.row.found_at),
        discrepancy=trace_pb2.Discrepancy.FromString(shown.row.message),
        procedure=shipment_pb2.ShipmentProcedure.ValueType(shown.procedure),
    )


def _condition(term: Term) -> ColumnElement[bool]:
    match term.field:
        case "rule":
            return risk_hits.c.rule_id == term.value
        case "record":
            return shipments_table.c.record_id == term.value
        case _:
            named = {key.removeprefix(_SEVERITY).lower(): value for key, value in trace_pb2.Severity.items() if value}
            if term.value not in named:
                raise invalid_value(term, "one of " + ", ".join(named))
            return risk_hits.c.severity == named[term.value]
