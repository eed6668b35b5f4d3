"""Keeps and deletes drafts of forms, each for who has written it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.casework.tables import drafts
from gateway.contract.messages import to_timestamp
from gateway.errors import PermissionDeniedError
from gateway.feed.service.writing.transaction import Transaction
from gateway.v1 import casework_service_pb2 as service

MAX_BYTES: Final = 600_000
"""Largest draft: an alert of 200 goods and its base have half of it."""

MAX_DRAFTS: Final = 20
"""Drafts of one person."""

KEPT_MS: Final = 30 * 24 * 3600 * 1000
"""How long a draft is kept after the last time that it was saved."""


@dataclass(frozen=True, slots=True)
class SaveDraftCommand:
    """Keeps a draft in place of what was kept under its id; beyond MAX_DRAFTS of a person the oldest goes."""

    draft: service.FormDraft
    person: str
    weight = 1

    def execute(self, tx: Transaction) -> service.SaveDraftResponse:
        owner = drafts.owner_of(tx.conn, self.draft.draft_id)
        if owner not in (None, self.person):
            raise PermissionDeniedError("the draft is somebody else's; save it under another id")
        if owner is None:
            for oldest in drafts.of(tx.conn, self.person)[MAX_DRAFTS - 1 :]:
                drafts.remove(tx.conn, oldest.draft_id, self.person)
        drafts.put(tx.conn, self.draft, self.person, now_ms=tx.now_ms)
        return service.SaveDraftResponse(saved_at=to_timestamp(tx.now_ms))


@dataclass(frozen=True, slots=True)
class DeleteDraftCommand:
    """Deletes a person's draft, if it is there."""

    draft_id: str
    person: str
    weight = 1

    def execute(self, tx: Transaction) -> service.DeleteDraftResponse:
        drafts.remove(tx.conn, self.draft_id, self.person)
        return service.DeleteDraftResponse()
