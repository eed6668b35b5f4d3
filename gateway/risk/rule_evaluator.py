"""Compiles rules against the facts of their kind, and tries them once before use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from gateway.errors import ConfigurationError, InputFileError, MalformedError
from gateway.risk.discrepancies import discrepancy
from gateway.risk.expressions import ANY, BOOL, NUMBER, EvaluationError, Expression, Facts, Language
from gateway.risk.facts.kinds import (
    CONTROLLED,
    ITEM,
    KINDS,
    LICENCE,
    LOOKED_FOR,
    MAPS,
    SHIPMENT,
    Case,
    CaseKind,
    LazyFacts,
)
from gateway.risk.rule_file import Rule, bound, whole_condition
from gateway.risk.ruled_out import Test, all_ruled_out
from gateway.v1 import shipment_pb2, trace_pb2

OnRuleFailure = Callable[[str, str], None]
"""Receives a rule's id and the reason when it can't be evaluated."""

MOST_COMPILED = 1024
"""Expressions that a process keeps compiled; the packaged rules have under two hundred."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with compiled expressions.

    Attributes:
        candidate: over facts known before the search for other records.
        no_candidate, no_hit: cheap tests that candidate or condition is surely false; None: there is none.
    """

    rule: Rule
    candidate: Expression | None
    no_candidate: Test | None
    no_hit: Test | None
    condition: Expression
    measured: Expression | None
    levels: tuple[tuple[str, Expression], ...]
    inputs: Mapping[str, Expression]

    def evaluate(self, facts: Facts, case: Case) -> trace_pb2.Discrepancy | None:
        """The rule's discrepancy for a case; None where it doesn't fire.

        Raises:
            EvaluationError: condition, level or measure has no value for these facts.
        """
        if self.condition.evaluate(facts) is not True:
            return None
        measured = self.measured.evaluate(facts) if self.measured else None
        severity = next(
            (severity for severity, when in self.levels if when.evaluate(facts) is True), self.rule.severity
        )
        values: dict[str, Any] = {name: expression.evaluate(facts) for name, expression in self.inputs.items()}
        return discrepancy(self.rule, severity, values, measured, legs=case.legs, sequence=case.goods_sequence)


class RuleEvaluator:
    """Compiled rules by kind of case.

    Raises:
        ConfigurationError: an expression is wrong; names rule and field.
    """

    def __init__(self, rules: Sequence[Rule], failed: OnRuleFailure) -> None:
        self._failed = failed
        self._by_kind: dict[str, list[CompiledRule]] = {}
        for rule in rules:
            compiled = _compiled(rule)  # disabled rules too: a mistake shows at once
            if rule.enabled:
                self._by_kind.setdefault(rule.about, []).append(compiled)
        self._no_hits = self._all_ruled_out(lambda compiled: compiled.condition)
        self._no_candidates = self._all_ruled_out(lambda compiled: compiled.candidate)

    def _all_ruled_out(self, of: Callable[[CompiledRule], Expression | None]) -> dict[str, Test]:
        """By kind a test that rules all its rules out at once, where there is one."""
        tests: dict[str, Test] = {}
        for kind, rules in self._by_kind.items():
            expressions = [expression for rule in rules if (expression := of(rule)) is not None]
            if len(expressions) == len(rules):
                test = _ruled_out(kind, tuple(expression.text for expression in expressions))
                if test is not None:
                    tests[kind] = test
        return tests

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds that a rule in force is about."""
        return frozenset(self._by_kind)

    def takes(self, kind: str, known: Mapping[str, Any]) -> bool:
        """Whether a rule in force wants a case; `known` are the facts in LOOKED_FOR."""
        none_wants = self._no_candidates.get(kind)
        if none_wants is not None and none_wants(known):
            return False  # nearly always
        wanting = [
            compiled
            for compiled in self._by_kind.get(kind, ())
            if compiled.no_candidate is None or not compiled.no_candidate(known)
        ]
        if not wanting:
            return False
        facts = Facts(_language(kind, True), _completed(known))
        return any(self._takes(compiled, facts) for compiled in wanting)

    def evaluate(self, case: Case, withheld: Callable[[Rule, Case], bool] | None = None) -> list[trace_pb2.Discrepancy]:
        """Discrepancies of a case; `withheld`: whether a rule needs withheld parts of a record."""
        rules = self._by_kind.get(case.kind)
        if not rules:
            return []
        none_hits = self._no_hits.get(case.kind)
        if none_hits is not None and none_hits(case.facts):
            return []  # nearly always
        facts: Facts | None = None
        discrepancies: list[trace_pb2.Discrepancy] = []
        for compiled in rules:
            if compiled.no_hit is not None and compiled.no_hit(case.facts):
                continue
            if withheld is not None and withheld(compiled.rule, case):
                continue
            facts = facts or Facts(_language(case.kind, False), _completed(case.facts))
            try:
                hit = compiled.evaluate(facts, case)
            except EvaluationError as error:
                self._failed(compiled.rule.id, str(error))
                continue
            if hit is not None:
                discrepancies.append(hit)
        return discrepancies

    def _takes(self, compiled: CompiledRule, facts: Facts) -> bool:
        try:
            return compiled.candidate is not None and compiled.candidate.evaluate(facts) is True
        except EvaluationError as error:
            self._failed(compiled.rule.id, str(error))
            return False


def _compiled(rule: Rule) -> CompiledRule:
    def make(key: str, text: str, gives: str, *, before: bool = False) -> Expression:
        try:
            return _expression(rule.about, bound(rule, text), gives, before=before)
        except (MalformedError, ConfigurationError) as error:
            raise InputFileError(f"rule {rule.id}: {key}: {error.message}") from None
        except EvaluationError as error:
            raise InputFileError(f"rule {rule.id}: {key}: has no value for plain facts: {error}") from None

    candidate = make("candidate", rule.candidate, BOOL, before=True) if rule.candidate else None
    measured = make("measured", rule.measured, NUMBER) if rule.measured else None
    condition = make("condition", rule.condition, BOOL)
    if candidate is not None:  # tried alone first: a candidate that is false of plain facts would hide the condition
        condition = make("condition", whole_condition(rule), BOOL)
    return CompiledRule(
        rule=rule,
        candidate=candidate,
        no_candidate=_ruled_out(rule.about, (candidate.text,)) if candidate is not None else None,
        no_hit=_ruled_out(rule.about, (condition.text,)),
        measured=measured,
        condition=condition,
        levels=tuple(
            (level.severity, make(f"levels[{index}].when", level.when, BOOL)) for index, level in enumerate(rule.levels)
        ),
        inputs={name: make(f"inputs.{name}", text, ANY) for name, text in rule.inputs.items()},
    )


@cache
def _language(kind: str, before: bool) -> Language:
    """The facts of a kind; `before`: those known before other records are looked for.

    Expressions take facts of the very object that compiled them.
    """
    variables = KINDS[kind].variables
    return Language({fact: variables[fact] for fact in LOOKED_FOR[kind]} if before else variables)


@lru_cache(MOST_COMPILED)  # CEL's checks are most of what rules cost at a start
def _expression(kind: str, text: str, gives: str, *, before: bool) -> Expression:
    """Compiles an expression and tries it on plain facts; raises as `Language.compile` and `Expression.evaluate`."""
    language, plain = _language(kind, before), specimen(KINDS[kind])
    expression = language.compile(text, gives)
    expression.evaluate(Facts(language, {name: plain[name] for name in LOOKED_FOR[kind]} if before else plain))
    return expression


@lru_cache(MOST_COMPILED)
def _ruled_out(kind: str, conditions: tuple[str, ...]) -> Test | None:
    return all_ruled_out(conditions, KINDS[kind].variables)


def _completed(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Facts of which none is left to find, as CEL needs them."""
    if isinstance(facts, LazyFacts):
        facts.complete()
    return facts


def specimen(kind: CaseKind) -> dict[str, Any]:
    """Plausible facts of a kind, for trying rules."""
    return {
        name: _specimen_of_maps(name) if word == "maps" else _specimen(word) for name, word in kind.variables.items()
    }


def _specimen_of_maps(name: str) -> list[dict[str, Any]]:
    return [{key: _specimen(word) for key, word in MAPS[name].items()}]


def _specimen(word: str) -> Any:
    if word.startswith("list "):
        return [_specimen(word.removeprefix("list "))]
    return _SPECIMENS[word]


_SPECIMENS: Mapping[str, Any] = {
    "double": math.nan,
    "int": 1,
    "bool": True,
    "string": "a",
    "timestamp": datetime(2025, 1, 1, tzinfo=UTC),
    ITEM: shipment_pb2.ShipmentGoods(sequence=1),
    SHIPMENT: shipment_pb2.Shipment(record_id="a"),
    LICENCE: shipment_pb2.Licence(number="a"),
    CONTROLLED: trace_pb2.ControlledItem(sequence=1),
}
