"""`gateway law show`: what export control applied to goods on a day, as far as the lists of this installation say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.clock import now
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.errors import MalformedError, OptionError
from gateway.risk.announcements import ENTITY_LISTS, MEASURES, Announcement, Announcements, status_text
from gateway.risk.controlled_goods import LIST_TERRITORY, ControlledGood, ControlledGoods
from gateway.risk.controlled_goods_file import load_controlled_goods
from gateway.risk.listed_entities import ListedEntityMatch, load_listed_entities
from gateway.risk.validity import Confidence
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

CodesArgument = Annotated[
    list[str] | None,
    typer.Argument(help=_("Commodity codes, 6 to 10 digits; none: all announcements."), show_default=False),
]
OnOption = Annotated[str, typer.Option("--on", help=_("The day, YYYY-MM-DD; else today."))]
ElementOption = Annotated[
    str,
    typer.Option(
        help=_("Also lines on a chemical element, e.g. Dy, whatever the code; announcements often name none.")
    ),
]
DestinationOption = Annotated[
    str, typer.Option("--to", help=_("Leave out what is for other destinations than this, e.g. US."))
]
PartyOption = Annotated[str, typer.Option(help=_("Also entities of control and watch lists that this name may mean."))]
GoodsListOption = Annotated[Path | None, typer.Option(help=_("Own list of controlled goods, CSV."))]
AnnouncementsOption = Annotated[Path | None, typer.Option(help=_("Own announcements on export control, CSV."))]
EntitiesOption = Annotated[Path | None, typer.Option(help=_("Own entities of control and watch lists, CSV."))]


@reports_errors
def show(
    codes: CodesArgument = None,
    *,
    on: OnOption = "",
    element: ElementOption = "",
    destination: DestinationOption = "",
    party: PartyOption = "",
    goods_list: GoodsListOption = None,
    announcements: AnnouncementsOption = None,
    listed_entities: EntitiesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which export controls applied to goods on a day. Reads the lists alone; needs no gateway.

    A control whose suspension is over holds again unless an extension is recorded. With --json each line has its
    source. The lists don't replace the announcements; docs/controlled-goods.md says what was checked.

    \b
    Examples:
      gateway law show --on 2026-11-30
      gateway law show 811010 --to US --on 2024-12-03
      gateway law show --element Dy
      gateway law show 811292 --party "Leidos, Inc."
    """
    day = day_of(on) if on else now().date()
    output, goods = Output(as_json), load_controlled_goods(goods_list, announcements)
    lines = _lines(goods, codes or (), element, day)
    meant = load_listed_entities(listed_entities, goods.announcements).find(party, day) if party else []
    about = [*(line.announcement for line in lines), *(match.entity.announcement.name for match in meant)]
    is_narrow = bool(codes or element or party)
    shown = _announcements(goods.announcements, about if is_narrow else None, destination)
    if as_json:
        listed = [_line_facts(good, day) for good in lines]
        acts = [_facts(row, goods.announcements, day) for row in shown]
        entities = {"entities": [_entity_facts(match) for match in meant]} if party else {}
        return output.json({"day": day, "version": goods.version, "goods": listed, "announcements": acts, **entities})
    if codes or element:
        output.table(
            _("Goods under export control on {day}", day=day),
            (N_("Code"), N_("Goods"), N_("Announcement"), N_("State"), N_("Confidence")),
            [
                (good.code or "—", good.substance, good.announcement, good.status_text(day), sure(good.confidence))
                for good in lines
            ],
        )
    if party:
        output.table(
            _("Entities of lists on {day} that {party} may mean", day=day, party=party),
            (N_("Entity"), N_("Name"), N_("Announcement"), N_("Does"), N_("State"), N_("Confidence")),
            [_entity_row(match) for match in meant],
        )
    output.table(
        _("Announcements on {day}", day=day),
        (N_("Announcement"), N_("Does"), N_("For"), N_("State")),
        [
            (row.key, _(MEASURES[row.measure]), ", ".join(row.destinations), _state(row, goods.announcements, day))
            for row in shown
        ],
    )


def day_of(text: str, option: str = "--on") -> date:
    """The day of an option. Raises OptionError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise OptionError(_("{option}: {text!r} isn't a day YYYY-MM-DD", option=option, text=text)) from None


def _lines(goods: ControlledGoods, codes: Sequence[str], element: str, on: date) -> list[ControlledGood]:
    """Lines that a code matches, and those on an element, each once."""
    found: dict[ControlledGood, None] = {}
    for code in codes:
        try:
            found |= dict.fromkeys(line.good for line in goods.lines(code, on, territory=LIST_TERRITORY))
        except MalformedError as error:
            raise OptionError(error.message, way_out=_("Give a commodity code of 6 to 10 digits.")) from None
    return [*found, *(good for good in goods if element and good.element == element and good not in found)]


def _announcements(announcements: Announcements, about: Collection[str] | None, destination: str) -> list[Announcement]:
    """Those with these names and about them, or all; of measures about destinations those about one, or all."""
    keys = {
        row.key
        for row in announcements
        if row.name in (about or ()) or (row.measure not in ENTITY_LISTS and any(map(row.concerns, about or ())))
    }
    return [
        row
        for row in announcements
        if (about is None or row.key in keys or keys & set(row.applies_to))
        and (not destination or not row.destinations or destination.upper() in row.destinations)
    ]


def _state(row: Announcement, announcements: Announcements, on: date) -> str:
    validity = announcements.validity(row)
    return status_text(validity, validity.status_on(on), on)


def _line_facts(good: ControlledGood, on: date) -> dict[str, object]:
    return {
        "code": good.code,
        "element": good.element,
        "substance": good.substance,
        "form": good.form,
        "control_code": good.control_code,
        "announcement": good.announcement,
        "state": good.status_on(on),
        "state_text": good.status_text(on),
        "confidence": sure(good.confidence),
        "also_covers_other_goods": good.basket,
        "source": good.source,
        "note": good.note,
    }


def _facts(row: Announcement, announcements: Announcements, on: date) -> dict[str, object]:
    return {
        "announcement": row.name,
        "part": row.part,
        "measure": row.measure,
        "applies_to": row.applies_to,
        "destinations": row.destinations,
        "announced": row.announced,
        "effective": row.effective.first,
        "effective_to": row.effective.last,
        "state": announcements.validity(row).status_on(on),
        "state_text": _state(row, announcements, on),
        "subject": row.subject,
        "confidence": sure(row.confidence),
        "source": row.source,
        "note": row.note,
    }


def _entity_row(match: ListedEntityMatch) -> tuple[str, ...]:
    row = match.entity.announcement
    same = _("the same") if match.is_sure else _("alike")
    return match.entity.names[0], same, row.key, _(MEASURES[row.measure]), match.text, sure(match.entity.confidence)


def _entity_facts(match: ListedEntityMatch) -> dict[str, object]:
    entity = match.entity
    return {
        "names": entity.names,
        "same_name": match.is_sure,
        "announcement": entity.announcement.key,
        "measure": entity.announcement.measure,
        "state": match.status,
        "state_text": match.text,
        "confidence": sure(entity.confidence),
        "source": entity.source,
        "note": entity.note,
    }


def sure(confidence: Confidence) -> str:
    """A confidence as a word."""
    return confidence.name.lower()
