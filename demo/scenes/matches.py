"""What hk's gateway finds on cn's list by itself: parties of alerts before the list, and of one that comes after it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from demo import case
from demo.facts import Matches
from demo.play import Play
from demo.scenes.handover import case_alert
from demo.scenes.watchlist import LIST, PARTNER
from gateway.client import AlertReference
from gateway.v1.match_pb2 import Match

_MOST_TOLD = 6


async def found_unasked(play: Play) -> None:
    """An officer who asks nobody is shown a consignee written in another script, confirms, and cn is told."""
    play.screen.heading("8  Found unasked: parties of alerts on a partner's watchlist")
    of_case = await play.wait("matches of the case's alert", lambda: _matches(play, case_alert(play), backward=True))
    play.screen.say(f"  cn's list came after the case's alert; {PARTNER}'s gateway has compared the two by itself:")
    _tell(play, of_case)
    before = await _hits_at_owner(play)
    began = time.perf_counter()
    content = case.alert_of_a_consignee(datetime.now(UTC))
    alert = await play.publish("cn", content, PARTNER, f"alert; consignee {case.ROMANISED_CONSIGNEE}")
    found = await play.wait("the match of the consignee", lambda: _matches(play, alert, backward=False))
    took_ms = 1000 * (time.perf_counter() - began)
    play.screen.say(f"  nobody asked, and {took_ms:.0f} ms after it was handed over at cn {PARTNER}'s officers see:")
    match, *others = found
    _tell(play, [match])
    for token in match.hit.explanation.tokens[:_MOST_TOLD]:
        play.screen.line(f"      {token.given or '(nothing)'} ~ {token.listed or '(nothing)'}: {token.rule}")
    if others:
        play.screen.line(f"    and {len(others)} weaker ones")
    officers = play.stage.system(PARTNER, "officers")
    decided = await officers.screening.confirm(match.match_id, purpose="export_control", case_reference="HK-2026-0051")
    reported = await play.wait("the hit at cn", lambda: _reported(play, decided.match.hit_id))
    play.screen.say(f"  confirmed by an officer; only now cn knows, signed: entry {match.hit.entry.id} was met")
    play.facts.matches = Matches(
        of_case=len(of_case),
        given=match.hit.explanation.given,
        listed=match.hit.explanation.listed,
        told_before=before,
        told_after=before + reported,
        took_ms=took_ms,
    )
    await play.screen.beat(1)


def _tell(play: Play, matches: list[Match]) -> None:
    for match in matches[:_MOST_TOLD]:
        why = match.hit.explanation
        entry = f"{match.hit.entry.publisher}/{match.hit.entry.list}/{match.hit.entry.id}"
        play.screen.line(f"    {why.given} ~ {why.listed}  {entry}")
        play.screen.line(f"      {why.because}")


async def _matches(play: Play, alert: AlertReference, *, backward: bool) -> list[Match] | None:
    wanted = f'source_id = "{alert.alert_id}" AND list = "{LIST}"'
    client = play.stage.system(PARTNER, "officers").screening
    found = [
        match
        async for match in client.matches(filter=wanted)
        if match.backward == backward and match.source.field.startswith("subject.parties")
    ]
    return sorted(found, key=lambda match: (match.hit.match_class, -match.hit.score)) or None


async def _hits_at_owner(play: Play) -> int:
    return len([hit async for hit in play.stage.system("cn", "officers").screening.hits()])


async def _reported(play: Play, hit_id: str) -> int | None:
    hits = [hit async for hit in play.stage.system("cn", "officers").screening.hits() if hit.hit.hit_id == hit_id]
    return len(hits) or None
