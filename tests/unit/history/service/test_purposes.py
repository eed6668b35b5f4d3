"""Questions for shipment history under agreements that allow other things for other purposes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import AgreementForbidsError
from gateway.history.codec.signed_texts import parse_record
from gateway.history.service.terms import require_terms
from gateway.trust.rules.directory import Agreement, Directory, FieldClass
from gateway.v1 import goods_pb2, options_pb2
from gateway.v1 import history_pb2 as pb
from tests.support.answers import CONTAINER, Pair, one_pair
from tests.support.directories import NOW, directory
from tests.support.shipments import grounds, shipment

SMUGGLING, EXPORT = "smuggling", "export_control"
EVERYTHING = frozenset(FieldClass)
IMPERSONAL = frozenset({FieldClass.COMMERCIAL})
LATER = NOW + timedelta(days=1)
NAMED = pb.SearchCriteria(party_names=["Wang Tat Metals"])
REFERENCED = pb.SearchCriteria(references=[pb.SearchReference(value="6CN9144030071526726XG-1")])


def parted(agreements: tuple[Agreement, ...], *ids: str) -> tuple[Agreement, ...]:
    """Each of these agreements as two: everything for smuggling, and nothing personal for export control."""
    made = []
    for one in agreements:
        if one.id not in ids:
            made.append(one)
            continue
        made.append(
            replace(
                one,
                id=f"{one.id}/1",
                purposes=frozenset({EXPORT}),
                field_classes=IMPERSONAL,
                clause="Article 6, without persons",
            )
        )
        made.append(replace(one, id=f"{one.id}/2", purposes=frozenset({SMUGGLING}), clause="Article 5"))
    return tuple(made)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with one_pair(tmp_path) as made:
        yield made


def typed(version: Directory, **types: str) -> Directory:
    """Agreements of this id with one type of messages."""
    assert types.keys() <= {one.id for one in version.agreements}
    agreements = [
        replace(one, message_types=frozenset({types[one.id]})) if one.id in types else one for one in version.agreements
    ]
    return replace(version, agreements=tuple(agreements))


@pytest.fixture
def two_purposes() -> Directory:
    made = directory()
    return replace(made, agreements=parted(made.agreements, "cn-hk", "hk-cn"))


def query(
    purpose: str,
    criteria: pb.SearchCriteria | None = None,
    *alternatives: pb.SearchCriteria,
    mode: pb.AnswerMode.ValueType = pb.ANSWER_MODE_RECORDS,
) -> pb.HistoryQuery:
    return pb.HistoryQuery(
        asker="cn",
        answerer="hk",
        grounds=grounds(purpose),
        criteria=criteria or pb.SearchCriteria(containers=[CONTAINER]),
        alternatives=alternatives,
        mode=mode,
    )


def refusal(version: Directory, asked: pb.HistoryQuery) -> AgreementForbidsError:
    with pytest.raises(AgreementForbidsError) as refused:
        require_terms(version, asked, LATER)
    return refused.value


def test_one_record_is_told_with_persons_for_one_purpose_and_without_for_another(pair: Pair) -> None:
    pair.record(shipment("HK-1", total_value=goods_pb2.Money(currency_code="USD", units=10)))
    pair.direct(agreements=parted(pair.hk.trust.directory.agreements, "hk-cn"))
    for _ in range(2):  # what was told for one purpose changes nothing for the other
        told = pair.ask(grounds=grounds(SMUGGLING))
        (whole,) = map(parse_record, told.records)
        assert (list(whole.withheld), told.statement.withheld) == ([], 0)
        assert whole.shipment.parties[1].names[0].text == "Wang Tat Metals Limited"

        told = pair.ask(grounds=grounds(EXPORT))
        (redacted,) = map(parse_record, told.records)
        assert redacted.withheld
        personal, investigative = options_pb2.DISCLOSURE_CLASS_PERSONAL, options_pb2.DISCLOSURE_CLASS_INVESTIGATIVE
        assert {one.disclosure_class for one in redacted.withheld} == {personal, investigative}
        assert told.statement.withheld == len(redacted.withheld)
        assert b"Wang Tat" not in b"".join(told.records)
        assert redacted.shipment.total_value.units == 10


def test_a_purpose_that_none_names_gets_nothing_and_learns_which_there_are(pair: Pair) -> None:
    pair.record(shipment("HK-1"))
    question = pair.question(grounds=grounds("customs_fraud"))
    pair.direct(both=False, agreements=parted(pair.hk.trust.directory.agreements, "hk-cn"))
    with pytest.raises(AgreementForbidsError) as refused:
        pair.answerer.begin(pair.answerer.verify("cn", question.data, question.note))
    assert refused.value.message == (
        "no agreement lets hk answer cn about shipments for the purpose 'customs_fraud' "
        "(hk-cn/1 for export_control: Article 6, without persons; hk-cn/2 for smuggling: Article 5)"
    )
    assert refused.value.metadata["clause"] == "hk-cn/1: Article 6, without persons; hk-cn/2: Article 5"


@pytest.mark.parametrize("purpose", [SMUGGLING, EXPORT])
def test_terms_are_those_of_the_purpose(two_purposes: Directory, purpose: str) -> None:
    for version in (two_purposes, replace(two_purposes, agreements=two_purposes.agreements[::-1])):
        terms = require_terms(version, query(purpose), LATER)
        assert terms.agreement.purposes == {purpose}
        assert (terms.agreement.sender, terms.agreement.recipient) == ("hk", "cn")
        assert terms.field_classes == (EVERYTHING if purpose == SMUGGLING else IMPERSONAL)
        assert not terms.hit_only


def test_criteria_are_allowed_for_the_purpose_in_both_directions(two_purposes: Directory) -> None:
    require_terms(two_purposes, query(SMUGGLING, NAMED), LATER)
    error = refusal(two_purposes, query(EXPORT, NAMED))
    assert "from cn to hk nothing of class INVESTIGATIVE or PERSONAL may go for the purpose 'export_control'" in (
        error.message
    )
    assert "criteria.party_names" in error.message
    assert error.metadata["clause"] == "cn-hk/1: Article 6, without persons"
    made = directory()
    one_way = replace(made, agreements=parted(made.agreements, "hk-cn"))
    require_terms(one_way, query(SMUGGLING, NAMED), LATER)
    assert refusal(one_way, query(EXPORT, NAMED)).message.startswith("from hk to cn nothing of class")


def test_alternatives_are_criteria_as_well(two_purposes: Directory) -> None:
    secret = pb.SearchCriteria(containers=[CONTAINER], party_names=["Wang Tat Metals"])
    require_terms(two_purposes, query(SMUGGLING, REFERENCED, REFERENCED, secret), LATER)
    require_terms(two_purposes, query(EXPORT, REFERENCED, REFERENCED), LATER)
    error = refusal(two_purposes, query(EXPORT, REFERENCED, REFERENCED, secret))
    assert "alternatives[1].party_names" in error.message
    bare = replace(
        two_purposes, agreements=tuple(replace(one, field_classes=frozenset()) for one in two_purposes.agreements)
    )
    error = refusal(bare, query(EXPORT, None, REFERENCED))
    assert "alternatives[0].references[0].value" in error.message


def test_records_may_be_for_one_purpose_and_hits_alone_for_another(two_purposes: Directory) -> None:
    version = typed(two_purposes, **{"hk-cn/1": "HistoryHit", "hk-cn/2": "HistoryRecord"})
    assert require_terms(version, query(EXPORT), LATER).hit_only
    assert not require_terms(version, query(SMUGGLING), LATER).hit_only
    asked = query(SMUGGLING, mode=pb.ANSWER_MODE_HIT)  # records say more than a hit, for that purpose
    terms = require_terms(version, asked, LATER)
    assert (terms.hit_only, terms.agreement.id) == (True, "hk-cn/2")


def test_each_agreement_for_other_purposes_is_named_once() -> None:
    made = directory()
    parts = replace(made, agreements=parted(made.agreements, "hk-cn"))
    types = frozenset({"HistoryRecord", "HistoryHit"})
    parts = replace(
        parts,
        agreements=tuple(replace(one, message_types=types) if one.sender == "hk" else one for one in parts.agreements),
    )
    message = refusal(parts, query("customs_fraud")).message
    assert message.count("hk-cn/1 for export_control") == message.count("hk-cn/2 for smuggling") == 1


def test_who_may_ask_goes_by_purpose_too(two_purposes: Directory) -> None:
    version = typed(two_purposes, **{"cn-hk/1": "AlertEvent"})
    require_terms(version, query(SMUGGLING), LATER)
    error = refusal(version, query(EXPORT))
    assert error.message == (
        "no agreement lets cn ask hk about shipments for the purpose 'export_control' "
        "(cn-hk/2 for smuggling: Article 5)"
    )
    neither = typed(version, **{"cn-hk/2": "AlertEvent"})
    assert refusal(neither, query(EXPORT)).message == (
        "no agreement lets cn ask hk about shipments (cn-hk/1: Article 6, without persons; cn-hk/2: Article 5)"
    )
    nothing = replace(version, agreements=())
    assert refusal(nothing, query(EXPORT)).message == (
        "no agreement lets cn ask hk about shipments; there is no agreement between them"
    )


def test_an_agreement_of_another_time_says_nothing(two_purposes: Directory) -> None:
    agreements = tuple(
        replace(one, valid_until=LATER) if one.id == "hk-cn/1" else one for one in two_purposes.agreements
    )
    error = refusal(replace(two_purposes, agreements=agreements), query(EXPORT))
    assert "for the purpose 'export_control' (hk-cn/2 for smuggling: Article 5)" in error.message
