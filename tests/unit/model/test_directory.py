from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import DirectoryError
from gateway.model.directory import Directory, FieldClass, KeyRecord, Validity
from gateway.model.directory_rules import broken_rules
from tests.support.directories import NOW, directory

LATER = NOW + timedelta(days=10)
ALERT = "AlertEvent"


@pytest.fixture
def three() -> Directory:
    return directory()


def test_what_the_agreement_lists_is_allowed(three: Directory) -> None:
    everything = [*FieldClass]
    assert three.allows("cn", "hk", LATER, message_type=ALERT, purpose="export_control", field_classes=everything)
    agreement = three.agreement("cn", "hk", LATER, message_type=ALERT)
    assert agreement is not None
    assert agreement.id == "cn-hk"
    assert three.partners("cn", LATER) == {"hk", "mo"}


@pytest.mark.parametrize(
    "question",
    [
        {"sender": "xx"},
        {"recipient": "xx"},
        {"recipient": "cn"},
        {"message_type": "WatchlistBatch"},
        {"message_type": ""},
        {"message_type": "alertevent"},
        {"purpose": "taxation"},
        {"purpose": ""},
        {"field_classes": ["PERSONAL", "SECRET"]},
        {"field_classes": [""]},
        {"on": NOW - timedelta(seconds=1)},
        {"on": NOW + timedelta(days=700)},
    ],
)
def test_unknown_means_no(three: Directory, question: dict[str, object]) -> None:
    asked = {"sender": "cn", "recipient": "hk", "on": LATER, "message_type": ALERT, "purpose": "export_control"}
    assert three.allows(**asked)  # type: ignore[arg-type]
    assert not three.allows(**{**asked, **question})  # type: ignore[arg-type]


def test_an_agreement_is_one_way(three: Directory) -> None:
    one_way = replace(three, agreements=tuple(each for each in three.agreements if each.id == "cn-hk"))
    assert one_way.allows("cn", "hk", LATER, message_type=ALERT, purpose="smuggling")
    assert not one_way.allows("hk", "cn", LATER, message_type=ALERT, purpose="smuggling")
    assert one_way.partners("hk", LATER) == {"cn"}
    assert one_way.partners("mo", LATER) == frozenset()


def test_empty_lists_allow_nothing(three: Directory) -> None:
    for member in ("message_types", "purposes"):
        nothing = tuple(replace(each, **{member: frozenset()}) for each in three.agreements)
        assert not replace(three, agreements=nothing).allows("cn", "hk", LATER, message_type=ALERT, purpose="smuggling")
    bare = replace(three, agreements=tuple(replace(each, field_classes=frozenset()) for each in three.agreements))
    asked = {"message_type": ALERT, "purpose": "smuggling"}
    assert bare.allows("cn", "hk", LATER, **asked)
    assert not bare.allows("cn", "hk", LATER, **asked, field_classes=["COMMERCIAL"])
    assert bare.allowed_field_classes("cn", "hk", LATER, **asked) == frozenset()


def test_allowed_field_classes_tells_nothing_from_none(three: Directory) -> None:
    asked = {"message_type": ALERT, "purpose": "smuggling"}
    assert three.allowed_field_classes("cn", "hk", LATER, **asked) == frozenset(FieldClass)
    assert three.allowed_field_classes("cn", "xx", LATER, **asked) is None
    assert three.allowed_field_classes("cn", "hk", LATER, message_type=ALERT, purpose="taxation") is None


def test_keys_count_in_their_time_only(three: Directory) -> None:
    record = three.nodes["cn"].log_keys[0]
    assert three.log_keys("cn", record.not_before) == (record.public_key,)
    assert three.log_keys("cn", record.not_before - timedelta(seconds=1)) == ()
    assert three.log_keys("cn", record.not_after) == ()
    assert three.log_keys("xx", LATER) == ()
    assert three.cosign_keys("xx", LATER) == ()
    assert three.cosign_keys("cn", LATER) == (three.nodes["cn"].cosign_keys[0].public_key,)
    assert three.tls_ca_pems("xx") == ()
    assert len(three.tls_ca_pems("cn")) == 1


def test_a_revoked_key_still_counts_for_what_it_signed_before() -> None:
    record = KeyRecord(b"\x07" * 32, NOW, NOW + timedelta(days=100), revoked_at=LATER)
    assert record.usable(LATER - timedelta(seconds=1))
    assert not record.usable(LATER)
    assert not record.usable(NOW + timedelta(days=50))


def test_validity_has_three_states(three: Directory) -> None:
    assert three.validity(three.expires_at - timedelta(seconds=1)) is Validity.CURRENT
    assert three.validity(three.expires_at) is Validity.GRACE
    assert three.validity(three.grace_ends_at - timedelta(seconds=1)) is Validity.GRACE
    assert three.validity(three.grace_ends_at) is Validity.EXPIRED


def test_a_node_that_isnt_named_is_an_error_that_says_who_is(three: Directory) -> None:
    assert three.node("hk").authority == "hk"
    with pytest.raises(DirectoryError, match="names no node 'xx', only cn, hk, mo"):
        three.node("xx")


def test_a_sound_directory_breaks_no_rule(three: Directory) -> None:
    assert broken_rules(three) == ()


def test_every_rule_across_parts_is_found(three: Directory) -> None:
    cn, hk = three.nodes["cn"], three.nodes["hk"]
    first = three.agreements[0]
    cases = {
        "expires_at": replace(three, expires_at=three.issued_at),
        "expires_at ": replace(three, expires_at=three.issued_at + timedelta(days=801)),
        "threshold": replace(three, threshold=4),
        "authorities.cn.node": replace(
            three, authorities={**three.authorities, "cn": replace(three.authorities["cn"], node="hk")}
        ),
        "authorities.hk.directory_key": replace(
            three,
            authorities={
                **three.authorities,
                "hk": replace(three.authorities["hk"], directory_key=three.authorities["cn"].directory_key),
            },
        ),
        "nodes.cn.authority": replace(three, nodes={**three.nodes, "cn": replace(cn, authority="xx")}),
        "nodes.hk.log_keys[0].public_key": replace(
            three, nodes={**three.nodes, "hk": replace(hk, log_keys=cn.log_keys)}
        ),
        "nodes.hk.cosign_keys[0].public_key": replace(
            three, nodes={**three.nodes, "hk": replace(hk, cosign_keys=hk.log_keys)}
        ),
        "nodes.hk.tls_ca_pems[0]": replace(three, nodes={**three.nodes, "hk": replace(hk, tls_ca_pems=cn.tls_ca_pems)}),
        "nodes.cn.log_keys[0].not_after": replace(
            three, nodes={**three.nodes, "cn": replace(cn, log_keys=(replace(cn.log_keys[0], not_after=NOW),))}
        ),
        "agreements[0].sender": replace(three, agreements=(replace(first, sender="xx"),)),
        "agreements[0].recipient": replace(three, agreements=(replace(first, recipient=first.sender),)),
        "agreements[0].valid_until": replace(three, agreements=(replace(first, valid_until=first.valid_from),)),
        "agreements[1].id": replace(three, agreements=(first, replace(first, message_types=frozenset({"X"})))),
        "agreements[1].message_types": replace(three, agreements=(first, replace(first, id="again"))),
    }
    for path, broken in cases.items():
        assert path.strip() in [violation.field for violation in broken_rules(broken)], path


def test_a_directory_key_is_no_log_key_too(three: Directory) -> None:
    for name, authority in three.authorities.items():
        key = b64decode(authority.directory_key.split("+", 2)[2])[1:]
        node = three.nodes[name]
        record = replace(node.log_keys[0], public_key=key)
        both = replace(three, nodes={**three.nodes, name: replace(node, log_keys=(record,))})
        assert {violation.rule for violation in broken_rules(both)} == {"directory.key_once"}


def test_two_agreements_of_one_pair_may_follow_each_other_or_cover_other_types(three: Directory) -> None:
    first = three.agreements[0]
    after = replace(first, id="after", valid_from=first.valid_until, valid_until=first.valid_until + timedelta(days=1))
    other = replace(first, id="other", message_types=frozenset({"WatchlistBatch"}))
    both = replace(three, agreements=(first, after, other))
    assert broken_rules(both) == ()
    found = both.agreement(first.sender, first.recipient, LATER, message_type="WatchlistBatch")
    assert found == other
