"""Decides whether what partners answered to history queries may be passed on in an alert: by their agreements.

As an alert's sources, the answers of all revisions count, through any number of own alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime

from gateway.errors import PermissionDeniedError
from gateway.trust.rules.directory import Directory
from gateway.trust.rules.message_types import MessageType
from gateway.v1 import alert_pb2

AnswerReleases = Callable[[str], AbstractSet[str]]
"""The nodes to which a node lets its answers be passed on."""


def no_releases(source: str) -> AbstractSet[str]:
    """For callers that know no agreements: unknown means none."""
    return frozenset()


def releases_of(
    directory: Directory,
    holder: str,
    purpose: str,
    at: datetime,
    *,
    message_type: MessageType = MessageType.HISTORY_RECORD,
) -> AnswerReleases:
    """What the agreements in force let a node pass on for a purpose: answers, or another type of message."""

    def released(source: str) -> AbstractSet[str]:
        return {
            node
            for node in directory.nodes
            if directory.may_pass_on(source, holder, node, at, message_type=message_type, purpose=purpose)
        }

    return released


def require_answers_may_go(
    contents: Iterable[alert_pb2.AlertContent],
    recipients: Collection[str],
    releases: AnswerReleases,
    *,
    own: str,
    handling: alert_pb2.Handling | None,
) -> None:
    """Raises unless the answers that these texts name may go to the recipients.

    Args:
        handling: of the alert that passes them on; None if it isn't an alert.

    Raises:
        PermissionDeniedError: a node doesn't allow it.
    """
    sources = {answer.node for content in contents for answer in content.derived_from_answers} - {own}
    for source in sorted(sources):
        third_nodes = [node for node in recipients if node != source]
        allowed = {source, *releases(source)} if third_nodes else frozenset()
        for recipient in third_nodes:
            if recipient not in allowed:
                raise PermissionDeniedError(
                    f"content.derived_from_answers: no agreement lets what {source} answered be passed on to "
                    f"{recipient}; leave it out, or agree on it in the directory",
                    metadata={"field": "content.derived_from_answers", "publisher": source, "recipient": recipient},
                )
        if third_nodes and handling is not None and not is_within(handling, allowed):
            raise PermissionDeniedError(
                f"content.handling.onward_transfer: it allows more than the agreement on what {source} answered; "
                "prohibit onward transfer, or list only nodes that the agreement lists",
                metadata={"field": "content.handling.onward_transfer", "publisher": source},
            )


def is_within(handling: alert_pb2.Handling, allowed: AbstractSet[str]) -> bool:
    """Whether a handling lets content go on to no other nodes."""
    if handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_LISTED:
        return allowed >= set(handling.onward_recipients)
    return handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_PROHIBITED
