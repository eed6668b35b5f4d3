"""`gateway history trace`: one consignment's way over the territories, with its contradictions."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson

from gateway.cli.connection import Target, connected
from gateway.cli.files import write_output
from gateway.cli.history.criteria import TRACED, with_criteria, with_grounds
from gateway.cli.history.search import EXIT_PARTLY_ANSWERED, WAIT_S, NodeOption, TimeoutOption, WaitOption
from gateway.cli.history.values import ANSWERED, answer_line
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.pdf import pdf_of, require_browser
from gateway.cli.values import as_dict, recipients
from gateway.errors import OptionError
from gateway.translation.messages import LANGUAGES, environment_language, in_language, known_language
from gateway.translation.messages import gettext as _
from gateway.translation.plain_text import printable_json
from gateway.v1.history_pb2 import NodeAnswer, QueryGrounds, SearchCriteria
from gateway.v1.history_service_pb2 import TraceConsignmentResponse
from gateway.v1.trace_pb2 import DraftAlert, Trace

HtmlOption = Annotated[Path | None, typer.Option("--html", help=_("Write the report into this file too."))]
PdfOption = Annotated[
    Path | None, typer.Option("--pdf", help=_("Write it as a PDF too, by the Chromium of this machine."))
]
DraftOption = Annotated[
    Path | None, typer.Option("--draft", help=_("Write a draft alert of the contradictions into this file."))
]
DraftRulesOption = Annotated[
    list[str] | None,
    typer.Option("--draft-rule", help=_("Draft it from the findings of this rule alone; may be repeated.")),
]
ReplaceOption = Annotated[bool, typer.Option("--replace", help=_("Replace these files where they exist."))]

LanguageOption = Annotated[
    str,
    typer.Option(
        "--language",
        help=_(
            "Language of the report: {languages}; without it, that of the environment.", languages=", ".join(LANGUAGES)
        ),
    ),
]


@reports_errors
@connected
@with_grounds
@with_criteria(TRACED)
def trace(
    target: Target,
    criteria: SearchCriteria,
    grounds: QueryGrounds,
    *,
    nodes: NodeOption = None,
    partner_timeout: TimeoutOption = 0.0,
    wait_indexed: WaitOption = WAIT_S,
    html: HtmlOption = None,
    pdf: PdfOption = None,
    draft: DraftOption = None,
    draft_rules: DraftRulesOption = None,
    replace: ReplaceOption = False,
    language: LanguageOption = "",
    as_json: JsonOption = False,
) -> None:
    """Trace one consignment from any reference of it across all nodes. Role: officer, analyst, supervisor.

    Records are linked by containers, seals, UCR, documents, vehicles, parties, quantity and time; each link has a
    reason. Of a container's trips the newest is traced; with --from and --until the trace begins with the newest record
    that was declared then, and takes in linked records of any time.

    The draft is the alert's content with subject, goods, route and rule hits; complete the fields that are named and
    publish it with `gateway alert publish`. Partners that may not learn the same get drafts of their own, in files
    named like draft-mo.json.

    \b
    Examples:
      gateway history trace --ucr 6CN9144030071526726XG-1 --html case-17.html --language zh-Hant
        --purpose export_control --legal-basis "CEPA art. 5" --case SZ-2026-17
      gateway history trace --container CSQU3054383 --from 2026-01-10 --until 2026-01-20 --draft draft.json
        --purpose export_control --legal-basis "CEPA art. 5" --case SZ-2026-17

    \b
    Exit codes: 0 every node answered, also when nothing was found, 1 refused or unreachable, 2 wrong input,
    3 not every node answered, or records aren't indexed yet: the answers are shown.
    """
    output, tag = Output(as_json), known_language(language) if language else environment_language()
    _require_new([path for path in (html, pdf, draft) if path is not None], replace=replace)
    browser = require_browser() if pdf is not None else None
    response = target.run(
        lambda client: client.history.trace(
            criteria,
            grounds,
            nodes=recipients(nodes, "--node") if nodes else [],
            partner_timeout_ms=round(partner_timeout * 1000),
            draft_alert=draft is not None,
            draft_rules=draft_rules or [],
            wait_indexed_s=wait_indexed,
        )
    )
    _show(output, response, criteria, grounds)
    if not response.trace.legs:
        for path in filter(None, (html, pdf, draft)):
            output.warning(_("{path} wasn't written: no record of this consignment was found", path=path))
    else:
        if html is not None or pdf is not None:
            report = _report(response.trace, criteria, grounds, tag)
            printed = pdf_of(report, browser) if browser is not None else b""
            _write(output, html, report, replace=replace)
            _write(output, pdf, printed, replace=replace)
        if draft is not None:
            _write_drafts(output, response, draft, replace=replace)
    _exit_if_unanswered(output, response)


def _write(output: Output, file: Path | None, content: bytes, *, replace: bool) -> None:
    if file is not None:
        write_output(file, content, replace=replace)
        output.note(_("Written: {path}", path=file))


def _exit_if_unanswered(output: Output, response: TraceConsignmentResponse) -> None:
    missing = unanswered(response.trace)
    for answer in missing:
        output.warning(_("{answer}; records of this node may be missing", answer=answer_line(answer)))
    if missing:
        raise typer.Exit(EXIT_PARTLY_ANSWERED)


def _require_new(paths: Sequence[Path], *, replace: bool) -> None:
    for path in paths:
        if path.exists() and not replace:
            raise OptionError(_("{path} exists already: choose another file, or --replace it", path=path))


def unanswered(trace: Trace) -> list[NodeAnswer]:
    """The last answer of each node that lacks records: it ended otherwise, or not all are indexed yet."""
    incomplete: dict[str, NodeAnswer] = {}
    for answer in trace.answers:
        if answer.status not in ANSWERED or answer.unindexed:
            incomplete[answer.node] = answer
    return list(incomplete.values())


def _show(output: Output, response: TraceConsignmentResponse, criteria: SearchCriteria, grounds: QueryGrounds) -> None:
    if output.as_json:
        output.json(as_dict(response))
        return
    from gateway.cli.history.trace_terminal import render_terminal  # noqa: PLC0415  # imports slowly

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((120, 40)).columns
    output.drawing(render_terminal(response.trace, grounds, criteria=criteria, width=width, colour=colour))


def _report(trace: Trace, criteria: SearchCriteria, grounds: QueryGrounds, language: str) -> bytes:
    from gateway.tracing.report.html import render_html  # noqa: PLC0415  # imports slowly

    with in_language(language):
        return render_html(trace, grounds, criteria=criteria, made_at=datetime.now(UTC)).encode()


def _write_drafts(output: Output, response: TraceConsignmentResponse, path: Path, *, replace: bool) -> None:
    if not response.drafts:
        output.warning(_("no draft was written to {path}: there are no contradictions for it", path=path))
        return
    files = draft_files(path, response.drafts)
    _require_new([file for file, _draft in files], replace=replace)
    for file, draft in files:
        _write(output, file, draft_text(draft), replace=replace)
        for field in draft.to_complete:
            output.note(_("To complete before it is published: {field}", field=field))
        to = ",".join(draft.recipients) or "NODE"
        output.note(_("Then: gateway alert publish {path} --to {to}", path=file, to=to))


def draft_files(path: Path, drafts: Sequence[DraftAlert]) -> list[tuple[Path, DraftAlert]]:
    """A file for each draft: the path for the only one, else with the recipients in its name."""
    if len(drafts) == 1:
        return [(path, drafts[0])]
    return [(path.with_stem("-".join([path.stem, *draft.recipients])), draft) for draft in drafts]


def draft_text(draft: DraftAlert) -> bytes:
    """The draft's content as a file that `gateway alert publish` reads."""
    document = MessageToJson(draft.content, preserving_proto_field_name=True, ensure_ascii=False)
    return (printable_json(document) + "\n").encode()
