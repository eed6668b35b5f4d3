"""`gateway history search`: records of our node and of partners, with their origin."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.history.criteria import ALL, with_criteria, with_grounds
from gateway.cli.history.values import (
    ANSWERED,
    MINOR_OF_NODES,
    MINOR_OF_RECORDS,
    NODE_COLUMNS,
    RECORD_COLUMNS,
    answer_line,
    node_cells,
    record_cells,
    record_key,
    withheld_lines,
)
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, recipients
from gateway.translation.match_reasons import said
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked, ngettext
from gateway.v1.history_pb2 import AnswerMode, HistoryRecord, NodeAnswer, QueryGrounds, SearchCriteria
from gateway.v1.history_service_pb2 import SearchEnd, SearchOrder

if TYPE_CHECKING:
    from gateway.client import GatewayClient

EXIT_PARTLY_ANSWERED = 3
"""A node didn't answer, or its index is behind: its records may be missing."""

ALL_PAGE = 1_000
"""Records of a page where all are asked for."""

MAX_PAGE = 10_000
"""Most records of one node in one page, as the contract has it."""


class Sort(StrEnum):
    """Orders of the records."""

    RECORDED = "recorded"
    DECLARED = "declared"
    OLDEST = "oldest"


_ORDERS = {
    Sort.RECORDED: SearchOrder.SEARCH_ORDER_UNSPECIFIED,
    Sort.DECLARED: SearchOrder.SEARCH_ORDER_OVERALL,
    Sort.OLDEST: SearchOrder.SEARCH_ORDER_DECLARED_ASC,
}

NodeOption = Annotated[
    list[str] | None, typer.Option("--node", help=_("Nodes to ask, e.g. cn,hk; all without it. May be repeated."))
]
TimeoutOption = Annotated[
    float,
    typer.Option("--partner-timeout", help=_("Seconds that a partner gets; 0: the gateway decides."), min=0, max=60),
]
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait-indexed",
        help=_("Most seconds to wait for records that were recorded just now and aren't indexed yet."),
        min=0,
        max=60,
    ),
]
WAIT_S = 2.0


@dataclass(slots=True)
class SearchResults:
    """Records and answers received so far."""

    records: list[HistoryRecord] = field(default_factory=list)
    answers: dict[str, NodeAnswer] = field(default_factory=dict)
    page: str = ""
    """Where the next page begins; empty: there is none."""

    def take(self, item: HistoryRecord | NodeAnswer | SearchEnd) -> None:
        if isinstance(item, HistoryRecord):
            self.records.append(item)
        elif isinstance(item, NodeAnswer):
            self.answers[item.node] = _added(self.answers.get(item.node), item)
        else:
            self.page = item.next_page_token

    @property
    def unanswered(self) -> list[NodeAnswer]:
        return [answer for answer in self.answers.values() if answer.status not in ANSWERED]

    @property
    def behind(self) -> list[NodeAnswer]:
        """Answers that lack records which aren't indexed yet."""
        return [answer for answer in self.answers.values() if answer.unindexed]


def _added(before: NodeAnswer | None, answer: NodeAnswer) -> NodeAnswer:
    """A node's last answer with the counts of its earlier pages."""
    whole = NodeAnswer()
    whole.CopyFrom(answer)
    if before is not None:
        whole.count += before.count
        whole.withheld += before.withheld
        whole.elapsed_ms += before.elapsed_ms
        whole.hit = whole.hit or before.hit
    return whole


HitOnlyOption = Annotated[bool, typer.Option("--hit-only", help=_("Ask only whether there is anything."))]
SortOption = Annotated[
    Sort,
    typer.Option(
        help=_(
            "declared: all records, newest first. recorded, newest first, and oldest, oldest declared first:"
            " of each node's newest recorded."
        )
    ),
]
LimitOption = Annotated[
    int,
    typer.Option(
        help=_("Most records, with --sort recorded or oldest of each node; 0 for all, page after page."),
        min=0,
        max=MAX_PAGE,
    ),
]
PageOption = Annotated[str, typer.Option("--page", help=_("Go on where an earlier page says."))]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help=_("List what partners withheld, and how names match."))
]


@reports_errors
@connected
@with_grounds
@with_criteria(ALL)
def search(
    target: Target,
    criteria: SearchCriteria,
    grounds: QueryGrounds,
    *,
    nodes: NodeOption = None,
    hit_only: HitOnlyOption = False,
    sort: SortOption = Sort.DECLARED,
    limit: LimitOption = 50,
    page: PageOption = "",
    partner_timeout: TimeoutOption = 0.0,
    wait_indexed: WaitOption = WAIT_S,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Search shipments at our node and at partners. Role: officer, analyst, supervisor.

    Partners are asked at the same time. Each node's answer has a status: complete, partial
    (there is more, or records aren't indexed yet), denied (with the agreement's clause), timed out, unreachable. Fields
    that a partner may not show are withheld, counted, and listed with -v. With --json one object a line: record,
    answer, and last end.

    Records of all nodes are in one order, newest declared first. --page goes on where a page ended at every node: it
    leaves out what was recorded meanwhile, and has the records of a node that didn't answer before. With --sort
    recorded or oldest each node sends its newest recorded, at most --limit, and these are sorted.

    \b
    Examples:
      gateway history search --container CSQU3054383 --system officers
        --purpose export_control --legal-basis "CEPA art. 5" --case SZ-2026-17
      gateway history search --substance antimony --place HK --from 2026-01-01 --until 2026-01-31 --node cn,hk
        --purpose export_control --legal-basis "CEPA art. 5" --case SZ-2026-17 --json

    \b
    Exit codes: 0 every node answered, also when nothing was found, 1 refused or unreachable, 2 wrong input,
    3 not every node answered, or records aren't indexed yet: the answers are shown.
    """
    output, results = Output(as_json), SearchResults()

    request: dict[str, Any] = {
        "criteria": criteria,
        "grounds": grounds,
        "nodes": recipients(nodes, "--node") if nodes else [],
        "mode": AnswerMode.ANSWER_MODE_HIT if hit_only else AnswerMode.ANSWER_MODE_RECORDS,
        "order": _ORDERS[sort],
        "page_size": limit or (ALL_PAGE if sort is Sort.DECLARED else 0),
        "partner_timeout_ms": round(partner_timeout * 1000),
        "wait_indexed_s": wait_indexed,
    }
    target.run(lambda client: _receive(client, output, results, request, page=page, to_the_end=not limit))
    if not as_json:
        _show(output, results, sort=sort, hit_only=hit_only, verbose=verbose, limit=limit)
    if results.unanswered or results.behind:
        raise typer.Exit(EXIT_PARTLY_ANSWERED)


async def _receive(
    client: GatewayClient,
    output: Output,
    results: SearchResults,
    request: Mapping[str, Any],
    *,
    page: str,
    to_the_end: bool,
) -> None:
    """Receives a page, or page after page while a node answers."""
    results.page = page
    while True:
        answered = False
        async with aclosing(client.history.search_page(page_token=results.page, **request)) as messages:
            async for message in messages:
                _print_received(output, message)
                results.take(message)
                answered = answered or (isinstance(message, NodeAnswer) and message.status in ANSWERED)
        if not to_the_end or not results.page or not answered:
            return


def _print_received(output: Output, item: HistoryRecord | NodeAnswer | SearchEnd) -> None:
    """Prints everything for programs, answers for people."""
    if output.as_json:
        name = "record" if isinstance(item, HistoryRecord) else "answer" if isinstance(item, NodeAnswer) else "end"
        output.json_line({name: as_dict(item)})
    elif isinstance(item, NodeAnswer) and item.status in ANSWERED:
        (output.warning if item.unindexed else output.note)(answer_line(item))
    if isinstance(item, NodeAnswer) and item.status not in ANSWERED:
        output.warning(_("{each}; records of this node may be missing", each=answer_line(item)))


def _show(output: Output, results: SearchResults, *, sort: Sort, hit_only: bool, verbose: bool, limit: int) -> None:
    if hit_only:
        rows = [(node, _hit(answer), *node_cells(answer)[1:]) for node, answer in results.answers.items()]
        output.table(_("Is there anything"), (*marked("Node", "Hit"), *NODE_COLUMNS[1:]), rows, minor=MINOR_OF_NODES)
    else:
        records = results.records if sort is Sort.DECLARED else _sorted(results.records, sort)
        if records:
            output.table(
                _("Found: {count}", count=len(records)),
                RECORD_COLUMNS,
                [record_cells(record) for record in records],
                minor=MINOR_OF_RECORDS,
            )
            _explain(output, records, verbose=verbose)
        else:
            output.line(_nothing_found(results))
        output.table(
            _("Nodes"), NODE_COLUMNS, [node_cells(answer) for answer in results.answers.values()], minor=MINOR_OF_NODES
        )
    if results.page and sort is Sort.DECLARED:
        output.note(_("There is more: --page {page} goes on, --limit 0 shows all.", page=results.page))
    elif results.page:
        output.note(_("There is more than these {limit} of a node; --limit 0 shows all.", limit=limit))


def _nothing_found(results: SearchResults) -> str:
    if results.unanswered:
        return _("Nothing found where it was answered.")
    return _("Nothing found in what is indexed.") if results.behind else _("Nothing found.")


def _explain(output: Output, records: list[HistoryRecord], *, verbose: bool) -> None:
    withheld = len({(record.node, field.path) for record in records for field in record.withheld})
    if withheld and not verbose:
        output.note(
            ngettext(
                "{number} field was withheld by the agreements; -v lists them.",
                "{number} fields were withheld by the agreements; -v lists them.",
                withheld,
            )
        )
    for record in records:
        name = f"{record.node}/{record.shipment.record_id}"
        if record.matched_revision:
            output.note(
                _(
                    "{name}: the criteria match revision {matched_revision}, not the newest.",
                    name=name,
                    matched_revision=record.matched_revision,
                )
            )
        if verbose:
            for line in withheld_lines(record):
                output.line(_("{name}: withheld {line}", name=name, line=line))
            for match in record.name_matches:
                output.line(f"{name}: {match.asked} ~ {match.recorded} ({match.score:.2f}): {said(match.because)}")


def _sorted(records: list[HistoryRecord], sort: Sort) -> list[HistoryRecord]:
    """Records of all nodes in one order."""
    if sort is Sort.RECORDED:
        return sorted(records, key=record_key, reverse=True)
    return sorted(records, key=lambda item: item.shipment.declared_at.ToNanoseconds())


def _hit(answer: NodeAnswer) -> bool | None:
    return answer.hit if answer.status in ANSWERED else None
