"""`gateway evidence export`: proof of one alert, or of one answer about shipments, for whoever verifies it anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected, read_settings
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.short_ids import AlertArgument, alert_reference
from gateway.cli.values import reference
from gateway.errors import OptionError
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from gateway.client import GatewayClient
    from gateway.evidence.codec.bundle import Bundle
    from gateway.evidence.codec.bundle_entries import StepProof
    from gateway.v1.evidence_service_pb2 import EvidenceFile

RecipientOption = Annotated[str, typer.Option(help=_("Whose copy, when an own alert has several recipients."))]
AnswerOption = Annotated[
    str, typer.Option("--answer", metavar="QUERY", help=_("Instead of an alert: the answer to this query."))
]
RecordOption = Annotated[
    list[str] | None, typer.Option("--record", help=_("Record of the answer to put in; may be repeated. Else all."))
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help=_("A new folder, or one file when it ends in .zip; else ALERT.zip or QUERY.zip here.")),
]
FromDatabaseOption = Annotated[
    bool, typer.Option("--from-database", help=_("Read the node's database instead of asking the running gateway."))
]


@reports_errors
@connected
def export(
    target: Target,
    alert: AlertArgument = "",
    *,
    recipient: RecipientOption = "",
    answer: AnswerOption = "",
    record: RecordOption = None,
    out: OutOption = None,
    from_database: FromDatabaseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Export everything that proves one alert, or one answer about shipments. Role: officer, supervisor, auditor.

    The bundle verifies offline, with `gateway evidence verify` or by hand: its README.txt says how. Steps that don't
    fit go into further bundles, beside it: case-7-2.zip.

    \b
    Examples:
      gateway evidence export cn/019bbf30-0000-7000-8000-000000000000 --out case-7.zip
      gateway evidence export 019bbf30-0000-7000-8000-000000000000 --recipient hk --out case-7
      gateway evidence export --answer 019bbf30-0000-7000-8000-000000000000 --record HK-2026-17 --out told.zip

    \b
    Exit codes: 0 exported, 1 refused, unreachable or damaged, 2 wrong input or no such alert or answer here.
    """
    if bool(alert) == bool(answer) or (record and not answer) or (recipient and answer):
        raise OptionError(_("name either an ALERT, or --answer QUERY with --record where not all are wanted"))
    named = [*(record or [])]
    if answer:
        bundle, *further = [_answer(target, answer, named, from_database=from_database)]
    elif from_database:
        bundle, *further = _from_database(target.config, alert, recipient)
    else:
        bundle, *further = target.run(lambda client: _exported(client, alert, recipient))
    path = out or Path(f"{answer or alert.rpartition('/')[2]}.zip")
    from gateway.evidence.service.files import write_bundle  # noqa: PLC0415  # imports slowly

    more = [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(2, len(further) + 2)]
    for part, place in zip([bundle, *further], [path, *more], strict=True):
        write_bundle(part, place)
    output = Output(as_json)
    if answer:
        output.facts(
            _("Evidence"), {N_("Path"): path, N_("Files"): len(bundle.files), N_("Records"): _records_in(bundle)}
        )
        return
    unreceived = [step.name for step in _steps_in(bundle) if step.received_at is None]
    facts: dict[str, object] = {N_("Path"): path, N_("Files"): len(bundle.files), N_("Receipted"): not unreceived}
    facts |= {N_("Without receipt"): unreceived or None}
    output.facts(_("Evidence"), {**facts, N_("Further bundles"): more} if more else facts)
    if unreceived:
        output.warning(
            _(
                "there is no receipt yet of {steps}: this proves who said it, not that it was received",
                steps=", ".join(unreceived),
            )
        )


async def _exported(client: GatewayClient, alert: str, recipient: str) -> list[Bundle]:
    parts = client.evidence.export_parts(await alert_reference(client, alert), recipient=recipient)
    return [bundle_of(files) async for files in parts]


def _answer(target: Target, query_id: str, record_ids: list[str], *, from_database: bool) -> Bundle:
    if from_database:
        from gateway.node.maintenance import maintenance  # noqa: PLC0415  # imports slowly

        with maintenance(read_settings(target.config)) as opened:
            return opened.export_answer(query_id, record_ids)

    async def exported(client: GatewayClient) -> Bundle:
        files = await client.evidence.export_answer(query_id, record_ids=record_ids)
        return bundle_of(files)

    return target.run(exported)


def bundle_of(files: Iterable[EvidenceFile]) -> Bundle:
    """A bundle that came in files from the gateway."""
    from gateway.evidence.codec.bundle import Bundle  # noqa: PLC0415  # imports slowly

    return Bundle.of((file.name, file.content) for file in files)


def _steps_in(bundle: Bundle) -> tuple[StepProof, ...]:
    """What a bundle of an alert, made here just now, says of each step."""
    from gateway.evidence.codec.bundle import parts_of  # noqa: PLC0415  # imports slowly
    from gateway.evidence.codec.bundle_entries import read_entry, step_proofs  # noqa: PLC0415

    parts = parts_of(bundle)
    return step_proofs(read_entry(parts.alert), [read_entry(entry) for entry in parts.events])


def _records_in(bundle: Bundle) -> int:
    return sum(name.endswith("/record.binpb") for name in bundle.files)


def _from_database(config: Path, alert: str, recipient: str) -> list[Bundle]:
    from gateway.node.maintenance import maintenance  # noqa: PLC0415  # imports slowly

    settings = read_settings(config)
    named = reference(alert, settings.node)
    with maintenance(settings) as opened:
        return list(opened.export(publisher=named.publisher, alert_id=named.alert_id, recipient=recipient))
