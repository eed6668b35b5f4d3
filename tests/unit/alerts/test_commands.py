"""What own systems publish: all that is wrong at once, agreements, onward transfer, requests sent again, expiry."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.alerts.codec import NOT_TOLD
from gateway.alerts.commands.placing import PublishCommand, PublishResult
from gateway.alerts.commands.publishing import Publisher
from gateway.alerts.commands.steps import ExpireCommand
from gateway.contract.json_document import JsonValue
from gateway.contract.messages import to_timestamp
from gateway.errors import (
    AgreementForbidsError,
    FeedBehindError,
    GatewayError,
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RequestIdReusedError,
)
from gateway.feed.service.states import StateCommand
from gateway.feed.tables.feeds import FeedState
from gateway.trust.rules.directory import Directory, FieldClass
from gateway.v1 import alert_pb2, alert_service_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, FEDERATION, PaperNode, alert_content, exchange, paper_nodes

APPLIED = 1


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        yield made


@pytest.fixture
def cn(nodes: list[PaperNode]) -> PaperNode:
    return nodes[0]


def request(
    node: PaperNode, *recipients: str, request_id: str = "", **content: Any
) -> alert_service_pb2.PublishAlertRequest:
    return alert_service_pb2.PublishAlertRequest(
        request_id=request_id or str(uuid.uuid4()),
        recipients=recipients or ("hk",),
        content=alert_content(node.clock.now, **content),
    )


def publish(
    node: PaperNode, *requests: alert_service_pb2.PublishAlertRequest, by: str = "engine"
) -> list[PublishResult]:
    """All in one work, as a stream's message comes."""
    prepared: list[Any] = []
    for one in requests:
        try:
            prepared.append(node.publisher.prepare(one, by))
        except GatewayError as error:
            prepared.append(error)
    results: list[PublishResult] = node.writer.run(PublishCommand(prepared, principal=by))
    return results


def publish_one(node: PaperNode, one: alert_service_pb2.PublishAlertRequest, by: str = "engine") -> Any:
    (result,) = publish(node, one, by=by)
    if isinstance(result, GatewayError):
        raise result
    return result


def marked(response: alert_service_pb2.PublishAlertResponse) -> alert_service_pb2.PublishAlertResponse:
    """The answer to the same request sent again: the first one, and that it is not the first."""
    assert not response.published_before
    again = alert_service_pb2.PublishAlertResponse()
    again.CopyFrom(response)
    again.published_before = True
    return again


def size(node: PaperNode, recipient: str = "hk") -> int:
    return node.outgoing.size(node.origin(recipient))


def fields(error: InvalidRequestError) -> set[str]:
    return {violation.field for violation in error.violations}


def with_agreement(node: PaperNode, **changes: Any) -> None:
    """Changes the agreement from this node to hk, or drops it."""
    directory = node.trust.directory
    kept = [one for one in directory.agreements if (one.sender, one.recipient) != (node.name, "hk")]
    changed = [replace(one, **changes) for one in directory.agreements if one not in kept] if changes else []
    _use(node, replace(directory, agreements=tuple(kept + changed)))


def _use(node: PaperNode, directory: Directory) -> None:
    node.publisher = Publisher(federation=FEDERATION, node=node.name, directory=lambda: directory, clock=node.clock)


@pytest.mark.both_databases
def test_every_violation_is_told_at_once(cn: PaperNode) -> None:
    wrong = request(cn, "hk", purpose="Export Control")
    wrong.content.legal_basis = ""
    wrong.content.valid_until.CopyFrom(to_timestamp(cn.clock.now - 1))
    wrong.content.reply_by.CopyFrom(to_timestamp(cn.clock.now - 1))
    wrong.content.subject.ClearField("equipment")
    with pytest.raises(InvalidRequestError) as refused:
        publish_one(cn, wrong)
    assert fields(refused.value) == {
        "content.purpose",
        "content.legal_basis",
        "content.valid_until",
        "content.reply_by",
        "content.subject",
        "recipients",  # no agreement has this purpose; the message names those that there are
    }
    assert size(cn) == 0


@pytest.mark.parametrize("days", [0, -1, 367])
def test_validity_ends_in_the_future_and_within_366_days(cn: PaperNode, days: int) -> None:
    wrong = request(cn)
    wrong.content.valid_until.CopyFrom(to_timestamp(cn.clock.now + days * DAY_MS))
    with pytest.raises(InvalidRequestError) as refused:
        publish_one(cn, wrong)
    assert fields(refused.value) == {"content.valid_until"}


def test_one_that_is_refused_doesnt_stop_the_others(cn: PaperNode) -> None:
    wrong = request(cn)
    wrong.content.legal_basis = ""
    results = publish(cn, request(cn), wrong, request(cn, "nowhere"), request(cn))
    assert [isinstance(one, GatewayError) for one in results] == [False, True, True, False]
    assert size(cn) == 2
    assert [one.entries[0].index for one in results if not isinstance(one, GatewayError)] == [0, 1]


def test_each_recipient_has_an_entry_of_its_own(cn: PaperNode) -> None:
    response = publish_one(cn, request(cn, "hk", "mo"))
    assert {one.origin for one in response.entries} == {cn.origin("hk").line, cn.origin("mo").line}
    assert (size(cn, "hk"), size(cn, "mo")) == (1, 1)


# Requests sent again


def test_a_request_sent_again_is_the_same_alert_once(cn: PaperNode) -> None:
    one = request(cn, "hk", "mo")
    first = publish_one(cn, one)
    assert publish_one(cn, one) == marked(first)
    assert publish(cn, one, request(cn), one)[::2] == [marked(first)] * 2
    assert (size(cn, "hk"), size(cn, "mo")) == (2, 1)


def test_a_request_twice_in_one_message_is_one_alert(cn: PaperNode) -> None:
    one = request(cn)
    first, second, third = publish(cn, one, one, request(cn))
    assert marked(first) == second != third
    assert not third.published_before
    assert size(cn) == 2


def test_a_request_id_with_another_body_is_refused(cn: PaperNode) -> None:
    one = request(cn)
    publish_one(cn, one)
    one.content.case_reference = "another"
    with pytest.raises(RequestIdReusedError):
        publish_one(cn, one)
    assert size(cn) == 1


def test_request_ids_are_each_callers_own(cn: PaperNode) -> None:
    one = request(cn)
    assert publish_one(cn, one, "engine").alert_id != publish_one(cn, one, "desk").alert_id


def test_a_request_sent_again_too_late_is_answered_as_the_first_time(cn: PaperNode) -> None:
    one = request(cn)
    one.content.reply_by.CopyFrom(to_timestamp(cn.clock.now + 1000))
    first = publish_one(cn, one)
    cn.clock.forward(400 * DAY_MS)
    assert publish_one(cn, one) == marked(first)
    one.request_id = str(uuid.uuid4())
    with pytest.raises(InvalidRequestError):
        publish_one(cn, one)


def test_a_request_sent_again_after_the_agreement_ended_is_answered_as_the_first_time(cn: PaperNode) -> None:
    one = request(cn)
    first = publish_one(cn, one)
    with_agreement(cn)
    assert publish_one(cn, one) == marked(first)
    with pytest.raises(AgreementForbidsError):
        publish_one(cn, request(cn))


@pytest.mark.both_databases
def test_a_request_sent_again_while_the_feed_is_blocked_is_answered_as_the_first_time(cn: PaperNode) -> None:
    one = request(cn)
    first = publish_one(cn, one)
    cn.writer.run(StateCommand(cn.origin("hk"), FeedState.BEHIND, "restored"))
    assert publish_one(cn, one) == marked(first)
    with pytest.raises(FeedBehindError):
        publish_one(cn, request(cn))


# Agreements


def test_nothing_goes_where_no_agreement_lets_it(cn: PaperNode) -> None:
    with_agreement(cn)
    with pytest.raises(AgreementForbidsError):
        publish_one(cn, request(cn))
    assert publish_one(cn, request(cn, "mo"))
    with pytest.raises(AgreementForbidsError):
        publish_one(cn, request(cn, "mo", "hk"))
    assert (size(cn, "hk"), size(cn, "mo")) == (0, 1), "refused for one recipient is refused whole"


@pytest.mark.parametrize(
    "changes",
    [
        {"purposes": frozenset({"smuggling"})},
        {"message_types": frozenset({"WatchlistUpdate"})},
        {"purposes": frozenset()},
    ],
)
def test_purposes_and_types_that_arent_listed_are_forbidden(cn: PaperNode, changes: dict[str, Any]) -> None:
    with_agreement(cn, **changes)
    with pytest.raises(AgreementForbidsError):
        publish_one(cn, request(cn))


@pytest.mark.both_databases
def test_what_speaks_against_each_recipient_is_named_at_once(cn: PaperNode) -> None:
    """Not the first recipient's alone: whoever corrects that one would meet the next."""
    directory = cn.trust.directory
    classes = {"hk": {FieldClass.INVESTIGATIVE}, "mo": {FieldClass.COMMERCIAL}}
    narrowed = [
        replace(one, field_classes=frozenset(classes[one.recipient])) if one.sender == "cn" else one
        for one in directory.agreements
    ]
    _use(cn, replace(directory, agreements=tuple(narrowed)))
    one = request(cn, "hk", "mo")
    one.content.valid_until.CopyFrom(to_timestamp(cn.clock.now - 1))
    one.content.goods.add().customs_value.currency_code = "HKD"
    with pytest.raises(InvalidRequestError) as refused:
        publish_one(cn, one)
    told = {(violation.field, violation.message.partition(":")[0]) for violation in refused.value.violations}
    assert {partner for _, partner in told} >= {"hk", "mo"}
    assert "content.valid_until" in fields(refused.value)
    _use(cn, replace(directory, agreements=()))
    with pytest.raises(AgreementForbidsError, match=r"to hk .*; .* to mo "):
        publish_one(cn, request(cn, "hk", "mo"))


def test_every_field_of_a_forbidden_class_is_named(cn: PaperNode) -> None:
    with_agreement(cn, field_classes=frozenset({FieldClass.INVESTIGATIVE}))
    one = request(cn)
    party = one.content.subject.parties.add(role=1)
    party.names.add(text="Chan Tai Man")
    party.identifiers.add(scheme="hkid", value="A123456(3)")
    one.content.subject.references.add(kind=1, value="D-1")
    one.content.goods.add().customs_value.currency_code = "HKD"
    with pytest.raises(InvalidRequestError) as refused:
        publish_one(cn, one)
    assert fields(refused.value) == {
        "content.subject.parties[0].names[0].text",
        "content.subject.parties[0].identifiers[0].value",
        "content.subject.references[0].value",
        "content.goods[0].customs_value",
    }


# Onward transfer


def _partners_alert(nodes: list[PaperNode], **handling: Any) -> alert_pb2.AlertReference:
    """An alert from mo to cn, with these handling rules."""
    cn, _, mo = nodes
    alert_id = mo.publish(
        "cn", handling=alert_pb2.Handling(classification=alert_pb2.CLASSIFICATION_RESTRICTED, **handling)
    )
    exchange(cn, mo)
    return alert_pb2.AlertReference(publisher="mo", alert_id=alert_id)


@pytest.mark.parametrize(
    ("handling", "recipient", "allowed"),
    [
        ({"onward_transfer": alert_pb2.ONWARD_TRANSFER_PROHIBITED}, "hk", False),
        ({"onward_transfer": alert_pb2.ONWARD_TRANSFER_PROHIBITED}, "mo", True),  # back to its source
        ({"onward_transfer": alert_pb2.ONWARD_TRANSFER_LISTED, "onward_recipients": ["hk"]}, "hk", True),
        ({"onward_transfer": alert_pb2.ONWARD_TRANSFER_LISTED, "onward_recipients": ["xx"]}, "hk", False),
        ({"onward_transfer": alert_pb2.ONWARD_TRANSFER_PROHIBITED, "onward_recipients": ["hk"]}, "hk", False),
        ({"onward_transfer": alert_pb2.ONWARD_TRANSFER_FEDERATION}, "hk", True),
    ],
)
def test_a_partners_information_goes_on_only_as_it_allows(
    nodes: list[PaperNode], handling: dict[str, Any], recipient: str, allowed: bool
) -> None:
    cn = nodes[0]
    source = _partners_alert(nodes, **handling)
    one = request(cn, recipient, derived_from=[source])
    if allowed:
        assert publish_one(cn, one)
    else:
        with pytest.raises(PermissionDeniedError, match=source.alert_id):
            publish_one(cn, one)


def test_a_partners_information_doesnt_go_on_by_way_of_an_own_alert(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    source = _partners_alert(nodes, onward_transfer=alert_pb2.ONWARD_TRANSFER_PROHIBITED)
    between = source
    for _ in range(2):  # back to its source, which is allowed, and again from that
        made = publish_one(cn, request(cn, "mo", derived_from=[between]))
        cn.settle()
        between = alert_pb2.AlertReference(publisher="cn", alert_id=made.alert_id)
    with pytest.raises(PermissionDeniedError, match=source.alert_id):
        publish_one(cn, request(cn, "hk", derived_from=[between]))


def _answer(node: str = "mo") -> alert_pb2.AnswerReference:
    return alert_pb2.AnswerReference(node=node, query_id=str(uuid.uuid4()))


def _release(node: PaperNode, *recipients: str) -> None:
    """Lets cn pass on what mo answers, in the directory that it uses."""
    terms = node.trust.directory
    extensions: dict[str, JsonValue] = {"onward_recipients": list(recipients)}
    agreements = [
        replace(agreement, extensions=extensions) if agreement.id == "mo-cn" else agreement
        for agreement in terms.agreements
    ]
    _use(node, replace(terms, agreements=tuple(agreements)))


def test_what_a_partner_answered_goes_on_only_as_its_agreement_allows(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    assert publish_one(cn, request(cn, "mo", derived_from_answers=[_answer()]))  # back to its source
    assert publish_one(cn, request(cn, "mo", derived_from_answers=[_answer("cn")]))  # own records
    with pytest.raises(PermissionDeniedError, match="no agreement lets what mo answered be passed on to hk"):
        publish_one(cn, request(cn, "mo", "hk", derived_from_answers=[_answer()]))
    _release(cn, "hk")
    assert publish_one(cn, request(cn, "mo", "hk", derived_from_answers=[_answer()]))
    wide = alert_pb2.Handling(
        classification=alert_pb2.CLASSIFICATION_RESTRICTED, onward_transfer=alert_pb2.ONWARD_TRANSFER_FEDERATION
    )
    with pytest.raises(PermissionDeniedError, match="onward_transfer: it allows more than the agreement"):
        publish_one(cn, request(cn, "hk", derived_from_answers=[_answer()], handling=wide))


def test_an_answer_doesnt_go_on_by_way_of_own_alerts_or_amendments(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    alert_id = publish_one(cn, request(cn, "mo", derived_from_answers=[_answer()])).alert_id
    cn.settle()
    cn.amend(alert_id, 2)  # no longer names it
    source = alert_pb2.AlertReference(publisher="cn", alert_id=alert_id)
    with pytest.raises(PermissionDeniedError, match="what mo answered"):
        publish_one(cn, request(cn, "hk", derived_from=[source]))
    own = cn.publish("hk")
    with pytest.raises(PermissionDeniedError, match="what mo answered"):
        cn.amend(own, 2, derived_from_answers=[_answer()])
    _release(cn, "hk")
    assert publish_one(cn, request(cn, "hk", derived_from=[source]))
    cn.amend(own, 2, derived_from_answers=[_answer()])


def test_an_amendment_cant_bring_in_what_a_new_alert_couldnt(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    source = _partners_alert(nodes, onward_transfer=alert_pb2.ONWARD_TRANSFER_PROHIBITED)
    alert_id = cn.publish("hk")
    with pytest.raises(PermissionDeniedError):
        cn.amend(alert_id, 2, derived_from=[source])


def test_an_amendment_doesnt_take_a_source_back(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    source = _partners_alert(nodes, onward_transfer=alert_pb2.ONWARD_TRANSFER_PROHIBITED)
    between = alert_pb2.AlertReference(
        publisher="cn", alert_id=publish_one(cn, request(cn, "mo", derived_from=[source])).alert_id
    )
    cn.amend(between.alert_id, 2)
    for settled in (False, True):  # also before the amendment is projected
        with pytest.raises(PermissionDeniedError, match=source.alert_id):
            publish_one(cn, request(cn, "hk", derived_from=[between]))
        if not settled:
            cn.settle()


def test_a_source_of_an_earlier_revision_counts_for_later_ones(nodes: list[PaperNode]) -> None:
    cn, _, mo = nodes
    source = _partners_alert(nodes, onward_transfer=alert_pb2.ONWARD_TRANSFER_FEDERATION)
    alert_id = publish_one(cn, request(cn, "hk", derived_from=[source])).alert_id
    cn.amend(alert_id, 2)
    mo.amend(source.alert_id, 2)  # prohibits it
    exchange(cn, mo)
    with pytest.raises(PermissionDeniedError, match=source.alert_id):
        cn.amend(alert_id, 3)
    question = alert_pb2.AlertQuestion(
        question_id=str(uuid.uuid4()),
        text="Did the exporter of that alert call?",
        deadline=to_timestamp(cn.clock.now + DAY_MS),
    )
    with pytest.raises(PermissionDeniedError, match=source.alert_id):
        cn.step("cn", alert_id, question=question)
    cn.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=2, reason="its source was restricted"))


def test_an_answer_passes_on_no_more_than_its_alert_may(nodes: list[PaperNode]) -> None:
    cn, hk, mo = nodes
    source = _partners_alert(nodes, onward_transfer=alert_pb2.ONWARD_TRANSFER_FEDERATION)
    alert_id = publish_one(cn, request(cn, "hk", derived_from=[source])).alert_id
    exchange(cn, hk)
    question = alert_pb2.AlertQuestion(
        question_id=str(uuid.uuid4()), text="Who is the exporter?", deadline=to_timestamp(cn.clock.now + DAY_MS)
    )
    hk.step("cn", alert_id, question=question)
    mo.amend(source.alert_id, 2)  # prohibits it
    exchange(cn, hk, mo)
    with pytest.raises(PermissionDeniedError, match=source.alert_id):
        cn.step("cn", alert_id, answer=alert_pb2.AlertAnswer(question_id=question.question_id, text="That one"))


def test_consent_goes_no_further_than_that_of_the_source(tmp_path: Path, make_database: MakeDatabase) -> None:
    members = ("cn", "hk", "mo", "sg")
    with paper_nodes(tmp_path, make_database, members[:3], members=members) as nodes:
        cn, hk, mo = nodes
        source = _partners_alert(nodes, onward_transfer=LISTED, onward_recipients=["hk"])
        alert_id = publish_one(cn, request(cn, "hk", derived_from=[source])).alert_id
        exchange(cn, hk, mo)
        question = alert_pb2.AlertQuestion(
            question_id=str(uuid.uuid4()),
            text="To sg too?",
            deadline=to_timestamp(cn.clock.now + DAY_MS),
            onward_recipients=["sg"],
        )
        hk.step("cn", alert_id, question=question)
        exchange(cn, hk)
        granted = alert_pb2.AlertAnswer(
            question_id=question.question_id, text="Yes", consent=alert_pb2.TRANSFER_CONSENT_GRANTED
        )
        with pytest.raises(PermissionDeniedError, match=source.alert_id):
            cn.step("cn", alert_id, answer=granted)
        refused = alert_pb2.AlertAnswer(
            question_id=question.question_id, text="No", consent=alert_pb2.TRANSFER_CONSENT_REFUSED
        )
        cn.step("cn", alert_id, answer=refused)


LISTED, FEDERATION_WIDE = alert_pb2.ONWARD_TRANSFER_LISTED, alert_pb2.ONWARD_TRANSFER_FEDERATION


@pytest.mark.parametrize(
    ("source_lists", "handling", "allowed"),
    [
        (["hk"], {"onward_transfer": alert_pb2.ONWARD_TRANSFER_PROHIBITED}, True),
        (["hk"], {"onward_transfer": LISTED, "onward_recipients": ["mo"]}, True),  # back to its publisher
        (["hk"], {"onward_transfer": LISTED, "onward_recipients": ["xx"]}, False),
        (["hk", "xx"], {"onward_transfer": LISTED, "onward_recipients": ["xx"]}, True),
        (["hk"], {"onward_transfer": FEDERATION_WIDE}, False),
    ],
)
def test_who_passes_on_allows_no_more_than_the_publisher(
    nodes: list[PaperNode], source_lists: list[str], handling: dict[str, Any], allowed: bool
) -> None:
    cn = nodes[0]
    source = _partners_alert(nodes, onward_transfer=LISTED, onward_recipients=source_lists)
    rule = alert_pb2.Handling(classification=alert_pb2.CLASSIFICATION_RESTRICTED, **handling)
    alert_id = publish_one(cn, request(cn, "hk", derived_from=[source])).alert_id
    cn.settle()

    def publish_it() -> None:
        publish_one(cn, request(cn, "hk", derived_from=[source], handling=rule))

    def amend_it() -> None:
        cn.amend(alert_id, 2, handling=rule)

    for attempt in (publish_it, amend_it):
        if allowed:
            attempt()
        else:
            with pytest.raises(PermissionDeniedError, match="allows more than mo does"):
                attempt()


def test_what_it_derives_from_must_be_here(cn: PaperNode) -> None:
    unknown = alert_pb2.AlertReference(publisher="mo", alert_id=str(uuid.uuid4()))
    with pytest.raises(NotFoundError):
        publish_one(cn, request(cn, derived_from=[unknown]))


# What the publisher accepts, the recipient applies


def test_an_alert_full_of_doubtful_identifiers_arrives(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    one = request(cn)
    for _ in range(20):
        party = one.content.subject.parties.add(role=1)
        for _ in range(20):
            party.identifiers.add(scheme="iso6346", value="CSQU3054384")
    response = publish_one(cn, one)
    exchange(cn, hk)
    assert cn.queries.get("cn", response.alert_id).deliveries[0].disposition == APPLIED
    assert len(hk.queries.get("cn", response.alert_id).alert.notices) == 200


def test_a_failed_check_digit_is_a_notice_and_no_refusal(cn: PaperNode) -> None:
    one = request(cn)
    one.content.subject.equipment.add(id="CSQU3054384")
    response = publish_one(cn, one)
    assert [(notice.field, notice.scheme, notice.code) for notice in response.notices] == [
        ("subject.equipment[1].id", "iso6346", "check_digit")
    ]


# Steps and expiry


def test_of_two_steps_that_exclude_each_other_one_wins(cn: PaperNode) -> None:
    alert_id = cn.publish("hk")
    cn.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="void"))
    with pytest.raises(IllegalTransitionError):
        cn.step("cn", alert_id, closed=alert_pb2.AlertClosed(revision=1, outcome=1))
    assert size(cn) == 2


def test_a_step_goes_to_all_recipients_or_to_none(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    alert_id = publish_one(cn, request(cn, "hk", "mo")).alert_id
    cn.settle()
    cn.writer.run(StateCommand(cn.origin("mo"), FeedState.BEHIND, "restored"))
    with pytest.raises(FeedBehindError):
        cn.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="void"))
    assert (size(cn, "hk"), size(cn, "mo")) == (1, 1)


def _expire(node: PaperNode) -> int:
    count: int = node.writer.run(ExpireCommand(publisher=node.publisher))
    return count


def test_alerts_expire_on_both_sides_once(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    assert _expire(cn) == 0
    cn.clock.forward(31 * DAY_MS)
    assert _expire(cn) == 1
    assert _expire(cn) == 0
    assert _expire(hk) == 0, "only the publisher lets its alert expire"
    exchange(cn, hk)
    for node in (cn, hk):
        (delivery,) = node.queries.get("cn", alert_id).deliveries
        assert delivery.status == alert_pb2.ALERT_STATUS_EXPIRED


@pytest.mark.both_databases
@pytest.mark.parametrize("blocked", ["hk", "mo"])
def test_a_blocked_feed_doesnt_keep_others_from_expiring(nodes: list[PaperNode], blocked: str) -> None:
    cn = nodes[0]
    other = "mo" if blocked == "hk" else "hk"
    for _ in range(3):
        publish_one(cn, request(cn, "hk", "mo"))
    cn.settle()
    cn.writer.run(StateCommand(cn.origin(blocked), FeedState.BEHIND, "restored"))
    cn.clock.forward(31 * DAY_MS)
    assert _expire(cn) == 3
    assert (size(cn, blocked), size(cn, other)) == (3, 6)
    cn.writer.run(StateCommand(cn.origin(blocked), FeedState.ACTIVE, ""))
    assert _expire(cn) == 3


def _end_agreements(*nodes: PaperNode) -> None:
    for node in nodes:
        node.trust.directory = replace(node.trust.directory, agreements=())


def _last_event(node: PaperNode, alert_id: str) -> alert_pb2.AlertEvent:
    return node.queries.get("cn", alert_id).history[-1].event


def test_an_alert_can_be_withdrawn_after_the_agreement_has_ended(nodes: list[PaperNode]) -> None:
    cn, hk, *_ = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    _end_agreements(cn, hk)
    with pytest.raises(AgreementForbidsError):
        cn.amend(alert_id, 2)
    cn.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="The source was wrong"))
    exchange(cn, hk)
    for node in (cn, hk):
        assert node.queries.get("cn", alert_id).deliveries[0].status == alert_pb2.ALERT_STATUS_WITHDRAWN
    assert _last_event(hk, alert_id).withdrawn.reason == NOT_TOLD


def test_an_alert_expires_also_at_a_partner_whose_agreement_has_ended(nodes: list[PaperNode]) -> None:
    cn, hk, *_ = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    _end_agreements(cn, hk)
    cn.clock.forward(31 * DAY_MS)
    waits = ExpireCommand(publisher=cn.publisher, latest_ms=cn.clock.now - 2 * DAY_MS)
    assert (cn.writer.run(waits), waits.waiting) == (0, True), "this clock alone says so"
    assert cn.writer.run(ExpireCommand(publisher=cn.publisher)) == 1
    exchange(cn, hk)
    assert hk.queries.get("cn", alert_id).deliveries[0].status == alert_pb2.ALERT_STATUS_EXPIRED


def test_why_an_alert_was_withdrawn_or_flagged_is_told_as_far_as_the_agreement_goes(nodes: list[PaperNode]) -> None:
    cn, hk, *_ = nodes
    withdrawn, flagged = cn.publish("hk"), cn.publish("hk")
    exchange(cn, hk)
    for node in nodes:
        narrowed = [replace(one, field_classes=frozenset()) for one in node.trust.directory.agreements]
        node.trust.directory = replace(node.trust.directory, agreements=tuple(narrowed))
    cn.step("cn", withdrawn, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="The source was wrong"))
    no_resources = alert_pb2.FLAG_REASON_OTHER
    hk.step("cn", flagged, flagged=alert_pb2.AlertFlagged(revision=1, reason=no_resources, explanation="Two on leave"))
    with pytest.raises(InvalidRequestError) as refused:
        cn.step("cn", flagged, closed=alert_pb2.AlertClosed(revision=1, outcome=1, remarks="Nothing found"))
    assert fields(refused.value) == {"closed.remarks"}
    exchange(cn, hk)
    assert _last_event(hk, withdrawn).withdrawn.reason == NOT_TOLD
    assert _last_event(cn, flagged).flagged.explanation == NOT_TOLD
