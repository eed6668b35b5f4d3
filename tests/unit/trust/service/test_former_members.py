"""A member is removed by a version: who must sign it, what counts afterwards, and what a wrong request is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import AgreementForbidsError, DirectoryError, DocumentInvalidError, OptionError
from gateway.trust.codec.directory import decode_directory, encode_directory
from gateway.trust.rules.directory import Directory
from gateway.trust.rules.revocations import Revocations
from gateway.trust.service.agreements import Agreements
from gateway.trust.service.directory_drafts import Removal, next_version, removals, remove_member, revoke
from gateway.trust.service.directory_versions import accept
from gateway.v1 import watchlist_pb2
from tests.support.directories import FEDERATION, NOW, anchors, authority_signer, card, directory, signed

REMOVED = NOW + timedelta(days=10)
UNTIL = REMOVED + timedelta(days=14)
BACK = UNTIL + timedelta(days=30)
SECOND = timedelta(seconds=1)
FORMER = "former_members"


def without(node: str = "mo", previous: Directory | None = None, **options: Any) -> Directory:
    given = {"issued_at": REMOVED, "keys_until": UNTIL, **options}
    return remove_member(previous or directory(), node, **given)


def test_the_next_version_names_the_member_no_more_and_keeps_what_it_signed() -> None:
    left = without()
    assert (left.version, left.expires_at, left.threshold) == (2, directory().expires_at, 2)
    assert (sorted(left.nodes), sorted(left.authorities)) == (["cn", "hk"], ["cn", "hk"])
    assert {agreement.id for agreement in left.agreements} == {"cn-hk", "hk-cn"}
    assert decode_directory(encode_directory(left)) == left
    former = left.former_members["mo"]
    assert (former.version, former.removed_at, former.node.endpoints) == (2, REMOVED, ())
    assert left.tls_ca_pems("mo") == (), "nobody admits anything by its CAs"
    assert left.own_ca_pems("mo") == directory().nodes["mo"].tls_ca_pems, "but its own gateway, its own systems"
    assert left.partners("cn", REMOVED) == {"hk"}
    assert left.partners("mo", REMOVED) == frozenset()
    assert (left.former_partners("cn"), left.former_partners("mo")) == ({"mo"}, {"cn", "hk"})
    assert "mo is no member since version 2 of the directory (2026-01-25)" in left.why_no_member("mo")
    assert left.why_no_member("cn") == left.why_no_member("xx") == ""
    with pytest.raises(DirectoryError, match="mo is no member since version 2"):
        left.node("mo")
    assert removals(directory(), left) == [Removal("mo", 4, UNTIL)]


def test_its_keys_count_until_the_given_time_and_no_longer_than_they_did() -> None:
    before, left = directory(), without()
    origin = FeedOrigin(FEDERATION, "mo", "hk", Channel.ALERTS)
    trusted = accept(signed(left, [authority_signer("cn"), authority_signer("hk")]), now=REMOVED, previous=first())
    for keys, count in ((left.log_keys, trusted.log_verifiers), (left.cosign_keys, trusted.cosign_verifiers)):
        assert keys("mo", UNTIL - SECOND) != ()
        assert keys("mo", UNTIL) == ()
        named: Any = origin if keys == left.log_keys else "mo"
        assert len(count(named, UNTIL - SECOND)) == 1
        assert count(named, UNTIL) == ()
    long = without(keys_until=NOW + timedelta(days=10_000))
    assert long.former_members["mo"].node.log_keys == before.nodes["mo"].log_keys


def first() -> Any:
    return accept(signed(directory()), now=NOW, anchors=anchors())


def test_those_who_stay_sign_it_and_the_former_member_signs_nothing_more() -> None:
    cn, hk, mo = (authority_signer(name) for name in ("cn", "hk", "mo"))
    left = accept(signed(without(), [cn, hk]), now=REMOVED, previous=first())
    assert left.version == 2
    with pytest.raises(DirectoryError) as refused:
        accept(signed(without(), [cn, mo]), now=REMOVED, previous=first())
    assert refused.value.metadata["step"] == "3 own threshold"
    third = next_version(left.directory, issued_at=REMOVED)
    with pytest.raises(DirectoryError) as refused:
        accept(signed(third, [cn, mo]), now=REMOVED, previous=left)
    assert refused.value.metadata["step"] == "2 succession"
    assert accept(signed(third, [cn, hk]), now=REMOVED, previous=left).directory.former_members == third.former_members


def test_where_all_must_sign_so_must_the_one_that_leaves() -> None:
    all_sign = accept(signed(directory(threshold=3)), now=NOW, anchors=anchors(threshold=3))
    left = without(previous=all_sign.directory, threshold=2)
    with pytest.raises(DirectoryError) as refused:
        accept(signed(left, [authority_signer("cn"), authority_signer("hk")]), now=REMOVED, previous=all_sign)
    assert refused.value.metadata["step"] == "2 succession"
    assert accept(signed(left), now=REMOVED, previous=all_sign).directory.threshold == 2


def test_wrong_requests_are_refused_with_a_way_out() -> None:
    def refused(*arguments: Any, **options: Any) -> OptionError:
        with pytest.raises(OptionError) as caught:
            without(*arguments, **options)
        return caught.value

    assert "names no node 'xx', only cn, hk, mo" in refused("xx").message
    assert "mo is no member since version 2" in refused("mo", without()).message
    unreachable = refused(previous=directory(threshold=3))
    assert "the threshold of 3 can't be met any more: without mo the directory has 2 authorities" in unreachable.message
    assert unreachable.way_out == "Give --threshold, at most 2."
    assert "can't be met" in refused(threshold=3).message
    for keys_until in (REMOVED, REMOVED - timedelta(days=1)):
        assert "before this version is issued" in refused(keys_until=keys_until).message
    assert without(keys_until=REMOVED + SECOND).log_keys("mo", REMOVED) != ()
    alone = without("hk", without(), threshold=1)
    assert (sorted(alone.nodes), sorted(alone.former_members)) == (["cn"], ["hk", "mo"])
    assert decode_directory(encode_directory(alone)) == alone
    assert "cn is the only member" in refused("cn", alone).message


def test_what_was_sent_under_its_agreements_stays_allowed_and_nothing_new_is() -> None:
    left, entry = without(), watchlist_pb2.WatchlistEvent()
    sending, recorded = Agreements(lambda: left), Agreements(lambda: left, recorded=True)
    for sender, recipient in (("mo", "hk"), ("hk", "mo")):
        asked: Any = {
            "sender": sender,
            "recipient": recipient,
            "purpose": "export_control",
            "message_type": "WatchlistEvent",
        }
        recorded.require(entry, at_ms=_ms(UNTIL - SECOND), **asked)
        for agreements, at in ((recorded, UNTIL), (sending, REMOVED), (sending, NOW)):
            with pytest.raises(AgreementForbidsError, match="mo is no member since version 2"):
                agreements.require(entry, at_ms=_ms(at), **asked)
    others = {"sender": "cn", "recipient": "hk", "purpose": "export_control", "message_type": "WatchlistEvent"}
    sending.require(entry, at_ms=_ms(BACK), **others)
    assert not left.may_pass_on("mo", "hk", "cn", REMOVED, message_type="HistoryRecord", purpose="export_control")


def test_it_comes_back_with_a_card_and_its_earlier_agreements_stay_for_what_was_sent() -> None:
    left = without()
    back = next_version(left, issued_at=BACK, cards=[card("mo")])
    assert sorted(back.nodes) == ["cn", "hk", "mo"]
    assert back.former_members == {}
    assert decode_directory(encode_directory(back)) == back
    assert back.log_keys("mo", BACK) == directory().log_keys("mo", BACK) != ()
    ended = {one.id: one.valid_until for one in back.agreements if "mo" in (one.sender, one.recipient)}
    assert ended == dict.fromkeys(("cn-mo.2", "hk-mo.2", "mo-cn.2", "mo-hk.2"), UNTIL)
    assert back.partners("mo", BACK) == frozenset(), "until new terms say so"
    early = next_version(left, issued_at=REMOVED + timedelta(days=1), cards=[card("mo")])
    assert {one.valid_until for one in early.agreements if "mo" in (one.sender, one.recipient)} == {
        REMOVED + timedelta(days=1)
    }
    assert removals(left, back) == []


def test_a_key_of_a_former_member_can_be_revoked_and_restricts_earlier_versions() -> None:
    key = directory().nodes["mo"].log_keys[0].public_key
    revoked = revoke(without(), issued_at=REMOVED, since=NOW + SECOND, public_keys=[key])
    assert revoked.log_keys("mo", NOW) == (key,)
    assert revoked.log_keys("mo", NOW + SECOND) == ()
    for earlier in (directory(), without()):
        assert Revocations.of([revoked]).restrict(earlier).log_keys("mo", NOW + SECOND) == ()
    with pytest.raises(OptionError, match="this key of mo is revoked already"):
        revoke(revoked, issued_at=REMOVED, since=REMOVED, public_keys=[key])


def _ms(time: Any) -> int:
    return int(time.timestamp() * 1000)


def _problems(change: Callable[[dict[str, Any]], None]) -> set[str]:
    document = json.loads(encode_directory(without()))
    change(document["extensions"][FORMER])
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    with pytest.raises(DocumentInvalidError) as refused:
        decode_directory(text.encode())
    return {violation.field for violation in refused.value.violations}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda former: former.update(cn=former.pop("mo")), f"extensions.{FORMER}.cn"),
        (lambda former: former["mo"].update(version=1), f"extensions.{FORMER}.mo.version"),
        (lambda former: former["mo"].update(version=3), f"extensions.{FORMER}.mo.version"),
        (lambda former: former["mo"].pop("node"), f"extensions.{FORMER}.mo.node"),
        (lambda former: former["mo"].update(more=1), f"extensions.{FORMER}.mo.more"),
        (lambda former: former["mo"].update(removed_at="soon"), f"extensions.{FORMER}.mo.removed_at"),
        (lambda former: former.update(xx=former.pop("mo")), f"extensions.{FORMER}.xx.agreements[0]"),
        (lambda former: former.update(xx=former["mo"]), f"extensions.{FORMER}.xx.node.log_keys[0].public_key"),
    ],
)
def test_a_former_member_in_another_form_is_refused(change: Callable[[dict[str, Any]], None], path: str) -> None:
    assert path in _problems(change)


def test_a_key_of_a_former_member_is_nobody_elses() -> None:
    left = without()
    hk = replace(left.nodes["hk"], log_keys=directory().nodes["mo"].log_keys)
    with pytest.raises(DocumentInvalidError) as refused:
        encode_directory(replace(left, nodes={**left.nodes, "hk": hk}))
    assert "nodes.hk.log_keys[0].public_key" in {violation.field for violation in refused.value.violations}
