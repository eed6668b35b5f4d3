"""What is said of a trace besides its picture: the way, times, answers, what was withheld, severities, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from gateway.contract.enum_words import word_of
from gateway.v1 import history_pb2, options_pb2, shipment_pb2, trace_pb2

SEVERITIES: Final = {
    trace_pb2.SEVERITY_HIGH: "high",
    trace_pb2.SEVERITY_MEDIUM: "medium",
    trace_pb2.SEVERITY_LOW: "low",
    trace_pb2.SEVERITY_NOTICE: "notice",
}

MAX_STAYS: Final = 12
"""Most territories in the heading, one after the other."""

_PROCEDURES: Final = {
    shipment_pb2.SHIPMENT_PROCEDURE_EXPORT: "Export",
    shipment_pb2.SHIPMENT_PROCEDURE_IMPORT: "Import",
    shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT: "Transit",
    shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT: "Re-export",
    shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT: "Transshipment",
    shipment_pb2.SHIPMENT_PROCEDURE_MANIFEST: "Manifest",
}


def local(at: datetime, minutes: int) -> datetime:
    """A time as clocks show it there; in UTC where the offset is none that a place has."""
    try:
        return at.astimezone(timezone(timedelta(minutes=minutes)))
    except (ValueError, OverflowError):
        return at


def zone_of(at: datetime) -> str:
    """Offset from UTC: `+08`, `+05:30`."""
    minutes = int((at.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}" + (f":{rest:02}" if rest else "")


def leg_name(leg: trace_pb2.TraceLeg) -> str:
    """`cn/531620260000260117`."""
    return f"{leg.record.node}/{leg.record.shipment.record_id}"


def kind_in_words(kind: str) -> str:
    """Kinds of links, events and references for people: `e_lock_applied` becomes `e-lock applied`."""
    return "UCR" if kind == "ucr" else kind.replace("e_lock", "e-lock").replace("_", " ")


def procedure_word(leg: trace_pb2.TraceLeg) -> str:
    """What was done with the goods: `Re-export`."""
    return _PROCEDURES.get(leg.record.shipment.procedure, "Record")


def declared_at(leg: trace_pb2.TraceLeg) -> datetime:
    """When it was declared, as clocks showed it there."""
    shipment = leg.record.shipment
    return local(shipment.declared_at.ToDatetime(UTC), shipment.utc_offset_minutes)


def span_of_events(trace: trace_pb2.Trace) -> tuple[datetime, datetime] | None:
    """First and last time of the trace; None where nothing is dated."""
    times = [local(event.at.ToDatetime(UTC), event.utc_offset_minutes) for event in trace.events]
    times += [declared_at(leg) for leg in trace.legs]
    return (min(times), max(times)) if times else None


def way_in_words(trace: trace_pb2.Trace) -> str:
    """`CN → HK → MO`: territories in the order in which records say that the goods were there; a long way cut short."""
    stays = _stays(trace)
    if len(stays) > MAX_STAYS:
        return " → ".join([*stays[: MAX_STAYS - 3], "…", *stays[-2:]]) + f" ({len(stays)} stays)"
    return " → ".join(stays)


def _stays(trace: trace_pb2.Trace) -> list[str]:
    """By what happened to the goods; of a record that dates nothing but its declaration, by that."""
    seen = {event.place.territory for event in trace.events if event.kind != "declared"}
    stays: list[str] = []
    for event in trace.events:
        territory = event.place.territory
        counts = event.kind != "declared" or territory not in seen
        if territory and counts and territory not in stays[-1:]:
            stays.append(territory)
    return stays


def answers_by_node(trace: trace_pb2.Trace) -> dict[str, list[history_pb2.NodeAnswer]]:
    """All answers of each node, in order; the last one counts."""
    found: dict[str, list[history_pb2.NodeAnswer]] = {}
    for answer in trace.answers:
        found.setdefault(answer.node, []).append(answer)
    return found


def not_whole(trace: trace_pb2.Trace) -> list[str]:
    """Nodes of which a question wasn't answered whole: legs may be missing."""
    whole = history_pb2.ANSWER_STATUS_COMPLETE
    return list(dict.fromkeys(answer.node for answer in trace.answers if answer.status != whole))


def answer_in_words(answers: Sequence[history_pb2.NodeAnswer]) -> str:
    """How a node answered: its last answer, and how many before it didn't come whole."""
    last = word_of(history_pb2.AnswerStatus, answers[-1].status).replace("_", " ")
    whole = history_pb2.ANSWER_STATUS_COMPLETE
    missed = sum(answer.status != whole for answer in answers)
    if missed and (answers[-1].status == whole or missed < len(answers)):
        return f"{last}; {missed} of {len(answers)} questions not answered whole"
    return last


def withheld_by_class(record: history_pb2.HistoryRecord) -> dict[str, int]:
    """Withheld fields counted by their class: `personal` to 2."""
    found: dict[str, int] = {}
    for field in record.withheld:
        name = class_word(field)
        found[name] = found.get(name, 0) + 1
    return found


def class_word(field: history_pb2.WithheldField) -> str:
    """A disclosure class in lower case."""
    return word_of(options_pb2.DisclosureClass, field.disclosure_class)


def severities_in_words(trace: trace_pb2.Trace) -> str:
    """`3 contradictions: 1 high, 2 low`."""
    count = len(trace.discrepancies)
    if not count:
        return "No contradictions"
    by_severity: dict[str, int] = {}
    for severity, word in SEVERITIES.items():
        found = sum(each.severity == severity for each in trace.discrepancies)
        if found:
            by_severity[word] = found
    kinds = ", ".join(f"{number} {word}" for word, number in by_severity.items())
    return f"{count} contradiction{'s' if count > 1 else ''}" + (f": {kinds}" if kinds else "")
