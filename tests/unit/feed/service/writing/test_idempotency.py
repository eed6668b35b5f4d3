"""Answers are kept for as long as is promised, also by a wrong clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.feed.service.writing.commands import KEPT_MS, ForgetAnswersCommand
from gateway.feed.tables import requests
from gateway.feed.tables.requests import AnsweredRequest
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes

pytestmark = pytest.mark.both_databases

ANSWERED = AnsweredRequest(b"1" * 16, "system/cn/x", b"d" * 32, b"answer")


@pytest.fixture
def cn(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (made,):
        yield made


def is_kept(node: PaperNode) -> bool:
    with node.database.read() as conn:
        return bool(requests.find(conn, ANSWERED.principal, [ANSWERED.request_id]))


def test_an_answer_is_removed_when_it_is_old_by_partners_clocks_too(cn: PaperNode) -> None:
    answered_at = cn.clock()
    with cn.database.write() as conn:
        requests.remember(conn, [ANSWERED], now_ms=answered_at)
    cn.clock.forward(KEPT_MS + 1)
    for latest_ms in (0, answered_at + 60_000, answered_at + KEPT_MS):
        cn.writer.run(ForgetAnswersCommand(latest_ms=latest_ms))
        assert is_kept(cn), "this clock alone is ahead"
    cn.writer.run(ForgetAnswersCommand(latest_ms=cn.clock()))
    assert not is_kept(cn)
