"""Finds the rows of an import that would match so much that nobody could decide all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.errors import NotFoundError
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.v1.watchlist_pb2 import WatchlistReference
from gateway.v1.watchlist_service_pb2 import ImportRow

if TYPE_CHECKING:
    from gateway.cli.output import Output
    from gateway.client import GatewayClient


async def wide_rows(
    client: GatewayClient, output: Output, list_name: str, chosen: Sequence[ImportRow], number: int
) -> dict[str, int]:
    """Expected matches a day by id, of new entries that would match too much; says what all rows would match.

    Args:
        client: of the node whose list it is.
        output: where it is said.
        list_name: one of its lists.
        chosen: the rows to compare.
        number: of how many.
    """
    from gateway.client.estimates import import_cost  # noqa: PLC0415  # a command's start doesn't load the client

    cost = await import_cost(client.watchlist, list_name, chosen, number)
    if cost is None:
        output.warning(_("what the entries would match isn't known now"))
        return {}
    a_day = round(cost.per_day)
    output.note(ngettext("They would match {number} time a day.", "They would match {number} times a day.", a_day))
    return {
        entry_id: round(per_day)
        for entry_id, _matches, per_day in cost.heavy
        if not await _is_listed(client, WatchlistReference(publisher=client.node_name, list=list_name, id=entry_id))
    }


async def _is_listed(client: GatewayClient, entry: WatchlistReference) -> bool:
    """Whether an entry is in force: whoever put it there has decided on it."""
    try:
        return (await client.watchlist.get(entry)).HasField("entry")
    except NotFoundError:
        return False
