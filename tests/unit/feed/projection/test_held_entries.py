"""What one version of the software holds, a later one applies and answers once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.alerts.codec import parse_event
from gateway.alerts.tables import copies as alerts
from gateway.contract.findings import reference_of, standing_findings
from gateway.contract.messages import to_timestamp
from gateway.feed.codec import UnknownKindError
from gateway.feed.projection.projector import Projector
from gateway.feed.projection.rebuild import HeldEntries
from gateway.feed.projection.registry import LoggedEntry
from gateway.feed.service.states import StateCommand
from gateway.feed.tables import dispositions, feeds, journal
from gateway.feed.tables.feeds import FeedState
from gateway.v1 import alert_pb2, feed_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, exchange, paper_nodes

pytestmark = pytest.mark.both_databases

APPLIED, HELD = feed_pb2.DISPOSITION_OUTCOME_APPLIED, feed_pb2.DISPOSITION_OUTCOME_HELD


class OlderProjector(Projector):
    """The projector of a version whose contract has neither questions nor corrections of findings yet."""

    unknown = ("question", "finding_corrected")

    def _entry(self, run: Any, feed: Any, entry: Any) -> LoggedEntry:
        read = super()._entry(run, feed, entry)
        if not isinstance(read.event, alert_pb2.AlertEvent) or read.event.WhichOneof("event") not in self.unknown:
            return read
        return replace(read, error=UnknownKindError("an alert event of a kind that isn't known here"))


def said(node: PaperNode, partner: str) -> list[tuple[int, int]]:
    """(index, outcome) of every disposition in our feed."""
    with node.database.read() as conn:
        feed = feeds.get(conn, node.origin(partner))
        stored = feeds.read_entries(conn, feed.id, 0, feed.size)
    found = [parse_event(one.payload).disposition for one in stored]
    return [(one.index, one.outcome) for one in found if one.origin]


def held(node: PaperNode) -> HeldEntries:
    return HeldEntries(node.database, node.writer, node.projector.registry)


def test_what_was_held_is_applied_and_answered_once_after_an_upgrade(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        newer = hk.projector
        hk.projector = hk.writer._projector = OlderProjector(newer.registry)
        alert_id = cn.publish("hk")
        exchange(cn, hk)
        question = alert_pb2.AlertQuestion(
            question_id=cn.publisher.new_id(), text="Which seal?", deadline=to_timestamp(cn.clock.now + 60_000)
        )
        cn.step("cn", alert_id, question=question)
        exchange(cn, hk)
        assert said(hk, "cn") == [(0, APPLIED), (1, HELD)]

        hk.projector = hk.writer._projector = newer
        hk.writer.run(StateCommand(hk.origin("cn"), FeedState.BEHIND, "restored"))
        first = held(hk)
        assert not first.apply(), "an own feed that is blocked says nothing now"
        hk.writer.run(StateCommand(hk.origin("cn"), FeedState.ACTIVE, ""))
        assert first.apply()
        exchange(cn, hk)
        assert said(hk, "cn") == [(0, APPLIED), (1, HELD), (1, APPLIED)]
        with cn.database.read() as conn:
            found = dispositions.find(conn, feeds.get(conn, cn.origin("hk")).id, 1)
        assert found is not None
        assert found.outcome == "applied"
        with hk.database.read() as conn:
            (row,) = alerts.copies(conn, "cn", alert_id)
        assert [one.question_id for one in row.life.questions] == [question.question_id]

        for again in (first, held(hk)):
            assert again.apply()
        with hk.database.write() as conn:
            journal.note_knowledge(conn, b"of another version")  # the next upgrade has nothing to do
        assert held(hk).apply()
        exchange(cn, hk)
        assert len(said(hk, "cn")) == 3


def test_a_correction_that_an_earlier_release_held_takes_the_findings_place_after_its_upgrade(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        newer = cn.projector
        cn.projector = cn.writer._projector = OlderProjector(newer.registry)
        alert_id = cn.publish("hk")
        exchange(cn, hk)
        finding = alert_pb2.AlertFinding(
            result=1, inspected_at=to_timestamp(hk.clock.now), remarks="4000 kg", revision=1
        )
        hk.step("cn", alert_id, finding=finding)
        (reported,) = standing_findings(hk.queries.get("cn", alert_id).history)
        right = alert_pb2.AlertFinding()
        right.CopyFrom(reported.finding)
        right.remarks = "400 kg"
        correction = alert_pb2.AlertFindingCorrected(
            replaces=reference_of(reported.place), finding=right, reason="A zero too many"
        )
        hk.step("cn", alert_id, finding_corrected=correction)
        exchange(cn, hk)
        assert said(cn, "hk")[-1][1] == HELD
        assert [each.finding.remarks for each in standing_findings(cn.queries.get("cn", alert_id).history)] == [
            "4000 kg"
        ]

        cn.projector = cn.writer._projector = newer
        assert held(cn).apply()
        exchange(cn, hk)
        assert said(cn, "hk")[-1][1] == APPLIED
        assert [each.finding.remarks for each in standing_findings(cn.queries.get("cn", alert_id).history)] == [
            "400 kg"
        ]
