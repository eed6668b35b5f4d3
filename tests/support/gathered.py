"""Traces and questions from a plain list of what was found, as tests have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.tracing.rules import assembly, inquiry
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.onward_transfer import OnwardTransfer
from gateway.tracing.rules.records import RecordHit
from gateway.v1.history_pb2 import NodeAnswer, SearchCriteria
from gateway.v1.trace_pb2 import Trace

OWN = OnwardTransfer("own")


def assemble(found: Iterable[RecordHit], answers: Iterable[NodeAnswer], asked: Sequence[SearchCriteria] = ()) -> Trace:
    """See gateway.tracing.rules.assembly."""
    gathering = Gathering(found)
    exhausted = not asked or inquiry.is_exhausted(gathering, {OWN.own: asked}, [OWN.own], OWN)
    return assembly.assemble(gathering, answers, exhausted=exhausted)


def next_criteria(found: Iterable[RecordHit], asked: Sequence[SearchCriteria]) -> list[SearchCriteria]:
    """What our node is asked next; it may learn everything. See gateway.tracing.rules.inquiry."""
    return inquiry.next_questions(Gathering(found), {OWN.own: asked}, [OWN.own], OWN).get(OWN.own, [])
