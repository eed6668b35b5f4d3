"""What is left of a licence follows from what is known of it, in whatever order that came."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.licences.rules.balances import LicenceFacts, balance
from gateway.licences.rules.coverage import NO, PARTLY, YES, covered
from gateway.licences.rules.parties import is_other
from gateway.licences.rules.quantities import measure, with_tolerance
from gateway.v1 import goods_pb2, licence_pb2, party_pb2
from tests.support.licences import ARRIVED, CONSIGNEE, REEXPORTED, breaches_in, licence_content, named, reference


def revision(number: int = 1, effective_on: str = "2026-01-01", **content: Any) -> licence_pb2.LicenceRevision:
    return licence_pb2.LicenceRevision(
        number="L1", revision=number, effective_on=effective_on, content=licence_content(**content)
    )


def use(declaration: str, quantity: str, **fields: Any) -> licence_pb2.LicenceUse:
    made = licence_pb2.LicenceUse(
        licence=reference("L1"),
        declaration=declaration,
        **{
            "line": 1,
            "revision": 1,
            "goods": 1,
            "quantity": quantity,
            "unit": "KGM",
            "day": "2026-01-15",
            "destination": "HK",
            "consignee": named(CONSIGNEE),
            "purpose": "export_control",
            **{name: value for name, value in fields.items() if name != "at_s"},
        },
    )
    made.reported_at.seconds = fields.get("at_s", 0)
    return made


def followed(
    kind: licence_pb2.LicenceFollowUpKind.ValueType, quantity: str, **fields: Any
) -> licence_pb2.LicenceFollowUp:
    return licence_pb2.LicenceFollowUp(
        licence=reference("L1"),
        kind=kind,
        declaration="HK-1",
        **{"line": 1, "revision": 1, "goods": 1, "quantity": quantity, "unit": "KGM", "day": "2026-01-20", **fields},
    )


def found(*uses: tuple[str, licence_pb2.LicenceUse], **facts: Any) -> list[tuple[str, str]]:
    return breaches_in(balance(LicenceFacts(**{"revisions": [revision()], "uses": uses, **facts})))


def test_what_a_licence_allows_is_no_breach() -> None:
    facts = LicenceFacts([revision()], uses=[("cn", use("A", "400")), ("hk", use("B", "0.65", unit="TNE"))])
    (goods,) = balance(facts).goods
    assert (goods.drawn, goods.remaining, goods.quantity_with_tolerance) == ("1050", "-50", "1050")
    assert not balance(facts).breaches, "within the tolerance"


def test_of_two_uses_on_one_day_the_later_one_is_beyond() -> None:
    (goods,) = balance(LicenceFacts([revision()], uses=[("cn", use("A", "600"))])).goods
    assert goods.remaining == "400"
    both = [("cn", use("A", "600", at_s=100)), ("mo", use("B", "600", at_s=40))]
    (breach,) = balance(LicenceFacts([revision()], uses=both)).breaches
    assert (breach.reporter, breach.declaration, breach.quantity, breach.unit) == ("cn", "A", "150", "KGM")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"day": "2025-12-31"}, "TOO_EARLY"),
        ({"day": "2026-07-01"}, "EXPIRED"),
        ({"destination": "MO"}, "OTHER_DESTINATION"),
        ({"consignee": named("Another Trading Limited")}, "OTHER_CONSIGNEE"),
        ({"code": goods_pb2.CommodityCode(code="811010", scheme="hs")}, "OTHER_GOODS"),
        ({"unit": "NMB"}, "OTHER_UNIT"),
        ({"goods": 2}, "OTHER_GOODS"),
        ({"quantity": "1050.000001"}, "BEYOND_QUANTITY"),
    ],
)
def test_each_way_of_not_being_as_the_licence_says(fields: dict[str, Any], kind: str) -> None:
    assert found(("hk", use("A", **{"quantity": "10", **fields}))) == [(kind, "A")]


def test_what_is_not_said_is_no_breach() -> None:
    silent = use("A", "10", destination="")
    silent.ClearField("consignee")
    assert found(("hk", silent)) == []
    assert found(("hk", use("B", "0", destination="US"))) == [], "a cancelled declaration"


def test_a_use_is_compared_with_the_revision_of_its_day() -> None:
    both = [revision(), revision(2, "2026-02-01", destinations=["MO"])]
    assert found(("hk", use("A", "10")), ("hk", use("B", "10", day="2026-02-01")), revisions=both) == [
        ("OTHER_DESTINATION", "B")
    ]
    withdrawal = licence_pb2.LicenceWithdrawal(number="L1", revision=1, effective_on="2026-01-15")
    days = ("hk", use("A", "10", day="2026-01-14")), ("hk", use("B", "10"))
    assert found(*days, withdrawal=withdrawal) == [("WITHDRAWN", "B")]


def test_uses_are_declarations() -> None:
    twice = [revision(uses=1)]
    lines = [("cn", use("A", "10", line=line)) for line in (1, 2)]
    assert found(*lines, revisions=twice) == []
    assert found(*lines, ("hk", use("A", "10", at_s=9)), revisions=twice) == [("BEYOND_USES", "A")]


def test_goods_that_may_not_leave_again_leave() -> None:
    follow_ups = [("hk", followed(ARRIVED, "10")), ("hk", followed(REEXPORTED, "4", destination="US"))]
    left = balance(LicenceFacts([revision()], follow_ups=follow_ups))
    assert breaches_in(left) == [("REEXPORTED", "HK-1")]
    assert (left.goods[0].arrived, left.goods[0].reexported, left.goods[0].drawn) == ("10", "4", "0")
    assert not balance(LicenceFacts([revision(conditions=[])], follow_ups=follow_ups)).breaches


@pytest.mark.parametrize(
    ("declared", "other"),
    [
        ("PLACEHOLDER METALS (HK) LTD", False),
        ("Metals Placeholder HK Company Limited", False),
        ("Placeholder Metals", True),
        ("占位金属有限公司", False),
    ],
)
def test_parties_are_compared_within_one_script(declared: str, other: bool) -> None:
    assert is_other(named(CONSIGNEE), named(declared)) is other


def test_an_identifier_decides_before_a_name() -> None:
    licensed, declared = named(CONSIGNEE), named("Another Limited")
    for party in (licensed, declared):
        party.identifiers.append(party_pb2.Identifier(scheme="hk_brn", value="1234-5678"))
    assert not is_other(licensed, declared)
    declared.identifiers[0].value = "87654321"
    declared.names[0].text = CONSIGNEE
    assert is_other(licensed, declared)


@pytest.mark.parametrize(
    ("quantity", "coverage"), [("400", YES), ("450", YES), ("450.000001", PARTLY), ("2", YES), ("9000000", PARTLY)]
)
def test_coverage_is_of_what_is_left(quantity: str, coverage: int) -> None:
    facts = LicenceFacts([revision()], uses=[("hk", use("A", "600"))])
    goods = licence_pb2.LicensedConsignment(quantity=quantity, unit="KGM", day="2026-02-01", destination="HK")
    assert covered(facts, goods).coverage == coverage


def test_coverage_says_no_with_all_reasons() -> None:
    facts = LicenceFacts([revision()], uses=[("hk", use("A", "1050"))])
    goods = licence_pb2.LicensedConsignment(quantity="1", unit="KGM", day="2026-02-01")
    assert covered(facts, goods).coverage == NO
    goods.destination, goods.day = "US", "2026-08-01"
    assert [licence_pb2.LicenceBreachKind.Name(kind)[20:] for kind in covered(facts, goods).reasons] == [
        "EXPIRED",
        "OTHER_DESTINATION",
    ]


@given(st.decimals("0", "999999999999.999999", places=6), st.sampled_from(["GRM", "KGM", "TNE", "NMB"]))
def test_quantities_are_exact(quantity: Any, unit: str) -> None:
    text = f"{quantity:f}"
    assert f"{measure(text, unit).shown(unit)}" == (text.rstrip("0").rstrip(".") if "." in text else text)
    assert with_tolerance(measure(text, unit), "50").amount * 2 == measure(text, unit).amount * 3


USES = st.lists(
    st.tuples(
        st.sampled_from(["cn", "hk"]),
        st.builds(
            use,
            st.sampled_from(["A", "B", "C"]),
            st.sampled_from(["0", "10", "400.5", "700"]),
            line=st.integers(1, 2),
            day=st.sampled_from(["2025-12-31", "2026-01-15", "2026-02-01", "2026-08-01"]),
            destination=st.sampled_from(["HK", "MO", ""]),
            unit=st.sampled_from(["KGM", "GRM", "TNE", "NMB"]),
            at_s=st.integers(0, 3),
        ),
    ),
    unique_by=lambda one: (one[0], one[1].declaration, one[1].line),
    max_size=8,
)


@given(USES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(uses: list[tuple[str, licence_pb2.LicenceUse]], shuffler: Any) -> None:
    revisions = [revision(uses=2), revision(2, "2026-02-01", uses=3, destinations=["HK", "MO"])]
    follow_ups = [("hk", followed(ARRIVED, "10")), ("cn", followed(REEXPORTED, "4"))]
    first = balance(LicenceFacts(revisions, uses=uses, follow_ups=follow_ups))
    shuffled = list(uses)
    shuffler.shuffle(shuffled)
    again = balance(LicenceFacts(revisions, uses=shuffled, follow_ups=follow_ups[::-1]))
    assert again.SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
