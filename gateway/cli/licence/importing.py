"""`gateway licence import`: publishes and amends own licences from a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.display.tables import DelimiterOption, EncodingOption, dialect_of, guess_noted, opened
from gateway.cli.licence.values import today
from gateway.cli.output import JsonOption, Output, json_key, reports_errors
from gateway.cli.values import as_dict, recipients
from gateway.errors import GatewayError, NotFoundError
from gateway.formats.licences.csv_licences import LicenceLine, read_licence_csv
from gateway.formats.tables.layout import Problem
from gateway.translation.labels import published_word
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.v1.licence_pb2 import LicenceContent, LicenceReference

if TYPE_CHECKING:
    from gateway.client import GatewayClient

EXIT_INCOMPLETE = 3
"""Some licences weren't imported."""

_OUTCOMES = PUBLISHED, AMENDED, PROPOSED, PROPOSED_BEFORE, UNCHANGED = (
    N_("Published"),
    N_("Amended"),
    N_("Proposed"),
    N_("Proposed before"),
    N_("Unchanged"),
)
"""What became of a licence of the table; proposed: where the settings want a second person."""


@reports_errors
@connected
def import_(
    target: Target,
    file: Annotated[Path, typer.Argument(help=_("The CSV file; - for standard input."))],
    *,
    effective: Annotated[
        str, typer.Option("--effective", help=_("First day that amendments are for; today without it."))
    ] = "",
    parties: Annotated[
        list[str] | None,
        typer.Option("--parties", help=_("Partners whom licences concern that name none, e.g. hk,mo.")),
    ] = None,
    purpose: Annotated[str, typer.Option(help=_("As the agreement names it, of licences that name none."))] = (
        "export_control"
    ),
    legal_basis: Annotated[
        str, typer.Option("--legal-basis", help=_("Law that licences were issued under that name none."))
    ] = "",
    encoding: EncodingOption = "",
    delimiter: DelimiterOption = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=_("Print the licences as JSON lines; change nothing, need no gateway."))
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish the licences of a table, and amend those that have changed. Role: publisher, supervisor.

    A line is one line of goods; lines with the same number that follow each other are one licence. docs/licences.md has
    the columns. Licences that can't be read or are refused are listed with their line; all others are imported.

    \b
    Example:
      gateway licence import licences.csv --parties hk --legal-basis "Export Control Law, article 12"

    \b
    Exit codes: 0 all imported, 1 refused or unreachable, 2 wrong input, 3 some licences weren't imported.
    """
    output = Output(as_json)
    defaults = LicenceContent(
        purpose=purpose, legal_basis=legal_basis, parties=recipients(parties, "--parties") if parties else ()
    )
    dialect = dialect_of(encoding, delimiter, is_table=True)
    with opened(file) as stream, guess_noted(output, dialect):
        rows = list(read_licence_csv(stream, defaults, dialect, source=str(file)))
    lines = [row for row in rows if isinstance(row, LicenceLine)]
    problems = [row for row in rows if isinstance(row, Problem)]
    if dry_run:
        for row in lines:
            output.json_line({"line": row.line, "number": row.number, "content": as_dict(row.content)})
    else:
        counts, refused = target.run(lambda client: _brought(client, lines, effective or today()))
        problems += refused
        facts = {published_word() if name == PUBLISHED else name: counts[name] for name in _OUTCOMES}
        data = {json_key(name): counts[name] for name in _OUTCOMES}
        output.facts(_("Imported"), facts, data={**data, "problems": problems})
    _print_problems(output, problems)
    if problems:
        raise typer.Exit(EXIT_INCOMPLETE)


async def _brought(
    client: GatewayClient, lines: Iterable[LicenceLine], effective: str
) -> tuple[Counter[str], list[Problem]]:
    """Brings own licences to the state of the lines: how many had which of `_OUTCOMES`, and refusals."""
    waiting = [listed.proposal.change.revised async for listed in client.licences.proposals()]
    proposed = {(revised.number, revised.content.SerializeToString(deterministic=True)) for revised in waiting}
    counts: Counter[str] = Counter()
    refused: list[Problem] = []
    for row in lines:
        try:
            if (row.number, row.content.SerializeToString(deterministic=True)) in proposed:
                counts[PROPOSED_BEFORE] += 1
            else:
                counts[await _bring(client, row, effective)] += 1
        except GatewayError as error:
            refused.append(Problem(row.line, "", f"{row.number}: {error.message}"))
    return counts, refused


async def _bring(client: GatewayClient, row: LicenceLine, effective: str) -> str:
    try:
        listed = (await client.licences.get(LicenceReference(issuer=client.node_name, number=row.number))).licence
    except NotFoundError:
        published = await client.licences.publish(row.number, row.content)
        return PROPOSED if published.proposal_id else PUBLISHED
    if listed.newest.content == row.content:
        return UNCHANGED
    revision = listed.newest.revision
    amended = await client.licences.amend(row.number, revision, row.content, effective_on=effective)
    return PROPOSED if amended.proposal_id else AMENDED


def _print_problems(output: Output, problems: Iterable[Problem]) -> None:
    rows = [(problem.line, problem.reason) for problem in problems]
    if rows and not output.as_json:
        output.table(_("Not imported"), marked("Line", "Why"), rows)
