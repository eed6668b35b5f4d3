"""Followers of alerts: they share what is read and one transaction, and none holds up another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.alerts.commands.following import AlertFollower, FollowCommand, prepare_batch
from gateway.alerts.tables import followed_steps
from gateway.alerts.tables.followed_steps import FollowedSteps
from gateway.casework.service.lister import InboxLister
from gateway.casework.tables import progress as casework_progress
from gateway.feed.service.writing.transaction import Transaction
from gateway.figures.service.counting import FigureCounter
from gateway.figures.tables import counts
from gateway.node.capabilities.alert_following import BATCHES
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes


@pytest.fixture
def cn(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (node,):
        yield node


@dataclass
class Noting:
    """Notes what it is shown; fails where a test says so."""

    name: str = "a follower of tests"
    fails: bool = False
    seen: list[list[int]] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)

    def prepare(self, steps: FollowedSteps) -> None:
        if self.fails:
            raise ZeroDivisionError
        followed = steps.after(0)
        self.seen.append([step.row.position for step in followed])
        self.events += [steps.event(step.payload) for step in followed]


class FailingCommand:
    weight = 1

    def execute(self, tx: Transaction) -> None:
        raise ZeroDivisionError


def positions(node: PaperNode) -> tuple[int, int]:
    """Up to where the inbox and the figures are."""
    with node.database.read() as conn:
        return casework_progress.read(conn).listed_position, counts.progress(conn).position


def test_followers_share_what_is_read_in_batches(cn: PaperNode) -> None:
    for _ in range(3):
        cn.publish("hk")
    cn.settle()
    one, other = Noting(), Noting()
    batch = prepare_batch(cn.database, [one, other], limit=2)
    assert (batch.parts, batch.is_cut) == ((), True)
    assert one.seen == other.seen
    assert len(one.seen[0]) == 2
    assert all(mine is theirs for mine, theirs in zip(one.events, other.events, strict=True)), "parsed twice"
    assert not prepare_batch(cn.database, [one], limit=4).is_cut


def test_a_batch_ends_after_many_bytes(cn: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        cn.publish("hk")
    cn.settle()
    monkeypatch.setattr(followed_steps, "READ_AT_ONCE", 1)
    monkeypatch.setattr(followed_steps, "MOST_BYTES", 1)
    follower = InboxLister()
    for left in (True, True, True, False):
        batch = prepare_batch(cn.database, [follower], limit=500)
        assert batch.is_cut is left
        if batch.parts:
            assert cn.writer.run(FollowCommand(batch.parts)) == [True]
    with cn.database.read() as conn:
        assert positions(cn)[0] == FollowedSteps(conn, 1).projected


def test_a_backlog_is_written_in_larger_batches_while_writes_are_short() -> None:
    limits = [BATCHES.fewest]
    for took_s in (0.001, 0.001, 0.001, 0.03, 0.5, 0.5, 0.5):
        limits.append(BATCHES.after(limits[-1], took_s, is_cut=True))
    assert limits == [250, 500, 1_000, 1_000, 1_000, 500, 250, 250]
    assert BATCHES.after(1_000, 0.001, is_cut=False) == 500


def test_a_follower_that_fails_holds_up_no_other(cn: PaperNode, caplog: pytest.LogCaptureFixture) -> None:
    cn.publish("hk")
    cn.settle()
    followers: list[AlertFollower] = [
        Noting(fails=True),
        InboxLister(),
        FigureCounter(node="cn", utc_offset_minutes=480),
    ]
    batch = prepare_batch(cn.database, followers, limit=500)
    assert "a follower of tests: steps of alerts can't be read" in caplog.text
    with pytest.raises(ZeroDivisionError):
        cn.writer.run(FollowCommand((*batch.parts, FailingCommand())))
    assert positions(cn) == (0, 0)
    assert cn.writer.run(FollowCommand(batch.parts)) == [True, True]
    assert min(positions(cn)) > 0
    assert cn.writer.run(FollowCommand(batch.parts)) == [False, False]
    assert prepare_batch(cn.database, followers[1:], limit=500).parts == ()
