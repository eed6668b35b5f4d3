"""Words for parts of a trace, in the reader's language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from gateway.translation.labels import CONFIDENCE, EVENT, LINK, RULE, TYPOLOGY, label, label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed, marked, ngettext
from gateway.v1 import history_pb2, options_pb2, shipment_pb2, trace_pb2

SEVERITIES: Final = {
    trace_pb2.SEVERITY_HIGH: "high",
    trace_pb2.SEVERITY_MEDIUM: "medium",
    trace_pb2.SEVERITY_LOW: "low",
    trace_pb2.SEVERITY_NOTICE: "notice",
}
"""Severities for styles, the worst first."""

MAX_STAYS: Final = 12

WEEKDAYS: Final = marked("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHORT_WEEKDAYS: Final = marked("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_WHOLE: Final = history_pb2.ANSWER_STATUS_COMPLETE


def local(at: datetime, minutes: int) -> datetime:
    """The time with this offset, or in UTC if it is no offset."""
    try:
        return at.astimezone(timezone(timedelta(minutes=minutes)))
    except (ValueError, OverflowError):
        return at


def zone_of(at: datetime) -> str:
    """`+08`, `+05:30`."""
    minutes = int((at.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}" + (f":{rest:02}" if rest else "")


def moment(at: datetime) -> str:
    """`2026-01-15 08:06 +08`."""
    return f"{at:%Y-%m-%d %H:%M} {zone_of(at)}"


def weekday(at: datetime) -> str:
    """`Thursday`."""
    return _(WEEKDAYS[at.weekday()])


def short_weekday(at: datetime) -> str:
    """`Thu`."""
    return _(SHORT_WEEKDAYS[at.weekday()])


def leg_name(leg: trace_pb2.TraceLeg) -> str:
    """`cn/531620260000260117`."""
    return f"{leg.record.node}/{leg.record.shipment.record_id}"


def event_kind(kind: str) -> str:
    """`e-lock applied`."""
    return label(EVENT, kind)


def link_kind(kind: str) -> str:
    """`previous document`."""
    return label(LINK, kind)


def rule_name(discrepancy: trace_pb2.Discrepancy) -> str:
    """`density mismatch`; own rules keep their names."""
    return label(RULE, discrepancy.name)


def typology(discrepancy: trace_pb2.Discrepancy) -> str:
    """`false declaration`."""
    return label(TYPOLOGY, discrepancy.typology)


def confidence(word: str) -> str:
    """`medium`, or empty."""
    return label(CONFIDENCE, word)


def severity_kind(severity: trace_pb2.Severity.ValueType) -> str:
    """A severity for styles."""
    return SEVERITIES.get(severity, "notice")


def severity_word(kind: str) -> str:
    """`high`."""
    return label(trace_pb2.Severity.DESCRIPTOR.name, kind)


def procedure_word(leg: trace_pb2.TraceLeg) -> str:
    """`Re-export`."""
    return {
        shipment_pb2.SHIPMENT_PROCEDURE_EXPORT: _("Export"),
        shipment_pb2.SHIPMENT_PROCEDURE_IMPORT: _("Import"),
        shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT: _("Transit"),
        shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT: _("Re-export"),
        shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT: _("Transshipment"),
        shipment_pb2.SHIPMENT_PROCEDURE_MANIFEST: _("Manifest"),
    }.get(leg.record.shipment.procedure, _("Record"))


def declared_at(leg: trace_pb2.TraceLeg) -> datetime:
    """Local time of the declaration."""
    shipment = leg.record.shipment
    return local(shipment.declared_at.ToDatetime(UTC), shipment.utc_offset_minutes)


def happened_at(event: trace_pb2.TraceEvent) -> datetime:
    """Local time of the event."""
    return local(event.at.ToDatetime(UTC), event.utc_offset_minutes)


def span_of_events(trace: trace_pb2.Trace) -> tuple[datetime, datetime] | None:
    """First and last time, if any."""
    times = [*map(happened_at, trace.events), *map(declared_at, trace.legs)]
    return (min(times), max(times)) if times else None


def way_in_words(trace: trace_pb2.Trace) -> str:
    """`CN → HK → MO`; a long way is cut."""
    stays = _stays(trace)
    if len(stays) <= MAX_STAYS:
        return " → ".join(stays)
    shown = " → ".join([*stays[: MAX_STAYS - 3], "…", *stays[-2:]])
    return ngettext("{way} ({number} stay)", "{way} ({number} stays)", len(stays), way=shown)


def _stays(trace: trace_pb2.Trace) -> list[str]:
    """By events; by the declaration in a record without others."""
    seen = {event.place.territory for event in trace.events if event.kind != "declared"}
    stays: list[str] = []
    for event in trace.events:
        territory = event.place.territory
        counts = event.kind != "declared" or territory not in seen
        if territory and counts and territory not in stays[-1:]:
            stays.append(territory)
    return stays


def refusals_in_words(trace: trace_pb2.Trace) -> list[str]:
    """`2 links not followed: cn doesn't release them to mo (seal, UCR)`."""
    return [
        ngettext(
            "{number} link not followed: {source} doesn't release it to {recipient} ({kinds})",
            "{number} links not followed: {source} doesn't release them to {recipient} ({kinds})",
            refusal.links,
            source=refusal.source,
            recipient=refusal.recipient,
            kinds=listed(link_kind(kind) for kind in refusal.kinds),
        )
        for refusal in trace.onward_refusals
    ]


def answers_by_node(trace: trace_pb2.Trace) -> dict[str, list[history_pb2.NodeAnswer]]:
    """Each node's answers, in order."""
    answers: dict[str, list[history_pb2.NodeAnswer]] = {}
    for answer in trace.answers:
        answers.setdefault(answer.node, []).append(answer)
    return answers


def incomplete_nodes(trace: trace_pb2.Trace) -> list[str]:
    """Nodes whose legs may be missing."""
    return list(dict.fromkeys(answer.node for answer in trace.answers if answer.status != _WHOLE))


def gaps_in_words(trace: trace_pb2.Trace) -> list[str]:
    """Which nodes lack what: `hk: 1 record recorded and not indexed yet`, `Not answered whole by mo.`"""
    behind = {
        node: max(answers, key=lambda answer: answer.unindexed)
        for node, answers in answers_by_node(trace).items()
        if any(answer.unindexed for answer in answers)
    }
    lost = {answer.node: answer for answer in trace.answers if answer.HasField("lost_before")}
    others = [node for node in incomplete_nodes(trace) if node not in behind and node not in lost]
    lines = [f"{node}: {unindexed_in_words(answer)}" for node, answer in behind.items()]
    lines += [f"{node}: {lost_in_words(answer)}" for node, answer in lost.items()]
    return [*lines, *([_("Not answered whole by {nodes}.", nodes=listed(others))] if others else [])]


def lost_in_words(answer: history_pb2.NodeAnswer) -> str:
    """`records made before 2026-01-15 08:00 UTC may be lost`."""
    moment = answer.lost_before.ToDatetime().strftime("%Y-%m-%d %H:%M")
    return _("records made before {time} UTC may be lost", time=moment)


def unindexed_in_words(answer: history_pb2.NodeAnswer) -> str:
    """`1 record recorded and not indexed yet`."""
    if answer.unindexed_or_more:
        return ngettext(
            "at least {number} record recorded and not indexed yet",
            "at least {number} records recorded and not indexed yet",
            answer.unindexed,
        )
    return ngettext(
        "{number} record recorded and not indexed yet",
        "{number} records recorded and not indexed yet",
        answer.unindexed,
    )


def proof_in_words(answers: Sequence[history_pb2.NodeAnswer], shown: Callable[[datetime], str] = moment) -> str:
    """Whether a partner's whole answers are proven complete, or as told; empty where there are none.

    Args:
        shown: a time in words.
    """
    whole = [answer for answer in answers if answer.query_id and answer.status == _WHOLE]
    if not whole:
        return ""
    times = [answer.proven_until.ToDatetime(UTC) for answer in whole if answer.HasField("proven_until")]
    if not times:
        return _("as told")
    if len(times) == len(whole):
        proven = _("proven complete up to {time}", time=shown(min(times)))
    else:
        proven = _(
            "{number} of {total} answers proven complete up to {time}, otherwise as told",
            number=len(times),
            total=len(whole),
            time=shown(min(times)),
        )
    untold = sum(answer.untold for answer in whole)
    more = ngettext(
        "up to {number} more record that it may not tell or has erased",
        "up to {number} more records that it may not tell or has erased",
        untold,
    )
    return f"{proven}; {more}" if untold else proven


def reasons(answers: Sequence[history_pb2.NodeAnswer]) -> list[str]:
    """Why a node's answers ended as they did, each once."""
    return list(dict.fromkeys(answer.reason for answer in answers if answer.reason))


def answer_in_words(answers: Sequence[history_pb2.NodeAnswer]) -> str:
    """A node's last answer, and its incomplete ones."""
    last = label_of(history_pb2.AnswerStatus, answers[-1].status)
    missed = sum(answer.status != _WHOLE for answer in answers)
    if missed and (answers[-1].status == _WHOLE or missed < len(answers)):
        return _(
            "{status}; {missed} of {total} questions not answered whole",
            status=last,
            missed=missed,
            total=len(answers),
        )
    return last


def class_word(field: history_pb2.WithheldField) -> str:
    """`personal`."""
    return label_of(options_pb2.DisclosureClass, field.disclosure_class)


def severities_in_words(trace: trace_pb2.Trace) -> str:
    """`3 contradictions: 1 high, 2 low`."""
    total = len(trace.discrepancies)
    if not total:
        return _without_contradictions(trace)
    counted = Counter(discrepancy.severity for discrepancy in trace.discrepancies)
    parts = [
        _("{number} {severity}", number=counted[severity], severity=severity_word(kind))
        for severity, kind in SEVERITIES.items()
        if counted[severity]
    ]
    said = ngettext("{number} contradiction", "{number} contradictions", total)
    return _("{total}: {parts}", total=said, parts=listed(parts)) if parts else said


def linked_legs(trace: trace_pb2.Trace) -> frozenset[int]:
    """Records that are linked with another, by index: these alone are compared with others."""
    return frozenset(leg for at, part in enumerate(trace.legs) for link in part.links for leg in (at, link.leg))


def _without_contradictions(trace: trace_pb2.Trace) -> str:
    """That nothing contradicts, with what was compared: only linked records are compared with each other."""
    linked = linked_legs(trace)
    alone = len(trace.legs) - len(linked)
    if not linked:
        said = ngettext(
            "No contradictions within the one record; there was none to compare it with.",
            "No contradictions within {number} records, none of which is linked with another: they weren't compared "
            "with each other.",
            alone,
        )
    elif alone:
        said = ngettext(
            "No contradictions among {linked} linked records; {number} record without a link wasn't compared with "
            "others.",
            "No contradictions among {linked} linked records; {number} records without a link weren't compared with "
            "others.",
            alone,
            linked=len(linked),
        )
    else:
        said = ngettext(
            "No contradictions in {number} linked record.",
            "No contradictions among {number} linked records.",
            len(linked),
        )
    withheld = sum(bool(leg.record.withheld) for leg in trace.legs)
    if withheld:
        missing = ngettext(
            "What partners withheld of {number} record wasn't compared.",
            "What partners withheld of {number} records wasn't compared.",
            withheld,
        )
        said = f"{said} {missing}"
    if trace.truncated or trace.onward_refusals or any(answer.status != _WHOLE for answer in trace.answers):
        said = f"{said} {_('Not every question was answered whole: there may be further records.')}"
    return said


def conclusion(trace: trace_pb2.Trace) -> str:
    """`3 contradictions: 1 high, 2 low`, or that nothing was found."""
    return severities_in_words(trace) if trace.legs else _("No record of this consignment was found.")
