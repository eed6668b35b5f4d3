"""Firms' names as other papers write them: abbreviations, pinyin throughout, legal forms; each beside an innocent twin.

All are invented. A name is asked for in an index of both, so that keys and prefilter are tested too.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.screening.compare import compare_texts
from gateway.screening.index.entries import EntryName, IndexEntry
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.organisations.abbreviations import MAX_READINGS, written_out
from gateway.screening.result import MatchClass, NameKind

ORGANISATION = NameKind.ORGANISATION


class Firm(NamedTuple):
    """A listed firm, its other writings, and names of others near it."""

    listed: str
    writings: list[str]
    others: list[str]


def firms() -> list[Firm]:
    """Of `writings.csv`: group (abbreviated, pinyin, form), same (yes, no), listed, writing."""
    found: dict[str, Firm] = {}
    with Path(__file__).with_name("writings.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            firm = found.setdefault(row["listed"], Firm(row["listed"], [], []))
            (firm.writings if row["same"] == "yes" else firm.others).append(row["writing"])
    return list(found.values())


@pytest.mark.parametrize("firm", firms(), ids=lambda firm: firm.listed)
def test_a_writing_finds_its_firm_and_no_twin(firm: Firm) -> None:
    index = NameIndex()
    for number, text in enumerate((firm.listed, *firm.others)):
        index.put(IndexEntry("list", str(number), 1, 1, 1, 0, 0, (EntryName(text, ORGANISATION),), ()))
    for writing in firm.writings:
        assert compare_texts(firm.listed, writing, ORGANISATION).match_class, writing
        found = index.search(PartyQuery(((writing, ORGANISATION),))).hits
        assert firm.listed in [hit.listed for hit in found], writing
    for other in firm.others:
        assert compare_texts(firm.listed, other, ORGANISATION).match_class == MatchClass.NONE, other


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ("golden natl mdse", "golden national merchandise"),
        ("delta pharmaceut", "delta pharmaceutical"),
        ("sky aviatn", "sky aviation"),
        ("wanda wanjuchang", "wanda wanju chang"),
        ("harvest tradingltd", "harvest trading ltd"),
    ],
)
def test_abbreviations_are_written_out(short: str, whole: str) -> None:
    assert whole.split() in list(written_out(short.split()))


@pytest.mark.parametrize("name", ["east asia", "aviatn delta", "rare earth", "star starlight", "zzzz qqqq"])
def test_whole_words_and_the_first_one_stay(name: str) -> None:
    assert list(written_out(name.split())) == []


def test_readings_are_few_however_many_words_are_short() -> None:
    assert len(list(written_out(["a", "comm", "elec", "int", "inst", "comp", "res", "sec"]))) <= MAX_READINGS


def test_xi_is_no_number_among_syllables_and_disan_is_one() -> None:
    listed = "深圳市稀土贸易有限公司"
    assert compare_texts(listed, "SHEN ZHEN SHI XI TU MAO YI YOU XIAN GONG SI", ORGANISATION).match_class
    assert compare_texts("青岛第三橡胶厂", "Qingdao Di San Xiangjiao Chang", ORGANISATION).match_class
    assert not compare_texts("青岛第三橡胶厂", "Qingdao Di Si Xiangjiao Chang", ORGANISATION).match_class


def test_a_core_in_pinyin_left_over_is_no_translation() -> None:
    assert not compare_texts("佛山市顺德区美佳电器有限公司", "Foshan Shunde Meida Dianqi", ORGANISATION).match_class
