"""A finding is corrected and withdrawn by its reporter alone; what both sides show follows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.alerts.tables import copies, events
from gateway.contract.findings import FindingPlace, finding_of, reference_of, standing_findings
from gateway.contract.messages import to_timestamp
from gateway.errors import IllegalTransitionError, InvalidRequestError, MalformedError
from gateway.evidence.service.check import verify
from gateway.evidence.service.export import export
from gateway.feed.projection.rebuild import rebuild
from gateway.v1 import alert_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, paper_nodes


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def finding(node: PaperNode, remarks: str) -> alert_pb2.AlertFinding:
    return alert_pb2.AlertFinding(
        result=alert_pb2.FINDING_RESULT_CONFIRMED,
        inspected_at=to_timestamp(node.clock.now),
        revision=1,
        remarks=remarks,
    )


def report(node: PaperNode, alert: str, remarks: str) -> FindingPlace:
    """A finding on an alert of cn, and the entry that says it."""
    node.step("cn", alert, finding=finding(node, remarks))
    return newest(node, alert)


def newest(node: PaperNode, alert: str) -> FindingPlace:
    entry = node.queries.get("cn", alert).history[-1].entry
    return FindingPlace(entry.origin, entry.index)


def correct(node: PaperNode, alert: str, replaced: FindingPlace, remarks: str) -> FindingPlace:
    said = finding(node, remarks)
    said.alert.publisher, said.alert.alert_id = "cn", alert
    event = alert_pb2.AlertFindingCorrected(replaces=reference_of(replaced), finding=said, reason="A digit was wrong.")
    node.step("cn", alert, finding_corrected=event)
    return newest(node, alert)


def withdraw(node: PaperNode, alert: str, place: FindingPlace) -> None:
    event = alert_pb2.AlertFindingWithdrawn(finding=reference_of(place), reason="Another container.")
    node.step("cn", alert, finding_withdrawn=event)


def standing(node: PaperNode, alert: str) -> list[str]:
    return [each.finding.remarks for each in standing_findings(node.queries.get("cn", alert).history)]


def shown(node: PaperNode, alert: str) -> str | None:
    """What lists show of a copy's findings."""
    with node.database.read() as conn:
        payloads = list(copies.finding_payloads(conn, [alert]).values())
    if not payloads:
        return None
    said = finding_of(alert_pb2.AlertEvent.FromString(payloads[0]))
    assert said is not None
    return said.remarks


def sent(cn: PaperNode, hk: PaperNode) -> str:
    alert = cn.publish("hk")
    exchange(cn, hk)
    return alert


@pytest.mark.both_databases
def test_both_sides_show_what_is_right_now_and_keep_the_history(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = sent(cn, hk)
    first = report(hk, alert, "4000 kg")
    second = report(hk, alert, "Two drums")
    corrected = correct(hk, alert, first, "400 kg")
    exchange(cn, hk)
    for node in (cn, hk):
        assert standing(node, alert) == ["400 kg", "Two drums"]
        assert shown(node, alert) == "Two drums"
    withdraw(hk, alert, second)
    exchange(cn, hk)
    for node in (cn, hk):
        assert (standing(node, alert), shown(node, alert)) == (["400 kg"], "400 kg")
    again = correct(hk, alert, corrected, "402 kg")
    withdraw(hk, alert, again)
    exchange(cn, hk)
    kinds = ["finding", "finding", "finding_corrected", "finding_withdrawn", "finding_corrected", "finding_withdrawn"]
    for node in (cn, hk):
        assert (standing(node, alert), shown(node, alert)) == ([], None)
        assert [change.event.WhichOneof("event") for change in node.queries.get("cn", alert).history][1:] == kinds
        rebuild(node.writer, report_progress=lambda _: None)
        assert (standing(node, alert), shown(node, alert)) == ([], None)


def test_a_finding_can_be_corrected_after_the_alert_was_closed(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = sent(cn, hk)
    place = report(hk, alert, "Lead")
    exchange(cn, hk)
    cn.step("cn", alert, closed=alert_pb2.AlertClosed(revision=1, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED))
    exchange(cn, hk)
    hk.clock.forward(3 * DAY_MS)
    correct(hk, alert, place, "Antimony, by the laboratory")
    exchange(cn, hk)
    for node in (cn, hk):
        assert standing(node, alert) == ["Antimony, by the laboratory"]
        assert node.queries.get("cn", alert).deliveries[0].status == alert_pb2.ALERT_STATUS_CLOSED


def test_evidence_says_which_finding_holds_and_has_all_of_them(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = sent(cn, hk)
    place = correct(hk, alert, report(hk, alert, "4000 kg"), "400 kg")
    exchange(cn, hk)
    for node, kinds in ((cn, ["finding"]), (hk, ["finding", "finding_corrected"])):
        bundle = export(node.database, node.trust, publisher="cn", alert_id=alert).bundle
        verify(bundle, directory_note=node.trust.note)
        text = bundle.files["README.txt"].decode()
        assert re.findall(r"\n  \d+-(\w+)\n(?:    .*\n)*?    \w+ later: it doesn't hold", text) == kinds
        if node is cn:
            withdraw(hk, alert, place)
            exchange(cn, hk)


def test_what_was_corrected_or_withdrawn_says_what_to_do(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = sent(cn, hk)
    place = report(hk, alert, "Lead")
    changed = correct(hk, alert, place, "Antimony")
    with pytest.raises(IllegalTransitionError, match=f"was corrected since: .* its correction, entry {changed.index}"):
        correct(hk, alert, place, "Tin")
    withdraw(hk, alert, changed)
    for change in (lambda: correct(hk, alert, changed, "Tin"), lambda: withdraw(hk, alert, changed)):
        with pytest.raises(IllegalTransitionError, match="finding 1 was withdrawn: report a new one"):
            change()
    assert report(hk, alert, "Tin").index > changed.index
    with pytest.raises(IllegalTransitionError, match="hk has reported no finding on this alert in entry 900"):
        withdraw(hk, alert, FindingPlace(place.origin, 900))


def test_only_its_reporter_changes_a_finding(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = sent(cn, hk)
    place = report(hk, alert, "Lead")
    exchange(cn, hk)
    for change in (lambda: correct(cn, alert, place, "Tin"), lambda: withdraw(cn, alert, place)):
        with pytest.raises(IllegalTransitionError, match="the publisher can't"):
            change()
    assert standing(cn, alert) == ["Lead"]


def test_a_correction_is_held_to_what_a_finding_is_held_to(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert, other = sent(cn, hk), sent(cn, hk)
    place = report(hk, alert, "Lead")
    said = finding(hk, "Antimony")
    said.alert.publisher, said.alert.alert_id = "cn", alert
    said.inspected_at.CopyFrom(to_timestamp(hk.clock.now + DAY_MS))
    event = alert_pb2.AlertFindingCorrected(replaces=reference_of(place), finding=said, reason="Later")
    with pytest.raises(InvalidRequestError) as refused:
        hk.step("cn", alert, finding_corrected=event)
    assert [violation.field for violation in refused.value.violations] == ["finding.inspected_at"]
    said.inspected_at.CopyFrom(to_timestamp(hk.clock.now))
    said.alert.alert_id = other
    event.finding.CopyFrom(said)
    with pytest.raises(MalformedError, match="another alert"):
        hk.step("cn", alert, finding_corrected=event)


def test_a_partner_that_changes_what_it_never_reported_is_rejected(
    nodes: list[PaperNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    cn, hk = nodes
    alert = sent(cn, hk)
    place = report(hk, alert, "Lead")
    with monkeypatch.context() as dishonest:
        for module in ("gateway.alerts.commands.steps", "gateway.alerts.projection"):
            dishonest.setattr(f"{module}.require_changeable", lambda *_: None)
        withdraw(hk, alert, FindingPlace(place.origin, 900))
    exchange(cn, hk)
    assert standing(cn, alert) == ["Lead"]
    with cn.database.read() as conn:
        assert len(list(events.of_alert(conn, "cn", alert))) == 2
