from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.contract.ids import Channel
from gateway.errors import DirectoryError
from gateway.trust.rules.directory import Agreement, Directory, FieldClass, KeyRecord, Validity
from gateway.trust.rules.directory_checks import broken_rules
from tests.support.directories import NOW, directory

LATER = NOW + timedelta(days=10)
ALERT = "AlertEvent"


@pytest.fixture
def three() -> Directory:
    return directory()


def test_what_the_agreement_lists_is_allowed(three: Directory) -> None:
    everything = [*FieldClass]
    assert three.allows("cn", "hk", LATER, message_type=ALERT, purpose="export_control", field_classes=everything)
    agreement = three.agreement("cn", "hk", LATER, message_type=ALERT, purpose="export_control")
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


def test_feeds_that_an_older_gateway_does_not_know_are_opened_where_an_agreement_names_them(three: Directory) -> None:
    named = {"cn-hk": frozenset({ALERT, "LicenceEvent"})}
    agreements = (replace(one, message_types=named.get(one.id, frozenset({ALERT}))) for one in three.agreements)
    some = replace(three, agreements=tuple(agreements))
    assert some.carries(Channel.LICENCES, "cn", "hk")
    assert some.carries(Channel.LICENCES, "hk", "cn"), "both ways: what is answered goes the other one"
    assert not some.carries(Channel.LICENCES, "cn", "mo")
    assert some.carries(Channel.ALERTS, "cn", "mo")


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
        "agreements[1].purposes": replace(three, agreements=(first, replace(first, id="again"))),
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
    found = both.agreement(first.sender, first.recipient, LATER, message_type="WatchlistBatch", purpose="smuggling")
    assert found == other


def by_purpose(three: Directory) -> Directory:
    """From cn to hk everything may go for smuggling, and nothing personal for export control."""
    (first,) = (each for each in three.agreements if each.id == "cn-hk")
    smuggling = replace(first, id="cn-hk-smuggling", purposes=frozenset({"smuggling"}))
    export = replace(
        first,
        id="cn-hk-export",
        purposes=frozenset({"export_control", "licence_enforcement"}),
        field_classes=frozenset({FieldClass.COMMERCIAL}),
    )
    others = tuple(each for each in three.agreements if each.id != "cn-hk")
    return replace(three, agreements=(export, smuggling, *others))


def test_each_purpose_has_its_own_classes(three: Directory) -> None:
    parted = by_purpose(three)
    assert broken_rules(parted) == ()
    for version in (parted, replace(parted, agreements=parted.agreements[::-1])):  # whatever their order
        asked = {"message_type": ALERT, "purpose": "smuggling"}
        assert version.allowed_field_classes("cn", "hk", LATER, **asked) == frozenset(FieldClass)
        assert version.allows("cn", "hk", LATER, **asked, field_classes=["PERSONAL"])
        for purpose in ("export_control", "licence_enforcement"):
            asked = {"message_type": ALERT, "purpose": purpose}
            assert version.allowed_field_classes("cn", "hk", LATER, **asked) == frozenset({FieldClass.COMMERCIAL})
            assert not version.allows("cn", "hk", LATER, **asked, field_classes=["PERSONAL"])
        assert version.allowed_field_classes("cn", "hk", LATER, message_type=ALERT, purpose="customs_fraud") is None
        assert version.agreement("cn", "hk", LATER, message_type=ALERT, purpose="customs_fraud") is None
        assert {each.id for each in version.agreements_on("cn", "hk", LATER, message_type=ALERT)} == {
            "cn-hk-export",
            "cn-hk-smuggling",
        }
        assert version.agreements_on("cn", "hk", LATER, message_type="WatchlistBatch") == ()


def test_agreements_that_share_a_purpose_contradict_each_other_and_allow_nothing(three: Directory) -> None:
    parted = by_purpose(three)
    export, smuggling, *others = parted.agreements
    both = frozenset({"export_control", "smuggling"})
    doubled = replace(parted, agreements=(export, replace(smuggling, purposes=both), *others))
    (broken,) = broken_rules(doubled)
    assert (broken.field, broken.rule) == ("agreements[1].purposes", "directory.agreement_once")
    for named in ("cn-hk-export", "cn-hk-smuggling", "AlertEvent", "both name export_control;"):
        assert named in broken.message
    asked = {"message_type": ALERT, "purpose": "export_control"}
    assert doubled.allowed_field_classes("cn", "hk", LATER, **asked) is None
    # apart in time, or of other types, they don't
    apart = replace(smuggling, purposes=both, valid_from=export.valid_until, valid_until=NOW + timedelta(days=999))
    assert broken_rules(replace(parted, agreements=(export, apart, *others))) == ()
    other = replace(smuggling, purposes=both, message_types=frozenset({"HistoryQuery"}))
    export_alerts = replace(export, message_types=frozenset({ALERT}))
    assert broken_rules(replace(parted, agreements=(export_alerts, other, *others))) == ()


@pytest.mark.parametrize("empty", [0, 1])
def test_an_agreement_without_purposes_isnt_one_for_all_others(three: Directory, empty: int) -> None:
    agreements = list(by_purpose(three).agreements)
    agreements[empty] = replace(agreements[empty], purposes=frozenset())
    beside = replace(three, agreements=tuple(agreements))
    (broken,) = broken_rules(beside)
    assert (broken.field, broken.rule) == ("agreements[1].purposes", "directory.agreement_once")
    assert "both must name purposes" in broken.message
    assert beside.allowed_field_classes("cn", "hk", LATER, message_type=ALERT, purpose="taxation") is None
    alone = replace(three, agreements=(agreements[empty],))  # as directories of before may have it
    assert broken_rules(alone) == ()


TYPES, PURPOSES, DAYS = ("AlertEvent", "HistoryQuery"), ("export_control", "smuggling"), range(4)


@st.composite
def some_agreements(draw: st.DrawFn) -> tuple[Agreement, ...]:
    """Up to four from cn to hk, with types, purposes and days that often meet."""
    base = directory().agreements[0]
    made = []
    for number in range(draw(st.integers(0, 4))):
        first = draw(st.sampled_from(DAYS))
        made.append(
            replace(
                base,
                id=f"{number}",
                message_types=frozenset(draw(st.sets(st.sampled_from(TYPES)))),
                purposes=frozenset(draw(st.sets(st.sampled_from(PURPOSES)))),
                valid_from=NOW + timedelta(days=first),
                valid_until=NOW + timedelta(days=draw(st.integers(first + 1, len(DAYS)))),
            )
        )
    return tuple(made)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(some_agreements())
def test_a_sound_directory_has_one_answer_to_every_question(
    three: Directory, agreements: tuple[Agreement, ...]
) -> None:
    """Day by day and type by type: a purpose stands once, and an agreement without any stands alone."""
    asked = replace(three, agreements=agreements)
    sound = True
    for day, message_type in ((day, each) for day in DAYS for each in TYPES):
        on = NOW + timedelta(days=day)
        held = [
            one for one in agreements if one.valid_from <= on < one.valid_until and message_type in one.message_types
        ]
        sound &= len(held) < 2 or all(one.purposes for one in held)
        for purpose in PURPOSES:
            named = [one for one in held if purpose in one.purposes]
            sound &= len(named) < 2
            found = asked.agreement("cn", "hk", on, message_type=message_type, purpose=purpose)
            assert found == (named[0] if len(named) == 1 else None)
    assert sound == (broken_rules(asked) == ())


def released(three: Directory, onward: object, **direct: object) -> bool:
    """Whether hk may pass on to mo what cn answered, with this extension of cn's agreement with hk."""

    def changed(agreement: Agreement) -> Agreement:
        if agreement.id == "cn-hk":
            return replace(agreement, extensions={"onward_recipients": onward})  # type: ignore[dict-item]
        return replace(agreement, **direct) if agreement.id == "cn-mo" else agreement  # type: ignore[arg-type]

    terms = replace(three, agreements=tuple(map(changed, three.agreements)))
    return terms.may_pass_on("cn", "hk", "mo", LATER, message_type="HistoryRecord", purpose="export_control")


def test_an_answer_may_be_passed_on_to_whom_its_agreement_lists(three: Directory) -> None:
    assert released(three, ["mo"])
    assert released(three, ["hk", "mo"])
    assert not three.may_pass_on("cn", "hk", "mo", LATER, message_type="HistoryRecord", purpose="export_control")


@pytest.mark.parametrize("onward", [[], ["hk"], "mo", ["mo", 1], {"mo": True}, True, None, [["mo"]], ["*"]])
def test_an_extension_in_another_form_lists_nobody(three: Directory, onward: object) -> None:
    assert not released(three, onward)


def test_nobody_gets_through_another_what_the_source_does_not_give(three: Directory) -> None:
    assert not released(three, ["mo"], message_types=frozenset({"HistoryHit"}))
    assert not released(three, ["mo"], purposes=frozenset({"smuggling"}))
    assert not released(three, ["mo"], field_classes=frozenset(FieldClass) - {FieldClass.PERSONAL})
    assert not released(three, ["mo"], valid_until=LATER)
