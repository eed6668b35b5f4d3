"""Answers under which control codes goods may stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from functools import cached_property

from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, Violation
from gateway.risk.control_suggestions import ControlSuggester, ControlSuggestion, Fact, holds_on
from gateway.risk.controlled_goods import ControlledGoods
from gateway.risk.facts.controlled import local_day
from gateway.risk.goods_words import load_goods_words
from gateway.v1 import history_service_pb2 as pb

LIST_UTC_OFFSET_MINUTES = 8 * 60
"""Of the place whose list it is: its days begin there."""


class ControlSuggestions:
    """Suggests by one list. Thread-safe."""

    def __init__(self, goods: ControlledGoods, *, clock: Callable[[], int]) -> None:
        self._goods = goods
        self._clock = clock

    @cached_property
    def _suggester(self) -> ControlSuggester:
        """Made when it is first asked: reading the list's lines takes long beside a start."""
        return ControlSuggester(self._goods, load_goods_words())

    def suggest(self, request: pb.SuggestControlsRequest) -> pb.SuggestControlsResponse:
        """Suggestions for each of the goods.

        Raises:
            InvalidRequestError: the day is none.
        """
        on = day_of(request.on, "on") if request.on else list_day(self._clock())
        return pb.SuggestControlsResponse(
            goods=[pb.GoodsSuggestions(suggestions=self._of(goods, on)) for goods in request.goods],
            list_version=self._goods.version,
        )

    def _of(self, goods: pb.GoodsWording, on: date) -> list[pb.ControlSuggestion]:
        purity = goods.purity_percent if goods.HasField("purity_percent") else None
        found = self._suggester.suggest(goods.text, element=goods.element, purity=purity, form=goods.form)
        return [_message(each, on) for each in holds_on(found, on)]


def _message(suggestion: ControlSuggestion, on: date) -> pb.ControlSuggestion:
    good = suggestion.good
    return pb.ControlSuggestion(
        control_code=good.control_code,
        substance=good.substance,
        announcement=good.announcement,
        codes=suggestion.codes,
        state=good.status_text(on),
        confidence=good.confidence.name.lower(),
        because=_facts(suggestion.because),
        lacking=_facts(suggestion.lacking),
    )


def _facts(facts: Iterable[Fact]) -> list[pb.ControlFact]:
    return [pb.ControlFact(kind=fact.kind.value, value=fact.value, words=fact.words) for fact in facts]


def list_day(now_ms: int) -> date:
    """The day at the place whose list it is."""
    return local_day(to_timestamp(now_ms), LIST_UTC_OFFSET_MINUTES)


def day_of(text: str, field: str) -> date:
    """The day that a field of a request says; raises InvalidRequestError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidRequestError([Violation(field, "day", "isn't a day YYYY-MM-DD")]) from None
