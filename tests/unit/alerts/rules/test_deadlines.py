"""Deadlines by a reader's clock: what is due, overdue and met, and what only this clock says."""

from __future__ import annotations

import pytest

from gateway.alerts.rules.deadlines import DeadlineState, deadlines
from gateway.alerts.rules.life import Action, AlertLife, AlertStatus, Side, Step
from tests.unit.alerts.rules.test_life import after, publisher, recipient

NONE, DUE, OVERDUE, MET = DeadlineState
PUBLISH = publisher(Action.PUBLISH, valid_until_unix_ms=1_000, reply_by_unix_ms=500)
INFORM = publisher(Action.PUBLISH, valid_until_unix_ms=1_000, reply_by_unix_ms=500, informs=True)
ACKNOWLEDGE, FLAG, FINDING = (recipient(action) for action in (Action.ACKNOWLEDGE, Action.FLAG, Action.REPORT_FINDING))
AMEND = publisher(Action.AMEND, 2, valid_until_unix_ms=2_000, reply_by_unix_ms=1_500)


@pytest.mark.parametrize(
    ("steps", "now", "state"),
    [
        ([PUBLISH], 500, DUE),
        ([PUBLISH], 501, OVERDUE),
        ([PUBLISH, ACKNOWLEDGE], 501, OVERDUE),
        ([INFORM, ACKNOWLEDGE], 501, MET),
        ([PUBLISH, FLAG], 501, MET),
        ([PUBLISH, FINDING], 400, MET),
        ([PUBLISH, FLAG, AMEND], 501, DUE),
        ([INFORM, ACKNOWLEDGE, AMEND], 1_501, OVERDUE),
        ([PUBLISH, AMEND, FINDING], 501, DUE),
        ([PUBLISH, AMEND, recipient(Action.REPORT_FINDING, 2)], 501, MET),
        ([PUBLISH, publisher(Action.WITHDRAW)], 501, NONE),
        ([PUBLISH, publisher(Action.CLOSE)], 501, NONE),
        ([publisher(Action.PUBLISH, valid_until_unix_ms=1_000)], 501, NONE),
    ],
)
def test_a_reply_is_due_until_the_current_text_is_replied_to(steps: list[Step], now: int, state: DeadlineState) -> None:
    assert deadlines(after(*steps), now, has_left=False).reply is state


def test_a_question_is_overdue_for_the_side_that_has_to_answer_it() -> None:
    first = recipient(Action.ASK, question_id="q1", deadline_unix_ms=50)
    later = recipient(Action.ASK, question_id="q2", deadline_unix_ms=90)
    life = after(PUBLISH, first, later)

    def answers(life: AlertLife) -> list[DeadlineState]:
        return [deadlines(life, now, has_left=False).answers[Side.PUBLISHER] for now in (49, 50, 51, 91)]

    assert answers(life) == [DUE, DUE, OVERDUE, OVERDUE]
    assert answers(after(PUBLISH, first, later, publisher(Action.ANSWER, question_id="q1"))) == [DUE, DUE, DUE, OVERDUE]
    assert deadlines(life, 51, has_left=False).answers[Side.RECIPIENT] is NONE
    assert deadlines(after(PUBLISH, first, publisher(Action.CLOSE)), 51, has_left=False).answers[Side.PUBLISHER] is NONE


def test_past_its_validity_nothing_is_due_and_the_signed_status_stays() -> None:
    life = after(PUBLISH, recipient(Action.ASK, question_id="q", deadline_unix_ms=50))
    assert not deadlines(life, 999, has_left=False).expired_by_clock
    passed = deadlines(life, 1_000, has_left=False)
    assert passed.expired_by_clock
    assert (passed.reply, set(passed.answers.values())) == (NONE, {NONE})
    assert life.status is AlertStatus.PUBLISHED
    ended = after(PUBLISH, publisher(Action.EXPIRE, at_unix_ms=1_000))
    assert not deadlines(ended, 1_000, has_left=False).expired_by_clock, "the publisher has said so"


def test_once_the_partner_has_left_nothing_is_due_and_what_was_ended_before_stays_as_it_ended() -> None:
    life = after(PUBLISH, recipient(Action.ASK, question_id="q", deadline_unix_ms=50))
    left = deadlines(life, 501, has_left=True)
    assert (left.partner_left, left.expired_by_clock) == (True, False)
    assert (left.reply, set(left.answers.values())) == (NONE, {NONE})
    assert life.status is AlertStatus.PUBLISHED
    assert not deadlines(after(PUBLISH, publisher(Action.CLOSE)), 501, has_left=True).partner_left
