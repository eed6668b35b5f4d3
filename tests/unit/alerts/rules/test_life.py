"""The table of an alert's life, its revisions and questions, and that two sides that hear of steps late still agree."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alerts.rules.life import (
    AFTERWARDS,
    CROSSINGS,
    MAX_QUESTIONS_PER_SIDE,
    TRANSITIONS,
    UNSAID_REVISION,
    Action,
    AlertLife,
    AlertStatus,
    Question,
    Side,
    Step,
    advance,
    allowed_actions,
)
from gateway.errors import IllegalTransitionError, RevisionConflictError

PUBLISHER_ONLY = {Action.PUBLISH, Action.AMEND, Action.WITHDRAW, Action.EXPIRE, Action.CLOSE}
RECIPIENT_ONLY = {Action.ACKNOWLEDGE, Action.FLAG, Action.REPORT_FINDING}
OPEN = [s for s in AlertStatus if not s.is_terminal]
TERMINAL = [s for s in AlertStatus if s.is_terminal]


def publisher(action: Action, revision: int = 1, **more: object) -> Step:
    return Step(action, Side.PUBLISHER, revision, **more)  # type: ignore[arg-type]


def recipient(action: Action, revision: int = 1, **more: object) -> Step:
    return Step(action, Side.RECIPIENT, revision, **more)  # type: ignore[arg-type]


def after(*steps: Step) -> AlertLife:
    """The life after steps as feeds carry them: they may have crossed."""
    life: AlertLife | None = None
    for step in steps:
        life = advance(life, step, recorded=True)
    assert life is not None
    return life


PUBLISH = publisher(Action.PUBLISH, valid_until_unix_ms=1_000)


def test_status_values_are_the_contract() -> None:
    assert [s.value for s in AlertStatus] == ["published", "acknowledged", "flagged", "withdrawn", "expired", "closed"]
    assert TERMINAL == [AlertStatus.WITHDRAWN, AlertStatus.EXPIRED, AlertStatus.CLOSED]


def test_the_table_keeps_each_action_on_its_side() -> None:
    assert {a for (_, a, side) in TRANSITIONS if side is Side.PUBLISHER} == PUBLISHER_ONLY | {Action.ASK, Action.ANSWER}
    assert {a for (_, a, side) in TRANSITIONS if side is Side.RECIPIENT} == RECIPIENT_ONLY | {Action.ASK, Action.ANSWER}


def test_nothing_leads_out_of_a_terminal_status() -> None:
    assert not any(status in TERMINAL for (status, _, _) in TRANSITIONS)
    for table in (CROSSINGS, AFTERWARDS):
        assert all(status is new and side is Side.RECIPIENT for (status, _, side), new in table.items())


def test_every_open_status_can_be_ended_and_amended_by_the_publisher() -> None:
    for status in OPEN:
        assert set(allowed_actions(status, Side.PUBLISHER)) == (PUBLISHER_ONLY - {Action.PUBLISH}) | {
            Action.ASK,
            Action.ANSWER,
        }


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([PUBLISH], "published"),
        ([PUBLISH, recipient(Action.ACKNOWLEDGE)], "acknowledged"),
        ([PUBLISH, recipient(Action.FLAG)], "flagged"),
        ([PUBLISH, recipient(Action.FLAG), recipient(Action.ACKNOWLEDGE)], "acknowledged"),
        ([PUBLISH, recipient(Action.ACKNOWLEDGE), recipient(Action.FLAG)], "flagged"),
        ([PUBLISH, recipient(Action.ACKNOWLEDGE), publisher(Action.AMEND, 2)], "published"),
        ([PUBLISH, publisher(Action.AMEND, 2), recipient(Action.ACKNOWLEDGE, 1)], "published"),
        ([PUBLISH, publisher(Action.AMEND, 2), recipient(Action.FLAG, 1)], "published"),
        ([PUBLISH, publisher(Action.AMEND, 2), recipient(Action.ACKNOWLEDGE, 2)], "acknowledged"),
        ([PUBLISH, recipient(Action.ACKNOWLEDGE), recipient(Action.REPORT_FINDING)], "acknowledged"),
        ([PUBLISH, recipient(Action.ACKNOWLEDGE), publisher(Action.CLOSE)], "closed"),
        ([PUBLISH, publisher(Action.WITHDRAW)], "withdrawn"),
        ([PUBLISH, publisher(Action.EXPIRE, at_unix_ms=1_000)], "expired"),
    ],
)
def test_the_way_of_an_alert(steps: list[Step], status: str) -> None:
    assert after(*steps).status.value == status


@pytest.mark.parametrize("status", [None, *AlertStatus])
def test_whatever_the_table_does_not_list_is_illegal_and_says_what_is_allowed(status: AlertStatus | None) -> None:
    life = AlertLife(1, status, valid_until_unix_ms=0) if status else None
    for action, side in itertools.product(Action, Side):
        if (status, action, side) in {**TRANSITIONS, **AFTERWARDS}:
            continue
        with pytest.raises(IllegalTransitionError) as caught:
            advance(life, Step(action, side, 1, question_id="q"))
        allowed = caught.value.message.rsplit("now: ", 1)[1]
        words = [a.value.replace("_", " ") for a in allowed_actions(status, side)]
        assert allowed == (", ".join(words) or "nothing")
        assert caught.value.metadata == {"status": status or "", "action": action.value, "side": side.value}


def test_the_sentence_is_for_people() -> None:
    with pytest.raises(IllegalTransitionError) as caught:
        advance(after(PUBLISH, publisher(Action.WITHDRAW)), recipient(Action.REPORT_FINDING))
    assert caught.value.message == (
        "the recipient can't report finding an alert that is withdrawn; allowed to the recipient now: nothing"
    )


def test_publish_starts_at_revision_one() -> None:
    assert after(PUBLISH) == AlertLife(1, AlertStatus.PUBLISHED, valid_until_unix_ms=1_000)
    for revision in (0, 2):
        with pytest.raises(RevisionConflictError, match="revision 1"):
            advance(None, publisher(Action.PUBLISH, revision))


@pytest.mark.parametrize("revision", [0, 1, 2, 4])
def test_an_amendment_makes_exactly_the_next_revision(revision: int) -> None:
    life = after(PUBLISH, publisher(Action.AMEND, 2))
    with pytest.raises(RevisionConflictError, match="current revision is 2") as caught:
        advance(life, publisher(Action.AMEND, revision))
    assert caught.value.metadata["revision"] == "2"
    assert advance(life, publisher(Action.AMEND, 3)).revision == 3


@pytest.mark.parametrize("action", [Action.WITHDRAW, Action.CLOSE, Action.EXPIRE])
def test_ending_an_alert_needs_its_current_revision(action: Action) -> None:
    life = after(PUBLISH, publisher(Action.AMEND, 2, valid_until_unix_ms=0))
    for revision in (1, 3):
        with pytest.raises(RevisionConflictError):
            advance(life, publisher(action, revision))
    assert advance(life, publisher(action, 2)).status.is_terminal


@pytest.mark.parametrize("action", [Action.ACKNOWLEDGE, Action.FLAG, Action.REPORT_FINDING, Action.ASK])
@pytest.mark.parametrize("revision", [-1, 0, 2])
def test_nobody_reads_a_revision_that_does_not_exist(action: Action, revision: int) -> None:
    if (action, revision) == (Action.REPORT_FINDING, UNSAID_REVISION):
        return
    with pytest.raises(RevisionConflictError):
        advance(after(PUBLISH), recipient(action, revision))


@pytest.mark.parametrize("action", [Action.ACKNOWLEDGE, Action.FLAG])
def test_what_was_not_shown_is_neither_acknowledged_nor_flagged(action: Action) -> None:
    amended = after(PUBLISH, publisher(Action.AMEND, 2))
    with pytest.raises(RevisionConflictError, match=r"current revision is 2; .* names revision 1") as refused:
        advance(amended, recipient(action, 1))
    assert refused.value.metadata["revision"] == "2"
    assert advance(amended, recipient(action, 2)).status is not AlertStatus.PUBLISHED
    assert advance(amended, recipient(action, 1), recorded=True).status is AlertStatus.PUBLISHED


def test_a_finding_names_the_text_that_it_followed_once_there_are_two() -> None:
    unsaid = recipient(Action.REPORT_FINDING, UNSAID_REVISION)
    assert advance(after(PUBLISH), unsaid).replied_revision == 1
    amended = after(PUBLISH, recipient(Action.ACKNOWLEDGE, 1), publisher(Action.AMEND, 2))
    with pytest.raises(RevisionConflictError, match="must name the one that was read"):
        advance(amended, unsaid)
    assert advance(amended, recipient(Action.REPORT_FINDING, 1)).replied_revision == 1
    assert advance(amended, recipient(Action.REPORT_FINDING, 2)).replied_revision == 2
    assert advance(amended, unsaid, recorded=True).replied_revision == 1
    read = advance(amended, recipient(Action.ACKNOWLEDGE, 2))
    assert advance(read, unsaid, recorded=True).replied_revision == 2


@pytest.mark.parametrize("end", [Action.WITHDRAW, Action.EXPIRE, Action.CLOSE])
def test_findings_may_be_changed_at_any_time_and_a_correction_replies_to_the_text_that_it_names(end: Action) -> None:
    amended = after(PUBLISH, recipient(Action.REPORT_FINDING), AMENDED)
    assert advance(amended, recipient(Action.WITHDRAW_FINDING)) == amended
    assert advance(amended, recipient(Action.CORRECT_FINDING, 1)).replied_revision == 1
    corrected = advance(amended, recipient(Action.CORRECT_FINDING, 2))
    assert (corrected.replied_revision, corrected.reply_due_unix_ms) == (2, None)
    ended = advance(corrected, publisher(end, 2, at_unix_ms=5_000))
    for action in AFTERWARDS_OF_THE_RECIPIENT:
        assert advance(ended, recipient(action, 2)).status is ended.status
        with pytest.raises(IllegalTransitionError):
            advance(ended, publisher(action, 2))


AFTERWARDS_OF_THE_RECIPIENT = sorted({action for _, action, _ in AFTERWARDS})
AMENDED = publisher(Action.AMEND, 2, reply_by_unix_ms=700, valid_until_unix_ms=900)


def test_an_acknowledgement_remembers_the_newest_revision_read() -> None:
    life = after(PUBLISH, publisher(Action.AMEND, 2), recipient(Action.ACKNOWLEDGE, 1))
    assert (life.acknowledged_revision, life.status) == (1, AlertStatus.PUBLISHED)
    life = after(PUBLISH, recipient(Action.ACKNOWLEDGE), publisher(Action.AMEND, 2))
    assert (life.acknowledged_revision, life.status) == (1, AlertStatus.PUBLISHED)
    life = after(
        PUBLISH,
        publisher(Action.AMEND, 2),
        recipient(Action.ACKNOWLEDGE, 2),
        recipient(Action.FLAG, 2),
        recipient(Action.ACKNOWLEDGE, 1),
    )
    assert (life.acknowledged_revision, life.status) == (2, AlertStatus.FLAGGED)


def test_expiry_needs_the_valid_until_time_of_the_current_text() -> None:
    life = after(PUBLISH)
    assert not life.is_due_to_expire(999)
    assert life.is_due_to_expire(1_000)
    with pytest.raises(IllegalTransitionError, match="hasn't passed"):
        advance(life, publisher(Action.EXPIRE, at_unix_ms=999))
    for_ever = advance(life, publisher(Action.AMEND, 2, valid_until_unix_ms=None))
    assert not for_ever.is_due_to_expire(10**15)
    with pytest.raises(IllegalTransitionError, match="hasn't passed"):
        advance(for_ever, publisher(Action.EXPIRE, 2, at_unix_ms=10**15))
    expired = advance(life, publisher(Action.EXPIRE, at_unix_ms=1_000))
    assert not expired.is_due_to_expire(10**15)


def test_the_other_side_answers_once() -> None:
    life = after(PUBLISH, recipient(Action.ASK, question_id="q1", deadline_unix_ms=50))
    assert life.questions == (Question(Side.RECIPIENT, "q1", 50),)
    assert life.open_questions(Side.PUBLISHER) == life.questions
    assert life.open_questions(Side.RECIPIENT) == ()
    with pytest.raises(IllegalTransitionError, match="publisher hasn't asked"):
        advance(life, recipient(Action.ANSWER, question_id="q1"))
    with pytest.raises(IllegalTransitionError, match="recipient hasn't asked a question q2"):
        advance(life, publisher(Action.ANSWER, question_id="q2"))
    answered = advance(life, publisher(Action.ANSWER, question_id="q1", at_unix_ms=99))
    assert answered.questions == (Question(Side.RECIPIENT, "q1", 50, answered=True),)
    assert answered.open_questions(Side.PUBLISHER) == ()
    with pytest.raises(IllegalTransitionError, match="answered already"):
        advance(answered, publisher(Action.ANSWER, question_id="q1"))


def test_an_answer_touches_its_own_question_only() -> None:
    life = after(
        PUBLISH,
        recipient(Action.ASK, question_id="q1"),
        recipient(Action.ASK, question_id="q2"),
        publisher(Action.ASK, question_id="q1"),
        publisher(Action.ANSWER, question_id="q1"),
    )
    assert {(q.asked_by, q.question_id): q.answered for q in life.questions} == {
        (Side.PUBLISHER, "q1"): False,
        (Side.RECIPIENT, "q1"): True,
        (Side.RECIPIENT, "q2"): False,
    }


def test_a_question_id_is_used_once_and_questions_are_bounded() -> None:
    life = after(PUBLISH, *(recipient(Action.ASK, question_id=str(n)) for n in range(MAX_QUESTIONS_PER_SIDE)))
    with pytest.raises(IllegalTransitionError, match="asked already"):
        advance(life, recipient(Action.ASK, question_id="7"))
    with pytest.raises(IllegalTransitionError, match="which is all"):
        advance(life, recipient(Action.ASK, question_id="one more"))
    assert len(advance(life, publisher(Action.ASK, question_id="7")).questions) == MAX_QUESTIONS_PER_SIDE + 1


def test_questions_lapse_with_the_alert() -> None:
    life = after(PUBLISH, recipient(Action.ASK, question_id="q"), publisher(Action.CLOSE))
    assert life.questions
    assert life.open_questions(Side.PUBLISHER) == ()
    with pytest.raises(IllegalTransitionError, match="nothing"):
        advance(life, publisher(Action.ANSWER, question_id="q"))


@pytest.mark.parametrize("end", [Action.WITHDRAW, Action.EXPIRE, Action.CLOSE])
@pytest.mark.parametrize("late", sorted({a for (_, a, _) in CROSSINGS}))
def test_a_recorded_step_may_have_crossed_the_end_but_a_new_one_may_not(end: Action, late: Action) -> None:
    open_life = after(PUBLISH, publisher(Action.ASK, question_id="q"))
    ended = advance(open_life, publisher(end, at_unix_ms=5_000))
    step = recipient(late, question_id="q")
    assert advance(ended, step, recorded=True).status is ended.status
    with pytest.raises(IllegalTransitionError):
        advance(ended, step)
    assert advance(advance(open_life, step), publisher(end, at_unix_ms=5_000)) == advance(ended, step, recorded=True)


def test_a_recorded_step_of_the_publisher_never_follows_its_own_last_word() -> None:
    ended = after(PUBLISH, publisher(Action.WITHDRAW))
    for action in Action:
        with pytest.raises(IllegalTransitionError):
            advance(ended, publisher(action, 2 if action is Action.AMEND else 1, question_id="q"), recorded=True)


steps = st.builds(
    Step,
    action=st.sampled_from(Action),
    side=st.sampled_from(Side),
    revision=st.integers(0, 5),
    at_unix_ms=st.sampled_from([0, 2_000]),
    valid_until_unix_ms=st.sampled_from([None, 1_000]),
    reply_by_unix_ms=st.sampled_from([None, 700]),
    informs=st.booleans(),
    question_id=st.sampled_from("abc"),
    deadline_unix_ms=st.just(500),
)


@settings(max_examples=300)
@given(st.lists(steps, max_size=40), st.booleans())
def test_any_steps_keep_the_invariants_and_both_sides_agree(sequence: list[Step], recorded: bool) -> None:
    """The recipient gets the accepted steps alone, as the feed carries them, and ends where the publisher is."""
    life: AlertLife | None = None
    accepted: list[Step] = []
    for step in [PUBLISH, *sequence]:
        try:
            new = advance(life, step, recorded=recorded)
        except (IllegalTransitionError, RevisionConflictError):
            continue
        if life is not None:
            assert new.revision == life.revision + (step.action is Action.AMEND)
            assert not life.status.is_terminal or new.status is life.status
            assert new.acknowledged_revision >= life.acknowledged_revision
            assert new.replied_revision >= life.replied_revision
            assert {(q.asked_by, q.question_id) for q in life.questions} <= {
                (q.asked_by, q.question_id) for q in new.questions
            }
        assert 0 <= new.acknowledged_revision <= new.revision
        assert 0 <= new.replied_revision <= new.revision
        assert new.reply_due_unix_ms is None or not (new.status.is_terminal or new.is_replied)
        assert new.status is not AlertStatus.ACKNOWLEDGED or new.acknowledged_revision == new.revision
        life = new
        accepted.append(step)
    mirrored: AlertLife | None = None
    for step in accepted:
        mirrored = advance(mirrored, step, recorded=True)
    assert mirrored == life


def _sensible(life: AlertLife, side: Side, draw: st.DataObject, number: int) -> Step:
    """A step that this side may make now, as far as the table and the revision go."""
    action = draw.draw(st.sampled_from(allowed_actions(life.status, side)))
    open_ids = [q.question_id for q in life.open_questions(side)]
    return Step(
        action,
        side,
        life.revision + 1 if action is Action.AMEND else draw.draw(st.sampled_from([life.revision, 1, 0])),
        at_unix_ms=5_000,
        reply_by_unix_ms=700,
        informs=draw.draw(st.booleans()),
        valid_until_unix_ms=1_000,
        question_id=draw.draw(st.sampled_from([*open_ids, "?"])) if action is Action.ANSWER else str(number),
    )


@settings(max_examples=300)
@given(st.data())
def test_sides_that_hear_of_steps_late_end_in_equal_lives(data: st.DataObject) -> None:
    """Each side makes steps on what it knows; two feeds deliver in order but whenever they like."""
    lives = {side: after(PUBLISH) for side in Side}
    in_flight: dict[Side, list[Step]] = {side: [] for side in Side}

    def deliver(to: Side) -> None:
        lives[to] = advance(lives[to], in_flight[to].pop(0), recorded=True)

    for number in range(data.draw(st.integers(1, 25))):
        side = data.draw(st.sampled_from(Side))
        if in_flight[side] and data.draw(st.booleans()):
            deliver(side)
        elif allowed_actions(lives[side].status, side):
            step = _sensible(lives[side], side, data, number)
            try:
                lives[side] = advance(lives[side], step)
            except (IllegalTransitionError, RevisionConflictError):
                continue
            in_flight[side.other].append(step)
    for side in Side:
        while in_flight[side]:
            deliver(side)
    assert lives[Side.PUBLISHER] == lives[Side.RECIPIENT]
