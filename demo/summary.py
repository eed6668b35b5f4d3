"""What the run showed: each expectation beside what was measured, and whether all of them hold.

Pure: facts in, checks out; the exit code follows from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from demo.facts import BUNDLE_STEPS, Facts
from demo.ledger import FeedCopy

FEEDS = 6
"""Each of three nodes has at least one feed of alerts to each other: one for each priority."""
CASE_ALERTS = 2
"""The scripted case has one alert from cn to hk and one from hk to mo."""
RECORDS = 8
"""The case and its twin have four records each."""
STEP_KINDS = ("acknowledged", "question", "answer", "finding", "closed")


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation."""

    what: str
    expected: str
    measured: str
    holds: bool


def judge(facts: Facts) -> list[Check]:
    """All expectations, in the order in which they are told."""
    return [
        *(Check("played to the end", "yes", problem, False) for problem in facts.problems),
        *_alerts(facts),
        *_feeds(facts),
        *_declarations(facts),
        *_faults(facts),
        *_evidence(facts),
        *_watchlist(facts),
        *_matches(facts),
        *_history(facts),
        *_processes(facts),
    ]


def medians(facts: Facts) -> str:
    """The times of the run in one sentence."""
    said = []
    for name in ("stored", "shown", "receipt"):
        times = [ms for one in facts.carried if (ms := getattr(one, f"{name}_ms")) is not None]
        if times:
            said.append(f"{name} {median(times):.0f} ms")
    parts = [f"median of {len(facts.carried)} single messages: {', '.join(said)}"] if said else []
    if facts.outage is not None:
        parts.append(f"after the cut all was there within {facts.outage.recovery_ms:,.0f} ms")
    if facts.watchlist is not None:
        parts.append(f"watchlist at the partner {facts.watchlist.took_ms:,.0f} ms after its approval")
    if facts.matches is not None:
        parts.append(f"a listed consignee found {facts.matches.took_ms:,.0f} ms after the alert")
    if facts.traced is not None:
        parts.append(f"the case traced over three nodes in {facts.traced.took_ms:,.0f} ms")
    if facts.crash is not None:
        parts.append(f"restart after kill -9 {facts.crash.restart_ms / 1000:.1f} s")
    return "; ".join(parts)


def _check(what: str, expected: object, measured: object) -> Check:
    return Check(what, _shown(expected), _shown(measured), expected == measured)


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _alerts(facts: Facts) -> Iterator[Check]:
    published = sum(len(ids) for ids in facts.published.values())
    stored = _both_sides(facts, lambda copy: len(copy.published))
    yield Check("alerts published and acknowledged as durable", "> 0", _shown(published), published > 0)
    yield _check("stored by publisher and by partner, each once", f"{published:,} and {published:,}", stored)
    same = facts.published.keys() == facts.shown.keys() and all(
        _once(facts.published[origin], facts.shown[origin]) for origin in facts.published
    )
    shown = sum(len(ids) for ids in facts.shown.values())
    yield Check("shown to the partner's officers, each once", _shown(published), _shown(shown), same)
    yield _check("  shown twice across reconnects", 0, facts.shown_twice)
    outcomes = sum((copy.outcomes for _, copy in facts.copies.values() if copy is not None), Counter[str]())
    told = published + facts.steps.total()
    yield _check("applied by the partner's gateway (signed disposition)", told, outcomes["applied"])
    yield _check("  rejected or held", 0, outcomes["rejected"] + outcomes["held"])
    for kind in STEP_KINDS:
        taken, arrived = facts.steps[kind], _arrived(facts, kind)
        yield Check(f"{_STEP_WORDS[kind]}, and arrived", _shown(taken), _shown(arrived), taken == arrived > 0)
    yield _check("alerts of the case closed on both sides", CASE_ALERTS, facts.closed)
    yield _check("passing on against the sender's word", "refused", "refused" if facts.refused_onward else "possible")


_STEP_WORDS = {
    "acknowledged": "acknowledged by an officer",
    "question": "questions asked",
    "answer": "questions answered",
    "finding": "findings reported",
    "closed": "closings",
}


def _feeds(facts: Facts) -> Iterator[Check]:
    equal = [origin for origin, copies in facts.copies.items() if _equal(*copies)]
    yield _check("feeds with the same size and root on both sides", max(FEEDS, len(facts.copies)), len(equal))
    publishers = [copy for copy, _ in facts.copies.values() if copy is not None]
    entries = sum(copy.size for copy in publishers)
    yield _check("entries under a partner's signed receipt", entries, sum(copy.receipted_size for copy in publishers))


def _declarations(facts: Facts) -> Iterator[Check]:
    found = facts.declarations
    if found is None:
        yield _check("alerts from declarations", "published", "not played")
        return
    yield Check("alerts from declarations", "> 0", _shown(len(found.published)), bool(found.published))
    yield _check("  exit code: 3 names wrong lines, 0 none", 3 if found.wrong_lines else 0, found.exit_code)
    yield _check("  refused", 0, found.refused)
    orders = [_only(ids, found.published) for ids in facts.shown.values()]
    yield _check("  arrived in the order of their lines, at partners", 2, orders.count(list(found.published)))


def _faults(facts: Facts) -> Iterator[Check]:
    outage, crash = facts.outage, facts.crash
    if outage is None:
        yield _check("published while the link was cut", "played", "not played")
    else:
        yield _check("published while the link was cut", outage.attempted, outage.published)
        kept = outage.backlog >= outage.published
        yield Check("  backlog before it was healed", f"≥ {outage.published:,}", _shown(outage.backlog), kept)
    if crash is None:
        yield _check("published through kill -9 and restart", "played", "not played")
    else:
        yield _check("published through kill -9 and restart", crash.attempted, crash.published)


def _evidence(facts: Facts) -> Iterator[Check]:
    found = facts.evidence
    if found is None:
        yield _check("evidence", "verified", "not played")
        return
    yield _check("evidence verified offline, steps passed", BUNDLE_STEPS, found.passed)
    for change, expected in found.expected.items():
        yield _check(f"  {change}", f"fails: {expected}", f"fails: {found.failed.get(change) or 'nothing'}")


def _watchlist(facts: Facts) -> Iterator[Check]:
    found = facts.watchlist
    if found is None:
        yield _check("watchlist", "synced", "not played")
        return
    yield Check("watchlist imported at cn, entries", "> 0", _shown(found.imported), found.imported > 0)
    yield _check("  listed at hk before a second person approved", 0, found.before)
    yield _check("  listed at hk afterwards", found.imported, found.at_partner)
    yield _check("  listed at mo, to which it isn't released", 0, found.elsewhere)
    yield _check("  changes sent when the same file came again", 0, found.sent_again)
    yield _check("  copies compared by root", "identical", "identical" if found.identical else "different")


def _matches(facts: Facts) -> Iterator[Check]:
    found = facts.matches
    if found is None:
        yield _check("parties on a partner's list", "found unasked", "not played")
        return
    yield Check("parties of an earlier alert found on the new list", "> 0", _shown(found.of_case), found.of_case > 0)
    other_script = found.given.isascii() and not found.listed.isascii()
    yield Check("  a consignee in Latin letters found by", "its Han name", found.listed, other_script)
    yield _check("  hits that cn knew before an officer at hk confirmed", 0, found.told_before)
    yield _check("  and afterwards", 1, found.told_after)


def _history(facts: Facts) -> Iterator[Check]:
    papers, found = facts.papers, facts.traced
    if papers is None or found is None:
        yield _check("the case's way", "traced", "not played")
        return
    yield _check("shipments recorded at three nodes", RECORDS, papers.recorded)
    yield _check("  the case, traced from mo by its container", "cn, hk, hk, mo", ", ".join(found.legs))
    yield _check("  partners' answers, each with a signed statement", found.partner_answers, found.statements)
    yield _check("  records with the findings that Macao and Hong Kong reported", 3, found.inspected)
    yield _check("  contradictions found by", "R02, R12", ", ".join(sorted(found.rules)))
    yield _check("  an alert drafted of them", "yes", "yes" if found.drafted else "no")
    yield _check("  its innocent twin: records, contradictions", "4, 0", f"{found.twin_legs}, {len(found.twin_rules)}")


def _processes(facts: Facts) -> Iterator[Check]:
    if facts.exit_codes:
        stopped = sum(code == 0 for code in facts.exit_codes)
        yield _check("gateways stopped in order with exit code 0", len(facts.exit_codes), stopped)


def _once(published: list[str], shown: list[str]) -> bool:
    return Counter(published) == Counter(shown) and len(set(shown)) == len(shown)


def _only(ids: list[str], wanted: tuple[str, ...]) -> list[str]:
    known = set(wanted)
    return [each for each in ids if each in known]


def _arrived(facts: Facts, kind: str) -> int:
    return sum(copy.kinds[kind] for _, copy in facts.copies.values() if copy is not None)


def _both_sides(facts: Facts, count: Callable[[FeedCopy], int]) -> str:
    sides = zip(*facts.copies.values(), strict=True) if facts.copies else ((), ())
    return " and ".join(f"{sum(count(copy) for copy in side if copy is not None):,}" for side in sides)


def _equal(here: FeedCopy | None, there: FeedCopy | None) -> bool:
    """Both copies hold the same, as computed from their bytes and as the publisher signed it."""
    if here is None or there is None:
        return False
    roots = {here.root, there.root, here.signed_root, there.signed_root}
    return here.size == there.size and len(roots) == 1 and len(set(here.published)) == len(here.published)
