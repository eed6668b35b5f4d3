"""Loads a node's rules once and applies them to records and consignments."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path

from gateway.risk.controlled_goods_file import load_controlled_goods
from gateway.risk.facts.consignments import destination_cases, leg_alone, legs_of, missing_cases, path_cases
from gateway.risk.facts.controlled import Controls
from gateway.risk.facts.findings import EarlierFindings, finding_cases
from gateway.risk.facts.goods import NOTHING_CHECKED, CheckedLicences, GoodsFacts, papers_of
from gateway.risk.facts.kinds import KINDS, Case
from gateway.risk.facts.movements import opening_cases, passage_cases
from gateway.risk.facts.pairs import mirror_cases, reexport_cases
from gateway.risk.facts.relabelling import relabelling_cases
from gateway.risk.facts.series import (
    KINDS_OF_SERIES,
    MAX_SUBHEADINGS,
    NO_SIBLINGS,
    SPAN_DAYS,
    SeriesQuery,
    before_looking,
    series_cases,
    series_query,
)
from gateway.risk.facts.shipments import Record, identifier_cases, mass_cases, route_cases, seal_cases
from gateway.risk.facts.substances import Substances, load_substances
from gateway.risk.facts.terms import GoodsTerms, load_terms
from gateway.risk.facts.totals import totals_cases
from gateway.risk.listed_entities import ListedEntities, load_listed_entities
from gateway.risk.rule_evaluator import OnRuleFailure, RuleEvaluator
from gateway.risk.rule_file import Rule, RuleSetting, digest, load_rules, measured_shown, with_settings
from gateway.v1 import history_pb2, history_service_pb2, shipment_pb2, trace_pb2

_INDEX = re.compile(r"\[[0-9]+\]")
_NO_SETTINGS: Mapping[str, RuleSetting] = {}
_NO_TERRITORIES: Mapping[str, str] = {}
_NO_LICENCES: Mapping[int, CheckedLicences] = {}


def _ignore(_rule_id: str, _why: str) -> None:
    return None


class RuleEngine:
    """Rules, thresholds and reference tables. Thread-safe.

    Attributes:
        version: twelve hexadecimal digits over rules, thresholds and tables.
    """

    def __init__(
        self,
        rules: tuple[Rule, ...],
        controls: Controls,
        substances: Substances,
        terms: GoodsTerms,
        failed: OnRuleFailure = _ignore,
    ) -> None:
        self.rules = rules
        self.version = _version(rules, substances, terms, controls.entities)
        self.controls = controls
        self.controlled_goods_version = controls.goods.version
        self._tables = (controls, substances, terms)
        self._failed = failed
        self._goods = GoodsFacts(controls, substances, terms)
        self._evaluator = RuleEvaluator(rules, failed)
        self._about = self._evaluator.kinds
        self._span_days = _span_days(rules)

    @classmethod
    def load(
        cls,
        *,
        rules: Path | None = None,
        controlled_goods: Path | None = None,
        announcements: Path | None = None,
        listed_entities: Path | None = None,
        physical_data: Path | None = None,
        terms: Path | None = None,
        settings: Mapping[str, RuleSetting] = _NO_SETTINGS,
        only: Collection[str] | None = None,
        failed: OnRuleFailure = _ignore,
    ) -> RuleEngine:
        """Loads the rules and their tables.

        Args:
            rules, controlled_goods, announcements, listed_entities, physical_data, terms: files; None: packaged ones.
            settings: by rule id.
            only: ids of the rules to apply; None: all.
            failed: called when a rule can't be evaluated; others go on.

        Raises:
            ConfigurationError: unreadable or wrong; names the file.
        """
        known = with_settings(load_rules(rules), settings)
        goods = load_controlled_goods(controlled_goods, announcements)
        return cls(
            tuple(rule for rule in known if only is None or rule.id in only),
            Controls(goods, load_listed_entities(listed_entities, goods.announcements)),
            load_substances(physical_data),
            load_terms(terms),
            failed,
        )

    def with_rules(self, further: Sequence[Rule]) -> RuleEngine:
        """These rules and others, over the same tables; raises ConfigurationError for a wrong one."""
        return RuleEngine((*self.rules, *further), *self._tables, self._failed)

    def alone(self, rule: Rule, *, failed: OnRuleFailure) -> RuleEngine:
        """One rule over the same tables; raises ConfigurationError for a wrong one."""
        return RuleEngine((rule,), *self._tables, failed)

    def controlled_items(self, shipment: shipment_pb2.Shipment) -> list[trace_pb2.ControlledItem]:
        """Control lines matched on the local day of declaration."""
        return self.controls.items(shipment)

    def sibling_queries(self, shipment: shipment_pb2.Shipment) -> list[SeriesQuery]:
        """Queries for siblings before screening; nearly always none."""
        kinds = [kind for kind in KINDS_OF_SERIES if kind in self._about]
        if not kinds:
            return []
        wanted = (
            series_query(kind, shipment, known["hs6"], self._span_days)
            for known in before_looking(shipment, self.controls)
            for kind in kinds
            if self._evaluator.takes(kind, known)
        )
        return [query for query in islice(wanted, MAX_SUBHEADINGS) if query is not None]

    def screen(
        self,
        shipment: shipment_pb2.Shipment,
        siblings: Sequence[shipment_pb2.Shipment] = (),
        licences: CheckedLicences = NOTHING_CHECKED,
        *,
        earlier: EarlierFindings | None = None,
    ) -> list[trace_pb2.Discrepancy]:
        """Discrepancies of a record, most severe first, without legs.

        Args:
            siblings: results of `sibling_queries`.
            licences: those that the node knows.
            earlier: what earlier inspections found; None: not known.
        """
        cases = self.cases(shipment, siblings, licences, earlier=earlier)
        hits = [hit for case in cases for hit in self._evaluator.evaluate(case)]
        for hit in hits:
            hit.ClearField("legs")
        return _most_severe_first(hits)

    def cases(
        self,
        shipment: shipment_pb2.Shipment,
        siblings: Sequence[shipment_pb2.Shipment] = (),
        licences: CheckedLicences = NOTHING_CHECKED,
        *,
        earlier: EarlierFindings | None = None,
    ) -> Iterator[Case]:
        """The cases that `screen` evaluates, for tests and counts."""
        about = self._about
        if "goods" in about:
            yield from self._goods.cases(shipment, checked=licences)
        if "route" in about:
            yield from route_cases(shipment, self.controls)
        if "identifier" in about:
            yield from identifier_cases(shipment)
        if earlier is not None and "findings" in about:
            yield from finding_cases(shipment, earlier)
        records = [(0, shipment)]
        if "masses" in about and shipment.masses:
            yield from mass_cases(records)
        if shipment.events:
            if "seals" in about:
                yield from seal_cases(records)
            if "opening" in about:
                yield from opening_cases(records)
        if "passage" in about and (shipment.events or shipment.route):
            yield from passage_cases(records)
        if "totals" in about:
            yield from totals_cases(shipment)
        if siblings and not about.isdisjoint(KINDS_OF_SERIES):
            leg = leg_alone(shipment, self.controls)
            yield from series_cases([leg], {leg.index: siblings}, span_days=self._span_days)

    def examine(
        self,
        trace: trace_pb2.Trace,
        now: datetime,
        *,
        territories: Mapping[str, str] = _NO_TERRITORIES,
        siblings: Mapping[int, Sequence[shipment_pb2.Shipment]] = NO_SIBLINGS,
        licences: Mapping[int, CheckedLicences] = _NO_LICENCES,
    ) -> list[trace_pb2.Discrepancy]:
        """Discrepancies of a consignment and its records, most severe first.

        A rule that needs what was withheld from a record skips that record.

        Args:
            now: time for judging missing records.
            territories: ISO 3166-1 code by node; default is the node's name.
            siblings: by leg, results of `sibling_queries` at its node.
            licences: by leg, those that the node knows.
        """
        withheld = [_withheld(leg.record) for leg in trace.legs]

        def lacks(rule: Rule, case: Case) -> bool:
            return any(_overlap(rule.reads, withheld[leg]) for leg in case.legs) or any(
                _overlap(rule.reads_of_all, paths) for paths in withheld
            )

        cases = self.cases_of_trace(trace, now, territories=territories, siblings=siblings, licences=licences)
        return _most_severe_first(_merged([hit for case in cases for hit in self._evaluator.evaluate(case, lacks)]))

    def cases_of_trace(
        self,
        trace: trace_pb2.Trace,
        now: datetime,
        *,
        territories: Mapping[str, str] = _NO_TERRITORIES,
        siblings: Mapping[int, Sequence[shipment_pb2.Shipment]] = NO_SIBLINGS,
        licences: Mapping[int, CheckedLicences] = _NO_LICENCES,
    ) -> Iterator[Case]:
        """The cases that `examine` evaluates, for tests and counts."""
        records: list[Record] = [(index, leg.record.shipment) for index, leg in enumerate(trace.legs)]
        papers = papers_of([shipment for _, shipment in records])
        for index, shipment in records:
            checked = licences.get(index, NOTHING_CHECKED)
            yield from self._goods.cases(shipment, leg=index, papers=papers, checked=checked)
            yield from route_cases(shipment, self.controls, leg=index)
            yield from identifier_cases(shipment, leg=index)
            yield from totals_cases(shipment, leg=index)
        yield from mass_cases(records)
        yield from seal_cases(records)
        yield from opening_cases(records)
        yield from passage_cases(records)
        legs = legs_of(trace, self.controls, territories)
        yield from mirror_cases(legs)
        yield from reexport_cases(legs)
        yield from relabelling_cases(legs)
        yield from missing_cases(legs, trace, territories, now)
        yield from destination_cases(legs)
        yield from path_cases(legs)
        if not self._about.isdisjoint(KINDS_OF_SERIES):
            yield from series_cases(legs, siblings, span_days=self._span_days)

    def describe(self) -> list[history_service_pb2.RiskRule]:
        """The rules in force, in file order."""
        return [
            history_service_pb2.RiskRule(
                rule_id=rule.id,
                name=rule.name,
                typology=rule.typology,
                confidence=rule.confidence,
                scope=KINDS[rule.about].scope,
                expression=measured_shown(rule),
                thresholds=rule.thresholds,
                source=rule.source,
                enabled=rule.enabled,
                learns=rule.learns,
                measured_lift=rule.lift,
            )
            for rule in self.rules
        ]


def _span_days(rules: Iterable[Rule]) -> float:
    """The widest span of series."""
    spans = [rule.thresholds.get("days", SPAN_DAYS) for rule in rules if rule.enabled and rule.about in KINDS_OF_SERIES]
    return max(spans, default=SPAN_DAYS)


def _merged(discrepancies: Iterable[trace_pb2.Discrepancy]) -> list[trace_pb2.Discrepancy]:
    """Merges equal discrepancies of several records."""
    by_sight: dict[bytes, trace_pb2.Discrepancy] = {}
    for discrepancy in discrepancies:
        sight = trace_pb2.Discrepancy()
        sight.CopyFrom(discrepancy)
        sight.ClearField("legs")
        known = by_sight.setdefault(sight.SerializeToString(deterministic=True), discrepancy)
        if known is not discrepancy:
            known.legs[:] = sorted({*known.legs, *discrepancy.legs})
    return list(by_sight.values())


def _most_severe_first(discrepancies: list[trace_pb2.Discrepancy]) -> list[trace_pb2.Discrepancy]:
    return sorted(discrepancies, key=lambda hit: (-hit.severity, hit.rule_id, list(hit.legs), hit.goods_sequence))


def _withheld(record: history_pb2.HistoryRecord) -> frozenset[str]:
    return frozenset(_INDEX.sub("", field.path) for field in record.withheld)


def _overlap(reads: tuple[str, ...], withheld: frozenset[str]) -> bool:
    return any(_within(path, read) or _within(read, path) for path in withheld for read in reads)


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}.")


def _version(rules: tuple[Rule, ...], substances: Substances, terms: GoodsTerms, entities: ListedEntities) -> str:
    said = sha256(digest(rules).encode())
    for row in substances.rows:
        said.update(repr({**asdict(row), "elements": sorted(row.elements)}).encode())
    for term in terms.rows:
        said.update(repr(term).encode())
    said.update(entities.version.encode())
    return said.hexdigest()[:12]
