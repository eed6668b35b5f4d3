"""The demo's judgement: every expectation that isn't met shows, and the exit code follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from itertools import permutations

import pytest
from rich.console import Console

from demo.facts import (
    BUNDLE_STEPS,
    Carried,
    Crash,
    Declarations,
    Evidence,
    Facts,
    Matches,
    Outage,
    Papers,
    Traced,
    Watchlist,
)
from demo.ledger import FeedCopy
from demo.screen import Screen
from demo.summary import judge, medians

CASE, DECLARED, LATER = "case", ("declared-1", "declared-2"), "later"
STEPS = {"acknowledged": 2, "question": 1, "answer": 1, "finding": 2, "closed": 2}


def copy(origin: str, published: tuple[str, ...] = (), **overrides: object) -> FeedCopy:
    found = FeedCopy(
        origin=origin,
        size=9,
        root=b"r" * 32,
        signed_root=b"r" * 32,
        receipted_size=9,
        published=published,
        kinds=Counter(STEPS) if origin == "cn/hk" else Counter(),
        outcomes=Counter(applied=7 + sum(STEPS.values())) if origin == "hk/cn" else Counter(),
    )
    return replace(found, **overrides)  # type: ignore[arg-type]


def good() -> Facts:
    published = {"cn/hk": [CASE, *DECLARED, LATER], "cn/mo": [*DECLARED], "hk/mo": ["passed-on"]}
    origins = ["/".join(pair) for pair in permutations(("cn", "hk", "mo"), 2)]
    return Facts(
        published=published,
        shown={origin: list(ids) for origin, ids in published.items()},
        steps=Counter(STEPS),
        carried=[Carried("cn", "hk", "an alert", 5.0, 12.0, 15.0, 18.0)],
        declarations=Declarations("some.csv", DECLARED, (4,), 0, 3),
        outage=Outage(20, 20, 5.0, 20, 9.0, 400.0),
        crash=Crash(30, 10, 30, 2000.0),
        evidence=Evidence("evidence.zip", BUNDLE_STEPS, {"a bit": "1 bundle"}, {"a bit": "1 bundle"}),
        watchlist=Watchlist(12, 0, 12, 0, 0, identical=True, took_ms=90.0),
        matches=Matches(3, "Shili Maoyi", "示例贸易", 0, 1, 200.0),
        papers=Papers(8),
        traced=Traced(("cn", "hk", "hk", "mo"), 4, 4, ("R12", "R02"), 3, True, 4, (), 90.0),
        closed=2,
        refused_onward=True,
        copies={
            origin: (copy(origin, tuple(published.get(origin, ()))), copy(origin, tuple(published.get(origin, ()))))
            for origin in origins
        },
        exit_codes=[0, 0, 0],
    )


def broken(facts: Facts) -> list[str]:
    return [check.what.strip() for check in judge(facts) if not check.holds]


def test_when_everything_is_as_expected_every_check_holds() -> None:
    assert broken(good()) == []


def _lost(facts: Facts) -> None:
    facts.shown["cn/hk"].remove(LATER)


def _doubled(facts: Facts) -> None:
    facts.shown["cn/hk"].append(LATER)


def _another_instead(facts: Facts) -> None:
    facts.shown["cn/hk"][-1] = "another"


def _shown_twice(facts: Facts) -> None:
    facts.shown_twice = 1


def _out_of_order(facts: Facts) -> None:
    facts.shown["cn/mo"].reverse()


def _other_root(facts: Facts) -> None:
    here, there = facts.copies["mo/hk"]
    assert there is not None
    facts.copies["mo/hk"] = (here, replace(there, root=b"x" * 32))


def _root_that_nobody_signed(facts: Facts) -> None:
    here, there = facts.copies["mo/hk"]
    assert here is not None
    assert there is not None
    facts.copies["mo/hk"] = (replace(here, root=b"x" * 32), replace(there, root=b"x" * 32))


def _missing_copy(facts: Facts) -> None:
    facts.copies["mo/hk"] = (facts.copies["mo/hk"][0], None)


def _no_receipt(facts: Facts) -> None:
    here, there = facts.copies["cn/hk"]
    assert here is not None
    facts.copies["cn/hk"] = (replace(here, receipted_size=8), there)


def _rejected(facts: Facts) -> None:
    here, there = facts.copies["hk/cn"]
    assert there is not None
    facts.copies["hk/cn"] = (here, replace(there, outcomes=Counter(applied=6, rejected=1)))


def _acknowledgement_lost(facts: Facts) -> None:
    facts.steps["acknowledged"] += 1


def _no_acknowledgement_at_all(facts: Facts) -> None:
    here, there = facts.copies["cn/hk"]
    assert there is not None
    facts.copies["cn/hk"] = (here, replace(there, kinds=Counter()))
    facts.steps.clear()


def _not_closed(facts: Facts) -> None:
    facts.closed = 1


def _passed_on(facts: Facts) -> None:
    facts.refused_onward = False


def _wrong_exit_code(facts: Facts) -> None:
    facts.declarations = Declarations("some.csv", DECLARED, (4,), 0, 0)


def _no_declarations(facts: Facts) -> None:
    facts.declarations = None


def _publish_failed_in_outage(facts: Facts) -> None:
    facts.outage = Outage(20, 19, 5.0, 20, 9.0, 400.0)


def _link_wasnt_cut(facts: Facts) -> None:
    facts.outage = Outage(20, 20, 5.0, 3, 9.0, 400.0)


def _crash_not_played(facts: Facts) -> None:
    facts.crash = None


def _step_failed(facts: Facts) -> None:
    facts.evidence = Evidence("evidence.zip", BUNDLE_STEPS - 1, {}, {})


def _forger_not_found(facts: Facts) -> None:
    facts.evidence = Evidence("evidence.zip", BUNDLE_STEPS, {"a bit": "1 bundle"}, {"a bit": ""})


def _exit_code(facts: Facts) -> None:
    facts.exit_codes[1] = -9


def _problem(facts: Facts) -> None:
    facts.problems.append("hk's receipt didn't come")


def _watched(**changes: object) -> Callable[[Facts], None]:
    def breaks(facts: Facts) -> None:
        assert facts.watchlist is not None
        facts.watchlist = replace(facts.watchlist, **changes)  # type: ignore[arg-type]

    return breaks


def _no_watchlist(facts: Facts) -> None:
    facts.watchlist = None


def _matched(**changes: object) -> Callable[[Facts], None]:
    def breaks(facts: Facts) -> None:
        assert facts.matches is not None
        facts.matches = replace(facts.matches, **changes)  # type: ignore[arg-type]

    return breaks


def _traced(**changes: object) -> Callable[[Facts], None]:
    def breaks(facts: Facts) -> None:
        assert facts.traced is not None
        facts.traced = replace(facts.traced, **changes)  # type: ignore[arg-type]

    return breaks


def _not_traced(facts: Facts) -> None:
    facts.traced = None


def _unrecorded(facts: Facts) -> None:
    facts.papers = Papers(7)


def _no_matches(facts: Facts) -> None:
    facts.matches = None


@pytest.mark.parametrize(
    ("breaks", "what"),
    [
        (_not_traced, "the case's way"),
        (_unrecorded, "shipments recorded at three nodes"),
        (_traced(legs=("cn", "hk", "mo")), "the case, traced from mo by its container"),
        (_traced(statements=1), "partners' answers, each with a signed statement"),
        (_traced(inspected=1), "records with the findings that Macao and Hong Kong reported"),
        (_traced(rules=("R02",)), "contradictions found by"),
        (_traced(drafted=False), "an alert drafted of them"),
        (_traced(twin_legs=3), "its innocent twin: records, contradictions"),
        (_traced(twin_rules=("R20",)), "its innocent twin: records, contradictions"),
        (_no_matches, "parties on a partner's list"),
        (_matched(of_case=0), "parties of an earlier alert found on the new list"),
        (_matched(given="示例貿易"), "a consignee in Latin letters found by"),
        (_matched(listed="Shili"), "a consignee in Latin letters found by"),
        (_matched(told_before=1), "hits that cn knew before an officer at hk confirmed"),
        (_matched(told_after=0), "and afterwards"),
        (_no_watchlist, "watchlist"),
        (_watched(before=1), "listed at hk before a second person approved"),
        (_watched(at_partner=11), "listed at hk afterwards"),
        (_watched(elsewhere=1), "listed at mo, to which it isn't released"),
        (_watched(sent_again=1), "changes sent when the same file came again"),
        (_watched(identical=False), "copies compared by root"),
        (_lost, "shown to the partner's officers, each once"),
        (_doubled, "shown to the partner's officers, each once"),
        (_another_instead, "shown to the partner's officers, each once"),
        (_shown_twice, "shown twice across reconnects"),
        (_out_of_order, "arrived in the order of their lines, at partners"),
        (_other_root, "feeds with the same size and root on both sides"),
        (_root_that_nobody_signed, "feeds with the same size and root on both sides"),
        (_missing_copy, "feeds with the same size and root on both sides"),
        (_no_receipt, "entries under a partner's signed receipt"),
        (_rejected, "applied by the partner's gateway (signed disposition)"),
        (_rejected, "rejected or held"),
        (_acknowledgement_lost, "acknowledged by an officer, and arrived"),
        (_no_acknowledgement_at_all, "acknowledged by an officer, and arrived"),
        (_not_closed, "alerts of the case closed on both sides"),
        (_passed_on, "passing on against the sender's word"),
        (_wrong_exit_code, "exit code: 3 names wrong lines, 0 none"),
        (_no_declarations, "alerts from declarations"),
        (_publish_failed_in_outage, "published while the link was cut"),
        (_link_wasnt_cut, "backlog before it was healed"),
        (_crash_not_played, "published through kill -9 and restart"),
        (_step_failed, "evidence verified offline, steps passed"),
        (_forger_not_found, "a bit"),
        (_exit_code, "gateways stopped in order with exit code 0"),
        (_problem, "played to the end"),
    ],
)
def test_whatever_is_not_as_expected_shows(breaks: Callable[[Facts], None], what: str) -> None:
    facts = good()
    breaks(facts)
    assert what in broken(facts)


def test_a_run_in_which_nothing_happened_is_no_success() -> None:
    assert len(broken(Facts())) > 10


def test_the_summary_says_which_expectation_was_not_met() -> None:
    facts, said = good(), StringIO()
    _not_closed(facts)
    Screen(Console(file=said, width=100), {}).summary(judge(facts), medians(facts), 12.3)
    assert "NOT as expected, 1 of" in said.getvalue()
    assert "alerts of the case closed on both sides" in said.getvalue().rpartition("NOT as expected")[2]


def test_times_are_those_of_the_run() -> None:
    said = medians(good())
    assert "stored 5 ms, shown 12 ms, receipt 15 ms" in said
    assert "within 400 ms" in said
    assert "2.0 s" in said
