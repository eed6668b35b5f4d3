"""Events of a trace are said in the reader's language, though the trace holds English."""

from __future__ import annotations

import pytest

from gateway.tracing.report.event_texts import reworded
from gateway.tracing.report.quantities import mass_text
from gateway.tracing.rules.events import events_of
from gateway.translation.messages import in_language
from gateway.v1.trace_pb2 import Trace, TraceEvent, TraceLeg
from tests.support import consignments as case


def trace() -> Trace:
    records = case.the_case()
    return Trace(legs=[TraceLeg(record=record) for record in records], events=events_of(records))


def test_in_english_nothing_changes() -> None:
    with in_language("en"):
        assert list(reworded(trace())) == list(trace().events)


@pytest.mark.parametrize(
    ("language", "declared"),
    [("zh-Hans", "出口申报"), ("zh-Hant", "出口申報"), ("pt", "Declarado para exportação")],
)
def test_every_event_is_said_in_the_readers_language(language: str, declared: str) -> None:
    with in_language(language):
        said = list(reworded(trace()))
    assert [event.kind for event in said] == [event.kind for event in trace().events]
    english = {event.text for event in trace().events}
    assert [event.text for event in said if event.text in english] == []
    assert any(event.text.startswith(declared) for event in said)


def test_an_event_that_no_record_tells_of_stays_as_it_came() -> None:
    told = trace()
    told.events.append(TraceEvent(leg=0, kind="departed", text="Left by night"))
    with in_language("pt"):
        assert list(reworded(told))[-1].text == "Left by night"


@pytest.mark.parametrize(
    ("language", "written"), [("en", "20,000.5 kg"), ("zh-Hant", "20,000.5 kg"), ("pt", "20\N{NO-BREAK SPACE}000,5 kg")]
)
def test_a_mass_has_the_readers_separators(language: str, written: str) -> None:
    """In Portuguese 20,000 is twenty."""
    with in_language(language):
        assert mass_text(20_000.5) == written
