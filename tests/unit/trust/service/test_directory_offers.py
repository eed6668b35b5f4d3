"""Offered versions are verified as files are, restrict at once, and lead to the newest one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import DirectoryError
from gateway.trust.rules.directory import Directory
from gateway.trust.service import directory_offers
from gateway.trust.service.directory_offers import DirectoryState
from gateway.trust.service.directory_versions import accept
from tests.support.directories import NODES, NOW, anchors, authority_signer, directory, rotated, signed

OVER = NOW + timedelta(days=200)
"""When versions of `short` are over, with their grace."""
A, B = "aa" * 32, "bb" * 32


def version(number: int, *certificates: str, **changes: Any) -> Directory:
    return replace(directory(), version=number, revoked_certificates=frozenset(certificates), **changes)


def short(number: int, *certificates: str) -> Directory:
    return version(number, *certificates, expires_at=NOW + timedelta(days=50))


def begun() -> DirectoryState:
    return DirectoryState.of([accept(signed(version(1)), now=NOW, anchors=anchors())])


def of_both(made: Directory) -> bytes:
    """Signed by the keys before and after `rotated`."""
    return signed(made, [authority_signer(name, generation) for generation in (0, 1) for name in NODES])


def of_new(made: Directory) -> bytes:
    return signed(made, [authority_signer(name, 1) for name in NODES])


def offered(state: DirectoryState, *notes: bytes, partner: str = "hk") -> DirectoryState:
    for note in notes:
        state, _ = state.offered(note, partner)
    return state


def numbers(state: DirectoryState) -> list[int]:
    return [offer.version.version for offer in state.offers]


def test_an_offer_restricts_and_changes_nothing_else() -> None:
    before = begun()
    state = offered(before, signed(version(2, A, grace_days=1)))
    assert (state.trusted.version, state.trusted.known_version) == (1, 2)
    assert state.trusted.directory == replace(before.in_force.directory, revoked_certificates=frozenset({A}))
    assert state.trusted.note == state.in_force.note == before.in_force.note
    assert state.in_force.directory.revoked_certificates == frozenset()
    assert before.trusted.directory.revoked_certificates == frozenset(), "the state before is another value"


def test_a_later_offer_lifts_nothing_that_one_before_it_revokes() -> None:
    state = offered(begun(), signed(version(2, A)), signed(version(3, B)))
    assert state.trusted.directory.revoked_certificates == {A, B}


@pytest.mark.parametrize(
    ("note", "step"),
    [
        (b"nonsense", "1 form"),
        (signed(version(2), [authority_signer("cn")]), "2 succession"),
        (of_new(rotated(version(2))), "2 succession"),
        (signed(version(2, threshold=3), [authority_signer(name) for name in ("cn", "hk")]), "3 own threshold"),
    ],
    ids=["no note", "too few", "other keys", "too few for itself"],
)
def test_what_a_file_is_refused_for_an_offer_is_refused_for(note: bytes, step: str) -> None:
    state = begun()
    with pytest.raises(DirectoryError) as offer:
        state.offered(note, "hk")
    with pytest.raises(DirectoryError) as file:
        state.accepting(note, NOW)
    assert offer.value.metadata["step"] == file.value.metadata["step"] == step


def test_a_known_text_is_no_offer_whoever_sends_it() -> None:
    state = offered(begun(), signed(version(2)))
    fewer = [authority_signer(name) for name in ("cn", "hk")]
    for made in (version(1), version(2)):
        for note in (signed(made), signed(made, fewer)):
            assert state.offered(note, "mo")[0] is state


def test_an_older_version_is_no_offer() -> None:
    state = begun().accepting(signed(version(4)), NOW)
    with pytest.raises(DirectoryError, match="5 version"):
        state.offered(signed(version(3, A)), "hk")


def test_the_way_leads_over_changed_keys_and_versions_that_are_over() -> None:
    two, three = of_both(rotated(short(2, A))), of_new(rotated(short(3)))
    newest = of_new(rotated(version(4)))
    with pytest.raises(DirectoryError, match="2 succession"):
        begun().accepting(newest, OVER)
    state = offered(begun(), two, three, newest)
    offer = state.newest(OVER)
    assert offer is not None
    assert [step.version for step in (*offer.way, offer.version)] == [2, 3, 4]
    with pytest.raises(DirectoryError, match="6 validity"):
        state.accepting(three, OVER)
    taken = state.accepting(newest, OVER)
    assert [accepted.version for accepted in taken.history] == [1, 2, 3, 4]
    assert (taken.offers, taken.trusted.directory.revoked_certificates) == ((), frozenset())


def test_the_newest_that_lasts_is_taken() -> None:
    state = offered(begun(), signed(version(2)), signed(short(3)))
    for at, number in ((NOW, 3), (OVER, 2)):
        offer = state.newest(at)
        assert offer is not None
        assert offer.version.version == number
    assert offered(begun(), signed(short(2))).newest(OVER) is None
    assert begun().newest(NOW) is None


def test_offers_after_the_one_taken_stay_and_those_before_it_end() -> None:
    state = offered(begun(), signed(version(2, A)), signed(version(3)), signed(version(4, B)))
    taken = state.accepting(signed(version(3)), NOW)
    assert (taken.in_force.version, numbers(taken)) == (3, [4])
    assert taken.trusted.directory.revoked_certificates == {B}


def test_more_signatures_on_the_version_in_force_keep_offers() -> None:
    state = offered(begun(), signed(version(2, A)))
    again = state.accepting(signed(version(1), [authority_signer(name) for name in ("cn", "mo")]), NOW)
    assert (len(again.history), numbers(again)) == (1, [2])


def test_two_versions_of_one_number_from_two_partners_are_a_split_and_nothing_is_taken() -> None:
    state = offered(offered(begun(), signed(version(2, A))), signed(version(2, B)), partner="mo")
    (split,) = state.splits()
    assert (split.version, {split.first, split.second}) == (2, {"hk", "mo"})
    assert {split.first_digest, split.second_digest} == {offer.version.digest for offer in state.offers}
    assert state.trusted.directory.revoked_certificates == {A, B}
    with pytest.raises(DirectoryError, match="two different versions 2"):
        state.newest(NOW)


def test_of_two_versions_none_comes_to_be_accepted_on_the_way_of_a_later_file() -> None:
    state = offered(begun(), signed(version(2, A)), signed(version(2, B)))
    taken = state.accepting(signed(version(3)), NOW)
    assert [accepted.version for accepted in taken.history] == [1, 3]


def test_every_version_on_the_way_is_accepted_so_that_partners_can_fetch_it() -> None:
    state = offered(begun(), signed(version(2, A)), signed(version(3)))
    assert [accepted.version for accepted in state.accepting(signed(version(3)), NOW).history] == [1, 2, 3]


def test_another_version_of_the_number_in_force_is_a_split() -> None:
    state = begun().accepting(signed(version(2)), NOW)
    split_state = offered(state, signed(version(2, A)))
    (split,) = split_state.splits()
    assert (split.version, split.first, split.first_digest, split.second) == (2, "", state.in_force.digest, "hk")
    assert (split_state.in_force.version, split_state.later) == (2, ())
    assert split_state.trusted.directory.revoked_certificates == {A}
    assert split_state.trusted.known_version == 2
    after = split_state.accepting(signed(version(3)), NOW)
    assert [one.version for one in after.splits()] == [2], "it is shown until somebody has looked into it"
    assert after.newest(NOW) is None


def test_what_follows_on_the_version_not_taken_ends_with_it() -> None:
    theirs = of_both(rotated(version(2, A)))
    state = offered(begun(), theirs, of_new(rotated(version(3, B))))
    taken = state.accepting(signed(version(2)), NOW)
    assert [(split.version, split.second) for split in taken.splits()] == [(2, "hk")]
    assert numbers(taken) == [2]


def test_offers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_offers, "MAX_OFFERS", 2)
    state = offered(begun(), signed(version(2)), signed(version(3)))
    with pytest.raises(DirectoryError, match="2 offered versions"):
        state.offered(signed(version(4)), "hk")
    taken = state.accepting(signed(version(3)), NOW)
    assert numbers(offered(taken, signed(version(4)))) == [4]
