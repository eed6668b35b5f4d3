"""`gateway history import`: records the shipments and events of a file."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.display.tables import DelimiterOption, EncodingOption, dialect_of, guess_noted, opened
from gateway.cli.doubts import DoubtTally, StrictOption
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, error_facts, reports_errors
from gateway.cli.values import as_dict
from gateway.contract.identification.identifiers import shipment_doubts
from gateway.contract.messages import RecordedItem
from gateway.errors import GatewayError, InvalidRequestError, OptionError
from gateway.formats.foreign_files import require_no_workbook
from gateway.formats.shipments.columns import SHIPMENT_MAPPINGS
from gateway.formats.shipments.csv_files import read_csv
from gateway.formats.shipments.json_lines import read_json_lines
from gateway.formats.shipments.rows import BadRecord, ItemRow, Row
from gateway.formats.tables.layout import Problem
from gateway.formats.tables.mapping import TableMapping
from gateway.formats.wrong_lines import until_too_many_wrong
from gateway.translation.messages import N_, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.shipment_pb2 import Shipment

if TYPE_CHECKING:
    from gateway.client import GatewayClient, RecordedBatch

EXIT_INCOMPLETE = 3
"""Some records weren't recorded, or aren't found yet."""

MAX_WAIT_S = 600.0
"""Most seconds to wait for the index: some million records."""

MAX_PROBLEMS_SHOWN = 200
"""Problems listed one by one; --json has them all."""


class ShipmentFormat(StrEnum):
    """Forms of input."""

    AUTO = "auto"
    CSV = "csv"
    JSONL = "jsonl"


_BY_ENDING = {".csv": ShipmentFormat.CSV, ".jsonl": ShipmentFormat.JSONL, ".ndjson": ShipmentFormat.JSONL}


@dataclass(slots=True)
class RecordTally:
    """Results of a file's records."""

    recorded: int = 0
    shipments: int = 0
    additions: int = 0
    position: int = 0
    lines_read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    last_id: str = ""
    bad: list[BadRecord] = field(default_factory=list)
    refused: list[tuple[int, str, GatewayError]] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)
    doubts: DoubtTally = field(default_factory=DoubtTally)

    @property
    def not_compared(self) -> int:
        return self.recorded - self.added - self.changed - self.unchanged

    def take(self, rows: Iterator[Row]) -> Iterator[RecordedItem]:
        """Items that can be recorded; what can't be read is noted."""
        for row in rows:
            if isinstance(row, BadRecord):
                self.bad.append(row)
                continue
            if self._left_out(row):
                continue
            self.lines_read += row.lines
            self.shipments += isinstance(row.item, Shipment)
            self.additions += not isinstance(row.item, Shipment)
            self.waiting.append(row.line)
            yield row.item

    def _left_out(self, row: ItemRow) -> bool:
        """Notes a record's doubtful identifiers; whether these are errors."""
        doubts = shipment_doubts(row.item) if isinstance(row.item, Shipment) else ()
        errors = self.doubts.note(row.line, doubts, id=row.item.record_id)
        if errors:
            problems = tuple(Problem(notice.line, notice.field, notice.reason) for notice in errors)
            self.bad.append(BadRecord(row.line, row.item.record_id, row.lines, problems))
        return bool(errors)

    def note(self, outcome: RecordedBatch) -> None:
        """Takes the next result, in the order of items."""
        self.recorded += outcome.recorded
        self.added += outcome.added
        self.changed += outcome.changed
        self.unchanged += outcome.unchanged
        self.position = max(self.position, outcome.position)
        for index, item in enumerate(outcome.items):
            line = self.waiting.popleft()
            if index in outcome.refused:
                self.refused.append((line, item.record_id, outcome.refused[index]))
            else:
                self.last_id = item.record_id

    def problems(self) -> list[tuple[int, str, str]]:
        """Line, record and reason of what wasn't recorded."""
        found = [(problem.line, bad.record_id, problem.reason) for bad in self.bad for problem in bad.problems]
        for line, record_id, error in self.refused:
            reasons = (
                [f"{violation.field}: {violation.message}" for violation in error.violations]
                if isinstance(error, InvalidRequestError)
                else [error.message]
            )
            found += [(line, record_id, reason) for reason in reasons or [error.message]]
        return sorted(found, key=lambda problem: problem[0])


FileArgument = Annotated[Path, typer.Argument(help=_("The file; - for standard input."), show_default=False)]
FormatOption = Annotated[
    ShipmentFormat, typer.Option("--format", help=_("auto: by the file's ending, .csv, .jsonl or .ndjson."))
]
MappingOption = Annotated[
    str, typer.Option(help=_("CSV: TOML file with the meaning of the columns, or the name of a packaged one."))
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help=_("Wait until the records can be found, ten minutes at most; exit code 3 after."))
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help=_("Print the records as JSON lines; record nothing, need no gateway."))
]


@reports_errors
@connected
def import_(
    target: Target,
    file: FileArgument,
    *,
    file_format: FormatOption = ShipmentFormat.AUTO,
    mapping: MappingOption = "",
    encoding: EncodingOption = "",
    delimiter: DelimiterOption = "",
    strict: StrictOption = False,
    wait: WaitOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record shipments, and what happened to recorded ones, from a file. Role: publisher.

    \b
    csv    a line for each goods item, container or event; docs/shipment-formats.md has the columns,
           --mapping reads others. Lines that follow each other with one record id are one shipment.
    jsonl  one Shipment or ShipmentAddition of the contract a line, in protobuf's JSON form

    A known record id is recorded as its next revision; equal content changes nothing and is counted as unchanged, so a
    file can be imported again. Doubtful identifiers are notices; with --strict they are errors.
    A record with an unreadable line, or a refused one, is left out whole and listed with line, column and reason. New
    records are found some seconds later, with --wait when the command ends.

    \b
    Examples:
      gateway history import manifests.csv --system risk-engine --wait
      gateway history import import_declarations.csv --mapping shipments_import_declarations
      gateway history import events.jsonl --dry-run

    \b
    Exit codes: 0 all recorded, 1 refused or unreachable, 2 wrong input, 3 some records weren't recorded, or with --wait
    aren't found yet.
    """
    output, kind = Output(as_json), _format(file, file_format)
    columns, dialect = _mapping(mapping, kind), dialect_of(encoding, delimiter, is_table=kind is ShipmentFormat.CSV)
    with opened(file) as stream, guess_noted(output, dialect):
        rows = (
            read_csv(stream, columns, dialect, source=str(file))
            if kind is ShipmentFormat.CSV
            else read_json_lines(stream)
        )
        rows = until_too_many_wrong(rows, lambda row: row.problems[0] if isinstance(row, BadRecord) else None)
        tally = RecordTally(doubts=DoubtTally(strict))
        if dry_run:
            for item in tally.take(rows):
                output.json_line(as_dict(item))
        else:
            _record(target, output, tally, tally.take(rows), stream)
    indexed = _wait(target, output, tally) if wait else None
    _report(output, tally, dry_run=dry_run, indexed=indexed)


def _wait(target: Target, output: Output, tally: RecordTally) -> bool:
    """Waits until the last record is indexed, and so all before it."""
    if not tally.last_id:
        return True
    with output.progress(_("Waiting for the index")):
        return target.run(lambda client: client.history.wait_indexed(tally.last_id, timeout_s=MAX_WAIT_S))


def _record(target: Target, output: Output, tally: RecordTally, read: Iterator[RecordedItem], stream: BinaryIO) -> None:
    async def work(client: GatewayClient) -> None:
        with output.progress(_("Recording"), _size_bytes(stream)) as advance:
            items = _followed(read, stream, advance)
            async with aclosing(client.history.record(items)) as outcomes:
                async for outcome in outcomes:
                    tally.note(outcome)

    try:
        target.run(work)
    except GatewayError:
        if tally.recorded:
            output.warning(
                ngettext(
                    "{number} record was recorded before; import the file again for the rest",
                    "{number} records were recorded before; import the file again for the rest",
                    tally.recorded,
                )
            )
        raise


def _size_bytes(stream: BinaryIO) -> int:
    read = stream.tell()  # the header
    size = stream.seek(0, io.SEEK_END)
    stream.seek(read)
    return size


def _followed(
    items: Iterator[RecordedItem], stream: BinaryIO, advance: Callable[[float], None]
) -> Iterator[RecordedItem]:
    """Items, while a progress bar follows the file."""
    reported = 0
    for item in items:
        yield item
        now = stream.tell()
        if now > reported:
            advance(now - reported)
            reported = now


def _report(output: Output, tally: RecordTally, *, dry_run: bool, indexed: bool | None) -> None:
    problems = tally.problems()
    left_out = len(tally.bad) + len(tally.refused)
    if not dry_run:
        facts = {
            N_("New"): tally.added,
            N_("Changed"): tally.changed,
            N_("Unchanged"): tally.unchanged,
            N_("Shipments"): tally.shipments,
            N_("Additions of events"): tally.additions,
            N_("Lines"): tally.lines_read,
            N_("Refused"): len(tally.refused),
            N_("Can't be read"): len(tally.bad),
            N_("Position"): tally.position or None,
        }
        if tally.not_compared:
            facts[N_("Recorded, not compared with earlier ones")] = tally.not_compared
        data = {
            "recorded": tally.recorded,
            "new": tally.added,
            "changed": tally.changed,
            "unchanged": tally.unchanged,
            "not_compared": tally.not_compared,
            "shipments": tally.shipments,
            "additions": tally.additions,
            "lines": tally.lines_read,
            "position": tally.position,
            "indexed": indexed,
            "refused": [
                {"line": line, "record_id": record_id, **error_facts(error)} for line, record_id, error in tally.refused
            ],
            "bad": [_bad(record) for record in tally.bad],
            "notices": tally.doubts.notices,
        }
        output.facts(_title(tally, left_out), facts, data=data)
    tally.doubts.show(output)
    if indexed is not None and tally.recorded:
        found = _("All of them can be found.")
        output.note(found if indexed else _("They aren't all found yet: see `gateway status`."))
    for line, record_id, reason in problems[:MAX_PROBLEMS_SHOWN]:
        output.note(_("Line {place}: {reason}", place=f"{line}, {record_id}" if record_id else line, reason=reason))
    if len(problems) > MAX_PROBLEMS_SHOWN:
        output.note(_("and {count} more; --json has them all", count=len(problems) - MAX_PROBLEMS_SHOWN))
    if indexed is False:
        raise typer.Exit(EXIT_INCOMPLETE)
    if left_out:
        taken = tally.shipments + tally.additions if dry_run else tally.recorded
        raise typer.Exit(EXIT_INCOMPLETE if taken else EXIT_FAILED)


def _title(tally: RecordTally, left_out: int) -> str:
    if tally.recorded and tally.unchanged == tally.recorded:
        return _("Nothing new")
    return _("Recorded") if tally.recorded or not left_out else _("Nothing recorded")


def _bad(record: BadRecord) -> dict[str, object]:
    def facts(problem: Problem) -> dict[str, object]:
        return {"line": problem.line, "column": problem.field, "reason": problem.reason}

    return {
        "line": record.line,
        "record_id": record.record_id,
        "lines": record.lines,
        "problems": [facts(problem) for problem in record.problems],
    }


def _format(file: Path, given: ShipmentFormat) -> ShipmentFormat:
    if given is not ShipmentFormat.AUTO:
        return given
    file_format = _BY_ENDING.get(file.suffix.lower())
    if file_format is None:
        require_no_workbook(str(file))
        raise OptionError(_("{file}: its ending doesn't name a format; give --format csv or --format jsonl", file=file))
    return file_format


def _mapping(given: str, kind: ShipmentFormat) -> TableMapping | None:
    if not given:
        return None
    if kind is not ShipmentFormat.CSV:
        raise OptionError(_("--mapping is for columns of a CSV; {kind} has none", kind=kind))
    return SHIPMENT_MAPPINGS.named(given)
