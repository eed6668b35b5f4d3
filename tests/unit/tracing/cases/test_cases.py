"""Each scripted way of smuggling is found by its rule, and its innocent twin gives nothing."""

from __future__ import annotations

import pytest

from gateway.contract.validation import violations
from gateway.risk.rule_engine import RuleEngine
from tests.unit.tracing.cases.scripted import ScriptedCase, hits, scripted_cases

CASES = scripted_cases()
NAMES = [case.name for case in CASES]


def unable(rule: str, why: str) -> None:
    pytest.fail(f"{rule} couldn't judge: {why}")


@pytest.fixture(scope="module")
def rules() -> RuleEngine:
    return RuleEngine.load(failed=unable)


def test_the_records_keep_the_contract() -> None:
    assert [violations(record) for case in CASES for record in (*case.case, *case.twin) if violations(record)] == []


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_case_is_found(rules: RuleEngine, case: ScriptedCase) -> None:
    assert case.rules <= set(hits(rules, case.case))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_its_twin_is_silent(rules: RuleEngine, case: ScriptedCase) -> None:
    assert {rule: hit.explanation for rule, hit in hits(rules, case.twin).items()} == {}
