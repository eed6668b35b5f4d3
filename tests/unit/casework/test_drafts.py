"""Drafts of forms: kept in place of the last, seen by who has written them alone, and gone after thirty days."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.casework.commands.cases import EraseOldNotesCommand
from gateway.casework.commands.drafts import KEPT_MS, MAX_DRAFTS, DeleteDraftCommand, SaveDraftCommand
from gateway.casework.tables import drafts
from gateway.errors import PermissionDeniedError
from gateway.v1 import casework_service_pb2 as service
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes


@pytest.fixture
def hk(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ["hk"]) as (node,):
        yield node


def draft(text: str, draft_id: str = "") -> service.FormDraft:
    fields = [service.DraftField(name="case_reference", value=text), service.DraftField(name="typologies", value="x")]
    return service.FormDraft(
        draft_id=draft_id or str(uuid.uuid4()), form="/alerts/new/upload", fields=fields, summary=text
    )


def save(node: PaperNode, one: service.FormDraft, person: str = "wong") -> None:
    node.writer.run(SaveDraftCommand(one, person))


def summaries(node: PaperNode, person: str = "wong") -> list[str]:
    with node.database.read() as conn:
        return [one.summary for one in drafts.of(conn, person)]


def read(node: PaperNode, draft_id: str, person: str = "wong") -> service.FormDraft | None:
    with node.database.read() as conn:
        return drafts.get(conn, draft_id, person)


@pytest.mark.both_databases
def test_the_last_that_was_written_is_kept_and_nobody_else_reads_it(hk: PaperNode) -> None:
    first = draft("First \N{NULL}行")
    first.summary = "First"
    save(hk, first)
    hk.clock.forward(1_000)
    save(hk, draft("Other"))
    hk.clock.forward(1_000)
    again = draft("Second", first.draft_id)
    before = hk.clock()
    save(hk, again)
    assert summaries(hk) == ["Second", "Other"]
    found = read(hk, first.draft_id)
    assert found is not None
    assert list(found.fields) == list(again.fields)
    assert before <= found.saved_at.ToMilliseconds() <= hk.clock()

    assert summaries(hk, "chan") == []
    assert read(hk, first.draft_id, "chan") is None
    with pytest.raises(PermissionDeniedError):
        save(hk, draft("Taken", first.draft_id), "chan")
    hk.writer.run(DeleteDraftCommand(first.draft_id, "chan"))
    assert summaries(hk) == ["Second", "Other"]
    hk.writer.run(DeleteDraftCommand(first.draft_id, "wong"))
    hk.writer.run(DeleteDraftCommand(first.draft_id, "wong"))
    assert summaries(hk) == ["Other"]


def test_a_person_has_a_bounded_number_and_the_oldest_goes(hk: PaperNode) -> None:
    made = [draft(f"{at}") for at in range(MAX_DRAFTS)]
    for one in made:
        save(hk, one)
        hk.clock.forward(1_000)
    save(hk, draft("Again", made[0].draft_id))
    hk.clock.forward(1_000)
    save(hk, draft("Of another"), "chan")
    save(hk, draft("One more"))
    assert len(summaries(hk)) == MAX_DRAFTS
    assert summaries(hk)[:2] == ["One more", "Again"]
    assert "1" not in summaries(hk), "the one that was kept longest ago"


@pytest.mark.both_databases
def test_old_drafts_go(hk: PaperNode) -> None:
    save(hk, draft("Old"))
    hk.clock.forward(KEPT_MS)
    save(hk, draft("New"))
    hk.clock.forward(1)
    hk.writer.run(EraseOldNotesCommand(0))
    assert summaries(hk) == ["New"]
