"""Completes ids that are given by their beginning, as tables show them."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gateway.cli.values import reference
from gateway.contract.ids import begins_uuid, is_node_name, is_uuid
from gateway.errors import NotFoundError, OptionError
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.v1.alert_pb2 import AlertReference

if TYPE_CHECKING:
    from gateway.client import GatewayClient

ListedT = TypeVar("ListedT")

AlertArgument = Annotated[
    str,
    typer.Argument(metavar="ALERT", help=_("PUBLISHER/ID, or the id alone; also shortened."), show_default=False),
]
"""An alert that `alert_reference` completes."""

LEAST_CHARS = 4
"""Shortest beginning that is looked for."""

MOST_NAMED = 5
"""Ids that an error names when several begin alike."""

_DIGEST_BEGINNING = re.compile(rf"[0-9a-f]{{{LEAST_CHARS},64}}")


async def alert_reference(client: GatewayClient, text: str) -> AlertReference:
    """A reference from PUBLISHER/ID or the id alone, each also by its beginning.

    Raises:
        OptionError: it doesn't name an alert, or several begin alike.
        NotFoundError: none begins like this.
    """
    publisher, _slash, beginning = text.rpartition("/")
    if is_uuid(beginning) and publisher:
        return reference(text, client.node_name)
    if not begins_uuid(beginning, least=LEAST_CHARS) or (publisher and not is_node_name(publisher)):
        return reference(text, client.node_name)
    of_publisher = f'publisher = "{publisher}" AND ' if publisher else ""
    async with aclosing(client.list_alerts(filter=of_publisher + _range("alert_id", beginning))) as found:
        names = (f"{summary.alert.publisher}/{summary.alert.id}" async for summary in found)
        if is_uuid(beginning):  # one that isn't projected yet is an alert of this node
            listed_names = [name async for name in names]
            return reference(only(listed_names, text) if listed_names else text, client.node_name)
        return reference(await _only(names, text), client.node_name)


async def question_id(client: GatewayClient, alert: AlertReference, text: str) -> str:
    """The id of an open question of an alert, also by its beginning; raises as `alert_reference`."""
    if not _is_beginning(text):
        return text
    deliveries = (await client.get_alert(alert)).deliveries
    asked = [each for delivery in deliveries for each in delivery.open_question_ids]
    return only([each for each in asked if each.startswith(text)], text)


async def match_id(client: GatewayClient, text: str) -> str:
    """A match's id, also by its beginning; raises as `alert_reference`."""
    if not _is_beginning(text):
        return text
    async with aclosing(client.screening.matches(filter=_range("match_id", text))) as found:
        return await _only((match.match_id async for match in found), text)


async def hit_id(client: GatewayClient, reporter: str, text: str) -> str:
    """A hit's id, also by its beginning; raises as `alert_reference`."""
    if not _is_beginning(text):
        return text
    terms = f'reporter = "{reporter}" AND {_range("hit_id", text)}'
    async with aclosing(client.screening.hits(filter=terms)) as found:
        return await _only((listed_hit.hit.hit_id async for listed_hit in found), text)


async def waiting_id(waiting: AsyncGenerator[ListedT, None], id_of: Callable[[ListedT], str], text: str) -> str:
    """The id of something that waits, also by its beginning; raises as `alert_reference`."""
    if not _is_beginning(text):
        return text
    async with aclosing(waiting) as found:
        ids = [id_of(each) async for each in found]
    return only([each for each in ids if each.startswith(text)], text)


async def hold_id(client: GatewayClient, text: str) -> str:
    """A hold's id, also by its beginning; raises as `alert_reference`."""
    if not _is_beginning(text):
        return text
    holds = await client.history.holds(released=True)
    return only([hold.hold_id for hold in holds if hold.hold_id.startswith(text)], text)


def file_digest(found: Iterable[bytes], text: str) -> bytes:
    """The only one of these digests that begins like this in hexadecimal; raises as `alert_reference`."""
    return bytes.fromhex(only([one for one in (each.hex() for each in found) if one.startswith(text)], text))


def is_digest_beginning(text: str) -> bool:
    """Whether a SHA-256 in hexadecimal may begin like this."""
    return _DIGEST_BEGINNING.fullmatch(text) is not None


def only(ids: list[str], text: str) -> str:
    """The only one of these ids; raises as `alert_reference`."""
    distinct = list(dict.fromkeys(ids))
    if not distinct:
        raise NotFoundError(_("{text}: nothing here has an id that begins like this", text=text))
    if len(distinct) > 1:
        raise OptionError(
            _("{text} is the beginning of several ids: {ids}", text=text, ids=listed(distinct[:MOST_NAMED])),
            way_out=_("Give more characters of the id."),
        )
    return distinct[0]


def require_id(text: str, problem: str, *, way_out: str) -> None:
    """Raises OptionError for a text that neither is an id nor begins one."""
    if not is_uuid(text) and not _is_beginning(text):
        raise OptionError(problem, way_out=way_out)


def _is_beginning(text: str) -> bool:
    return not is_uuid(text) and begins_uuid(text, least=LEAST_CHARS)


def _range(field: str, beginning: str) -> str:
    """Conditions that an id begins like this; no character of an id sorts after z."""
    return f'{field} >= "{beginning}" AND {field} <= "{beginning}z"'


async def _only(found: AsyncIterable[str], text: str) -> str:
    ids: list[str] = []
    async for each in found:
        if each not in ids:
            ids.append(each)
        if len(ids) > MOST_NAMED:
            break
    return only(ids, text)
