"""`gateway alert publish`: publishes alerts from files, each once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from gateway.cli.alert.publish_one import not_sent, publish_one, read_one
from gateway.cli.connection import Target, connected
from gateway.cli.display.tables import DelimiterOption, EncodingOption, dialect_of, guess_noted, opened
from gateway.cli.doubts import DoubtTally, StrictOption
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, error_facts, reports_errors
from gateway.cli.values import (
    MAX_JSON_BYTES,
    as_dict,
    instant,
    read_json_bytes,
    recipients,
    value_of,
)
from gateway.contract.enum_words import choices
from gateway.contract.identification.identifiers import alert_doubts
from gateway.contract.validation import violations
from gateway.errors import GatewayError, InvalidRequestError, OptionError, RequestIdReusedError
from gateway.formats.alerts.alert_lines import AlertLine, RequestIds, everything_wrong, line_of, read_json_lines
from gateway.formats.alerts.csv_alerts import read_alert_csv
from gateway.formats.declarations.declarations import DECLARATION_MAPPINGS, DeclarationRow, read_declarations
from gateway.formats.foreign_files import require_no_workbook
from gateway.formats.json_messages import WAY_OUT
from gateway.formats.tables.layout import Problem
from gateway.formats.tables.lines import Dialect
from gateway.formats.wrong_lines import until_too_many_wrong
from gateway.risk.declaration_alerts import AlertTerms, ScreenedRows, declaration_alerts, declaration_rules
from gateway.translation.labels import published_word
from gateway.translation.messages import N_, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import Classification, OnwardTransfer, Priority, RequestedAction
from gateway.v1.alert_service_pb2 import PublishAlertRequest

if TYPE_CHECKING:
    from gateway.client import GatewayClient, PublishOutcome

EXIT_INCOMPLETE = 3
"""Some lines weren't published."""

MAX_PROBLEMS_SHOWN = 200
"""Lines listed in a table; --json has them all."""

DEFAULT_VALID_DAYS = 90


class AlertFormat(StrEnum):
    """Forms of input."""

    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    DECLARATIONS = "declarations"


_BY_ENDING = {
    ".json": AlertFormat.JSON,
    ".jsonl": AlertFormat.JSONL,
    ".ndjson": AlertFormat.JSONL,
    ".csv": AlertFormat.CSV,
}

Lines = Iterator[AlertLine | Problem]


@dataclass(slots=True)
class PublishTally:
    """Results of a file's lines."""

    published: list[dict[str, object]] = field(default_factory=list)
    known: list[dict[str, object]] = field(default_factory=list)
    refused: list[tuple[int, GatewayError]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)
    doubts: DoubtTally = field(default_factory=DoubtTally)

    def take(self, lines: Lines) -> Iterator[AlertLine]:
        """Lines that can be used; the others are noted."""
        for line in lines:
            if isinstance(line, Problem):
                self.problems.append(line)
                continue
            errors = self.doubts.note(line.line, alert_doubts(line.content))
            self.problems += [Problem(notice.line, notice.field, notice.reason) for notice in errors]
            if not errors:
                yield line

    def alerts(self, lines: Lines, to: list[str]) -> Iterator[PublishAlertRequest]:
        """Requests for the lines that can be used; the others are noted."""
        ids = RequestIds(to)
        for line in self.take(lines):
            self.waiting.append(line.line)
            yield PublishAlertRequest(request_id=ids.next(line.source), recipients=to, content=line.content)

    def note(self, outcome: PublishOutcome) -> None:
        """Takes the next result, in the order of requests."""
        line = self.waiting.popleft()
        if isinstance(outcome.refused, RequestIdReusedError) or outcome.published_before:
            alert_id = outcome.published.alert_id if outcome.published else ""
            self.known.append({"line": line, "alert_id": alert_id})
        elif outcome.refused is not None:
            self.refused.append((line, outcome.refused))
        else:
            self.published.append({"line": line, "alert_id": outcome.result().alert_id})


def _decided(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_("Declarations"))


FileArgument = Annotated[Path, typer.Argument(help=_("The file; - for standard input."), show_default=False)]
ToOption = Annotated[list[str], typer.Option("--to", help=_("Nodes it is for, e.g. hk,mo; may be repeated."))]
FormatOption = Annotated[
    AlertFormat | None, typer.Option("--format", help=_("By the file's ending without it: .json, .jsonl, .csv."))
]
RequestIdOption = Annotated[
    str | None, typer.Option(help=_("JSON: a UUID; the same id is published once, however often it is sent."))
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help=_("Print the alerts as JSON lines; publish nothing, need no gateway."))
]
MappingOption = Annotated[
    str, _decided(help=_("TOML file with the meaning of the columns, or the name of a packaged one."))
]
AsOfOption = Annotated[str, _decided(help=_("Assess all rows for this day, YYYY-MM-DD, and not for their own."))]
GoodsListOption = Annotated[Path | None, _decided(help=_("Own list of controlled goods, CSV."))]
AnnouncementsOption = Annotated[Path | None, _decided(help=_("Own announcements on export control, CSV."))]
LegalBasisOption = Annotated[str, _decided(help=_("On which the information is given. Mandatory."))]
PurposeOption = Annotated[str, _decided(help=_("As the agreement names it."))]
CaseOption = Annotated[str, _decided("--case", help=_("Case reference for all; else each its declaration's number."))]
PriorityOption = Annotated[str, _decided(help=f"{choices(Priority)}.")]
ActionOption = Annotated[str, _decided(help=f"{choices(RequestedAction)}.")]
ClassificationOption = Annotated[str, _decided(help=f"{choices(Classification)}.")]
OnwardTransferOption = Annotated[str, _decided(help=f"{choices(OnwardTransfer)}.")]
ValidUntilOption = Annotated[
    str,
    _decided(
        help=_(
            "When they expire, a time or 30d; else {days} days after today.",
            days=DEFAULT_VALID_DAYS,
        )
    ),
]


@reports_errors
@connected
def publish(
    target: Target,
    file: FileArgument,
    *,
    to: ToOption,
    file_format: FormatOption = None,
    strict: StrictOption = False,
    request_id: RequestIdOption = None,
    dry_run: DryRunOption = False,
    encoding: EncodingOption = "",
    delimiter: DelimiterOption = "",
    mapping: MappingOption = "import_declarations",
    as_of: AsOfOption = "",
    goods_list: GoodsListOption = None,
    announcements: AnnouncementsOption = None,
    legal_basis: LegalBasisOption = "",
    purpose: PurposeOption = "export_control",
    case_reference: CaseOption = "",
    priority: PriorityOption = "c",
    action: ActionOption = "inform",
    classification: ClassificationOption = "official",
    onward_transfer: OnwardTransferOption = "prohibited",
    valid_until: ValidUntilOption = "",
    as_json: JsonOption = False,
) -> None:
    """Publish alerts from a file; each is durable when it is counted as published. Role: publisher, supervisor.

    \b
    json          one alert: AlertContent of the contract
    jsonl         one such object a line
    csv           one alert a line; docs/integrating.md has the columns
    declarations  customs declarations; those of controlled goods become alerts

    Lines that can't be read or are refused are listed with number and reason; all others are published. Repeating a
    command, also with a corrected file, publishes nothing twice: a line's request id comes from its content. Each
    line's alert is printed with its id, and notices on doubtful identifiers; with --strict these are errors.

    \b
    Examples:
      gateway alert publish alert.json --to hk --system risk-engine
      gateway alert publish --format declarations export.csv --mapping ours.toml --to hk,mo
        --legal-basis "Arrangement 2024, article 7" --as-of 2026-01-15

    \b
    Exit codes: 0 all published, 1 refused or unreachable, 2 wrong input, 3 some lines weren't published.
    """
    nodes, output, kind = recipients(to), Output(as_json), _format(file, file_format)
    if kind is AlertFormat.JSON and not dry_run:
        content, broken = read_one(read_json_bytes(file), str(file))
        if broken:
            raise not_sent(target, output, content, broken, nodes)
        if errors := DoubtTally(strict).note(1, alert_doubts(content)):
            raise OptionError(
                "; ".join(notice.reason for notice in errors),
                way_out=_("Correct the file, or publish without --strict."),
            )
        return publish_one(target, output, content, nodes, request_id)
    if request_id and kind is not AlertFormat.JSON:
        raise OptionError(_("--request-id is for one alert; lines of a file have their own"))
    dialect = dialect_of(encoding, delimiter, is_table=kind in (AlertFormat.CSV, AlertFormat.DECLARATIONS))
    with opened(file, spooled=False) as stream, guess_noted(output, dialect):
        screened: ScreenedRows | None = None
        if kind is not AlertFormat.DECLARATIONS:
            lines = until_too_many_wrong(_READERS[kind](stream, dialect, str(file)), _problem_of)
        else:
            values = _values(priority, action, classification, onward_transfer, valid_until)
            terms = AlertTerms(legal_basis=legal_basis, purpose=purpose, case_reference=case_reference, **values)
            rules = declaration_rules(goods_list, announcements)
            day = _day(as_of) if as_of else None
            rows = until_too_many_wrong(_declarations(stream, file, dialect, terms, mapping=mapping), _problem_of)
            screened = ScreenedRows()
            lines = declaration_alerts(rows, rules, terms, as_of=day, screened=screened)
        tally = PublishTally(doubts=DoubtTally(strict))
        if dry_run:
            _print(output, tally, lines)
        else:
            _publish_lines(target, output, tally, lines, nodes)
    _report(output, tally, screened, dry_run=dry_run)


def _values(priority: str, action: str, classification: str, onward_transfer: str, valid_until: str) -> dict[str, Any]:
    return {
        "valid_until": instant(valid_until, "--valid-until") if valid_until else _default_expiry(),
        "priority": value_of(Priority, priority, "--priority"),
        "requested_action": value_of(RequestedAction, action, "--action"),
        "classification": value_of(Classification, classification, "--classification"),
        "onward_transfer": value_of(OnwardTransfer, onward_transfer, "--onward-transfer"),
    }


def _declarations(
    stream: BinaryIO, file: Path, dialect: Dialect, terms: AlertTerms, *, mapping: str
) -> Iterator[DeclarationRow | Problem]:
    if not terms.legal_basis:
        raise OptionError(_("--legal-basis: name the legal basis of the alerts"))
    return read_declarations(stream, DECLARATION_MAPPINGS.named(mapping), dialect, source=str(file))


def _problem_of(row: object) -> Problem | None:
    return row if isinstance(row, Problem) else None


def _one_json(stream: BinaryIO, _: Dialect, source: str) -> Lines:
    content, broken = read_one(stream.read(MAX_JSON_BYTES + 1), source)
    if broken:
        raise InvalidRequestError(everything_wrong(content, broken), way_out=WAY_OUT)
    yield line_of(1, content)


_READERS: Mapping[AlertFormat, Callable[[BinaryIO, Dialect, str], Lines]] = {
    AlertFormat.JSON: _one_json,
    AlertFormat.JSONL: lambda stream, *_: read_json_lines(stream),
    AlertFormat.CSV: lambda stream, dialect, source: read_alert_csv(stream, dialect, source=source),
}


def _publish_lines(target: Target, output: Output, tally: PublishTally, lines: Lines, nodes: list[str]) -> None:
    async def work(client: GatewayClient) -> None:
        with output.progress(_("Publishing")) as advance:
            async with aclosing(client.publish_many(tally.alerts(lines, nodes))) as outcomes:
                async for outcome in outcomes:
                    tally.note(outcome)
                    advance(1)

    target.run(work)


def _print(output: Output, tally: PublishTally, lines: Lines) -> None:
    for line in tally.take(lines):
        if broken := violations(line.content):
            tally.problems += [Problem(line.line, each.field, f"{each.field}: {each.message}") for each in broken]
            continue
        output.json_line({"line": line.line, "content": as_dict(line.content)})
        tally.published.append({"line": line.line})


def _report(output: Output, tally: PublishTally, screened: ScreenedRows | None, *, dry_run: bool) -> None:
    refused = [{"line": line, **error_facts(error)} for line, error in tally.refused]
    rows = [(problem.line, problem.reason) for problem in tally.problems]
    rows = sorted([*rows, *((line, error.message) for line, error in tally.refused)])
    if not dry_run:
        facts = {
            N_("Alerts published"): len(tally.published),
            N_("Published before"): len(tally.known),
            N_("Refused"): len(tally.refused),
            N_("Lines that can't be read"): len({problem.line for problem in tally.problems}),
        }
        data: dict[str, object] = {
            "published": tally.published,
            "published_before": tally.known,
            "refused": refused,
            "problems": tally.problems,
            "notices": tally.doubts.notices,
        }
        if screened is not None:
            facts[N_("Controlled codes, but from elsewhere")] = screened.elsewhere
            data["passed_over"] = asdict(screened)
        output.facts(published_word(), facts, data=data)
        _print_ids(output, tally)
    if screened is not None:
        _print_passed_over(output, screened, with_elsewhere=dry_run)
    tally.doubts.show(output)
    if rows and not output.as_json:
        shown = rows[:MAX_PROBLEMS_SHOWN]
        for line, reason in shown:
            output.note(_("Line {line}: {reason}", line=line, reason=reason))
        if len(rows) > len(shown):
            output.note(_("and {count} more; --json has them all", count=len(rows) - len(shown)))
    if rows:
        raise typer.Exit(EXIT_INCOMPLETE if tally.published or tally.known or tally.problems else EXIT_FAILED)


def _print_passed_over(output: Output, screened: ScreenedRows, *, with_elsewhere: bool) -> None:
    """Says which rows on the control list became no alerts."""
    if with_elsewhere and screened.elsewhere:
        output.note(
            ngettext(
                "{number} line has a controlled code, but its goods are from elsewhere: no alert.",
                "{number} lines have controlled codes, but their goods are from elsewhere: no alerts.",
                screened.elsewhere,
            )
        )
    if screened.places_unknown:
        output.note(
            ngettext(
                "{number} line has a controlled code, but neither origin nor departure, so it became no alert; "
                "[constants] of the mapping can give one for all lines.",
                "{number} lines have controlled codes, but neither origin nor departure, so they became no alerts; "
                "[constants] of the mapping can give one for all lines.",
                screened.places_unknown,
            )
        )
    if screened.licences_unknown:
        output.note(
            ngettext(
                "{number} line is an export with a controlled code, but the file doesn't say which licences were "
                "presented: no alert. The field licence of the mapping names their column.",
                "{number} lines are exports with controlled codes, but the file doesn't say which licences were "
                "presented: no alerts. The field licence of the mapping names their column.",
                screened.licences_unknown,
            )
        )


def _print_ids(output: Output, tally: PublishTally) -> None:
    """Prints the alert of each line for people."""
    for alert in tally.published[:MAX_PROBLEMS_SHOWN]:
        output.line(_("Line {line}: alert {alert_id}", **alert))
    for alert in tally.known[:MAX_PROBLEMS_SHOWN]:
        if alert["alert_id"]:
            output.line(_("Line {line}: alert {alert_id}, published before", **alert))
    left = max(0, len(tally.published) - MAX_PROBLEMS_SHOWN) + max(0, len(tally.known) - MAX_PROBLEMS_SHOWN)
    if left:
        output.note(_("and {count} more; --json has them all", count=left))


def _format(file: Path, given: AlertFormat | None) -> AlertFormat:
    file_format = given or _BY_ENDING.get(file.suffix.lower())
    if file_format is None:
        require_no_workbook(str(file))
        raise OptionError(
            _(
                "{file}: its ending doesn't name a format; give --format {formats}",
                file=file,
                formats=", ".join(AlertFormat),
            )
        )
    return file_format


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise OptionError(_("--as-of: {text!r} isn't a day YYYY-MM-DD", text=text)) from None


def _default_expiry() -> datetime:
    # by the day: a repeated command makes the same alerts
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=DEFAULT_VALID_DAYS), time(), UTC)
