"""`gateway history balance`: what of a material left and what came, by company, route and month."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.clock import now
from gateway.cli.connection import Target, connected
from gateway.cli.history.criteria import with_criteria, with_grounds
from gateway.cli.history.search import EXIT_PARTLY_ANSWERED, NodeOption, SearchResults
from gateway.cli.history.values import ANSWERED, answer_line
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, recipients
from gateway.errors import OptionError
from gateway.risk.facts.substances import Substances, load_substances
from gateway.tracing.rules.balance import BalanceLine, BalanceResult, MassOf, mass_balance
from gateway.translation.messages import N_, listed, marked, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1 import shipment_pb2
from gateway.v1.history_pb2 import ANSWER_STATUS_COMPLETE, QueryGrounds, SearchCriteria
from gateway.v1.history_service_pb2 import SearchEnd

if TYPE_CHECKING:
    from gateway.client import GatewayClient

_RESULTS = {
    BalanceResult.BALANCED: N_("adds up"),
    BalanceResult.DIFFERENT: N_("differs"),
    BalanceResult.NOTHING_CAME: N_("nothing came"),
    BalanceResult.NOTHING_LEFT: N_("no departure known"),
    BalanceResult.WENT_ELSEWHERE: N_("came elsewhere"),
    BalanceResult.UNDER_WAY: N_("under way"),
    BalanceResult.LEFT_ALL: N_("left the nodes that answered"),
    BalanceResult.UNKNOWN_MASS: N_("mass not known"),
}


@reports_errors
@connected
@with_grounds
@with_criteria(("substance", "code", "party", "from_", "until"))
def balance(
    target: Target,
    criteria: SearchCriteria,
    grounds: QueryGrounds,
    *,
    nodes: NodeOption = None,
    every: Annotated[bool, typer.Option("--all", help=_("Show what adds up too."))] = False,
    as_json: JsonOption = False,
) -> None:
    """Balance a material: what left against what came, by company, route and month. Role: officer, analyst, supervisor.

    Our node and the partners are asked for the records of the material, as in search; each tells what its agreement
    lets it. Records are joined as in a trace. Give --substance or --code, and a time that has the arrivals too.

    \b
    Example:
      gateway history balance --substance antimony --from 2026-01-01 --until 2026-06-30 --system officers
        --purpose export_control --legal-basis "CEPA art. 5" --case SZ-2026-17

    \b
    Exit codes: 0 every node answered, 1 refused or unreachable, 2 wrong input, 3 not every node answered: what it knows
    is missing in the balance.
    """
    if not criteria.substances and not criteria.commodity_codes:
        raise OptionError(_("--substance or --code: say which material is to be balanced"))
    results, output = SearchResults(), Output(as_json)
    asked = recipients(nodes, "--node") if nodes else []
    target.run(lambda client: _receive(client, results, criteria, grounds, asked))
    whole = [node for node, answer in results.answers.items() if answer.status == ANSWER_STATUS_COMPLETE]
    mass_of = _mass_of(criteria, load_substances())
    lines = mass_balance(results.records, mass_of, territories=[node.upper() for node in whole], now=now())
    shown = [line for line in lines if every or not line.adds_up]
    if as_json:
        answers = [as_dict(answer) for answer in results.answers.values()]
        output.json({"lines": [_facts(line) for line in lines], "answers": answers})
    else:
        _show(output, results, shown, left_out=len(lines) - len(shown))
    if results.unanswered:
        raise typer.Exit(EXIT_PARTLY_ANSWERED)


async def _receive(
    client: GatewayClient,
    results: SearchResults,
    criteria: SearchCriteria,
    grounds: QueryGrounds,
    nodes: Collection[str],
) -> None:
    token = ""
    while True:
        page = client.history.search_page(criteria, grounds, nodes=nodes, page_token=token)
        token = ""
        async with aclosing(page) as messages:
            async for message in messages:
                results.take(message)
                token = message.next_page_token if isinstance(message, SearchEnd) else token
        if not token:
            return


def _mass_of(criteria: SearchCriteria, substances: Substances) -> MassOf:
    """Kilograms of the items that are of the material: by code, else by the element or the words declared."""
    codes = tuple(criteria.commodity_codes)
    sought = {text.casefold() for text in criteria.substances}
    elements = {element for row in substances.rows for element in row.elements if element.casefold() in sought}
    elements |= {element for row in substances.rows if sought & {row.name, *row.names} for element in row.elements}

    def is_of(item: shipment_pb2.ShipmentGoods) -> bool:
        written = [code.code for code in item.codes]
        if any(code.startswith(codes) for code in written if codes):
            return True
        declared = substances.declared(
            written, substance=item.substance, element=item.element, text=item.description
        ).elements
        return bool(elements & {item.element, *declared})

    def mass_of(shipment: shipment_pb2.Shipment) -> float | None:
        items = [item for item in shipment.goods if is_of(item)]
        if not all(item.HasField("net_mass_kg") for item in items):
            return None
        return sum(item.net_mass_kg for item in items)

    return mass_of


def _show(output: Output, results: SearchResults, lines: list[BalanceLine], *, left_out: int) -> None:
    for answer in results.answers.values():
        said = answer_line(answer)
        if answer.status in ANSWERED:
            output.note(said)
        else:
            output.warning(_("{each}; records of this node may be missing", each=said))
    columns = marked("Company", "Route", "Month", "Left, kg", "Came, kg", "Difference, kg", "Result", "Records")
    output.table(_("What doesn't add up") if left_out else _("Mass balance"), columns, map(_cells, lines))
    if left_out:
        output.note(
            ngettext("{number} line adds up; --all shows it.", "{number} lines add up; --all shows them.", left_out)
        )


def _cells(line: BalanceLine) -> tuple[object, ...]:
    result = _(_RESULTS[line.result])
    elsewhere = listed(sorted(line.elsewhere))
    return (
        line.company or _("not said"),
        f"{line.start or '?'} → {line.end or '?'}",
        line.month,
        f"{line.left_kg:,.10g}",
        f"{line.came_kg:,.10g}",
        f"{line.difference_kg:+,.10g}",
        f"{result} ({elsewhere})" if elsewhere else result,
        len(line.records),
    )


def _facts(line: BalanceLine) -> dict[str, object]:
    return {
        "company": line.company,
        "start": line.start,
        "end": line.end,
        "month": line.month,
        "left_kg": line.left_kg,
        "came_kg": line.came_kg,
        "under_way_kg": line.under_way_kg,
        "unknown": line.unknown,
        "result": line.result.value,
        "elsewhere": sorted(line.elsewhere),
        "records": [f"{node}/{record}" for node, record in line.records],
    }
