"""The inbox as its page shows it: rows at a glance, filters with their counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.filters import number
from gateway.console.views.acknowledgement import AcknowledgementNote, Reader, acknowledgement_note
from gateway.console.views.alerts.alert import STATUS_KINDS, asked_kind, title_of
from gateway.console.views.inbox_query import DUE_MINUTES, ME, NOBODY, PERSON, InboxQuery, in_list
from gateway.console.views.words import capitalised, finding_text, short_place
from gateway.contract.enum_words import word_of
from gateway.translation.labels import TYPOLOGY, label, label_of
from gateway.translation.messages import N_, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import Alert, AlertStatus, Priority, RequestedAction
from gateway.v1.alert_service_pb2 import DeadlineState
from gateway.v1.casework_service_pb2 import (
    ALERT_DIRECTION_OUT,
    Colleague,
    InboxFacet,
    InboxRow,
    InboxSection,
    ListInboxResponse,
    MatchedField,
    Wanted,
    WantedAction,
)

MOST_CONTAINERS: Final = 2
"""Containers that a row names; the number of the others is told."""

MOST_NAMES: Final = 1

ACTIONS: Final = {
    "acknowledge": N_("Acknowledge"),
    "answer": N_("Answer"),
    "reply": N_("Reply"),
    "decide": N_("Decide"),
}
FIELDS: Final = {
    "equipment": N_("Container, seal or vehicle"),
    "reference": N_("Reference"),
    "identifier": N_("Identifier"),
    "party_name": N_("Party"),
    "case_reference": N_("Case"),
    "text": N_("Text"),
}


_STATES: Final[Mapping[int, str]] = {
    DeadlineState.DEADLINE_STATE_DUE: "due",
    DeadlineState.DEADLINE_STATE_OVERDUE: "overdue",
}


@dataclass(frozen=True, slots=True)
class WantedTag:
    """What is wanted, and until when."""

    action: str
    text: str
    state: str
    deadline: Timestamp | None


@dataclass(frozen=True, slots=True)
class SearchHitReason:
    """Why a search found the alert."""

    field: str
    value: str
    percent: int | None


@dataclass(frozen=True, slots=True)
class InboxLine:
    """One row.

    Attributes:
        section: of SECTIONS.
        asked: what the publisher asks for, in a word; `asked_kind`: how grave that is.
        mass: of all goods whose mass is known.
        key: `publisher/alert id`, as forms name it.
        mark: short name of the copy, by which a page knows what it shows.
        read: `publisher/alert id/revision`, as forms name what was read.
        path: of its page, opened from this list.
        acknowledgement: one that leaves later, or that wasn't sent.
        to_acknowledge: whether the reader may acknowledge it now.
        finding: what an inspection came to.
        unanswered: questions that nobody answered before it ended.
        suspicion: typologies in words.
    """

    key: str
    mark: str
    read: str
    path: str
    priority: str
    section: int
    asked: str
    asked_kind: str
    title: str
    case_reference: str
    mass: str
    own: bool
    partner: str
    things: tuple[str, ...]
    more_things: int
    route: str
    wanted: tuple[WantedTag, ...]
    due_at: Timestamp | None
    is_overdue: bool
    status: str
    status_kind: str
    expired_by_clock: bool
    published_at: Timestamp
    assignee: str
    assignee_name: str
    mine: bool
    notes: int
    watched: bool
    found: tuple[SearchHitReason, ...]
    acknowledgement: AcknowledgementNote | None
    to_acknowledge: bool
    finding: str
    unanswered: int
    suspicion: tuple[str, ...]


def inbox_lines(rows: Iterable[InboxRow], *, reader: Reader, asked: str) -> list[InboxLine]:
    """Rows for the page; `asked`: the address line of the list, which their alerts' pages carry along."""
    return [_line(row, reader, in_list(asked, place)) for place, row in enumerate(rows)]


SECTIONS: Final[Mapping[int, str]] = {
    InboxSection.INBOX_SECTION_NOW: N_("Act now"),
    InboxSection.INBOX_SECTION_DUE: N_("Due later"),
    InboxSection.INBOX_SECTION_LATER: N_("Without a deadline"),
    InboxSection.INBOX_SECTION_UNSPECIFIED: "",
}
"""Parts of the worklist, the first first, with their headings."""


@dataclass(frozen=True, slots=True)
class ListSection:
    """A part of the list; `count`: of all pages, None where it isn't known."""

    heading: str
    lines: Sequence[InboxLine]
    count: int | None = None


def sections_of(lines: Sequence[InboxLine], facets: Iterable[InboxFacet], *, by_urgency: bool) -> list[ListSection]:
    """Lines below their headings, each section in the given order; in another order than by urgency, one without."""
    if not by_urgency:
        return [ListSection("", lines)]
    counts = next((_counts(facet) for facet in facets if facet.field == "sections"), {})
    parts = ((number, [line for line in lines if line.section == number]) for number in SECTIONS)
    return [
        ListSection(_(SECTIONS[number]) if number else "", found, counts.get(str(number)))
        for number, found in parts
        if found
    ]


def mark_of(row: InboxRow) -> str:
    """Short name of a copy: the random end of its id, and its recipient."""
    alert = row.summary.alert
    return f"{alert.id[-8:]}{alert.recipient}"


def _line(row: InboxRow, reader: Reader, in_this_list: str) -> InboxLine:
    summary, alert = row.summary, row.summary.alert
    scheduled = row.acknowledgement if row.HasField("acknowledgement") else None
    waits = scheduled is not None and not scheduled.HasField("refusal")
    wants = any(one.action == WantedAction.WANTED_ACTION_ACKNOWLEDGE for one in row.wanted)
    things = _things(alert)
    status = word_of(AlertStatus, summary.status)
    assignee = row.assignment.assignee
    return InboxLine(
        key=f"{alert.publisher}/{alert.id}",
        mark=mark_of(row),
        read=f"{alert.publisher}/{alert.id}/{alert.revision}",
        path=f"/alerts/{alert.publisher}/{alert.id}{in_this_list}",
        priority=word_of(Priority, alert.content.priority).upper(),
        section=row.section,
        asked=capitalised(label_of(RequestedAction, alert.content.requested_action)),
        asked_kind=asked_kind(alert),
        title=title_of(alert),
        case_reference=alert.content.case_reference,
        mass=_mass(alert),
        own=row.direction == ALERT_DIRECTION_OUT,
        partner=row.partner,
        things=tuple(things[: MOST_CONTAINERS + MOST_NAMES]),
        more_things=max(0, len(things) - MOST_CONTAINERS - MOST_NAMES),
        route=_route(alert),
        wanted=tuple(_wanted(one) for one in row.wanted),
        due_at=row.due_at if row.HasField("due_at") else None,
        is_overdue=any(one.state == DeadlineState.DEADLINE_STATE_OVERDUE for one in row.wanted),
        status=capitalised(label_of(AlertStatus, summary.status)),
        status_kind=STATUS_KINDS.get(status, "quiet"),
        expired_by_clock=summary.deadlines.expired_by_clock,
        published_at=alert.published_at,
        assignee=assignee,
        assignee_name=reader.names.get(assignee, assignee),
        mine=bool(assignee) and assignee == reader.person,
        notes=row.notes,
        watched=row.watched,
        found=tuple(
            SearchHitReason(
                _(FIELDS[word]) if (word := word_of(MatchedField, match.field)) in FIELDS else "",
                match.value,
                round(100 * match.score) if match.score else None,
            )
            for match in row.matches
        ),
        acknowledgement=acknowledgement_note(scheduled, reader) if scheduled is not None else None,
        to_acknowledge=wants and not waits and reader.may_acknowledge,
        finding=finding_text(row.finding) if row.HasField("finding") else "",
        unanswered=row.unanswered,
        suspicion=tuple(label(TYPOLOGY, one) for one in alert.content.typologies),
    )


def _things(alert: Alert) -> list[str]:
    """Containers, then vehicles, references and names: what an officer looks for first."""
    subject = alert.content.subject
    containers = [equipment.id for equipment in subject.equipment]
    plates = [registration.value for means in subject.means for registration in means.registrations]
    vessels = [means.name for means in subject.means if means.name]
    names = [party.names[0].text for party in subject.parties if party.names]
    references = [reference.value for reference in subject.references]
    first = [*containers, *plates, *vessels][:MOST_CONTAINERS]
    return list(dict.fromkeys([*first, *names[:MOST_NAMES], *containers, *plates, *vessels, *names, *references]))


def _mass(alert: Alert) -> str:
    masses = [item.net_mass_kg or item.gross_mass_kg for item in alert.content.goods]
    return _("{mass} kg", mass=number(sum(masses))) if any(masses) else ""


def _route(alert: Alert) -> str:
    legs = alert.content.route
    if not legs:
        return ""
    stops = [short_place(getattr(legs[0], "from")), *(short_place(leg.to) for leg in legs)]
    return " → ".join(filter(None, stops))


def _wanted(one: Wanted) -> WantedTag:
    action = word_of(WantedAction, one.action)
    text = _(ACTIONS.get(action, N_("Act")))
    if one.questions > 1:
        text = ngettext("Answer {number} question", "Answer {number} questions", one.questions)
    return WantedTag(action, text, _STATES.get(one.state, ""), one.deadline if one.HasField("deadline") else None)


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter."""

    value: str
    text: str
    count: int | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class Removable:
    """A filter that is on, and the list without it."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of the page, each with its choices."""

    priority: Sequence[Choice]
    action: Sequence[Choice]
    partner: Sequence[Choice]
    direction: Sequence[Choice]
    status: Sequence[Choice]
    typology: Sequence[Choice]
    assignee: Sequence[Choice]
    due: Sequence[Choice]
    on: Sequence[Removable]


def filters_of(
    query: InboxQuery, response: ListInboxResponse, colleagues: Sequence[Colleague], *, person: str, node: str
) -> Filters:
    """Choices with the numbers of rows of the present list."""
    counts = {facet.field: _counts(facet) for facet in response.facets}
    partners = sorted({*counts.get("partners", ()), *query.partner} - {node})
    typologies = sorted({*counts.get("typologies", ()), *query.typology})
    assigned = counts.get("assignees", {})

    def choices(field: str, chosen: Sequence[str], texts: Mapping[str, str]) -> list[Choice]:
        of_field = counts.get(field, {})
        return [Choice(value, text, of_field.get(value), value in chosen) for value, text in texts.items()]

    assignees = [
        Choice(ME, _("Me"), assigned.get(person), query.assignee == ME),
        Choice(NOBODY, _("Nobody"), assigned.get(""), query.assignee == NOBODY),
        *(
            Choice(
                f"{PERSON}{one.person}", one.display_name, assigned.get(one.person), query.assignee[7:] == one.person
            )
            for one in colleagues
            if one.person != person
        ),
    ]
    made = Filters(
        priority=choices("priorities", query.priority, {str(number): "ABC"[number - 1] for number in (1, 2, 3)}),
        action=choices(
            "actions",
            query.action,
            {str(number): _(ACTIONS[word_of(WantedAction, number)]) for number in WantedAction.values() if number},
        ),
        partner=choices("partners", query.partner, {one: one.upper() for one in partners}),
        direction=[
            Choice("in", _("From partners"), _of(counts, "direction", "1"), query.direction == "in"),
            Choice("out", _("Own"), _of(counts, "direction", "2"), query.direction == "out"),
        ],
        status=choices(
            "statuses",
            query.status,
            {str(number): capitalised(label_of(AlertStatus, number)) for number in AlertStatus.values() if number},
        ),
        typology=choices("typologies", query.typology, {one: capitalised(label(TYPOLOGY, one)) for one in typologies}),
        assignee=assignees,
        due=[
            Choice("overdue", _("Overdue"), _of(counts, "overdue", "true"), query.due == "overdue"),
            *(Choice(str(one), _within(one), None, query.due == str(one)) for one in DUE_MINUTES),
        ],
        on=(),
    )
    return replace(made, on=_on(query, made))


def _on(query: InboxQuery, filters: Filters) -> list[Removable]:
    """The filters that are on."""
    found = [
        Removable(
            _("Priority {letter}", letter=choice.text) if name == "priority" else choice.text,
            f"/inbox?{query.without(name, choice.value).text}",
        )
        for name in ("priority", "action", "partner", "status", "typology", "direction", "assignee", "due")
        for choice in getattr(filters, name)
        if choice.chosen
    ]
    if query.watched:
        found.append(Removable(_("Watched"), f"/inbox?{query.without('watched').text}"))
    return found


def _counts(facet: InboxFacet) -> dict[str, int]:
    return {value.value: value.count for value in facet.values}


def _of(counts: Mapping[str, Mapping[str, int]], field: str, value: str) -> int | None:
    return counts.get(field, {}).get(value)


def _within(minutes: int) -> str:
    if minutes < 24 * 60:
        return ngettext("Due within {number} hour", "Due within {number} hours", minutes // 60)
    return ngettext("Due within {number} day", "Due within {number} days", minutes // (24 * 60))
