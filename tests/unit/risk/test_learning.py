"""What outcomes of inspections say of a rule and of its threshold."""

from __future__ import annotations

import pytest

from gateway.risk.facts.findings import Outcomes, outcome_of
from gateway.risk.learning import LEAST_OUTCOMES, learned_threshold, lift
from gateway.v1 import alert_pb2, shipment_pb2
from tests.support.risk_records import at

EVERY = Outcomes(1_000, 200)


@pytest.mark.parametrize(
    ("hits", "expected"),
    [(Outcomes(10, 4), 2.0), (Outcomes(10, 2), 1.0), (Outcomes(10, 0), 0.0), (Outcomes(0, 0), None)],
)
def test_lift_is_the_share_confirmed_beside_that_of_all(hits: Outcomes, expected: float | None) -> None:
    assert lift(hits, EVERY) == expected


def test_without_a_finding_there_is_no_lift() -> None:
    assert lift(Outcomes(10, 0), Outcomes(10, 0)) is None


def test_the_threshold_with_the_highest_lift_is_learned() -> None:
    """Above 0.7 most are confirmed, below few are."""
    hits = [(0.7 + number / 100, number % 10 != 0) for number in range(30)]
    hits += [(0.5 + number / 1_000, number % 5 == 0) for number in range(100)]
    learned = learned_threshold(hits, EVERY)
    assert learned is not None
    assert 0.7 <= learned.value <= 0.71
    assert learned.lift == pytest.approx((27 / 30) / 0.2, rel=0.05)


def test_too_few_hits_teach_nothing() -> None:
    assert learned_threshold([(1.0, True)] * (LEAST_OUTCOMES - 1), EVERY) is None


def test_equal_values_are_taken_together() -> None:
    hits = [(1.0, number < LEAST_OUTCOMES) for number in range(2 * LEAST_OUTCOMES)]
    learned = learned_threshold(hits, EVERY)
    assert learned is not None
    assert (learned.value, learned.lift, learned.hits) == (1.0, 2.5, 2 * LEAST_OUTCOMES)


def test_inspections_without_a_result_are_no_outcome() -> None:
    record = shipment_pb2.Shipment()
    record.inspections.add(result=alert_pb2.FINDING_RESULT_INCONCLUSIVE, inspected_at=at("2025-06-01"))
    assert outcome_of(record) is None
    record.inspections.add(result=alert_pb2.FINDING_RESULT_AS_DECLARED, inspected_at=at("2025-06-02"))
    assert outcome_of(record) == (at("2025-06-02").seconds, False)
    record.inspections.add(result=alert_pb2.FINDING_RESULT_OTHER_IRREGULARITY, inspected_at=at("2025-06-03"))
    assert outcome_of(record) == (at("2025-06-02").seconds, True)
