"""`gateway alert finding`, and what corrects and withdraws one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.alert.commands import RevisionOption, StepDone, done, taken
from gateway.cli.alert.digests import digests_of
from gateway.cli.alert.measures import MeasureOption, measures_of
from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, reports_errors
from gateway.cli.short_ids import AlertArgument, alert_reference
from gateway.cli.values import RequestIdOption, instant, read_message, timestamp, value_of
from gateway.contract.enum_words import choices
from gateway.contract.findings import ReportedFinding, reference_of, standing_findings
from gateway.errors import NotFoundError, OptionError
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.v1.alert_pb2 import AlertFinding, AlertReference, FindingResult

if TYPE_CHECKING:
    from gateway.client import GatewayClient

ResultOption = Annotated[str, typer.Option("--result", help=_("Result: {results}.", results=choices(FindingResult)))]
InspectedOption = Annotated[str, typer.Option("--inspected-at", help=_("When, a time with its zone; now without it."))]
MethodOption = Annotated[
    list[str] | None, typer.Option("--method", help=_("x_ray, physical, laboratory, document; may be repeated."))
]
PlaceOption = Annotated[str, typer.Option("--unlocode", help=_("Where, UN/LOCODE, e.g. HKHKG."))]
RemarksOption = Annotated[str, typer.Option("--remarks", help=_("In words."))]
EvidenceOption = Annotated[
    list[Path] | None,
    typer.Option("--evidence", help=_("File that stays here and whose digest is sent; may be repeated."), exists=True),
]
DetailsOption = Annotated[
    Path | None,
    typer.Option(
        "--details", help=_("More of it, e.g. goods_found: an AlertFinding as JSON; options win."), exists=True
    ),
]
ConfirmMassOption = Annotated[
    bool, typer.Option("--confirm-mass", help=_("More was found than the alert's goods weigh, and weighed again."))
]
FindingOption = Annotated[
    int,
    typer.Option("--finding", help=_("Which, where several stand: its number in `gateway alert show`."), min=0),
]
WhyOption = Annotated[str, typer.Option("--reason", help=_("Why, for the publisher's officers."))]


@reports_errors
@connected
def finding(
    target: Target,
    alert: AlertArgument,
    *,
    result: ResultOption,
    inspected_at: InspectedOption = "",
    method: MethodOption = None,
    unlocode: PlaceOption = "",
    remarks: RemarksOption = "",
    evidence: EvidenceOption = None,
    details: DetailsOption = None,
    measure: MeasureOption = None,
    confirm_mass: ConfirmMassOption = False,
    revision: RevisionOption = None,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report the result of an inspection to the publisher of a partner's alert. Role: officer, supervisor.

    `gateway alert correct-finding` and `withdraw-finding` change it afterwards.

    \b
    Example:
      gateway alert finding cn/019bbf30-0000-7000-8000-000000000000 --result confirmed --method x_ray
        --unlocode HKHKG --remarks "Antimony ingots, 99.65 %" --evidence photo.jpg --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    report = _finding(
        details,
        result=result,
        inspected_at=inspected_at,
        methods=method,
        unlocode=unlocode,
        remarks=remarks,
        evidence=evidence,
        measures=measure,
        confirm_mass=confirm_mass,
        revision=revision,
    )
    if not inspected_at:
        report.inspected_at.CopyFrom(timestamp(datetime.now(UTC)))

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        report.alert.CopyFrom(key)
        return key, await client.report_finding(report, request_id=request_id)

    done(as_json, _("Reported"), taken(target, alert, work))


@reports_errors
@connected
def correct_finding(
    target: Target,
    alert: AlertArgument,
    *,
    reason: WhyOption,
    number: FindingOption = 0,
    result: ResultOption = "",
    inspected_at: InspectedOption = "",
    method: MethodOption = None,
    unlocode: PlaceOption = "",
    remarks: RemarksOption = "",
    evidence: EvidenceOption = None,
    details: DetailsOption = None,
    measure: MeasureOption = None,
    confirm_mass: ConfirmMassOption = False,
    revision: RevisionOption = None,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Correct a finding of this node, also after the alert's end: figures follow. Role: officer, supervisor.

    What no option says stays as it was reported; an option that may be repeated, and --details, replace all of theirs.
    A partner with an earlier release holds the correction, shows the finding as it was, and applies it after its
    upgrade.

    \b
    Example:
      gateway alert correct-finding cn/019bbf30-0000-7000-8000-000000000000 --measure seized:Sb:125.5
        --reason "The scale showed pounds" --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    changes = _finding(
        details,
        result=result,
        inspected_at=inspected_at,
        methods=method,
        unlocode=unlocode,
        remarks=remarks,
        evidence=evidence,
        measures=measure,
        confirm_mass=confirm_mass,
        revision=revision,
    )

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        known = await _own_finding(client, key, number)
        right = _with_changes(known.finding, changes)
        place = reference_of(known.place)
        return key, await client.correct_finding(place, right, reason=reason, request_id=request_id)

    done(as_json, _("Corrected"), taken(target, alert, work))


@reports_errors
@connected
def withdraw_finding(
    target: Target,
    alert: AlertArgument,
    *,
    reason: WhyOption,
    number: FindingOption = 0,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw a finding of this node, also after the alert's end: figures follow. Role: officer, supervisor.

    \b
    Example:
      gateway alert withdraw-finding cn/019bbf30-0000-7000-8000-000000000000 --reason "Another container was opened"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        place = reference_of((await _own_finding(client, key, number)).place)
        return key, await client.withdraw_finding(key, place, reason=reason, request_id=request_id)

    done(as_json, _("Withdrawn"), taken(target, alert, work))


async def _own_finding(client: GatewayClient, key: AlertReference, number: int) -> ReportedFinding:
    """This node's finding on an alert that stands: the only one, or that of a number.

    Raises:
        NotFoundError: there is none.
        OptionError: there are several.
    """
    history = (await client.get_alert(key)).history
    standing = [each for each in standing_findings(history) if each.reporter == client.node_name]
    wanted = [each for each in standing if number in (0, each.number)]
    if not wanted:
        raise NotFoundError(
            _("{alert}: no such finding of this node stands", alert=f"{key.publisher}/{key.alert_id}"),
            way_out=_("`gateway alert show` lists them; report what was found with `gateway alert finding`."),
        )
    if len(wanted) > 1:
        numbers = listed(str(each.number) for each in wanted)
        raise OptionError(
            _("several findings stand: {numbers}", numbers=numbers), way_out=_("Say which with --finding.")
        )
    return wanted[0]


def _with_changes(finding: AlertFinding, changes: AlertFinding) -> AlertFinding:
    """A finding with the fields that are set in another."""
    right = AlertFinding()
    right.CopyFrom(finding)
    for field, _value in changes.ListFields():
        right.ClearField(field.name)  # type: ignore[arg-type]  # a name of the message's own
    right.MergeFrom(changes)
    return right


def _finding(
    details: Path | None,
    *,
    result: str,
    inspected_at: str,
    methods: list[str] | None,
    unlocode: str,
    remarks: str,
    evidence: list[Path] | None,
    measures: list[str] | None,
    confirm_mass: bool,
    revision: int | None,
) -> AlertFinding:
    """What --details and the other options say, and nothing else."""
    report = read_message(details, AlertFinding) if details else AlertFinding()
    report.methods.extend(methods or ())
    report.evidence.extend(digests_of(evidence or ()))
    report.measures.extend(measures_of(measures))
    if result:
        report.result = value_of(FindingResult, result, "--result")
    if inspected_at:
        report.inspected_at.CopyFrom(timestamp(instant(inspected_at, "--inspected-at")))
    if unlocode:
        report.place.unlocode, report.place.territory = unlocode, unlocode[:2]
    if remarks:
        report.remarks = remarks
    if confirm_mass:
        report.mass_confirmed = True
    if revision:
        report.revision = revision
    return report
