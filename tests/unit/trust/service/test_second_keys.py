"""Second keys in the directory: where earlier releases pass over them; signed with once listed, needed later."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.contract.ids import FeedOrigin
from gateway.contract.json_document import dump_json
from gateway.errors import DocumentInvalidError
from gateway.tlog.checkpoint import Checkpoint, cosign, sign_checkpoint
from gateway.tlog.note import SignatureType, UnverifiedNote, parse_note, sign_note
from gateway.trust.codec.directory import decode_directory, encode_directory
from gateway.trust.pki.keys import MlDsa44Signer
from gateway.trust.rules.directory import Directory, KeyAlgorithm, KeyRecord
from gateway.trust.service.directory_drafts import next_version, revoke
from gateway.trust.service.directory_offers import DirectoryState
from gateway.trust.service.directory_versions import TrustedDirectory, accept
from gateway.trust.service.verified_lines import verified_lines
from tests.support.directories import NOW, anchors, card, directory, signed, signer
from tests.support.owner_revocations import revocation, revoked
from tests.support.tlog_keys import SecondTestKey

DAY = timedelta(days=1)
ORIGIN = FeedOrigin.parse("gba.customs.example/cn/hk/alerts")
RECEIPTS = "gba.customs.example/hk/receipts"
NEEDED_FROM = NOW + 10 * DAY
LOG, RECEIPT = SecondTestKey(ORIGIN.line, "log"), SecondTestKey(RECEIPTS, "receipts")


def record(key: SecondTestKey) -> KeyRecord:
    return KeyRecord(key.public_key, NEEDED_FROM, NOW + 100 * DAY, algorithm=KeyAlgorithm.ML_DSA_44)


def with_second_keys() -> Directory:
    """cn has a second log key, hk a second receipts key."""
    version = directory()
    cn, hk = version.nodes["cn"], version.nodes["hk"]
    nodes = {
        **version.nodes,
        "cn": replace(cn, log_keys=(record(LOG), *cn.log_keys)),
        "hk": replace(hk, cosign_keys=(*hk.cosign_keys, record(RECEIPT))),
    }
    return replace(version, nodes=nodes)


def trusted(version: Directory) -> TrustedDirectory:
    return accept(signed(version), now=NOW, anchors=anchors())


def test_they_stand_below_extensions_and_read_back() -> None:
    version = with_second_keys()
    text = encode_directory(version)
    assert decode_directory(text) == version
    cn = json.loads(text)["nodes"]["cn"]
    assert len(cn["log_keys"]) == 1  # what earlier releases read
    (second,) = cn["extensions"]["second_keys"]["log_keys"]
    assert second["algorithm"] == "ml-dsa-44"
    assert [key.algorithm for key in version.nodes["cn"].log_keys] == [KeyAlgorithm.ED25519, KeyAlgorithm.ML_DSA_44]


@pytest.mark.parametrize(
    ("member", "value", "field"),
    [
        ("algorithm", "ml-dsa-87", "algorithm"),
        ("algorithm", None, "algorithm"),
        ("public_key", "A" * 44, "public_key"),
        ("not_before", "soon", "not_before"),
        ("colour", "red", "colour"),
    ],
)
def test_wrong_ones_are_refused_by_name(member: str, value: object, field: str) -> None:
    document = json.loads(encode_directory(with_second_keys()))
    document["nodes"]["cn"]["extensions"]["second_keys"]["log_keys"][0][member] = value
    with pytest.raises(DocumentInvalidError) as caught:
        decode_directory(dump_json(document))
    assert [violation.field for violation in caught.value.violations] == [
        f"nodes.cn.extensions.second_keys.log_keys[0].{field}"
    ]


def test_a_key_stands_in_one_place() -> None:
    version = with_second_keys()
    hk = version.nodes["hk"]
    twice = replace(version, nodes={**version.nodes, "hk": replace(hk, log_keys=(*hk.log_keys, record(RECEIPT)))})
    with pytest.raises(DocumentInvalidError, match="in another place"):
        encode_directory(twice)


def test_they_are_needed_from_their_time_on_and_signed_with_before() -> None:
    version = with_second_keys()
    trust = trusted(version)
    for at, needed in ((NEEDED_FROM - DAY, False), (NEEDED_FROM, True), (NOW + 100 * DAY, False)):
        assert all(bool(key.second) == needed for key in trust.log_verifiers(ORIGIN, at))
        assert all(bool(key.second) == needed for key in trust.cosign_verifiers("hk", at))
        assert not any(key.second for key in trust.log_verifiers(ORIGIN, at, alone=True))
    assert not any(key.second for key in trust.cosign_verifiers("cn", NEEDED_FROM))
    assert version.second_keys("cn", NOW) == {LOG.public_key}
    assert version.second_keys("cn", NOW + 100 * DAY) == frozenset()
    (receipts,) = trust.cosign_verifiers("hk", NEEDED_FROM)
    assert receipts.second_since == NEEDED_FROM.timestamp()


def test_a_revoked_one_is_needed_no_more() -> None:
    version = revoke(with_second_keys(), issued_at=NOW + DAY, public_keys=[LOG.public_key], since=NOW)
    assert version.second_keys("cn", NOW) == frozenset()
    assert not any(key.second for key in trusted(version).log_verifiers(ORIGIN, NEEDED_FROM))


def test_the_next_version_keeps_past_ones() -> None:
    version = with_second_keys()
    later = next_version(version, issued_at=NOW + DAY, cards=[card("cn", generation=0)])
    assert record(LOG) in later.nodes["cn"].log_keys


def cosigned_by(*, second: bool) -> tuple[bytes, bytes]:
    """A checkpoint by cn's log key of the directory, and its receipt by hk's, with or without second keys."""
    log, recipient = signer(ORIGIN.line, 2000), signer(RECEIPTS, 3001)
    if second:
        log = log.beside(MlDsa44Signer(ORIGIN.line, LOG.private_key))
        recipient = recipient.beside(MlDsa44Signer(RECEIPTS, RECEIPT.private_key))
    note = sign_checkpoint(Checkpoint(ORIGIN.line, 7, bytes(range(32))), log)
    return note, cosign(note, recipient, 1_768_435_200)


def test_lines_of_keys_that_a_version_does_not_name_are_left_out_of_evidence() -> None:
    both = b"".join(cosigned_by(second=True))
    assert verified_lines(trusted(with_second_keys()), both) == both
    assert verified_lines(trusted(directory()), both) == b"".join(cosigned_by(second=False))
    assert {key.algorithm for key in trusted(with_second_keys()).every_second_verifier(ORIGIN)} == {
        SignatureType.ML_DSA_44
    }


def test_lines_that_a_node_adds_to_spoil_evidence_are_left_out() -> None:
    """Of a stranger's key, of a wrong signature, twice, and in another order."""
    trust = trusted(with_second_keys())
    note, receipt = cosigned_by(second=True)
    whole = note + receipt
    text = parse_note(whole).unverified_text
    log, second, first_receipt, second_receipt = parse_note(whole).signatures
    stranger = parse_note(sign_note(text, [signer(ORIGIN.line, 77)])).signatures[0]
    wrong = replace(second, signature=second.signature[:-1] + bytes([second.signature[-1] ^ 1]))
    other = replace(stranger, name="somebody/else")
    for lines in (
        (stranger, log, second, first_receipt, second_receipt),
        (log, wrong, second, first_receipt, second_receipt),
        (log, second, first_receipt, second_receipt, other, second_receipt),
        (second_receipt, first_receipt, second, log),
    ):
        assert verified_lines(trust, UnverifiedNote(text, lines).encode()) == whole
    nothing = UnverifiedNote(text, (stranger, other)).encode()
    assert verified_lines(trust, nothing) == nothing  # and verifying it says so


def test_an_offered_version_makes_no_second_key_needless_before_it_is_in_force() -> None:
    version = with_second_keys()
    made = revoke(version, issued_at=NOW, since=NOW, public_keys=[LOG.public_key])
    state, _ = DirectoryState.of([trusted(version)]).offered(signed(made), "hk")
    (verifier,) = state.trusted.log_verifiers(ORIGIN, NEEDED_FROM)
    assert [second.public_key for second in verifier.second] == [LOG.public_key]


def test_an_owner_takes_the_first_key_away_and_can_not_make_the_second_one_needless() -> None:
    state = DirectoryState.of([trusted(with_second_keys())])
    first = with_second_keys().nodes["cn"].log_keys[0].public_key
    made, _ = state.revoking(revoked(revocation("cn", keys={first: NOW})))
    assert made.trusted.log_verifiers(ORIGIN, NEEDED_FROM) == ()
    assert made.trusted.directory.second_keys("cn", NEEDED_FROM) == {LOG.public_key}
    with pytest.raises(DocumentInvalidError, match="an Ed25519 public key"):
        revoked(revocation("cn", keys={LOG.public_key: NOW}))
