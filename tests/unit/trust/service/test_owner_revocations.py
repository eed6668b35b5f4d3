"""An authority revokes by itself what is its own, at once, and nothing else; a version that says it takes over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DirectoryError
from gateway.tlog.note import sign_note
from gateway.tls.certificates import inspect_ca
from gateway.trust.codec.owner_revocation import MAX_REVOCATION_BYTES, encode_revocation
from gateway.trust.rules.directory import Directory
from gateway.trust.rules.owner_revocations import OwnerRevocation
from gateway.trust.rules.revocations import Revocations
from gateway.trust.service import directory_offers
from gateway.trust.service.directory_offers import DirectoryState
from gateway.trust.service.directory_versions import NO_REVOCATIONS, accept
from gateway.trust.service.owner_revocations import TrustedRevocation, verify_revocation
from tests.support.directories import NODES, NOW, anchors, authority_signer, ca_pem, directory, rotated, signed, signer
from tests.support.owner_revocations import certificate, fingerprint, revocation, revoked

LATER = NOW + timedelta(days=10)
LOG = {node: directory().nodes[node].log_keys[0].public_key for node in NODES}
RECEIPTS = {node: directory().nodes[node].cosign_keys[0].public_key for node in NODES}


def begun() -> DirectoryState:
    return DirectoryState.of([accept(signed(directory()), now=NOW, anchors=anchors())])


def taken(state: DirectoryState, *notes: bytes) -> DirectoryState:
    for note in notes:
        state, _ = state.revoking(note)
    return state


def accepting(state: DirectoryState, **changes: object) -> DirectoryState:
    version = state.in_force.version + 1
    return state.accepting(signed(replace(directory(), version=version, **changes)), NOW)  # type: ignore[arg-type]


def refusal(note: bytes, version: Directory | None = None) -> DirectoryError:
    with pytest.raises(DirectoryError) as raised:
        verify_revocation(note, version or directory())
    return raised.value


def test_a_note_restricts_at_once_and_changes_nothing_else() -> None:
    before = begun()
    state = taken(before, revoked(revocation("mo", certificate("mo", "lost"), keys={LOG["mo"]: LATER})))
    now = state.trusted.directory
    assert now.revoked_certificates == {fingerprint("mo", "lost")}
    assert now.log_keys("mo", LATER - timedelta(seconds=1)) == (LOG["mo"],)
    assert now.log_keys("mo", LATER) == ()
    mo = replace(now.nodes["mo"], log_keys=before.trusted.directory.nodes["mo"].log_keys)
    assert replace(now, revoked_certificates=frozenset(), nodes={**now.nodes, "mo": mo}) == directory()
    assert (state.trusted.version, state.trusted.known_version) == (1, 1)
    assert state.trusted.owners_digest != before.trusted.owners_digest == NO_REVOCATIONS
    assert state.in_force is before.trusted, "what a threshold signed is as it was"
    assert state.trusted.note == before.trusted.note, "and so is what evidence is held to"


@st.composite
def revocations(draw: st.DrawFn) -> tuple[OwnerRevocation, str]:
    """A revocation of anybody's certificates and keys, and who signs it."""
    owners = st.sampled_from(NODES)
    certificates = draw(
        st.lists(st.tuples(owners, st.sampled_from(["", "lost", "ca"])), unique=True, max_size=3).map(
            lambda chosen: [ca_pem(node) if name == "ca" else certificate(node, name) for node, name in chosen]
        )
    )
    times = st.integers(-2000, 2000).map(lambda days: NOW + timedelta(days=days))
    keys = draw(st.dictionaries(st.sampled_from([*LOG.values(), *RECEIPTS.values()]), times, max_size=3))
    made = revocation(draw(owners), *certificates, keys=keys)
    return (made if certificates or keys else replace(made, keys={LOG["cn"]: NOW})), draw(owners)


@given(revocations(), st.integers(-3000, 3000))
def test_a_note_takes_away_alone_and_only_what_is_its_owners(made: tuple[OwnerRevocation, str], days: int) -> None:
    content, by = made
    node, own = content.authority, directory()
    note = revoked(content, authority_signer(by))
    fingerprints = {fingerprint(name, leaf): name for name in NODES for leaf in ("", "lost")}
    fingerprints |= {inspect_ca(ca_pem(name)).fingerprint_sha256: name for name in NODES}
    is_own = set(content.certificates) <= {certificate(node), certificate(node, "lost"), ca_pem(node)}
    if by != node or not is_own or not set(content.keys) <= {LOG[node], RECEIPTS[node]}:
        assert refusal(note).metadata["step"] in ("3 content", "4 owner")
        return
    restricted, at = taken(begun(), note).trusted.directory, NOW + timedelta(days=days)
    assert own.revoked_certificates <= restricted.revoked_certificates
    assert {fingerprints[one] for one in restricted.revoked_certificates} <= {node}
    for name in NODES:
        for before, after in (
            (own.log_keys(name, at), restricted.log_keys(name, at)),
            (own.cosign_keys(name, at), restricted.cosign_keys(name, at)),
        ):
            assert set(after) <= set(before)
            assert name == node or after == before
    assert replace(restricted, revoked_certificates=frozenset(), nodes=own.nodes) == own


def damaged(pem: str) -> str:
    """With another letter in the middle of its base64."""
    return f"{pem[:300]}{'A' if pem[300] != 'A' else 'B'}{pem[301:]}"


@pytest.mark.parametrize(
    ("note", "step", "words"),
    [
        (b"nonsense", "1 form", "empty line"),
        (b"x" * (MAX_REVOCATION_BYTES + 1), "1 form", "at most 65536"),
        (
            revoked(revocation("mo", certificate("mo")), authority_signer("mo"), authority_signer("hk")),
            "1 form",
            "2 signatures",
        ),
        (
            revoked(revocation("mo", certificate("mo")), authority_signer("mo", 1)),
            "2 signature",
            "another key than directory version 1 names",
        ),
        (
            revoked(revocation("mo", certificate("mo")), signer("gba.customs.example/xx/directory", 77)),
            "2 signature",
            "xx/directory, which directory version 1 doesn't name",
        ),
        (revoked(revocation("mo", certificate("mo"))).replace(b"stolen", b"stolem"), "2 signature", "isn't this key's"),
        (sign_note(b"some other text\n", [authority_signer("mo")]), "3 content", "isn't|not a revocation"),
        (signed(directory(), [authority_signer("mo")]), "3 content", "not a revocation"),
        (
            revoked(replace(revocation("mo", certificate("mo")), federation="other.example")),
            "3 content",
            "it is for other.example",
        ),
        (
            revoked(revocation("hk", certificate("hk")), authority_signer("mo")),
            "3 content",
            "mo has signed it, and it says that it is by hk",
        ),
        (revoked(revocation("mo", certificate("hk"))), "4 owner", "gateway/hk isn't mo's"),
        (revoked(revocation("mo", certificate("mo"), certificate("hk", "lost"))), "4 owner", "isn't mo's"),
        (revoked(revocation("mo", ca_pem("hk"))), "4 owner", "isn't mo's"),
        (revoked(revocation("mo", keys={LOG["hk"]: NOW})), "4 owner", "no log or receipts key of mo"),
        (
            revoked(revocation("mo", damaged(certificate("mo")))),
            "4 owner",
            "can't be read|isn't under mo's own CA",
        ),
    ],
    ids=[
        "no note",
        "too large",
        "two signatures",
        "another key",
        "unknown authority",
        "tampered",
        "another text",
        "a directory",
        "another federation",
        "in another's name",
        "another's certificate",
        "another's system",
        "another's CA",
        "another's key",
        "a damaged certificate",
    ],
)
def test_what_does_not_verify_is_refused_with_the_step(note: bytes, step: str, words: str) -> None:
    error = refusal(note)
    assert error.metadata["step"] == step
    assert any(word in error.message for word in words.split("|")), error.message
    with pytest.raises(DirectoryError):
        begun().revoking(note)


def test_a_certificate_of_a_ca_that_the_directory_does_not_name_is_nobodys() -> None:
    other = directory()
    other = replace(other, nodes={**other.nodes, "mo": replace(other.nodes["mo"], tls_ca_pems=(ca_pem("hk"),))})
    assert "isn't under mo's own CA" in refusal(revoked(revocation("mo", certificate("mo"))), other).message


def test_only_verification_makes_one() -> None:
    with pytest.raises(TypeError, match="verify_revocation"):
        TrustedRevocation(object(), content=revocation("mo"), certificates=(), note=b"", digest=b"")


def test_a_ca_takes_everything_under_it() -> None:
    state = taken(begun(), revoked(revocation("mo", ca_pem("mo"))))
    assert state.trusted.directory.revoked_certificates == {inspect_ca(ca_pem("mo")).fingerprint_sha256}
    more = taken(state, revoked(revocation("mo", certificate("mo"))))
    assert [(one.owner, one.is_ca) for found in state.outstanding for one in found.items.certificates] == [("mo", True)]
    assert len(more.outstanding) == 2, "the CA isn't gone by the directory's word yet"


def test_it_counts_until_a_version_in_force_says_it_and_stays_as_evidence() -> None:
    note = revoked(revocation("mo", certificate("mo"), keys={LOG["mo"]: LATER}))
    state = accepting(taken(begun(), note))
    assert state.trusted.directory.revoked_certificates == {fingerprint("mo")}, "a version that doesn't say it"
    half = accepting(state, revoked_certificates=frozenset({fingerprint("mo")}))
    assert half.outstanding[0].items.certificates == ()
    assert half.trusted.directory.log_keys("mo", LATER) == ()
    whole_nodes = Revocations(keys={LOG["mo"]: LATER}).restrict(directory()).nodes
    whole = accepting(half, revoked_certificates=frozenset({fingerprint("mo")}), nodes=whole_nodes)
    assert whole.outstanding == ()
    assert whole.trusted is whole.in_force
    assert [one.note for one in whole.revocations] == [note]
    dropped = accepting(whole, nodes=whole_nodes)
    assert dropped.trusted.directory.revoked_certificates == frozenset(), "once it was said, versions decide"
    assert taken(whole, note) is whole
    assert DirectoryState.of(whole.history).revoking(note)[0].revocations == (), "nothing is left of it to keep"


def test_a_time_that_a_version_says_later_leaves_the_owners() -> None:
    state = taken(begun(), revoked(revocation("mo", keys={LOG["mo"]: LATER})))
    later = Revocations(keys={LOG["mo"]: LATER + timedelta(days=1)}).restrict(directory()).nodes
    assert accepting(state, nodes=later).trusted.directory.log_keys("mo", LATER) == ()


def test_what_the_directory_does_not_name_any_more_is_over() -> None:
    state = taken(begun(), revoked(revocation("mo", certificate("mo"), keys={RECEIPTS["mo"]: LATER})))
    mo = directory().nodes["mo"]
    renewed = replace(mo, tls_ca_pems=(ca_pem("next"),), cosign_keys=())
    assert accepting(state, nodes={**directory().nodes, "mo": renewed}).outstanding == ()


def test_several_of_one_key_count_from_the_earliest_time_whatever_their_order() -> None:
    notes = [revoked(revocation("mo", keys={LOG["mo"]: NOW + timedelta(days=days)})) for days in (9, 3, 6)]
    states = [taken(begun(), *notes), taken(begun(), *reversed(notes))]
    for state in states:
        assert state.trusted.directory.log_keys("mo", NOW + timedelta(days=3)) == ()
        assert state.trusted.directory.log_keys("mo", NOW + timedelta(days=2)) == (LOG["mo"],)
    assert states[0].trusted.owners_digest == states[1].trusted.owners_digest


def test_one_authority_has_a_bounded_number_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_offers, "MAX_REVOCATIONS", 2)
    names = ("a", "b", "c")
    notes = [revoked(revocation("mo", certificate("mo", name))) for name in names]
    state = taken(begun(), *notes[:2])
    with pytest.raises(DirectoryError, match="2 revocations by mo alone count already"):
        state.revoking(notes[2])
    assert taken(state, notes[0]) is state
    assert len(taken(state, revoked(revocation("hk", certificate("hk")))).outstanding) == 3, "another's place isn't his"
    said = accepting(state, revoked_certificates=frozenset({fingerprint("mo", "a")}))
    assert len(taken(said, notes[2]).outstanding) == 2


def test_a_kept_one_counts_after_its_key_was_replaced_and_a_new_one_of_the_old_key_does_not() -> None:
    note = revoked(revocation("mo", certificate("mo")))
    both = [authority_signer(name, generation) for generation in (0, 1) for name in NODES]
    state = begun().accepting(signed(replace(rotated(directory()), version=2), both), NOW)
    assert state.reopening(note).trusted.directory.revoked_certificates == {fingerprint("mo")}
    with pytest.raises(DirectoryError, match="another key than directory version 2 names"):
        state.revoking(note)
    with pytest.raises(DirectoryError, match="isn't mo's"):
        state.reopening(revoked(revocation("mo", certificate("hk")), authority_signer("mo", 1)))


def test_offers_and_revocations_stand_beside_each_other() -> None:
    note = revoked(revocation("mo", certificate("mo")))
    offer = signed(replace(directory(), version=2, revoked_certificates=frozenset({"aa" * 32})))
    both = {"aa" * 32, fingerprint("mo")}
    for state in (taken(begun().offered(offer, "hk")[0], note), taken(begun(), note).offered(offer, "hk")[0]):
        assert state.trusted.directory.revoked_certificates == both
        assert state.trusted.known_version == 2
        accepted = state.accepting(offer, NOW)
        assert accepted.trusted.directory.revoked_certificates == both
        assert accepted.outstanding[0].revocation.note == note


def test_the_text_of_a_note_is_what_it_is_known_by() -> None:
    text = encode_revocation(revocation("mo", certificate("mo")))
    state = taken(begun(), sign_note(text, [authority_signer("mo")]))
    assert taken(state, sign_note(text, [authority_signer("cn")])) is state, "whoever signs a known one again"
