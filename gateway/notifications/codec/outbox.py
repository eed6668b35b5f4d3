"""Messages of the outbox: what changed, by reference, in JSON. A case system reads the rest with its own rights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.alerts import codec as wire
from gateway.alerts.tables.events import AlertEventRow
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import clipped_moment, to_ms
from gateway.notifications.rules.warnings import DeadlineWarning, WarnedDeadline
from gateway.v1.watchlist_pb2 import ListDecision, WatchlistChange
from gateway.watchlists.tables.lists import ChangeRow
from gateway.watchlists.tables.matches import MatchRow

ERASED: Final = "erased"
"""Last part of a subject where the step can't be read any more."""

_NO_TOKEN = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One change.

    Attributes:
        id: the same for the same change, however often it is sent; also after a restore of the database.
        subject: `<node>.<kind>`, for a prefix before it: `alert.<step>`, `match.<status>`, `deadline.<stage>`,
            `list.changed` or `proposal.<state>`.
        body: JSON.
    """

    id: str
    subject: str
    body: bytes


def step_change(logged: AlertEventRow, line: str, payload: bytes, *, node: str) -> OutboxMessage:
    """A step of an alert, of either side; `line`: the name of its feed."""
    step = (wire.parse_event(payload).WhichOneof("event") or ERASED) if payload else ERASED
    entry = f"{line}/{logged.idx}"
    return _message(
        entry,
        node,
        f"alert.{step}",
        occurred_at=_time(logged.committed_at),
        alert={"publisher": logged.key.publisher, "alert_id": logged.key.alert_id},
        recipient=logged.key.recipient,
        speaker=FeedOrigin.parse(line).publisher,
        status=logged.status.value,
        entry={"origin": line, "index": logged.idx},
    )


def list_change(row: ChangeRow, changes: Iterable[WatchlistChange], *, node: str) -> OutboxMessage:
    """What an update of a list has changed, whoever's list it is."""
    origin = FeedOrigin.parse(row.origin)
    return _message(
        f"list/{row.origin}/{row.idx}",
        node,
        "list.changed",
        occurred_at=_time(row.committed_at),
        publisher=origin.publisher,
        entry={"origin": row.origin, "index": row.idx},
        changes=[_list_entry(change) for change in changes],
    )


def _list_entry(change: WatchlistChange) -> dict[str, object]:
    kind = change.WhichOneof("change") or ""
    about = change.entered if kind == "entered" else change.ended
    return {"list": about.list, "id": about.id, "revision": about.revision, "change": kind}


def decision_change(decision: ListDecision, line: str, index: int, *, node: str) -> OutboxMessage | None:
    """A proposal that waits for a decision, or was decided; None for other decisions."""
    kind = decision.WhichOneof("decision") or ""
    facts: dict[str, object]
    if kind == "proposed":
        if not decision.proposed.complete:
            return None
        facts = {"proposal_id": decision.proposed.proposal_id, "list": decision.proposed.list}
    elif kind in ("approved", "rejected"):
        decided = decision.approved if kind == "approved" else decision.rejected
        facts = {"proposal_id": decided.proposal_id}
    else:
        return None
    return _message(
        f"{line}/{index}",
        node,
        f"proposal.{kind}",
        occurred_at=_time(to_ms(decision.decided_at)),
        actor=decision.actor,
        entry={"origin": line, "index": index},
        **facts,
    )


def match_change(match: MatchRow, *, node: str) -> OutboxMessage:
    """A match that was found or decided."""
    return _message(
        f"match/{match.match_id}/{match.status}/{match.decided_at}",
        node,
        f"match.{match.status}",
        occurred_at=_time(match.decided_at or match.found_at),
        match_id=match.match_id,
        source={"kind": match.source, "publisher": match.source_publisher, "id": match.source_id},
        entry={"publisher": match.publisher, "list": match.list, "id": match.entry_id},
    )


def warning_change(warning: DeadlineWarning, *, node: str) -> OutboxMessage:
    """A deadline that is near or has passed, by this node's clock."""
    is_expiry = warning.deadline is WarnedDeadline.VALIDITY
    return _message(
        warning.event_id,
        node,
        "deadline.expired" if is_expiry else f"deadline.{warning.stage.value}",
        occurred_at=_time(warning.warn_at),
        alert={"publisher": warning.key.publisher, "alert_id": warning.key.alert_id},
        recipient=warning.key.recipient,
        deadline=warning.deadline.value,
        due_at=_time(warning.due),
    )


def _message(change_id: str, node: str, kind: str, **members: object) -> OutboxMessage:
    document = {"id": change_id, "kind": kind, "node": node, **members}
    subject = ".".join(_NO_TOKEN.sub("_", token) for token in (node, *kind.split(".")))
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return OutboxMessage(change_id, subject, body)


def _time(unix_ms: int) -> str:
    return clipped_moment(unix_ms).isoformat().replace("+00:00", "Z")
