"""The vocabulary: words of other languages lead to known meanings, and one slip in a long core is tolerated."""

from __future__ import annotations

import csv
from importlib import resources

import pytest

from gateway.screening.compare import compare_texts
from gateway.screening.index.keys import index_keys, query_keys
from gateway.screening.organisations.lexicon import PLACES
from gateway.screening.prepared_name import prepare
from gateway.screening.result import MatchClass, NameKind


def _foreign_terms() -> list[dict[str, str]]:
    text = resources.files("gateway.reference").joinpath("foreign_terms.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_every_foreign_word_has_a_meaning_that_the_vocabulary_knows() -> None:
    unknown = []
    for row in _foreign_terms():
        text = f"Xyzzy {row['meaning']}" if row["kind"] != "place" else row["meaning"]
        variants = prepare(text, NameKind.ORGANISATION).organisations
        known = [v for v in variants if v.core in (("xyzzy",), ()) and (v.terms or v.places or v.legal)]
        unknown += [] if known else [row["meaning"]]
    assert unknown == []


@pytest.mark.parametrize("text", ["United States Steel", "Philippines Trading", "Laos Mining", "Netherlands Bank"])
def test_a_place_that_ends_like_a_plural_is_read(text: str) -> None:
    assert prepare(text, NameKind.ORGANISATION).organisations[0].places


def test_places_fit_the_eight_bits_of_the_features() -> None:
    assert len(PLACES) < 255


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Hengchang Bearing Co. Ltd.", "Hengchnag Bearing Co. Ltd.", True),
        ("Shenglianyuan Metals Ltd.", "Shenglianyuam Metals Ltd.", True),
        ("Shenglianyuan Metals Ltd.", "Shenglianyaun Metals Ltd.", True),
        ("Shenglianyuan Metals Ltd.", "Shenglianyang Metals Ltd.", False),
        ("Hengchang Bearing Co. Ltd.", "Hengcheng Bearing Co. Ltd.", False),
        ("Goldfield Shipping Ltd.", "Goldfleld Shipping Ltd.", True),
        ("Goldfield Shipping Ltd.", "Goldfleld Metals Ltd.", False),
        ("Goldfield Shipping Ltd.", "Boldfierd Shipping Ltd.", False),
        ("Kanda Trading Ltd.", "Kamda Trading Ltd.", False),
    ],
)
def test_one_slip_in_a_long_core_is_compatible_unless_it_is_another_syllable(one: str, other: str, same: bool) -> None:
    a, b = prepare(one, NameKind.ORGANISATION), prepare(other, NameKind.ORGANISATION)
    assert (compare_texts(one, other, NameKind.ORGANISATION).match_class == MatchClass.COMPATIBLE) == same
    if same:
        assert query_keys(a) & index_keys(b)
        assert query_keys(b) & index_keys(a)
