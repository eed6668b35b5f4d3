"""`gateway law suggest`: under which control codes goods may stand, explained."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.clock import now
from gateway.cli.law.show import AnnouncementsOption, GoodsListOption, OnOption, day_of, sure
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.risk.control_suggestions import ControlSuggester, ControlSuggestion, Fact, holds_on
from gateway.risk.controlled_goods_file import load_controlled_goods
from gateway.risk.goods_words import load_goods_words
from gateway.translation.control_suggestion_texts import fact_text, lack_text
from gateway.translation.messages import N_, listed, marked
from gateway.translation.messages import gettext as _


@reports_errors
def suggest(
    description: Annotated[str, typer.Argument(help=_("Description of the goods, in any language of the lists."))],
    *,
    element: Annotated[str, typer.Option(help=_("Chemical symbol, where it is declared, e.g. Dy."))] = "",
    purity: Annotated[float | None, typer.Option(help=_("Purity in percent, where it is declared."), min=0)] = None,
    form: Annotated[str, typer.Option(help=_("Form, where it is declared, e.g. powder."))] = "",
    on: OnOption = "",
    goods_list: GoodsListOption = None,
    announcements: AnnouncementsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Suggest under which control codes goods stand, by their description, element, purity and form.

    Each suggestion says which words and facts led to it, and what is lacking to tell it from its neighbours. It is a
    hint for an officer: docs/controlled-goods.md says how often it is right. Reads the lists alone; needs no gateway.

    \b
    Examples:
      gateway law suggest "Dysprosium oxide, 99.9 %"
      gateway law suggest "Ingots, grey" --element Bi --purity 99.99
    """
    day = day_of(on) if on else now().date()
    output, goods = Output(as_json), load_controlled_goods(goods_list, announcements)
    suggester = ControlSuggester(goods, load_goods_words())
    found = holds_on(suggester.suggest(description, element=element, purity=purity, form=form), day)
    if as_json:
        return output.json({"day": day, "version": goods.version, "suggestions": [_facts(each) for each in found]})
    if not found:
        output.note(_("Nothing on the list is suggested. That doesn't say that the goods are free."))
        return None
    output.table(
        _("Control codes that may apply on {day}", day=day),
        marked("Control code", "Goods", "State", "Because", "Lacking"),
        [
            (
                each.good.control_code or "—",
                each.good.substance,
                each.good.status_text(day),
                listed(_fact(fact) for fact in each.because),
                listed(lack_text(fact.kind, fact.value) for fact in each.lacking) or _("nothing"),
            )
            for each in found
        ],
    )
    output.facts(
        _("Commodity codes, as references"),
        {N_("Codes"): listed(dict.fromkeys(code for each in found[:1] for code in each.codes)) or "—"},
    )
    return None


def _fact(fact: Fact) -> str:
    return fact_text(fact.kind, fact.value, fact.words)


def _facts(suggestion: ControlSuggestion) -> dict[str, object]:
    good = suggestion.good
    return {
        "control_code": good.control_code,
        "substance": good.substance,
        "announcement": good.announcement,
        "element": good.element,
        "codes": suggestion.codes,
        "confidence": sure(good.confidence),
        "fits": suggestion.fits,
        "because": [{"kind": fact.kind, "value": fact.value, "words": fact.words} for fact in suggestion.because],
        "lacking": [{"kind": fact.kind, "value": fact.value} for fact in suggestion.lacking],
    }
