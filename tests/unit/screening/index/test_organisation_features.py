"""What the features skip unread never matches: held against the comparison of the names themselves."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.screening.compare import compare
from gateway.screening.index.organisation_features import OrganisationFilter, organisation_features
from gateway.screening.organisations.cores import compare_cores
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import MatchClass, NameKind
from tests.support.names import WrittenOrganisation, organisations, own_pairs

BUSINESS = ("", "贸易", "科技", "投资控股", "矿业", "国际物流")
LATIN_BUSINESS = ("", "Trading", "Technology", "Investment Holdings", "Mining", "International Logistics")


def skipped(query: PreparedName, names: Iterable[PreparedName]) -> list[str]:
    """Names that match the query and would be skipped."""
    mine = OrganisationFilter(query)
    found = []
    for name in names:
        if compare(query, name).match_class == MatchClass.NONE:
            continue
        packed = [organisation_features(name).packed()]
        kept = mine.plausible([0], packed) if not is_spelt(query, name) else mine.in_length([0], packed)
        if not kept:
            found.append(name.text)
    return found


def is_spelt(one: PreparedName, other: PreparedName) -> bool:
    """Whether the cores of all variants agree by spelling or translation, so that a row may be found by that alone."""
    agreements = [
        compare_cores(mine, yours)
        for mine, yours in product(one.organisations, other.organisations)
        if mine.core and yours.core and mine.is_han != yours.is_han
    ]
    return bool(agreements) and all(core is not None and (core.rest or core.agreement > 0.8) for core in agreements)


def test_no_pair_of_listed_organisations_is_skipped() -> None:
    for pair in own_pairs():
        if pair.name_kind == NameKind.ORGANISATION:
            one, other = (prepare(text, pair.name_kind) for text in (pair.a, pair.b))
            assert skipped(one, [other]) == []
            assert skipped(other, [one]) == []


@settings(max_examples=40, deadline=None)
@given(
    written=st.lists(organisations(), min_size=1, max_size=3),
    han=st.sampled_from(BUSINESS),
    latin=st.sampled_from(LATIN_BUSINESS),
)
def test_no_pair_of_made_organisations_is_skipped(written: list[WrittenOrganisation], han: str, latin: str) -> None:
    texts = [text for made in written for text in (made.han, made.latin, made.han + han, f"{made.latin} {latin}")]
    names = [prepare(text, NameKind.ORGANISATION) for text in texts]
    for name in names:
        assert skipped(name, names) == []
