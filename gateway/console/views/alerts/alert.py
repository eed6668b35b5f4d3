"""An alert as its page shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.pictures.map import MapLeg, map_place, route_map
from gateway.console.pictures.svg import Illustration
from gateway.console.views.alerts.steps import StepText, step_texts
from gateway.console.views.words import (
    address_text,
    capitalised,
    codes_text,
    finding_text,
    identifier_text,
    local_time,
    mass_text,
    means_text,
    mode_text,
    money_text,
    place_text,
    substance_text,
)
from gateway.contract.enum_words import UNKNOWN, word_of
from gateway.contract.findings import FindingLedger, ReportedFinding, ledgers_of
from gateway.translation.identifier_words import scheme_word
from gateway.translation.labels import TYPOLOGY, label, label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import language, listed
from gateway.translation.step_titles import step_title
from gateway.translation.substance_names import substance_title
from gateway.v1.alert_pb2 import (
    Alert,
    AlertReference,
    AlertStatus,
    Classification,
    Narrative,
    OnwardTransfer,
    Priority,
    RequestedAction,
)
from gateway.v1.alert_service_pb2 import AlertDelivery, DeadlineState, DeliveryState, GetAlertResponse
from gateway.v1.goods_pb2 import GoodsItem, RouteLeg, ShipmentReferenceKind, TransportMeans, TransportMode
from gateway.v1.party_pb2 import Party, PartyRole

ENDED: Final = frozenset({"withdrawn", "expired", "closed"})
"""Statuses in which an alert needs no further action."""

STATUS_KINDS: Final = {
    "published": "info",
    "acknowledged": "good",
    "flagged": "warn",
    "withdrawn": "quiet",
    "expired": "quiet",
    "closed": "quiet",
}

_CLOSEST_LANGUAGE: Final = {"zh-Hans": "zh-Hant", "zh-Hant": "zh-Hans"}
"""The language to show where a text isn't available in the reader's own, before English."""


@dataclass(frozen=True, slots=True)
class GoodsRow:
    """One kind of goods: its declared and its suspected code."""

    description: str
    declared: str
    suspected: str
    substance: str
    mass: str
    value: str
    packages: int
    origin: str


@dataclass(frozen=True, slots=True)
class PartyRow:
    """A party: the first of its names is the reader's."""

    role: str
    names: tuple[str, ...]
    identifiers: tuple[str, ...]
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LegRow:
    """A leg of the route."""

    start: str
    departure: str
    end: str
    arrival: str
    mode: str
    means: str


@dataclass(frozen=True, slots=True)
class OpenQuestionRow:
    """A question that waits for an answer."""

    question_id: str
    text: str
    asked_by: str
    asked_of: str
    deadline: Timestamp
    state: str
    mine: bool
    """Whether this authority must answer it."""
    onward: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecipientLine:
    """How one recipient's copy stands: what it knows, shown by what it has signed."""

    recipient: str
    status: str
    status_word: str
    status_kind: str
    ended: bool
    replied: bool
    """It can't act, or reported a finding on the present revision."""
    expired_by_clock: bool
    partner_left: bool
    step: str
    delivery: str
    why_not: str
    sent: bool
    receipted_at: Timestamp | None
    shown_at: Timestamp | None
    acted: StepText | None
    """The recipient's newest own step."""


@dataclass(frozen=True, slots=True)
class AlertView:
    """What the page of an alert shows; `own` says whether this authority published it."""

    response: GetAlertResponse
    own: bool
    title: str
    priority: str
    typologies: tuple[str, ...]
    narratives: tuple[Narrative, ...]
    goods: tuple[GoodsRow, ...]
    parties: tuple[PartyRow, ...]
    references: tuple[tuple[str, str], ...]
    means: tuple[tuple[str, str], ...]
    legs: tuple[LegRow, ...]
    map: Illustration | None
    steps: tuple[StepText, ...]
    questions: tuple[OpenQuestionRow, ...]
    copies: tuple[RecipientLine, ...]
    unanswered: frozenset[str]
    """Ids of questions that nobody answered before their copy ended."""

    @property
    def alert(self) -> Alert:
        return self.response.alert

    @property
    def reference(self) -> AlertReference:
        return AlertReference(publisher=self.alert.publisher, alert_id=self.alert.id)

    @property
    def path(self) -> str:
        """Path of the page."""
        return f"/alerts/{self.alert.publisher}/{self.alert.id}"

    def own_finding(self, number: str, node: str) -> ReportedFinding | None:
        """This node's finding with a number, as it is now; None for none."""
        ledger = ledgers_of(self.response.history).get(node, FindingLedger())
        return next((finding for finding in ledger.all if str(finding.number) == number), None)

    @property
    def ended(self) -> bool:
        """Whether every copy has ended."""
        return all(copy.ended for copy in self.copies)

    @property
    def to_decide(self) -> tuple[str, ...]:
        """Recipients that have replied, so that the publisher decides what becomes of their copies."""
        return tuple(copy.recipient for copy in self.copies if copy.replied and not copy.ended)

    @property
    def expired_by_clock(self) -> bool:
        """Whether its validity has passed by this gateway's clock, and no signed step says so yet."""
        return any(copy.expired_by_clock for copy in self.copies)

    @property
    def left(self) -> list[str]:
        """Recipients of copies that end since one of the two sides is no member any more."""
        return [copy.recipient for copy in self.copies if copy.partner_left]

    @property
    def asked_for(self) -> str:
        """The requested action in words."""
        return label_of(RequestedAction, self.alert.content.requested_action)

    @property
    def asked_kind(self) -> str:
        """How grave that is, as a sign."""
        return asked_kind(self.alert)

    @property
    def handling(self) -> str:
        """Classification and onward transfer in words."""
        handling = self.alert.content.handling
        match word_of(OnwardTransfer, handling.onward_transfer):
            case "listed":
                nodes = listed(node.upper() for node in handling.onward_recipients)
                passing_on = _("may be passed on to {nodes}", nodes=nodes)
            case "federation":
                passing_on = _("may be passed on to all authorities of the federation")
            case _:
                passing_on = _("may not be passed on")
        return listed([capitalised(label_of(Classification, handling.classification)), passing_on])

    @property
    def reply_state(self) -> str:
        """Word of the worst state of the reply among the copies; empty for none."""
        states = {word_of(DeadlineState, d.deadlines.reply) for d in self.response.deliveries}
        return next((state for state in ("overdue", "due", "met") if state in states), "")


def alert_view(response: GetAlertResponse, node: str) -> AlertView:
    """The view of an alert for this node's persons, in the current language."""
    alert = response.alert
    content = alert.content
    own = alert.publisher == node
    steps = step_texts(response.history)
    typologies = tuple(capitalised(label(TYPOLOGY, typology)) for typology in content.typologies)
    legs = tuple(map(_leg, content.route))
    return AlertView(
        response=response,
        own=own,
        title=title_of(alert),
        priority=word_of(Priority, content.priority),
        typologies=typologies,
        narratives=tuple(in_reading_order(content.narratives)),
        goods=tuple(map(_goods, content.goods)),
        parties=tuple(map(_party, content.subject.parties)),
        references=tuple(
            (
                capitalised(label_of(ShipmentReferenceKind, each.kind)),
                " ".join(filter(None, (each.value, each.territory))),
            )
            for each in content.subject.references
        ),
        means=tuple(
            (capitalised(mode_text(each.mode)) or _("Means of transport"), _registered(each))
            for each in content.subject.means
        ),
        legs=legs,
        map=route_map([_map_leg(leg, row) for leg, row in zip(content.route, legs, strict=True)]),
        steps=tuple(steps),
        questions=tuple(_questions(response, steps, node)),
        copies=tuple(_copy(delivery, steps, response) for delivery in response.deliveries),
        unanswered=_unanswered(response),
    )


_ASKED_KINDS: Final[Mapping[str, str]] = {
    "seize": "bad",
    "detain": "bad",
    "inspect": "warn",
    "discreet_check": "warn",
}
"""Signs of what is asked for; others are for information."""


def asked_kind(alert: Alert) -> str:
    """How grave the requested action is, as a sign."""
    return _ASKED_KINDS.get(word_of(RequestedAction, alert.content.requested_action), "info")


def title_of(alert: Alert) -> str:
    """What an alert is about in a few words: its typologies, and the substance where one is named."""
    typologies = listed(label(TYPOLOGY, typology) for typology in alert.content.typologies)
    substances = dict.fromkeys(
        filter(None, (substance_title(item.substance, item.element) for item in alert.content.goods))
    )
    if not substances:
        return capitalised(typologies)
    return _("{typologies}: {goods}", typologies=capitalised(typologies), goods=listed(substances))


def in_reading_order(narratives: Iterable[Narrative]) -> list[Narrative]:
    """Narratives, the reader's language first, then the nearest to it, then English."""
    reader = language()
    order = [reader, _CLOSEST_LANGUAGE.get(reader, "en"), "en"]
    return sorted(narratives, key=lambda one: order.index(one.language) if one.language in order else len(order))


def _goods(item: GoodsItem) -> GoodsRow:
    return GoodsRow(
        description=item.description,
        declared=codes_text(list(item.declared_codes)),
        suspected=codes_text(list(item.suspected_codes)),
        substance=substance_text(item),
        mass=mass_text(item),
        value=money_text(item.customs_value),
        packages=item.package_count,
        origin=item.origin_territory,
    )


def _party(party: Party) -> PartyRow:
    role = label_of(PartyRole, party.role)
    return PartyRow(
        role=capitalised(role) if role != UNKNOWN else _("Party"),
        names=tuple(dict.fromkeys(name.text for name in party.names)),
        identifiers=tuple(map(identifier_text, party.identifiers)),
        addresses=tuple(filter(None, map(address_text, party.addresses))),
    )


def _registered(means: TransportMeans) -> str:
    registrations = [f"{each.value} ({scheme_word(each.scheme)})" for each in means.registrations]
    return listed(filter(None, (means_text(means), *registrations)))


def _leg(leg: RouteLeg) -> LegRow:
    start, end = getattr(leg, "from"), leg.to
    return LegRow(
        start=place_text(start) or UNKNOWN,
        departure=local_time(leg.departure, leg.utc_offset_minutes),
        end=place_text(end) or UNKNOWN,
        arrival=local_time(leg.arrival, leg.utc_offset_minutes),
        mode=capitalised(mode_text(leg.means.mode)),
        means=means_text(leg.means),
    )


def _map_leg(leg: RouteLeg, row: LegRow) -> MapLeg:
    return MapLeg(
        start=map_place(getattr(leg, "from")),
        end=map_place(leg.to),
        mode=word_of(TransportMode, leg.means.mode),
        means=listed(filter(None, (row.mode, row.means))),
        when=" → ".join(filter(None, (row.departure, row.arrival))),
    )


def _questions(response: GetAlertResponse, steps: Sequence[StepText], node: str) -> Iterable[OpenQuestionRow]:
    said = {step.question_id: step for step in steps if step.name == "question"}
    asked = {
        change.event.question.question_id: change.event.question
        for change in response.history
        if change.event.HasField("question")
    }
    for delivery in response.deliveries:
        for question in delivery.open_questions:
            other = delivery.recipient if question.asked_by == response.alert.publisher else response.alert.publisher
            text = said[question.question_id].said if question.question_id in said else ""
            known = asked.get(question.question_id)
            yield OpenQuestionRow(
                question_id=question.question_id,
                text=text,
                asked_by=question.asked_by,
                asked_of=other,
                deadline=question.deadline,
                state=word_of(DeadlineState, question.state),
                mine=other == node,
                onward=tuple(known.onward_recipients) if known else (),
            )


def _unanswered(response: GetAlertResponse) -> frozenset[str]:
    ended = {one.recipient for one in response.deliveries if word_of(AlertStatus, one.status) in ENDED}
    asked = {
        change.event.question.question_id
        for change in response.history
        if change.event.HasField("question") and change.recipient in ended
    }
    answered = {change.event.answer.question_id for change in response.history if change.event.HasField("answer")}
    return frozenset(asked - answered)


def _copy(delivery: AlertDelivery, steps: Sequence[StepText], response: GetAlertResponse) -> RecipientLine:
    status = word_of(AlertStatus, delivery.status)
    findings = ledgers_of(response.history).get(delivery.recipient, FindingLedger()).standing
    step = delivery.last_step
    state = word_of(DeliveryState, step.state)
    theirs = [
        each for each in steps if each.speaker == delivery.recipient and each.name not in ("disposition", "published")
    ]
    return RecipientLine(
        recipient=delivery.recipient,
        status=finding_text(findings[-1].finding)
        if findings and status not in ENDED
        else capitalised(label_of(AlertStatus, delivery.status)),
        status_word=status,
        status_kind=STATUS_KINDS.get(status, "quiet"),
        ended=status in ENDED or delivery.deadlines.partner_left,
        replied=status == "flagged" or any((one.finding.revision or 1) >= response.alert.revision for one in findings),
        expired_by_clock=delivery.deadlines.expired_by_clock,
        partner_left=delivery.deadlines.partner_left,
        step=step_title(step.event),
        delivery=state,
        why_not=step.reason,
        sent=state not in ("waiting", UNKNOWN),
        receipted_at=step.receipted_at if step.HasField("receipted_at") else None,
        shown_at=step.decided_at if state == "applied" else None,
        acted=theirs[-1] if theirs else None,
    )
