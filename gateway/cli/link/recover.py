"""`gateway recover`: own feeds come back from partners after a restore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.node.restores import show_losses
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, reports_errors
from gateway.cli.values import as_dict
from gateway.errors import EpochNeededError
from gateway.translation.condition_texts import condition_text
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from gateway.client import GatewayClient
    from gateway.client.recovery import RecoveredFeed
    from gateway.v1.node_service_pb2 import Restore


@reports_errors
@connected
def recover(
    target: Target,
    feed: Annotated[
        str | None,
        typer.Argument(
            metavar="FEED", help=_("Name of one feed, as `gateway link list` shows it."), show_default=False
        ),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Fetch own entries back from partners, after this database was restored from an old backup. Role: operator.

    Until then the node refuses to publish on a feed: the partner has more of it than the node. Recovered entries that
    depend on entries of the partner wait for these, which the link delivers. When both sides have lost the entries
    that others wait for, the others are applied without them. Own lists take over what partners' copies say. Lost
    entries that may have left this node are never signed again: EPOCH_NEEDED says how the feed goes on.

    Without FEED all own feeds are recovered, and the losses of the last restore are shown.

    \b
    Examples:
      gateway recover --system ops
      gateway recover gba.customs.example/cn/hk/alerts --system ops
      gateway link recover gba.customs.example/cn/hk/alerts --system ops

    \b
    Exit codes: 0 done, 1 refused, unreachable, the entries don't verify or a feed is still blocked, 2 wrong input.
    """
    output = Output(as_json)
    if feed is None:
        _recover_all(target, output)
    else:
        _recover_one(target, output, feed)


def _recover_all(target: Target, output: Output) -> None:
    async def work(client: GatewayClient) -> tuple[list[RecoveredFeed], list[Restore]]:
        recovered = await client.node.recover_all()
        return recovered, list((await client.node.status()).restores)

    feeds, restores = target.run(work)
    if output.as_json:
        output.json({"feeds": feeds, "restores": [as_dict(restore) for restore in restores]})
    else:
        output.table(
            _("Recovered"),
            marked(
                "Feed", "Fetched back", "Size", "Lost", "Waiting", "Applied without what they follow", "Blocked because"
            ),
            [
                (
                    one.feed.partition("/")[2],
                    one.recovered,
                    one.size,
                    one.lost,
                    one.waiting,
                    one.forced,
                    condition_text(one.problem),
                )
                for one in feeds
            ],
            minor=marked("Applied without what they follow"),
        )
        if restores:
            show_losses(output, restores[-1])
    _note_lost(output, sum(one.lost for one in feeds))
    _note_forced(output, sum(one.forced for one in feeds))
    if any(one.problem for one in feeds):
        if any(one.problem.startswith(EpochNeededError.reason) for one in feeds):
            output.note(_(EpochNeededError.way_out))
        else:
            output.note(_("Run it again when the partners of the blocked feeds can be reached."))
        raise typer.Exit(EXIT_FAILED)


def _recover_one(target: Target, output: Output, feed: str) -> None:
    response = target.run(lambda client: client.node.recover_feed(feed))
    output.facts(
        _("Recovered"),
        {
            N_("Feed"): feed,
            N_("Entries fetched back"): response.recovered,
            N_("Size now"): response.size,
            N_("Entries that still wait"): response.waiting,
            N_("Entries applied without what they follow"): response.forced,
            N_("Entries that nobody holds any more"): response.lost,
        },
    )
    _note_lost(output, response.lost)
    if response.waiting:
        output.note(_("Entries wait for entries of the partner, which the link delivers; publishing resumes then."))
    _note_forced(output, response.forced)


def _note_lost(output: Output, lost: int) -> None:
    if lost:
        output.note(
            _(
                "This node had signed entries that no partner holds: they are lost. Publish them again from the "
                "systems that sent them; the audit log has this decision."
            )
        )


def _note_forced(output: Output, forced: int) -> None:
    if forced:
        output.note(
            _(
                "Both sides have lost entries that others follow. Compare the alerts of these days with the "
                "partner; the gateway's log has the numbers."
            )
        )
