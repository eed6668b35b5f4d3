"""A name that is written to look like a listed one is found, and the explanation says how it was read."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from gateway.screening.compare import compare_texts
from gateway.screening.identifiers import compare_identifiers
from gateway.screening.index.entries import EntryName, IndexEntry
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.result import MatchClass, NameKind
from gateway.screening.text.lookalikes import DIGITS, LETTERS, MAX_SPELLINGS, OVERRIDE, other_spellings
from gateway.screening.text.normalisation import MAX_NAME_LENGTH, clean
from tests.support.names import development_pairs, own_pairs

ROOT = Path(__file__).parents[4]
ORGANISATION, PERSON, VESSEL = NameKind.ORGANISATION, NameKind.PERSON, NameKind.VESSEL


@pytest.mark.drift
def test_the_packaged_lookalikes_are_unicodes() -> None:
    packaged = (ROOT / "gateway/contract/identification/lookalike_letters.py").read_text(encoding="utf-8")
    assert packaged == runpy.run_path(str(ROOT / "scripts/lookalikes.py"))["table"](), "run `make lookalikes`"


DISGUISED = [
    pytest.param("СОSСО SНIРРING", "COSCO Shipping", ORGANISATION, LETTERS, id="Cyrillic capitals"),
    pytest.param("Ѕіnоpес Еnеrgу Ltd", "Sinopec Energy Ltd", ORGANISATION, LETTERS, id="Cyrillic small letters"),
    pytest.param("ТЕСНМЕТ", "TECHMET", ORGANISATION, LETTERS, id="Cyrillic alone"),
    pytest.param("ΗΑΝΚΥU ΤRΑDΙΝG", "Hankyu Trading", ORGANISATION, LETTERS, id="Greek"),
    pytest.param("ᏚᎥnopec Energy", "Sinopec Energy", ORGANISATION, LETTERS, id="Cherokee"),
    pytest.param("ᴄᴏꜱᴄᴏ ꜱʜɪᴘᴘɪɴɢ", "COSCO Shipping", ORGANISATION, LETTERS, id="small capitals"),
    pytest.param("C0SC0 Shipping", "COSCO Shipping", ORGANISATION, DIGITS, id="0 for o"),
    pytest.param("COSCO SH1PP1NG", "COSCO Shipping", ORGANISATION, DIGITS, id="1 for i"),
    pytest.param("Go1den A11iance", "Golden Alliance", ORGANISATION, DIGITS, id="1 for l"),
    pytest.param("7encent Ho1dings", "Tencent Holdings", ORGANISATION, DIGITS, id="7 for t"),
    pytest.param("С0SСО Shipping", "COSCO Shipping", ORGANISATION, LETTERS, id="letters and digits"),
    pytest.param("\u202eGNIPPIHS OCSOC\u202c", "COSCO Shipping", ORGANISATION, OVERRIDE, id="reversed"),
    pytest.param("COSCO \u202egnippihS", "COSCO Shipping", ORGANISATION, OVERRIDE, id="reversed to the end"),
    pytest.param("\u202eGNIPPIHS \u202aCOSCO\u202c\u202c", "COSCO SHIPPING", ORGANISATION, OVERRIDE, id="nested"),
    pytest.param("CO\u200bS\u00adCO Ship\u2060ping", "COSCO Shipping", ORGANISATION, "", id="invisible characters"),
    pytest.param("\u200b" * 600 + "COSCO Shipping", "COSCO Shipping", ORGANISATION, "", id="pushed out unseen"),
    pytest.param("COSCO" + " " * 600 + "Shipping", "COSCO Shipping", ORGANISATION, "", id="pushed out by spaces"),
    pytest.param("中国エ商银行", "中国工商银行", ORGANISATION, LETTERS, id="kana among Han"),
    pytest.param("⻢化腾", "馬化騰", PERSON, LETTERS, id="a radical for a character"),
    pytest.param("Mоhаmmеd Аl Hаssаn", "Mohammed Al Hassan", PERSON, LETTERS, id="person"),
    pytest.param("Hо Iаt Sеng", "賀一誠", PERSON, LETTERS, id="romanised person"),
    pytest.param("L1 Weiming", "Li Weiming", PERSON, DIGITS, id="person with a digit"),
    pytest.param("Pоman Pоснефть", "Pоman Роснефть", PERSON, LETTERS, id="Latin letters in Cyrillic"),
    pytest.param("ИBAH ПETPOB", "Ivan Petrov", PERSON, LETTERS, id="Latin letters in Cyrillic capitals"),
    pytest.param("SIN0PEC H@rvest Trad!ng", "Sinopec Harvest Trading", ORGANISATION, DIGITS, id="symbols"),
    pytest.param("$ilver Ke$trel Ltd", "Silver Kestrel Ltd", ORGANISATION, LETTERS, id="signs of currencies"),
    pytest.param("TRAN VAN DVNG", "Tran Van Dung", PERSON, LETTERS, id="V for U"),
    pytest.param("K e s t r e l Trading", "Kestrel Trading", ORGANISATION, "", id="letters apart"),
    pytest.param("МV 0CЕАN SТАR", "Ocean Star", VESSEL, LETTERS, id="vessel"),
]


@pytest.mark.parametrize(("disguised", "listed", "kind", "note"), DISGUISED)
def test_a_disguised_name_is_found_on_either_side_and_the_reason_is_told(
    disguised: str, listed: str, kind: NameKind, note: str
) -> None:
    for query, entry in ((disguised, listed), (listed, disguised)):
        index = NameIndex()
        index.put(IndexEntry("list", "1", 1, 1, 1, 0, 0, (EntryName(entry, kind),), ()))
        [hit] = index.search(PartyQuery(names=[(query, kind)])).hits
        assert note in hit.comparison.because
        if note:
            assert MatchClass.COMPATIBLE <= hit.comparison.match_class <= MatchClass.STRONG


def test_identifiers_are_compared_as_they_look() -> None:
    found = compare_identifiers(("container", "МSКU1234565"), ("container", "MSKU1234565"))
    assert found is not None
    assert found.match_class == MatchClass.STRONG
    assert LETTERS in found.because
    plain = compare_identifiers(("container", "MSKU 123456-5"), ("container", "MSKU1234565"))
    assert plain is not None
    assert plain.match_class == MatchClass.IDENTICAL


GENUINE = [
    "Анна Иванова", "Роснефть", "Иван Petrov", "ООО Газпром", "Παπαδόπουλος Γεώργιος", "3M Company", "A1 Trading",
    "K11 Concepts", "58同城", "Łukasz Żółć", "Nguyễn Văn Ánh", "Müller GmbH", "محمد الحسن", "上海ニコン", "7-Eleven",
]  # fmt: skip


@pytest.mark.parametrize("name", GENUINE)
def test_a_genuine_name_is_compared_as_written(name: str) -> None:
    for kind in (PERSON, ORGANISATION):
        found = compare_texts(name, name, kind)
        assert found.match_class >= MatchClass.COMPATIBLE
        assert found.score == 1.0
        assert "look like" not in found.because


def test_names_of_the_pairs_have_no_other_spelling() -> None:
    names = {name for pair in (*own_pairs(), *development_pairs()) for name in (pair.a, pair.b)}
    assert len(names) > 500
    assert [name for name in names if other_spellings(clean(name), least_letters=2)] == []


def test_right_to_left_names_stay_in_order_within_an_override() -> None:
    assert clean("\u202eمحمد\u202c") == "محمد"
    assert clean("\u202dدمحم\u202c") == "محمد"


def test_a_plates_digits_stay_digits() -> None:
    assert compare_texts("粤Z1O34港", "粤Z1034港", NameKind.VEHICLE).match_class == MatchClass.NONE


def test_spellings_are_few_however_many_digits_there_are() -> None:
    name = clean("1l" * MAX_NAME_LENGTH)
    assert 0 < len(other_spellings(name, least_letters=1)) <= MAX_SPELLINGS
    assert len(other_spellings(clean("a1 b1 c1 d0 е1"), least_letters=1)) <= MAX_SPELLINGS
