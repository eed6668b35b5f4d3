"""`gateway licence publish|amend|withdraw|approve|reject`: changes of own licences, and decisions about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.licence.values import NumberArgument, today
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.proposals import NoteOption, ProposalCommands, decided
from gateway.cli.values import RequestIdOption, read_message
from gateway.translation.labels import published_word
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.licence_pb2 import LicenceContent
from gateway.v1.licence_service_pb2 import ListedLicenceProposal

if TYPE_CHECKING:
    pass

PROPOSALS: Final[ProposalCommands[ListedLicenceProposal]] = ProposalCommands(
    "licence",
    waiting=lambda client: client.licences.proposals(),
    id_of=lambda listed: listed.proposal.proposal_id,
    send=lambda client: client.licences.decide,
)
ProposalArgument = Annotated[
    str, typer.Argument(metavar="PROPOSAL", help=_("Its id, as `gateway licence proposals` shows it."))
]
ContentArgument = Annotated[Path, typer.Argument(help=_("The content: LicenceContent as JSON; - for standard input."))]
RevisionOption = Annotated[int, typer.Option(help=_("The revision that was read."), min=1)]
EffectiveOption = Annotated[
    str, typer.Option("--effective", help=_("First day that it is for, e.g. 2026-02-01; today without it."))
]


@reports_errors
@connected
def publish(
    target: Target,
    file: ContentArgument,
    *,
    number: Annotated[str, typer.Option(help=_("Number of the licence as printed."))],
    note: NoteOption = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish an own licence to those whom it concerns. Role: publisher, supervisor.

    It takes effect when another person has approved it, or at once where the settings need no four eyes. Many licences:
    `gateway licence import`.

    \b
    Example:
      gateway licence publish licence.json --number CN-2026-0001 --system risk-engine

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    content = read_message(file, LicenceContent)
    response = target.run(lambda client: client.licences.publish(number, content, note=note, request_id=request_id))
    _print(as_json, published_word(), number, response)


@reports_errors
@connected
def amend(
    target: Target,
    file: ContentArgument,
    *,
    number: Annotated[str, typer.Option(help=_("Number of the licence as printed."))],
    revision: RevisionOption = 1,
    effective: EffectiveOption = "",
    note: NoteOption = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Amend an own licence: uses from a day on are compared with the new content. Role: publisher, supervisor.

    `gateway licence show NUMBER --json` has the content to start from. Parties and lines of goods can be added and not
    taken away.

    \b
    Example:
      gateway licence amend licence.json --number CN-2026-0001 --revision 1 --effective 2026-02-01

    \b
    Exit codes: 0 done, 1 refused, unreachable or not the current revision, 2 wrong input.
    """
    content = read_message(file, LicenceContent)
    response = target.run(
        lambda client: client.licences.amend(
            number, revision, content, effective_on=effective or today(), note=note, request_id=request_id
        )
    )
    _print(as_json, _("Amended"), number, response)


@reports_errors
@connected
def withdraw(
    target: Target,
    number: NumberArgument,
    *,
    reason: Annotated[str, typer.Option(help=_("Why, for the partners that may know it. Mandatory."))],
    revision: RevisionOption = 1,
    effective: EffectiveOption = "",
    note: NoteOption = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw an own licence: uses from a day on are no longer covered. Role: publisher, supervisor.

    \b
    Example:
      gateway licence withdraw CN-2026-0001 --reason "The holder has closed" --effective 2026-03-01

    \b
    Exit codes: 0 done, 1 refused, unreachable or not the current revision, 2 wrong input.
    """
    response = target.run(
        lambda client: client.licences.withdraw(
            number, revision, effective_on=effective or today(), reason=reason, note=note, request_id=request_id
        )
    )
    _print(as_json, _("Withdrawn"), number, response)


@reports_errors
@connected
def approve(
    target: Target,
    proposal: ProposalArgument,
    *,
    remarks: Annotated[str, typer.Option(help=_("In words, for the record."))] = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a change of somebody else: it takes effect. Role: supervisor.

    \b
    Example:
      gateway licence approve 019bbf30-0000-7000-8000-000000000000 --system supervisors

    \b
    Exit codes: 0 done, 1 refused, unreachable or the licence has changed since, 2 wrong input or decided before.
    """
    _decide(target, proposal, approve=True, remarks=remarks, request_id=request_id, as_json=as_json)


@reports_errors
@connected
def reject(
    target: Target,
    proposal: ProposalArgument,
    *,
    remarks: Annotated[str, typer.Option(help=_("Why, in words. Mandatory."))],
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reject a change, or take an own one back: it has no effect. Role: supervisor.

    \b
    Example:
      gateway licence reject 019bbf30-0000-7000-8000-000000000000 --remarks "The consignee isn't named"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or decided before.
    """
    _decide(target, proposal, approve=False, remarks=remarks, request_id=request_id, as_json=as_json)


def _decide(
    target: Target, proposal: str, *, approve: bool, remarks: str, request_id: str | None, as_json: bool
) -> None:
    whole, response = PROPOSALS.decide(target, proposal, approve=approve, remarks=remarks, request_id=request_id)
    facts = {N_("Proposal"): whole, N_("Licence"): f"{response.licence.issuer}/{response.licence.number}"}
    Output(as_json).facts(decided(approve), facts)


def _print(as_json: bool, title: str, name: str, response: Any) -> None:
    entry = f"{response.entry.origin}#{response.entry.index}"
    PROPOSALS.print_changed(as_json, title, response, {N_("Entry"): entry}, first={N_("Licence"): name}, number=name)
