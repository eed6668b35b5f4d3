"""Changes that take two persons, by command: their options, what came of a change, and the second person's decision."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer
from google.protobuf.message import Message

from gateway.cli.output import Output
from gateway.cli.short_ids import require_id, waiting_id
from gateway.cli.values import as_dict
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from gateway.cli.connection import Target
    from gateway.client import GatewayClient

ListedT = TypeVar("ListedT", bound=Message)

NoteOption = Annotated[str, typer.Option(help=_("A note for the second person."))]


@dataclass(frozen=True, slots=True)
class ProposalCommands(Generic[ListedT]):
    """The proposals of one group of commands.

    Attributes:
        group: of the commands, e.g. "licence".
        waiting: those that wait for a decision.
        id_of: a proposal's id.
        send: the client's method that decides.
    """

    group: str
    waiting: Callable[[GatewayClient], AsyncGenerator[ListedT, None]]
    id_of: Callable[[ListedT], str]
    send: Callable[[GatewayClient], Callable[..., Awaitable[Any]]]

    def decide(
        self, target: Target, proposal: str, *, approve: bool, remarks: str, request_id: str | None
    ) -> tuple[str, Any]:
        """Decides about a proposal, named also by its beginning: its id, and the answer."""
        require_id(
            proposal,
            _("{proposal!r} isn't a proposal's id", proposal=proposal),
            way_out=_("`{command}` shows those that wait.", command=self._command("proposals")),
        )

        async def work(client: GatewayClient) -> tuple[str, Any]:
            whole = await waiting_id(self.waiting(client), self.id_of, proposal)
            return whole, await self.send(client)(whole, approve=approve, remarks=remarks, request_id=request_id)

        return target.run(work)

    def _command(self, *words: str) -> str:
        return " ".join(("gateway", self.group, *words))

    def print_changed(
        self,
        as_json: bool,
        title: str,
        response: Any,
        facts: dict[str, object],
        *,
        first: dict[str, object],
        **named: str,
    ) -> None:
        """Prints what came of a change: a proposal with the command that approves it, or the change itself.

        Args:
            title: where it has taken effect.
            facts: behind the proposal; `first` stand before it.
            named: what was changed, for JSON beside the answer.
        """
        output = Output(as_json)
        proposed = {N_("Proposal"): response.proposal_id} if response.proposal_id else {}
        title = _("Proposed") if response.proposal_id else title
        output.facts(title, {**first, **proposed, **facts}, data={**named, **as_dict(response)})
        if response.proposal_id:
            command = self._command("approve", response.proposal_id)
            output.note(_("It takes effect when another person approves it: {command}", command=command))

    def print_waiting(
        self, target: Target, row: Callable[[ListedT], tuple[object, ...]], subject: str, *, names: bool, as_json: bool
    ) -> None:
        """Prints those that wait, with a column named `subject` for what they change; with `names` their ids alone."""

        async def work(client: GatewayClient) -> list[ListedT]:
            return [listed async for listed in self.waiting(client)]

        listed = target.run(work)
        output = Output(as_json)
        if names:
            output.names(map(self.id_of, listed))
            return
        columns = (N_("Proposal"), subject, *marked("Change", "By", "When", "Note"))
        output.table(_("Proposals"), columns, map(row, listed), data=[as_dict(one) for one in listed])


def decided(approve: bool) -> str:
    """The title of what came of a decision."""
    return _("Approved") if approve else _("Rejected")
