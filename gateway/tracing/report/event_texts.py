"""Says the events of a trace in the reader's language: from the records in it, since it holds English."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.tracing.report import words
from gateway.tracing.report.quantities import mass_text
from gateway.tracing.rules.events import EventWording, events_of
from gateway.translation.messages import gettext
from gateway.v1.trace_pb2 import Trace, TraceEvent

READERS: Final = EventWording(gettext, mass_text, words.event_kind)


def reworded(trace: Trace) -> Iterator[TraceEvent]:
    """Its events; what its records don't say stays as it came."""
    records = [leg.record for leg in trace.legs]
    texts = {
        _key(english): readers.text
        for english, readers in zip(events_of(records), events_of(records, READERS), strict=True)
    }
    for event in trace.events:
        said = TraceEvent()
        said.CopyFrom(event)
        said.text = texts.get(_key(event), event.text)
        yield said


def _key(event: TraceEvent) -> tuple[int, str, int, int, str]:
    return event.leg, event.kind, event.at.seconds, event.at.nanos, event.text
