"""A finding or closing that can't be is refused, with all that is wrong and where; nothing is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.alerts.rules.findings import BEFORE_ALERT_MS, CLOCKS_MS, ELEMENTS, wrong_claims
from gateway.contract.messages import to_ms, to_timestamp
from gateway.errors import InvalidRequestError
from gateway.v1 import alert_pb2, goods_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, paper_nodes


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def taken(element: str = "Sb", **said: Any) -> alert_pb2.MeasureTaken:
    return alert_pb2.MeasureTaken(kind=alert_pb2.MEASURE_KIND_SEIZED, element=element, **said)


def finding(at_ms: int, **said: Any) -> alert_pb2.AlertFinding:
    result = alert_pb2.FINDING_RESULT_CONFIRMED
    return alert_pb2.AlertFinding(result=result, inspected_at=to_timestamp(at_ms), revision=1, **said)


def refused(node: PaperNode, alert: str, **event: Any) -> dict[str, str]:
    """What is refused by field; nothing of it is recorded."""
    before = len(node.queries.get("cn", alert).history)
    with pytest.raises(InvalidRequestError) as raised:
        node.step("cn", alert, **event)
    assert len(node.queries.get("cn", alert).history) == before
    return {violation.field: violation.message for violation in raised.value.violations}


def test_all_that_is_wrong_is_told_at_once(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = cn.publish("hk")
    exchange(cn, hk)
    tomorrow = hk.clock.now + DAY_MS
    wrong = refused(
        hk,
        alert,
        finding=finding(
            tomorrow,
            goods_found=[goods_pb2.GoodsItem(element="Sb"), goods_pb2.GoodsItem(element="Xy")],
            measures=[taken(), taken("Qq", taken_at=to_timestamp(tomorrow))],
        ),
    )
    assert wrong == {
        "finding.inspected_at": "must not lie in the future",
        "finding.goods_found[1].element": "'Xy' is no chemical element",
        "finding.measures[1].element": "'Qq' is no chemical element",
        "finding.measures[1].taken_at": "must not lie in the future",
    }


def test_an_inspection_may_be_of_the_day_before_the_alert_and_no_earlier(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = cn.publish("hk")
    exchange(cn, hk)
    published = to_ms(hk.queries.get("cn", alert).alert.published_at)
    hk.clock.forward(3 * DAY_MS)
    assert set(refused(hk, alert, finding=finding(published - BEFORE_ALERT_MS - 1))) == {"finding.inspected_at"}
    hk.step("cn", alert, finding=finding(published - BEFORE_ALERT_MS))
    hk.step("cn", alert, finding=finding(hk.clock.now + CLOCKS_MS))  # by a clock that is ahead


def test_a_closing_is_held_to_the_same(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = cn.publish("hk")
    exchange(cn, hk)
    closed = alert_pb2.AlertClosed(revision=1, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED, measures=[taken("Xx")])
    assert refused(cn, alert, closed=closed) == {"measures[0].element": "'Xx' is no chemical element"}
    closed.measures[0].element = "W"
    cn.step("cn", alert, closed=closed)


def test_what_a_partner_recorded_before_is_taken(nodes: list[PaperNode], monkeypatch: pytest.MonkeyPatch) -> None:
    """A partner of an earlier release doesn't check: its signed entry stands."""
    cn, hk = nodes
    alert = cn.publish("hk")
    exchange(cn, hk)
    with monkeypatch.context() as earlier:
        earlier.setattr("gateway.alerts.rules.findings.ELEMENTS", {*ELEMENTS, "Xy"})
        hk.step("cn", alert, finding=finding(hk.clock.now, measures=[taken("Xy")]))
    exchange(cn, hk)
    assert cn.queries.get("cn", alert).history[-1].event.finding.measures[0].element == "Xy"


def test_the_elements_are_all_of_them() -> None:
    assert len(ELEMENTS) == 118


def weighing(*masses: float | None) -> list[goods_pb2.GoodsItem]:
    return [goods_pb2.GoodsItem(element="Sb", net_mass_kg=mass) for mass in masses]


@pytest.mark.parametrize(
    ("declared", "found", "seized", "is_refused"),
    [
        ([20_000, 500], [20_500], 0, False),
        ([20_000, 500], [20_000, 501], 0, True),
        ([20_000], [], 20_001, True),
        ([0.3], [0.1, 0.2], 0, False),  # as sums of floats it is more
        ([20_000, None], [90_000], 0, False),  # the alert doesn't say all
        ([], [90_000], 0, False),
    ],
)
def test_more_than_the_goods_of_the_alert_needs_a_confirmation(
    declared: list[float | None], found: list[float], seized: float, *, is_refused: bool
) -> None:
    event = alert_pb2.AlertEvent(finding=finding(1_000, goods_found=weighing(*found)))
    if seized:
        event.finding.measures.append(taken(net_mass_kg=seized))

    def wrong() -> list[str]:
        violations = wrong_claims(event, published_at_ms=1_000, now_ms=1_000, goods=weighing(*declared))
        return [violation.field for violation in violations]

    assert wrong() == ["finding.mass_confirmed"] * is_refused
    event.finding.mass_confirmed = True
    assert wrong() == []


def test_a_finding_is_held_to_the_alert_that_is_here(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = cn.publish("hk", goods=weighing(500))
    exchange(cn, hk)
    more = finding(hk.clock.now, goods_found=weighing(501))
    assert set(refused(hk, alert, finding=more)) == {"finding.mass_confirmed"}
    more.mass_confirmed = True
    hk.step("cn", alert, finding=more)
