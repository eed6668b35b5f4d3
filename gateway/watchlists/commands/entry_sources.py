"""Holds own entries to the handling of the alerts that they derive from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.alerts.commands.onward_transfer import AlertKnowledge, require_onward_transfer
from gateway.errors import GatewayError, StoreUnavailableError, Violation
from gateway.feed.service.writing.transaction import Transaction
from gateway.v1 import alert_pb2, watchlist_pb2
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.service.updates import read_changes
from gateway.watchlists.tables.lists import EntryRow

_FIELD = "derived_from"


def read_sources(tx: Transaction, rows: Sequence[EntryRow]) -> Mapping[ListKey, Sequence[alert_pb2.AlertReference]]:
    """Alerts that entries derive from, also ended ones."""
    changes = read_changes(tx.conn, rows)
    return {
        key: change.ended.derived_from if change.HasField("ended") else change.entered.content.derived_from
        for key, change in changes.items()
    }


def source_violations(
    tx: Transaction,
    content: watchlist_pb2.WatchlistContent,
    before: Sequence[alert_pb2.AlertReference],
    prefix: str,
) -> list[Violation]:
    """Why an entry's new content may not have its sources and recipients.

    Args:
        before: sources of the revision that it amends, or of the entry that ended before; they are kept.
        prefix: of fields, e.g. `entries[0].content.`.
    """
    dropped = [source for source in before if source not in content.derived_from]
    violations = [
        Violation(
            f"{prefix}{_FIELD}",
            "derived_from.kept",
            f"an amendment keeps alert {source.publisher}/{source.alert_id}, from which the entry derives",
        )
        for source in dropped
    ]
    refusals = source_refusals(tx, content, content.releasable_to)
    return [*violations, *(Violation(f"{prefix}{_FIELD}", error.reason, error.message) for error in refusals)]


def may_go_to(tx: Transaction, content: watchlist_pb2.WatchlistContent, partner: str) -> bool:
    """Whether the publishers of an entry's sources let it go to a partner."""
    return not source_refusals(tx, content, [partner])


def source_refusals(
    tx: AlertKnowledge, content: watchlist_pb2.WatchlistContent, recipients: Sequence[str]
) -> list[GatewayError]:
    """Why the content may not go to these nodes, for each source that doesn't allow it."""
    refusals = []
    for source in content.derived_from:
        try:
            require_onward_transfer(
                tx, source.publisher, source.alert_id, recipients, field="", handling=content.handling
            )
        except StoreUnavailableError:
            raise
        except GatewayError as error:
            refusals.append(error)
    return refusals
