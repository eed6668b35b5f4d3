"""`gateway watchlist import`: brings an own list to the state of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.display.tables import DelimiterOption, EncodingOption, dialect_of, guess_noted
from gateway.cli.doubts import DoubtTally, StrictOption
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, recipients, value_of
from gateway.cli.watchlist.files import (
    WITHOUT_LEGAL_BASIS,
    ImportFormat,
    ListSource,
    format_of,
    mapping_of,
    open_source,
)
from gateway.cli.watchlist.reading import ImportTally, print_not_understood
from gateway.cli.watchlist.values import list_name
from gateway.cli.watchlist.wide import wide_rows
from gateway.contract.enum_words import choices
from gateway.errors import OptionError
from gateway.formats.lists.rows import ListOptions, ListRow
from gateway.translation.messages import N_, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import Classification, Handling, OnwardTransfer, RequestedAction
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistEntry, WatchlistKind
from gateway.v1.watchlist_service_pb2 import ImportEntriesResponse, ImportRow

if TYPE_CHECKING:
    from gateway.client import GatewayClient

EXIT_INCOMPLETE = 3
"""Some rows weren't imported."""

MAX_PROBLEMS_SHOWN = 200
"""Rows listed one by one; --json has them all."""

DEFAULT_OPTIONS = {
    "kind": "--kind",
    "reason": "--listed-for",
    "legal_basis": "--legal-basis",
    "purpose": "--purpose",
    "requested_action": "--action",
    "classification": "--classification",
    "handling": "--classification",
    "onward_transfer": "--onward-transfer",
    "releasable_to": "--releasable-to",
}
"""Options for values that rows lack, by field."""


def _default(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_("Values that the file lacks"))


FileArgument = Annotated[
    Path,
    typer.Argument(help=_("The file; for ofac the folder of its files; - for standard input.")),
]
ListOption = Annotated[str, typer.Option("--list", help=_("Name of our list that the file is, e.g. un-sc."))]
FormatOption = Annotated[
    ImportFormat | None,
    typer.Option("--format", help=_("By the file's ending without it: .csv, .jsonl, .xml (which: by its content).")),
]
MappingOption = Annotated[
    str, typer.Option(help=_("CSV: TOML file with the meaning of the columns, or the name of a packaged one."))
]
PruneOption = Annotated[
    bool, typer.Option("--prune", help=_("Withdraw entries that the file no longer has. Needs --reason."))
]
ReasonOption = Annotated[
    str, typer.Option("--reason", help=_("With --prune: why they are withdrawn, for the partners."))
]
NoteOption = Annotated[str, typer.Option(help=_("A note for the approver; the file's name without it."))]
WideOption = Annotated[
    bool,
    typer.Option("--wide", help=_("Import new entries too that would match ten times a day or more.")),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help=_("Print the entries as JSON lines; change nothing, need no gateway."))
]
ReleasableOption = Annotated[
    list[str] | None, _default("--releasable-to", help=_("Partners that may have them, e.g. hk,mo; may be repeated."))
]
LegalBasisOption = Annotated[str, _default(help=_("Law or agreement that the listing rests on."))]
ListedForOption = Annotated[str, _default(help=_("Why they are listed."))]
KindOption = Annotated[str, _default(help=f"{choices(WatchlistKind)}.")]
PurposeOption = Annotated[str, _default(help=_("As the agreement names it."))]
ActionOption = Annotated[str, _default(help=f"{choices(RequestedAction)}.")]
ClassificationOption = Annotated[str, _default(help=f"{choices(Classification)}.")]
OnwardTransferOption = Annotated[str, _default(help=f"{choices(OnwardTransfer)}.")]


@reports_errors
@connected
def import_(
    target: Target,
    file: FileArgument,
    *,
    list_: ListOption,
    file_format: FormatOption = None,
    mapping: MappingOption = "",
    encoding: EncodingOption = "",
    delimiter: DelimiterOption = "",
    prune: PruneOption = False,
    reason: ReasonOption = "",
    note: NoteOption = "",
    strict: StrictOption = False,
    wide: WideOption = False,
    dry_run: DryRunOption = False,
    releasable_to: ReleasableOption = None,
    legal_basis: LegalBasisOption = "",
    listed_for: ListedForOption = "",
    kind: KindOption = "",
    purpose: PurposeOption = "export_control",
    action: ActionOption = "inform",
    classification: ClassificationOption = "official",
    onward_transfer: OnwardTransferOption = "prohibited",
    as_json: JsonOption = False,
) -> None:
    """Bring an own list to the state of a file: only new and changed entries are sent. Role: publisher, supervisor.

    \b
    csv       one entry a line, or several lines with one id; docs/watchlist-formats.md has the columns, --mapping
              reads others
    jsonl     one WatchlistEntry a line, in protobuf's JSON form
    un-xml    the United Nations Security Council's consolidated list
    hk-xml    a list of Hong Kong's under Cap. 537, one file for each regulation
    eu-xml    the European Union's consolidated list, XML 1.1; eu-csv: the same as CSV
    uk-xml    the UK Sanctions List, or OFSI's earlier ConList
    ofac-xml  OFAC's lists, advanced XML
    ofac      OFAC's lists: sdn.csv, alt.csv, add.csv, sdn_comments.csv, or those of cons_prim.csv
    ftm       FollowTheMoney entities, JSON lines, as OpenSanctions has them

    Rows that can't be read or are refused are listed; all others are imported. Entries that the file no longer has stay
    unless --prune withdraws them, which needs a file without bad rows. What ofac and un-xml say in words that have no
    known meaning stays in the remarks, is counted, and is listed where it has a number. Doubtful identifiers are
    notices; with --strict they are errors. With four eyes an import is one proposal; the same import again, before it
    is decided, makes no second one.

    \b
    Examples:
      gateway watchlist import consolidated.xml --list un-sc --releasable-to hk,mo
        --legal-basis "UNSCR 1718 (2006)" --purpose export_control --system risk-engine
      gateway watchlist import ours.csv --list minerals --mapping ours.toml --prune --reason "No longer licensed"

    \b
    Exit codes: 0 all imported, 1 refused or unreachable, 2 wrong input, 3 some rows weren't imported.
    """
    _require_reason(prune=prune, reason=reason)
    output, kind_of_file = Output(as_json), _format(file, file_format, legal_basis)
    defaults = WatchlistContent(legal_basis=legal_basis, reason=listed_for, purpose=purpose)
    defaults.MergeFrom(_values(kind, action, classification, onward_transfer, releasable_to or []))
    options = ListOptions(list=list_name(list_), defaults=defaults)
    dialect = dialect_of(encoding, delimiter, is_table=kind_of_file is ImportFormat.CSV)
    with (
        open_source(file, kind_of_file, mapping_of(mapping, kind_of_file), dialect) as source,
        guess_noted(output, dialect),
    ):
        if dry_run:
            _print(output, source, options, strict=strict)
        else:
            about = note or source.file.name
            _import(target, output, source, options, note=about, prune_reason=reason, strict=strict, wide=wide)


def _require_reason(*, prune: bool, reason: str) -> None:
    if prune != bool(reason):
        raise OptionError(_("--prune and --reason go together: vanished entries are withdrawn for a reason"))


def _format(file: Path, given: ImportFormat | None, legal_basis: str) -> ImportFormat:
    file_format = format_of(file, given)
    if file_format in WITHOUT_LEGAL_BASIS and not legal_basis:
        raise OptionError(
            _("--legal-basis: name the legal basis of the listing; {format} has none", format=file_format)
        )
    return file_format


def _values(
    kind: str, action: str, classification: str, onward_transfer: str, releasable_to: list[str]
) -> WatchlistContent:
    return WatchlistContent(
        kind=value_of(WatchlistKind, kind, "--kind") if kind else WatchlistKind.WATCHLIST_KIND_UNSPECIFIED,
        requested_action=value_of(RequestedAction, action, "--action"),
        releasable_to=recipients(releasable_to, "--releasable-to") if releasable_to else (),
        handling=Handling(
            classification=value_of(Classification, classification, "--classification"),
            onward_transfer=value_of(OnwardTransfer, onward_transfer, "--onward-transfer"),
        ),
    )


def _print(output: Output, source: ListSource, options: ListOptions, *, strict: bool) -> None:
    reading = ImportTally(doubts=DoubtTally(strict))
    for row in reading.take(source.rows(options)):
        output.json_line(as_dict(WatchlistEntry(list=options.list, id=row.id, content=row.content)))
    print_not_understood(output, reading)
    if _print_problems(output, reading, ImportEntriesResponse()):
        raise typer.Exit(EXIT_INCOMPLETE if reading.rows else EXIT_FAILED)


def _import(
    target: Target,
    output: Output,
    source: ListSource,
    options: ListOptions,
    *,
    note: str,
    prune_reason: str,
    strict: bool,
    wide: bool,
) -> None:
    survey = None if wide and not prune_reason else _surveyed(output, source, options, strict=strict)
    held_back = survey.against_pruning if survey and prune_reason else ""
    reading = ImportTally(doubts=DoubtTally(strict))

    async def work(client: GatewayClient) -> ImportEntriesResponse:
        if survey and not wide:
            reading.wide = await wide_rows(client, output, options.list, survey.chosen, survey.rows)
        with output.progress(_("Importing"), source.size_bytes) as advance:
            followed = _followed(source, reading.take(source.rows(options)), advance)
            return await client.watchlist.import_entries(
                options.list, followed, note=note, prune_reason="" if held_back or reading.wide else prune_reason
            )

    response = target.run(work)
    if reading.wide and prune_reason and not held_back:
        held_back = _("entries that match too much were left out")
    _report(output, options.list, reading, response, held_back)


@dataclass(frozen=True, slots=True)
class _Survey:
    """A file as read once before anything is sent: why nothing may be withdrawn, rows to compare, and of how many."""

    against_pruning: str
    chosen: Sequence[ImportRow]
    rows: int


def _surveyed(output: Output, source: ListSource, options: ListOptions, *, strict: bool) -> _Survey:
    from gateway.client.estimates import chosen_rows  # noqa: PLC0415  # a command's start doesn't load the client

    tally = ImportTally(doubts=DoubtTally(strict))
    with output.progress(_("Reading"), source.size_bytes) as advance:
        chosen, number = chosen_rows(_followed(source, tally.take(source.rows(options)), advance))
    return _Survey(tally.against_pruning, chosen, number)


def _followed(source: ListSource, rows: Iterator[ListRow], advance: Any) -> Iterator[ImportRow]:
    """Rows to send, while a progress bar follows the file."""
    reported = 0
    for row in rows:
        yield ImportRow(id=row.id, line=row.line, content=row.content)
        now = source.position_bytes
        if now > reported:
            advance(now - reported)
            reported = now


def _report(output: Output, name: str, reading: ImportTally, response: ImportEntriesResponse, held_back: str) -> None:
    took = response.added + response.changed + response.unchanged
    if response.proposed_before:
        title = _("Proposed before")
    elif response.proposal_id:
        title = _("Proposed")
    else:
        title = _("Imported") if took or not (reading.bad or response.refused) else _("Nothing imported")
    output.facts(title, _facts(name, reading, response), data=_data(name, reading, response, held_back))
    _note_what_follows(output, response, held_back)
    print_not_understood(output, reading)
    for entry_id, per_day in reading.wide.items():
        output.warning(
            _(
                "{id} was left out: it would match {number} times a day. Make it narrower, or import it with --wide",
                id=entry_id,
                number=per_day,
            )
        )
    if _print_problems(output, reading, response) or held_back or reading.wide:
        raise typer.Exit(EXIT_INCOMPLETE if took else EXIT_FAILED)


def _facts(name: str, reading: ImportTally, response: ImportEntriesResponse) -> dict[str, object]:
    facts: dict[str, object] = {
        N_("List"): name,
        N_("New"): response.added,
        N_("Changed"): response.changed,
        N_("Unchanged"): response.unchanged,
        N_("Withdrawn"): response.withdrawn,
        N_("No longer in the file, kept"): response.vanished,
        N_("Refused"): response.refused_count,
        N_("Rows that can't be read"): reading.bad_lines,
    }
    if reading.wide:
        facts[N_("Left out: they match too much")] = len(reading.wide)
    if reading.skipped:
        facts[N_("Not entries of a list")] = len(reading.skipped)
    if reading.not_understood:
        facts[N_("Remarks not understood")] = len(reading.not_understood)
    if response.proposal_id:
        facts = {N_("Proposal"): response.proposal_id, **facts}
    return facts


def _data(name: str, reading: ImportTally, response: ImportEntriesResponse, held_back: str) -> dict[str, object]:
    return {
        "list": name,
        "proposal_id": response.proposal_id,
        "new": response.added,
        "changed": response.changed,
        "unchanged": response.unchanged,
        "withdrawn": response.withdrawn,
        "vanished": response.vanished,
        "refused_count": response.refused_count,
        "refused": [{"line": refusal.line, "id": refusal.id, **as_dict(refusal.error)} for refusal in response.refused],
        "problems": reading.bad,
        "skipped": reading.skipped,
        "not_understood": reading.not_understood,
        "left_out": reading.wide,
        "not_pruned": held_back,
        "proposed_before": response.proposed_before,
        "notices": reading.doubts.notices,
    }


def _note_what_follows(output: Output, response: ImportEntriesResponse, held_back: str) -> None:
    if response.proposed_before:
        output.note(_("The same changes wait for a decision already; no second proposal was made."))
    if response.proposal_id:
        output.note(
            _(
                "It takes effect when another person approves it: gateway watchlist approve {proposal_id}",
                proposal_id=response.proposal_id,
            )
        )
    if held_back:
        output.warning(_("nothing was withdrawn: {held_back}", held_back=held_back))
    elif response.vanished:
        output.note(
            ngettext(
                "{number} entry isn't in the file and stays; --prune --reason TEXT withdraws it.",
                "{number} entries aren't in the file and stay; --prune --reason TEXT withdraws them.",
                response.vanished,
            )
        )


def _print_problems(output: Output, reading: ImportTally, response: ImportEntriesResponse) -> bool:
    """Prints unusable rows; whether there are any."""
    rows = [(row.line, row.id, row.reason) for row in reading.bad]
    rows += [(row.line, row.id, row.error.message) for row in response.refused]
    rows.sort(key=lambda row: row[0])
    reading.doubts.show(output)
    for line, entry_id, reason in rows[:MAX_PROBLEMS_SHOWN]:
        output.note(_("Line {place}: {reason}", place=f"{line}, {entry_id}" if entry_id else line, reason=reason))
    left = len(rows) - MAX_PROBLEMS_SHOWN
    if left > 0:
        output.note(_("and {count} more; --json has them all", count=left))
    empty = {
        row.field.removeprefix("content.").partition(".")[0] for row in reading.bad if "as a default" in row.reason
    }
    options = sorted({DEFAULT_OPTIONS[each] for each in empty if each in DEFAULT_OPTIONS})
    if options:
        output.note(_("Options for the values that rows lack: {options}.", options=", ".join(options)))
    return bool(rows) or response.refused_count > 0
