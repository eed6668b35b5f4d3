"""What makes an open page of an alert old: its steps, and what each partner has signed for own ones."""

from __future__ import annotations

from gateway.console.pages.alert.live import AlertPage
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.alert_service_pb2 import AlertChange, AlertDelivery, DeliveryState, GetAlertResponse, StepDelivery

ALERT = AlertReference(publisher="cn", alert_id="0192")
TO_HK, TO_MO = "gba.customs.example/cn/hk/alerts", "gba.customs.example/cn/mo/alerts"


def delivery(feed: str, index: int, state: DeliveryState.ValueType) -> StepDelivery:
    step = StepDelivery(state=state)
    step.entry.origin, step.entry.index = feed, index
    return step


def shown(*copies: StepDelivery) -> GetAlertResponse:
    response = GetAlertResponse(deliveries=[AlertDelivery(last_step=copy) for copy in copies])
    response.alert.publisher, response.alert.id = ALERT.publisher, ALERT.alert_id
    return response


def moved(feed: str, *, receipted: int, answered: int) -> dict[str, str]:
    return {"_feed": feed, "_receipted": str(receipted), "_answered": str(answered)}


def step(speaker: str, feed: str, index: int, alert_id: str = ALERT.alert_id) -> dict[str, str]:
    return {"publisher": "cn", "alert_id": alert_id, "event": "", "speaker": speaker, "_entry": f"{index} {feed}"}


def test_each_recipients_receipt_and_answer_is_told_once_and_others_never() -> None:
    page = AlertPage(
        ALERT,
        node="cn",
        shown=shown(
            delivery(TO_HK, 7, DeliveryState.DELIVERY_STATE_APPLIED),
            delivery(TO_MO, 3, DeliveryState.DELIVERY_STATE_WAITING),
        ),
    )
    assert not page.wants(moved(TO_HK, receipted=9, answered=9))
    assert not page.wants(moved(TO_MO, receipted=3, answered=3))
    assert page.wants(moved(TO_MO, receipted=4, answered=3))
    assert not page.wants(moved(TO_MO, receipted=5, answered=3))
    assert page.wants(moved(TO_MO, receipted=6, answered=5))
    assert not page.wants(moved(TO_MO, receipted=7, answered=6))


def test_an_own_step_taken_while_the_page_is_open_is_followed() -> None:
    page = AlertPage(ALERT, node="cn", shown=shown())
    assert not page.wants(step("cn", TO_MO, 4, alert_id="another"))
    assert page.wants(step("hk", "gba.customs.example/hk/cn/alerts", 1))
    assert not page.wants(moved("gba.customs.example/hk/cn/alerts", receipted=2, answered=2))
    assert page.wants(step("cn", TO_MO, 4))
    assert page.wants(moved(TO_MO, receipted=5, answered=5))
    assert not page.wants(moved(TO_MO, receipted=6, answered=6))


def test_a_recipients_own_answers_are_followed_and_not_the_partners_alert() -> None:
    response = shown(delivery(TO_HK, 7, DeliveryState.DELIVERY_STATE_STORED))
    back = "gba.customs.example/hk/cn/alerts"
    response.history.append(AlertChange(speaker="hk", delivery=delivery(back, 2, DeliveryState.DELIVERY_STATE_SENT)))
    page = AlertPage(ALERT, node="hk", shown=response)
    assert not page.wants(moved(TO_HK, receipted=8, answered=8))
    assert page.wants(moved(back, receipted=3, answered=0))


def test_where_the_alert_couldnt_be_read_each_move_counts() -> None:
    page = AlertPage(ALERT, node="cn", shown=None)
    assert page.wants(moved(TO_MO, receipted=1, answered=1))
