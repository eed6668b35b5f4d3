"""Suggested control codes and changes of controls as pages show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.translation.control_suggestion_texts import fact_text, lack_text
from gateway.translation.messages import gettext as _
from gateway.translation.substance_names import listed_substance
from gateway.v1.goods_pb2 import GoodsItem
from gateway.v1.history_service_pb2 import (
    ControlFact,
    ControlSuggestion,
    GoodsSuggestions,
    GoodsWording,
    ListControlChangesResponse,
)
from gateway.v1.shipment_pb2 import ShipmentGoods


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    """A suggestion in words.

    Attributes:
        code: control code, or the announcement where the list knows none.
        because, lacking: facts; nothing lacking means that it fits.
    """

    code: str
    substance: str
    state: str
    because: Sequence[str]
    lacking: Sequence[str]


def suggestion_rows(found: GoodsSuggestions) -> list[SuggestionRow]:
    """The suggestions for goods, the best first."""
    return [_row(each) for each in found.suggestions]


def wording_of(item: GoodsItem | ShipmentGoods) -> GoodsWording:
    """What goods of an alert or a record are called, for the question."""
    wording = GoodsWording(
        text="\n".join(filter(None, (item.description, item.substance))), element=item.element, form=item.form
    )
    if item.HasField("purity_percent"):
        wording.purity_percent = item.purity_percent
    return wording


def _row(suggestion: ControlSuggestion) -> SuggestionRow:
    return SuggestionRow(
        code=suggestion.control_code or _("no code known ({announcement})", announcement=suggestion.announcement),
        substance=listed_substance(suggestion.substance, _element_in(suggestion.because)),
        state=suggestion.state,
        because=[fact_text(fact.kind, fact.value, fact.words) for fact in suggestion.because],
        lacking=[lack_text(fact.kind, fact.value) for fact in suggestion.lacking],
    )


def _element_in(because: Iterable[ControlFact]) -> str:
    """The element that led to a suggestion."""
    return next((fact.value for fact in because if fact.kind == "element"), "")


@dataclass(frozen=True, slots=True)
class ControlChangeRow:
    """A day on which the state of a control changes.

    Attributes:
        day, announcement, state: since when what holds how.
        facts: what it does, where to, and how sure that is.
        records: ids of open records that it touches, each with its goods.
        more: there are more records.
    """

    day: str
    announcement: str
    state: str
    facts: Sequence[str]
    records: Sequence[tuple[str, str]]
    more: bool


def change_rows(found: ListControlChangesResponse) -> list[ControlChangeRow]:
    """The changes, by day."""
    return [
        ControlChangeRow(
            day=change.day,
            announcement=change.announcement,
            state=change.state,
            facts=[
                change.subject,
                *([", ".join(change.destinations)] if change.destinations else []),
                _("sure: {confidence}", confidence=change.confidence),
            ],
            records=[
                (record.record_id, " ".join(filter(None, (record.code, record.substance)))) for record in change.records
            ],
            more=change.more_records,
        )
        for change in found.changes
    ]
