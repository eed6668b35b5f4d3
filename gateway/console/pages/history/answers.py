"""What pages say of a node's answer: how it ended, what it withheld and why, its records in a line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.console.filters import moment_text
from gateway.tracing.report.tables import leg_cells
from gateway.tracing.report.words import class_word, proof_in_words, reasons, unindexed_in_words
from gateway.translation.labels import label_of
from gateway.translation.match_reasons import said
from gateway.translation.messages import gettext as _
from gateway.v1.history_pb2 import (
    ANSWER_STATUS_COMPLETE,
    ANSWER_STATUS_DENIED,
    ANSWER_STATUS_FAILED,
    ANSWER_STATUS_PARTIAL,
    ANSWER_STATUS_TIMED_OUT,
    ANSWER_STATUS_UNREACHABLE,
    AnswerMode,
    AnswerStatus,
    HistoryRecord,
    NodeAnswer,
)
from gateway.v1.options_pb2 import DISCLOSURE_CLASS_UNSPECIFIED
from gateway.v1.trace_pb2 import TraceLeg

MAX_NAMES: Final = 3
"""Parties, containers and goods of a record in a list of results."""

SLOW_MS: Final = 5_000
"""Milliseconds after which an answer is called slow."""

_STATES: Final = {
    ANSWER_STATUS_COMPLETE: "good",
    ANSWER_STATUS_PARTIAL: "info",
    ANSWER_STATUS_DENIED: "warn",
    ANSWER_STATUS_TIMED_OUT: "bad",
    ANSWER_STATUS_UNREACHABLE: "bad",
    ANSWER_STATUS_FAILED: "bad",
}
_ASK_AGAIN: Final = frozenset({ANSWER_STATUS_TIMED_OUT, ANSWER_STATUS_UNREACHABLE, ANSWER_STATUS_FAILED})


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record in a list of results."""

    key: str
    node: str
    record_id: str
    procedure: str
    declared: Sequence[str]
    goods: Sequence[str]
    parties: Sequence[str]
    equipment: Sequence[str]
    because: Sequence[str]


@dataclass(frozen=True, slots=True)
class WithheldPath:
    """A field that is left out of an answer's records.

    Attributes:
        records: how many of them say so.
        why: class that the agreement doesn't list, or the reason.
    """

    path: str
    records: int
    why: str


@dataclass(frozen=True, slots=True)
class AnswerView:
    """A node's answer.

    Attributes:
        kind: style of its state.
        may_ask_again: it failed in a way that may pass.
    """

    node: str
    status: str
    kind: str
    reason: str
    count: int
    is_slow: bool
    elapsed_ms: int
    unindexed: str
    proof: str
    hit: bool | None
    may_ask_again: bool
    query_id: str
    withheld: Sequence[WithheldPath]
    answer: NodeAnswer

    @property
    def is_proven(self) -> bool:
        """Whether the answer is proven complete."""
        return self.answer.HasField("proven_until")

    @property
    def has_held_records(self) -> bool:
        """Whether this authority holds records of a partner's answer: a link graph can look at them."""
        return bool(self.query_id and self.answer.count)


def answer_view(answer: NodeAnswer, records: Sequence[HistoryRecord], mode: AnswerMode.ValueType) -> AnswerView:
    """A node's answer with the records that came from it."""
    counts = answer.status == ANSWER_STATUS_COMPLETE or answer.HasField("lost_before")
    is_hit = mode == AnswerMode.ANSWER_MODE_HIT and counts
    return AnswerView(
        node=answer.node,
        status=label_of(AnswerStatus, answer.status),
        kind=_STATES.get(answer.status, "quiet"),
        reason="; ".join(reasons([answer])),
        count=len(records),
        is_slow=answer.elapsed_ms >= SLOW_MS,
        elapsed_ms=answer.elapsed_ms,
        unindexed=unindexed_in_words(answer) if answer.unindexed or answer.unindexed_or_more else "",
        proof=proof_in_words([answer], moment_text),
        hit=answer.hit if is_hit else None,
        may_ask_again=answer.status in _ASK_AGAIN or bool(answer.unindexed),
        query_id=answer.query_id,
        withheld=withheld_paths(records),
        answer=answer,
    )


def found_record(record: HistoryRecord) -> FoundRecord:
    """A record in a line."""
    cells = leg_cells(0, TraceLeg(record=record))
    _when, office = _texts(cells["declared"])
    return FoundRecord(
        key=f"{record.node}/{record.shipment.record_id}",
        node=record.node,
        record_id=record.shipment.record_id,
        procedure=str(cells["procedure"]),
        declared=[line for line in (moment_text(record.shipment.declared_at), office) if line],
        goods=_few(_texts(cells["goods"])),
        parties=_few(_texts(cells["parties"])),
        equipment=_few(_texts(cells["equipment"])),
        because=[
            _("{recorded}: {because}", recorded=match.recorded, because=said(match.because))
            for match in record.name_matches
        ],
    )


def withheld_paths(records: Sequence[HistoryRecord]) -> list[WithheldPath]:
    """Fields that are left out, each once."""
    counted: Counter[tuple[str, str]] = Counter()
    for record in records:
        for field in record.withheld:
            if field.reason:
                why = field.reason
            elif field.disclosure_class == DISCLOSURE_CLASS_UNSPECIFIED:
                why = _("not said")
            else:
                why = _("{kind}: the agreement doesn't list it for this purpose", kind=class_word(field))
            counted[field.path, why] += 1
    return [WithheldPath(path, count, why) for (path, why), count in sorted(counted.items())]


def _texts(cell: object) -> list[str]:
    return [str(text) for text in cell] if isinstance(cell, (list, tuple)) else [str(cell)]


def _few(texts: Sequence[str]) -> list[str]:
    more = len(texts) - MAX_NAMES
    return [*texts[:MAX_NAMES], _("and {number} more", number=more)] if more > 0 else list(texts)
