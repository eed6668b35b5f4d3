"""The scripted case: cn warns hk, hk asks and passes on to mo, mo finds, hk and cn close."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from demo import case
from demo.pairs import pair
from demo.play import Play
from gateway.client import AlertReference
from gateway.v1 import alert_pb2

_DEADLINE = timedelta(hours=2)


async def handed_over(play: Play) -> None:
    """Plays the case."""
    play.screen.heading("2  Antimony ingots declared as lead: Yantian → Hong Kong → Macao")
    _introduce(play)
    play.screen.legend()
    now = datetime.now(UTC)
    from_cn = await play.publish("cn", case.alert_from_cn(now), "hk", "alert A, inspect; may be passed on to mo")
    await play.screen.beat()
    await _read_and_ask(play, from_cn)
    passed_on = case.alert_from_hk(datetime.now(UTC), from_cn)
    from_hk = await play.publish("hk", passed_on, "mo", "alert A, inspect; derived from cn's")
    await play.screen.beat()
    await _find_and_close(play, from_cn, from_hk)
    play.facts.closed = await _closed(play, from_cn, "hk") + await _closed(play, from_hk, "mo")
    found = await play.stage.system("hk", "officers").get_alert(from_cn)
    for notice in found.alert.notices:
        play.screen.say(
            f"  Noticed on cn's alert, and no reason to refuse it: {notice.message} ({notice.field})", "dim"
        )


def _introduce(play: Play) -> None:
    hit = case.alert_from_cn(datetime.now(UTC)).rule_hits[0]
    play.screen.say(f"Declared at Yantian (office 5316): HS 7801.10, lead, {case.CASES} cases of 1,000 kg, container")
    play.screen.say(f"{case.CONTAINER}. Rule {hit.rule_id}: {hit.explanation}")


async def _read_and_ask(play: Play, from_cn: AlertReference) -> None:
    officer = play.stage.system("hk", "officers")
    call = officer.acknowledge(from_cn, revision=1, case_reference="HK-2026-0042")
    await play.step("hk", "cn", "acknowledged", "acknowledged by an officer, case HK-2026-0042", call)
    await play.screen.beat()
    deadline = datetime.now(UTC) + _DEADLINE
    asking = officer.ask(from_cn, case.QUESTION, deadline=deadline)
    asked = await play.step("hk", "cn", "question", "question, answer needed within 2 h", asking)
    await play.screen.beat()
    answering = play.stage.system("cn", "officers").answer(from_cn, asked.question_id, case.ANSWER)
    await play.step("cn", "hk", "answer", f"answer: seal {case.SEAL}, floor scale", answering)
    await play.screen.beat()


async def _find_and_close(play: Play, from_cn: AlertReference, from_hk: AlertReference) -> None:
    mo, hk, cn = (play.stage.system(node, "officers") for node in ("mo", "hk", "cn"))
    confirmed = alert_pb2.CLOSE_OUTCOME_CONFIRMED
    acknowledging = mo.acknowledge(from_hk, revision=1, case_reference="MO-2026-0009")
    await play.step("mo", "hk", "acknowledged", "acknowledged by an officer, case MO-2026-0009", acknowledging)
    await play.screen.beat()
    finding = case.finding_by_mo(from_hk, datetime.now(UTC))
    await play.step("mo", "hk", "finding", "finding: CONFIRMED, antimony 99.65 %", mo.report_finding(finding))
    await play.screen.beat()
    closing = hk.close_alert(from_hk.alert_id, revision=1, outcome=confirmed, remarks="Goods held in Macao.")
    await play.step("hk", "mo", "closed", "closed: confirmed", closing)
    reported = hk.report_finding(case.finding_by_hk(from_cn, datetime.now(UTC)))
    await play.step("hk", "cn", "finding", "finding: CONFIRMED, goods held in Macao", reported)
    closing_cn = cn.close_alert(
        from_cn.alert_id, revision=1, outcome=confirmed, remarks="Exporter under investigation."
    )
    await play.step("cn", "hk", "closed", "closed: confirmed", closing_cn)
    await play.screen.beat()


async def _closed(play: Play, alert: AlertReference, recipient: str) -> int:
    """1 if both sides say that the alert is closed."""
    for node in (alert.publisher, recipient):
        found = await play.stage.system(node, "officers").get_alert(alert)
        if {each.status for each in found.deliveries} != {alert_pb2.ALERT_STATUS_CLOSED}:
            return 0
    return 1


def case_alert(play: Play) -> AlertReference:
    """The case's first alert, once it was published."""
    return AlertReference(publisher="cn", alert_id=play.facts.published[pair("cn", "hk")][0])
