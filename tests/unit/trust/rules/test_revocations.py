"""What other versions revoke restricts a directory, and gives it nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from gateway.trust.rules.directory import Directory
from gateway.trust.rules.revocations import Revocations
from tests.support.directories import NODES, NOW, directory

A, B, C = "aa" * 32, "bb" * 32, "cc" * 32
LATER = NOW + timedelta(days=10)


def revoking(*certificates: str, log_keys_of: str = "", since: datetime = LATER) -> Directory:
    made = replace(directory(), version=2, revoked_certificates=frozenset(certificates))
    if not log_keys_of:
        return made
    node = made.nodes[log_keys_of]
    ended = replace(node, log_keys=tuple(replace(key, revoked_at=since) for key in node.log_keys))
    return replace(made, nodes={**made.nodes, log_keys_of: ended})


def test_everything_that_any_version_revokes_is_refused_and_what_was_refused_stays_so() -> None:
    own = replace(directory(), revoked_certificates=frozenset({A}))
    restricted = Revocations.of([revoking(B), revoking(C)]).restrict(own)
    assert restricted.revoked_certificates == {A, B, C}
    assert own.revoked_certificates == {A}
    assert replace(restricted, revoked_certificates=own.revoked_certificates) == own, "nothing else changes"


def test_a_key_ends_at_the_earliest_time() -> None:
    for own in (directory(), revoking(log_keys_of="hk", since=LATER + timedelta(days=5))):
        versions = [revoking(log_keys_of="hk", since=LATER + timedelta(days=days)) for days in (2, 0, 1)]
        restricted = Revocations.of(versions).restrict(own)
        assert restricted.log_keys("hk", LATER - timedelta(seconds=1)) != ()
        assert restricted.log_keys("hk", LATER) == ()
        assert restricted.log_keys("mo", LATER) == own.log_keys("mo", LATER) != ()
    early = revoking(log_keys_of="hk", since=LATER - timedelta(days=1))
    assert Revocations.of([revoking(log_keys_of="hk")]).restrict(early) == early


def test_what_another_version_adds_or_prolongs_counts_for_nothing() -> None:
    more = replace(directory(), version=2, grace_days=80, expires_at=directory().expires_at + timedelta(days=90))
    stranger = more.nodes["hk"]
    more = replace(more, nodes={**more.nodes, "xx": stranger})
    assert Revocations.of([more]).restrict(directory()) == directory()
    assert set(Revocations.of([more]).restrict(directory()).nodes) == set(NODES)
