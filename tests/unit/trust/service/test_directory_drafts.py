from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import ConfigurationError, OptionError
from gateway.trust.codec.directory import decode_directory, encode_directory
from gateway.trust.rules.directory import FieldClass
from gateway.trust.service.agreement_terms import ALERTS_ALONE, agreements_among
from gateway.trust.service.directory_drafts import (
    differences,
    draft_directory,
    next_version,
    revoke,
)
from tests.support.directories import NODES, NOW, card, directory, signer

LATER = NOW + timedelta(days=10, microseconds=123)
SECONDS = LATER.replace(microsecond=0)


def test_agreements_among_three_are_six_and_allow_alerts_alone() -> None:
    agreements = agreements_among(NODES, ALERTS_ALONE, valid_from=NOW, valid_until=NOW + timedelta(days=1))
    assert [each.id for each in agreements] == ["cn-hk", "cn-mo", "hk-cn", "hk-mo", "mo-cn", "mo-hk"]
    for each in agreements:
        assert (each.message_types, each.purposes, each.hit_reports) == ({"AlertEvent"}, {"export_control"}, False)
        assert each.field_classes == {FieldClass.INVESTIGATIVE}


def test_a_draft_needs_all_signatures_unless_told_otherwise() -> None:
    assert directory(threshold=None).threshold == 3


def test_drafts_refuse_contradicting_cards() -> None:
    with pytest.raises((ConfigurationError, OptionError), match="at least one"):
        draft_directory([], agreements=(), issued_at=NOW)
    with pytest.raises((ConfigurationError, OptionError), match="same node"):
        draft_directory([card("cn"), card("cn")], agreements=(), issued_at=NOW)
    with pytest.raises((ConfigurationError, OptionError), match="different federations"):
        draft_directory([card("cn"), replace(card("hk"), federation="x.example")], agreements=(), issued_at=NOW)


def test_renewing_keeps_everything_but_the_dates() -> None:
    renewed = next_version(directory(), issued_at=LATER, days=100)
    assert {change.path for change in differences(directory(), renewed)} == {"version", "issued_at", "expires_at"}
    assert renewed.expires_at == SECONDS + timedelta(days=100)
    assert decode_directory(encode_directory(renewed)) == renewed


def test_a_newer_card_replaces_endpoints_and_keeps_past_keys() -> None:
    old = directory()
    newer = card("hk")
    fresh = replace(newer.node.log_keys[0], public_key=signer("any", 9).public_key)
    moved = replace(newer, node=replace(newer.node, endpoints=("new.example:1",), log_keys=(fresh,)))
    renewed = next_version(old, issued_at=LATER, cards=[moved])
    assert renewed.nodes["hk"].endpoints == ("new.example:1",)
    assert renewed.log_keys("hk", LATER) == (fresh.public_key, old.nodes["hk"].log_keys[0].public_key)
    with pytest.raises((ConfigurationError, OptionError), match="another federation"):
        next_version(old, issued_at=LATER, cards=[replace(newer, federation="x.example")])


def test_a_card_that_knows_nothing_of_a_revocation_does_not_undo_it() -> None:
    key = directory().nodes["hk"].log_keys[0].public_key
    revoked = revoke(directory(), issued_at=LATER, since=LATER, public_keys=[key])
    assert next_version(revoked, issued_at=LATER, cards=[card("hk")]).log_keys("hk", LATER) == ()


def test_a_card_made_anew_takes_nothing_from_what_a_key_signed_before() -> None:
    old = directory()
    again = card("hk")
    (record,) = again.node.log_keys
    made = replace(again, node=replace(again.node, log_keys=(replace(record, not_before=LATER),)))
    assert next_version(old, issued_at=LATER, cards=[made]).nodes["hk"].log_keys[0].not_before == record.not_before
    planned = replace(record, public_key=signer("any", 9).public_key, not_before=LATER + timedelta(days=5))
    first = replace(again, node=replace(again.node, log_keys=(record, planned)))
    later = replace(planned, not_before=LATER + timedelta(days=9))
    put_off = replace(again, node=replace(again.node, log_keys=(record, later)))
    renewed = next_version(next_version(old, issued_at=LATER, cards=[first]), issued_at=LATER, cards=[put_off])
    assert renewed.nodes["hk"].log_keys == (record, later)  # its time hadn't come


def test_revoking_a_certificate() -> None:
    revoked = revoke(directory(), issued_at=LATER, since=LATER, fingerprints=["ab" * 32])
    assert revoked.is_revoked("ab" * 32)
    assert revoked.version == 2
    assert revoked.expires_at == directory().expires_at
    with pytest.raises((ConfigurationError, OptionError), match="revoked already"):
        revoke(revoked, issued_at=LATER, since=LATER, fingerprints=["ab" * 32])


def test_revoking_a_key() -> None:
    key = directory().nodes["hk"].cosign_keys[0].public_key
    revoked = revoke(directory(), issued_at=LATER, since=LATER, public_keys=[key])
    assert revoked.cosign_keys("hk", LATER) == ()
    assert revoked.cosign_keys("hk", NOW) == (key,)
    earlier = revoke(revoked, issued_at=LATER, since=NOW, public_keys=[key])  # it turns out to have been stolen before
    assert earlier.cosign_keys("hk", NOW) == ()
    with pytest.raises((ConfigurationError, OptionError), match="revoked already"):
        revoke(earlier, issued_at=LATER, since=LATER, public_keys=[key])
    with pytest.raises((ConfigurationError, OptionError), match="no node"):
        revoke(directory(), issued_at=LATER, since=LATER, public_keys=[bytes(32)])
    assert decode_directory(encode_directory(earlier)) == earlier


def test_several_are_revoked_by_one_version() -> None:
    node = directory().nodes["hk"]
    keys = [node.log_keys[0].public_key, node.cosign_keys[0].public_key]
    made = revoke(directory(), issued_at=LATER, since=LATER, fingerprints=["ab" * 32, "cd" * 32], public_keys=keys)
    assert made.version == 2
    assert made.revoked_certificates == {"ab" * 32, "cd" * 32}
    assert made.log_keys("hk", LATER) == made.cosign_keys("hk", LATER) == ()
    with pytest.raises((ConfigurationError, OptionError), match="no node"):
        revoke(directory(), issued_at=LATER, since=LATER, public_keys=[*keys, bytes(32)])


def test_revoking_in_an_expired_directory_is_still_a_sound_directory() -> None:
    expired = directory(days=1)
    revoked = revoke(expired, issued_at=LATER, since=LATER, fingerprints=["ab" * 32])
    assert decode_directory(encode_directory(revoked)) == revoked


def test_differences_are_named_by_path() -> None:
    old = directory()
    new = replace(
        revoke(old, issued_at=NOW, since=NOW, fingerprints=["ab" * 32]),
        agreements=(replace(old.agreements[0], clause="new"), *old.agreements[2:]),
        nodes={**old.nodes, "hk": replace(old.nodes["hk"], endpoints=())},
    )
    found = {change.path: change for change in differences(old, new)}
    assert set(found) == {
        "version",
        "revoked_certificates",
        "agreements.cn-hk.clause",
        "agreements.cn-mo",
        "nodes.hk.endpoints",
    }
    assert found["agreements.cn-mo"].new is None
    assert differences(old, old) == ()
