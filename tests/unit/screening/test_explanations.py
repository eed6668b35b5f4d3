"""Names are judged first and explained later: neither when, nor among which others, may change what is said."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from gateway.screening.compare import compare, evaluate
from gateway.screening.index.entries import EntryName, IndexEntry
from gateway.screening.index.hits import weakened
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.organisations.cores import ROMANISED, compare_cores
from gateway.screening.organisations.syllables import spellings_of
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import DEFAULT_THRESHOLDS, MatchClass, NameKind, Thresholds, class_of
from gateway.screening.text.sounds import RomanisationScheme
from tests.support.names import development_pairs, drawn_organisations, own_pairs

LOW = Thresholds(0.3, 0.5)
SCHEMES = (
    RomanisationScheme.MAINLAND,
    RomanisationScheme.HONG_KONG,
    RomanisationScheme.MACAO,
    RomanisationScheme.CANTONESE,
)


def names() -> dict[NameKind, list[PreparedName]]:
    found: dict[NameKind, dict[str, None]] = {}
    for pair in (*own_pairs(), *development_pairs()):
        found.setdefault(pair.name_kind, {}).update({pair.a: None, pair.b: None})
    plain = {
        NameKind.VESSEL: ("MV Fortune Star 3", "FORTUNE STAR III", "Fortun Star 3", "幸运星3号", "幸運星叁號"),
        NameKind.ADDRESS: ("12 Nathan Rd, Kowloon", "Nathan Road 12, Kowloon", "弥敦道12号", "14 Nathan Road"),
        NameKind.VEHICLE: ("粤Z·1234澳", "粵Z1234澳", "MN-12-34"),
    }
    return {kind: [prepare(text, kind) for text in texts] for kind, texts in (found | plain).items()}


def pairs_of_one_kind() -> Iterator[tuple[PreparedName, PreparedName]]:
    """Each name with those beside it, its counterpart among them, and with some others."""
    rng = random.Random(4)
    for of_kind in names().values():
        for number, name in enumerate(of_kind):
            others = of_kind[max(0, number - 4) : number + 5] + rng.sample(of_kind, min(30, len(of_kind)))
            yield from ((name, other) for other in others)


@pytest.mark.parametrize("thresholds", [DEFAULT_THRESHOLDS, LOW], ids=["usual", "low"])
def test_when_a_pair_is_explained_changes_nothing(thresholds: Thresholds) -> None:
    judged = [(evaluate(a, b, thresholds), compare(a, b, thresholds)) for a, b in pairs_of_one_kind()]
    assert sum(bool(at_once.match_class) for _, at_once in judged) > 1_000
    for late, at_once in judged:
        assert late.explain() == at_once
        assert late.explain() == at_once, "explaining uses nothing up"
        assert (late.match_class, late.score) == (at_once.match_class, at_once.score)


def test_parts_and_forms_account_for_the_score() -> None:
    for a, b in pairs_of_one_kind():
        found = compare(a, b, LOW)
        if not found.match_class:
            continue
        assert found.score == min(1.0, round(sum(part.contribution for part in found.parts), 4))
        assert sum(part.weight for part in found.parts) == pytest.approx(1, abs=1e-5)
        assert found.variants[0].score == found.score
        assert found.tokens
        assert found.match_class <= class_of(found.score, MatchClass.IDENTICAL, LOW)


def test_hits_say_what_a_comparison_of_the_two_texts_says() -> None:
    listed = [name for of_kind in names().values() for name in of_kind if name.kind is not NameKind.VEHICLE]
    index = NameIndex()
    index.load(
        IndexEntry("cn/a", str(number), 1, 0, 0, 0, 0, [EntryName(name.text, name.kind, number % 3 == 0)], [])
        for number, name in enumerate(listed)
    )
    told, weak = 0, 0
    for name in listed:
        for hit in index.search(PartyQuery(((name.text, name.kind),)), limit=5).hits:
            whole = compare(name, listed[int(hit.reference.id)])
            assert hit.comparison == (weakened(whole, DEFAULT_THRESHOLDS) if hit.weak else whole)
            told, weak = told + 1, weak + hit.weak
    assert told > len(listed) / 2
    assert weak > 100


def reads_as(units: tuple[str, ...], letters: str, scheme: RomanisationScheme) -> bool:
    """Whether letters are a Han core spelt by one scheme, by trying every spelling of every character."""
    if not units or not letters:
        return not units and not letters
    return any(
        letters.startswith(spelling) and reads_as(units[1:], letters[len(spelling) :], scheme)
        for spelling in spellings_of(units[0], scheme)
    )


def test_cores_read_by_all_schemes_at_once_agree_as_by_each_alone() -> None:
    drawn = list(drawn_organisations(400, seed=12))
    others = random.Random(5).sample(drawn, len(drawn))
    whole = 0
    for one, other in [*zip(drawn, drawn, strict=True), *zip(drawn, others, strict=True)]:
        for han, latin in cores(one.han, other.latin):
            found = compare_cores(han, latin)
            by_scheme = [scheme for scheme in SCHEMES if reads_as(han.core, "".join(latin.core), scheme)]
            if by_scheme:
                assert found is not None
                assert not found.rest
                assert (found.agreement == ROMANISED) == (by_scheme[0] != RomanisationScheme.CANTONESE)
                assert "".join(token.candidate for token in found.tokens()) == "".join(latin.core)
                whole += 1
            else:
                assert found is None or found.rest or found.agreement < ROMANISED
    assert whole > 300


def cores(han: str, latin: str) -> Iterator[tuple[OrganisationVariant, OrganisationVariant]]:
    """Forms with cores of a Han name and a Latin one, but for those that have translated words in both."""
    mine, yours = (prepare(text, NameKind.ORGANISATION).organisations for text in (han, latin))
    for one in mine:
        for other in yours:
            if one.is_han and one.core and other.core and not (one.names and other.names):
                yield one, other
