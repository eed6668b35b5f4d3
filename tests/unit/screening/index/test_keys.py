"""Whatever compares as compatible is found by a key, as an exhaustive comparison says; and keys tell names apart."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.screening.compare import compare
from gateway.screening.index.keys import index_keys, query_keys
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import MatchClass, NameKind
from tests.support.names import WrittenOrganisation, WrittenPerson, organisations, own_pairs, persons


def _missed(names: list[PreparedName]) -> list[tuple[str, str]]:
    keyed = [(name, query_keys(name), index_keys(name)) for name in names]
    return [
        (a.text, b.text)
        for (a, ours, _), (b, _, theirs) in permutations(keyed, 2)
        if not ours & theirs and compare(a, b).match_class > MatchClass.NONE
    ]


def test_no_pair_of_all_listed_names_is_missed() -> None:
    for kind in (NameKind.PERSON, NameKind.ORGANISATION):
        texts = {text for pair in own_pairs() if pair.name_kind == kind for text in (pair.a, pair.b)}
        assert _missed([prepare(text, kind) for text in sorted(texts)]) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(persons(), min_size=2, max_size=8))
def test_no_pair_of_made_persons_is_missed(written: list[WrittenPerson]) -> None:
    texts = {text for person in written for text in (person.han, person.latin)}
    assert _missed([prepare(text, NameKind.PERSON) for text in texts]) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(organisations(), min_size=2, max_size=8))
def test_no_pair_of_made_organisations_is_missed(written: list[WrittenOrganisation]) -> None:
    texts = {text for organisation in written for text in (organisation.han, organisation.latin)}
    assert _missed([prepare(text, NameKind.ORGANISATION) for text in texts]) == []


def test_keys_are_few() -> None:
    counts = [len(index_keys(prepare(text, pair.name_kind))) for pair in own_pairs() for text in (pair.a, pair.b)]
    assert sum(counts) / len(counts) <= 12
    assert sorted(counts)[len(counts) * 95 // 100] <= 40


def test_keys_tell_names_apart() -> None:
    texts = {text for pair in own_pairs() for text in (pair.a, pair.b)}
    shared = Counter(key for text in texts for key in index_keys(prepare(text)))
    assert shared.most_common(1)[0][1] <= 0.05 * len(texts)


def test_nothing_to_read_has_no_keys() -> None:
    for kind in NameKind:
        assert index_keys(prepare("·–()", kind)) == query_keys(prepare("·–()", kind)) == set()
