from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import ConfigurationError, DirectoryError
from gateway.tlog.note import SignatureType, Verifier, sign_note
from gateway.trust.codec.directory import encode_directory
from gateway.trust.rules.directory import Authority, Directory, Validity
from gateway.trust.service.directory_drafts import next_version, revoke
from gateway.trust.service.directory_versions import (
    CLOCK_TOLERANCE,
    RootOfTrust,
    TrustedDirectory,
    accept,
    reopen,
    unsafe_reopen,
)
from tests.support.directories import FEDERATION, NODES, NOW, anchors, authority_signer, card, directory, signed, signer

LATER = NOW + timedelta(days=10)
NOTE = signed(directory())
FIRST = accept(NOTE, now=NOW, anchors=anchors())


def refused_at(step: str, note: bytes, **arguments: object) -> str:
    with pytest.raises(DirectoryError) as caught:
        accept(note, **{"now": LATER, "anchors": anchors(), **arguments})  # type: ignore[arg-type]
    assert caught.value.metadata["step"] == step, caught.value.message
    return caught.value.message


def rotated(version: Directory, *names: str) -> Directory:
    """The version with new directory keys for these authorities."""
    cards = {name: card(name, generation=1) for name in names}
    authorities = {
        **version.authorities,
        **{name: Authority(name, each.directory_key, each.display_names) for name, each in cards.items()},
    }
    return replace(version, authorities=authorities)


def second(**changes: object) -> Directory:
    return replace(next_version(directory(), issued_at=LATER), **changes)  # type: ignore[arg-type]


def signers(*names: str, generation: int = 0) -> list:  # type: ignore[type-arg]
    return [authority_signer(name, generation) for name in names]


def test_a_version_signed_by_the_anchors_is_accepted() -> None:
    assert FIRST.version == 1
    assert FIRST.federation == FEDERATION
    assert FIRST.directory == directory()
    assert FIRST.signed_by == tuple(authority_signer(name).name for name in NODES)
    assert FIRST.warnings == ()
    assert FIRST.note == NOTE


def test_there_is_no_other_way_to_a_trusted_directory() -> None:
    with pytest.raises(TypeError, match="accept"):
        TrustedDirectory(object(), directory=directory(), note=b"", text=b"", signed_by=(), warnings=())


@pytest.mark.parametrize("note", [b"", b"noise", encode_directory(directory()), NOTE[:-1], b"x" * (1 << 21)])
def test_step_1_form(note: bytes) -> None:
    refused_at("1 form", note)


def test_step_2_the_anchors_threshold() -> None:
    one = signed(directory(threshold=1), signers("cn"))
    refused_at("2 succession", one, anchors=anchors(2))
    assert accept(one, now=LATER, anchors=anchors(1)).version == 1
    refused_at("2 succession", NOTE, anchors=None)


def test_step_2_foreign_keys_count_for_nothing() -> None:
    thieves = [signer(f"{FEDERATION}/{name}/directory", 7000 + index) for index, name in enumerate(NODES)]
    refused_at("2 succession", signed(directory(), thieves))


def test_step_2_one_authority_signing_twice_counts_once() -> None:
    refused_at("2 succession", signed(directory(), signers("cn", "cn")))


def test_step_2_signed_but_no_directory() -> None:
    message = refused_at("2 succession", sign_note(b"{}\n", signers("cn", "hk")))
    assert "not a directory" in message


def test_step_3_the_versions_own_threshold() -> None:
    three = directory(threshold=3)
    refused_at("3 own threshold", signed(three, signers("cn", "hk")))
    assert accept(signed(three), now=LATER, anchors=anchors()).version == 1


def test_step_3_a_signature_nobody_can_check_is_refused() -> None:
    message = refused_at("3 own threshold", signed(directory(), [*signers("cn", "hk"), signer("stranger", 1)]))
    assert "stranger" in message


def test_step_4_the_federation_stays() -> None:
    other = RootOfTrust("other.example", anchors().verifiers, 2)
    refused_at("4 federation", NOTE, anchors=other)


def test_step_5_versions_only_go_up() -> None:
    newer = accept(signed(second()), now=LATER, previous=FIRST)
    assert newer.version == 2
    refused_at("5 version", NOTE, previous=newer)
    assert accept(NOTE, now=LATER, previous=FIRST).version == 1  # the same again
    other_first = signed(replace(directory(), grace_days=1))
    assert "forged" in refused_at("5 version", other_first, previous=FIRST)


def test_step_5_one_more_signature_on_the_same_text_is_the_same_version() -> None:
    two = accept(signed(directory(), signers("cn", "hk")), now=NOW, anchors=anchors())
    assert len(accept(NOTE, now=NOW, previous=two).signed_by) == 3


def test_step_6_grace_is_accepted_loudly_and_what_lies_beyond_is_refused() -> None:
    expires, ends = FIRST.directory.expires_at, FIRST.directory.grace_ends_at
    assert accept(NOTE, now=expires - timedelta(days=30), anchors=anchors()).warnings == ()
    (soon,) = accept(NOTE, now=expires - timedelta(days=30, seconds=-1), anchors=anchors()).warnings
    assert "expires on 2027-01-15; the exchange stops on 2027-02-14" in soon
    in_grace = accept(NOTE, now=expires, anchors=anchors())
    assert "expired on 2027-01-15" in in_grace.warnings[0]
    assert "sign a new version now" in in_grace.warnings[0]
    assert in_grace.validity(ends) is Validity.EXPIRED
    assert "grace are over" in refused_at("6 validity", NOTE, now=ends)


def test_step_6_the_version_in_force_stays_in_force_beyond_its_grace() -> None:
    ends = FIRST.directory.grace_ends_at
    over = accept(NOTE, now=ends, previous=FIRST)
    assert over.validity(ends) is Validity.EXPIRED
    assert "partners are refused until the next version" in over.warnings[0]
    following = signed(replace(directory(), version=2), [authority_signer(name) for name in NODES])
    assert "grace are over" in refused_at("6 validity", following, now=ends, previous=FIRST)


def test_step_6_issued_in_the_future_is_a_warning_about_the_clock() -> None:
    early = accept(NOTE, now=NOW - CLOCK_TOLERANCE - timedelta(seconds=1), anchors=anchors())
    assert "check this clock" in early.warnings[0]
    assert accept(NOTE, now=NOW - CLOCK_TOLERANCE, anchors=anchors()).warnings == ()


def test_an_expired_version_can_still_be_followed() -> None:
    old = unsafe_reopen(signed(directory(days=1, grace_days=0)))
    assert old.validity(LATER) is Validity.EXPIRED
    assert accept(signed(second()), now=LATER, previous=old).version == 2


def test_the_previous_versions_keys_decide_and_not_the_anchors() -> None:
    with_new_keys = rotated(second(), *NODES)
    new = signers(*NODES, generation=1)
    refused_at("2 succession", signed(with_new_keys, new), previous=FIRST)
    refused_at("3 own threshold", signed(with_new_keys, signers("cn", "hk")), previous=FIRST)
    changed_over = accept(signed(with_new_keys, [*signers("cn", "hk"), *new[1:]]), now=LATER, previous=FIRST)
    third = replace(with_new_keys, version=3)
    assert accept(signed(third, new[:2]), now=LATER, previous=changed_over).version == 3
    refused_at("2 succession", signed(third, signers(*NODES)), previous=changed_over)


def test_a_lower_threshold_needs_the_higher_one_to_agree() -> None:
    strict = accept(signed(directory(threshold=3)), now=NOW, anchors=anchors(3))
    lower = second(threshold=1)
    refused_at("2 succession", signed(lower, signers("cn", "hk")), previous=strict)
    assert accept(signed(lower), now=LATER, previous=strict).version == 2


def test_reopening_refuses_damage_only() -> None:
    assert unsafe_reopen(NOTE).directory == FIRST.directory
    assert unsafe_reopen(NOTE).signed_by == FIRST.signed_by
    for damaged in (NOTE[:-1], NOTE.replace(b'"threshold": 2', b'"threshold": 1'), b""):
        with pytest.raises(DirectoryError):
            unsafe_reopen(damaged)


def chain() -> list[bytes]:
    """Three versions; all directory keys change with the second."""
    two = rotated(second(), *NODES)
    both = signed(two, [*signers(*NODES), *signers(*NODES, generation=1)])
    return [NOTE, both, signed(replace(two, version=3), signers("cn", "hk", generation=1))]


def test_kept_versions_are_verified_from_the_anchors_version_by_version() -> None:
    kept = chain()
    assert [reopen(kept[:count], anchors=anchors()).version for count in (1, 2, 3)] == [1, 2, 3]
    with pytest.raises(DirectoryError) as caught:
        reopen([kept[0], kept[2]], anchors=anchors())  # the change of keys is missing
    assert caught.value.metadata["step"] == "2 succession"
    with pytest.raises(DirectoryError):
        reopen(kept[2:], anchors=anchors())
    with pytest.raises(DirectoryError):
        reopen([], anchors=anchors())


def test_a_planted_version_counts_for_nothing() -> None:
    theirs = rotated(replace(second(), version=9), *NODES)
    planted = signed(theirs, signers(*NODES, generation=1))  # its threshold, with keys that it names itself
    assert unsafe_reopen(planted).version == 9
    for kept in ([planted], [NOTE, planted], [*chain()[:1], planted], [planted, NOTE, planted]):
        with pytest.raises(DirectoryError) as caught:
            reopen(kept, anchors=anchors())
        assert caught.value.metadata["step"] == "2 succession"


def test_keys_that_were_replaced_start_nothing_again() -> None:
    stolen = signed(replace(rotated(second(), *NODES), version=4), [*signers(*NODES), *signers(*NODES, generation=1)])
    assert reopen([stolen], anchors=anchors()).version == 4
    thief = signed(replace(second(), version=4), signers(*NODES))  # the anchors' own keys, which version 2 replaced
    with pytest.raises(DirectoryError):
        reopen([*chain(), thief], anchors=anchors())


def test_versions_under_earlier_anchors_do_not_hinder() -> None:
    keys = signers(*NODES, generation=1)
    renewed = RootOfTrust.from_vkeys(
        [Verifier(key.name, key.public_key).to_vkey() for key in keys], federation=FEDERATION, threshold=2
    )
    assert reopen(chain(), anchors=renewed).version == 3
    with pytest.raises(DirectoryError, match="kept twice"):
        reopen([*chain(), chain()[2]], anchors=renewed)


def test_verifiers_are_those_of_the_publisher_at_the_time() -> None:
    origin = FeedOrigin(FEDERATION, "cn", "hk", Channel.ALERTS)
    (key,) = FIRST.log_verifiers(origin, LATER)
    assert key.name == origin.line
    assert key.public_key == FIRST.directory.nodes["cn"].log_keys[0].public_key
    assert FIRST.log_verifiers(FeedOrigin("other.example", "cn", "hk", Channel.ALERTS), LATER) == ()
    assert FIRST.log_verifiers(FeedOrigin(FEDERATION, "xx", "hk", Channel.ALERTS), LATER) == ()
    (cosigner,) = FIRST.cosign_verifiers("hk", LATER)
    assert cosigner.name == f"{FEDERATION}/hk/receipts"
    assert cosigner.algorithm is SignatureType.COSIGNATURE
    assert FIRST.cosign_verifiers("xx", LATER) == ()
    revoked = revoke(directory(), issued_at=LATER, since=LATER, public_keys=[key.public_key])
    after = accept(signed(revoked), now=LATER, previous=FIRST)
    assert after.log_verifiers(origin, LATER) == ()
    assert after.log_verifiers(origin, NOW) == (key,)


def test_anchors_are_checked_when_read() -> None:
    vkeys = [verifier.to_vkey() for verifier in anchors().verifiers]
    receipts = Verifier("x", signer("x", 5).public_key, SignatureType.COSIGNATURE).to_vkey()
    for wrong, threshold, problem in (
        (vkeys, 0, "threshold: 0"),
        (vkeys, 4, "threshold: 4"),
        ([], 1, "threshold: 1"),
        ([vkeys[0], vkeys[0]], 1, "twice"),
        (["nonsense"], 1, "nonsense"),
        ([receipts], 1, "type 0x01"),
    ):
        with pytest.raises(ConfigurationError, match=problem):
            RootOfTrust.from_vkeys(wrong, federation=FEDERATION, threshold=threshold)


@given(st.integers(0, len(NOTE) - 1), st.integers(0, 7))
@settings(max_examples=300, deadline=None)
def test_a_changed_bit_anywhere_is_refused(position: int, bit: int) -> None:
    note = bytearray(NOTE)
    note[position] ^= 1 << bit
    with pytest.raises(DirectoryError):
        accept(bytes(note), now=LATER, anchors=anchors())


class Trust(RuleBasedStateMachine):
    """A node that is shown versions by honest and dishonest hands; the oracle is a sentence for each step."""

    @initialize()
    def start(self) -> None:
        self.trusted = accept(signed(directory()), now=LATER, anchors=anchors())
        self.generation = 0
        self.seen = [self.trusted]

    @precondition(lambda self: self.generation == 0)
    @rule(
        version=st.integers(1, 6),
        own_threshold=st.integers(1, 3),
        who=st.lists(st.sampled_from(NODES), min_size=1, max_size=3),
        grace_days=st.integers(0, 3),
    )
    def show(self, version: int, own_threshold: int, who: list[str], grace_days: int) -> None:
        shown = replace(directory(), version=version, threshold=own_threshold, grace_days=grace_days)
        before = self.trusted
        enough = len(set(who)) >= max(before.directory.threshold, own_threshold)
        same = encode_directory(shown) == before.text
        try:
            self.trusted = accept(signed(shown, signers(*who)), now=LATER, previous=before)
        except DirectoryError:
            assert not (enough and (version > before.version or same))
            return
        assert enough
        assert version > before.version or same
        self.seen.append(self.trusted)

    @precondition(lambda self: self.generation == 0 and self.trusted.version < 6)
    @rule()
    def change_all_keys(self) -> None:
        changed = rotated(replace(directory(), version=self.trusted.version + 1), *NODES)
        both = [*signers(*NODES), *signers(*NODES, generation=1)]
        self.trusted = accept(signed(changed, both), now=LATER, previous=self.trusted)
        self.generation = 1
        self.seen.append(self.trusted)

    @precondition(lambda self: self.generation == 1)
    @rule(version=st.integers(1, 9))
    def thief_with_all_old_keys(self, version: int) -> None:
        stolen = replace(directory(), version=version, threshold=1)
        with pytest.raises(DirectoryError):
            accept(signed(stolen, signers(*NODES)), now=LATER, previous=self.trusted)

    @rule(index=st.integers(0, 20))
    def replay(self, index: int) -> None:
        old = self.seen[index % len(self.seen)]
        if old.text == self.trusted.text:
            return
        with pytest.raises(DirectoryError):
            accept(old.note, now=LATER, previous=self.trusted)

    @invariant()
    def versions_only_go_up(self) -> None:
        versions = [trusted.version for trusted in getattr(self, "seen", [])]
        assert versions == sorted(versions)


Trust.TestCase.settings = settings(max_examples=25, stateful_step_count=10, deadline=None)
TestTrust = Trust.TestCase
