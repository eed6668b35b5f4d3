"""Organisations: the parts of a name, and what each says when it agrees, differs or is missing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from gateway.screening.compare import compare_texts
from gateway.screening.prepared_name import prepare
from gateway.screening.result import Comparison, MatchClass, NameKind
from tests.support.names import WrittenOrganisation, drawn_organisations, organisations


def _compare(a: str, b: str) -> Comparison:
    return compare_texts(a, b, NameKind.ORGANISATION)


@settings(max_examples=300, deadline=None)
@given(organisations())
def test_a_latin_writing_is_compatible_with_its_han_name(organisation: WrittenOrganisation) -> None:
    found = _compare(organisation.latin, organisation.han).match_class
    if not organisation.core_is_read_otherwise():
        assert found == MatchClass.COMPATIBLE
    assert found <= MatchClass.COMPATIBLE


def test_cores_that_are_read_as_something_else_are_few_and_the_only_ones_missed() -> None:
    drawn = list(drawn_organisations(4_000, seed=4))
    otherwise = [each for each in drawn if each.core_is_read_otherwise()]
    missed = [each for each in drawn if _compare(each.latin, each.han).match_class == MatchClass.NONE]
    assert set(missed) <= set(otherwise)
    assert len(missed) > 0
    assert len(otherwise) <= 0.005 * len(drawn)
    assert {each.core for each in missed} & {"通信", "联通", "达联", "泰源"}


@pytest.mark.parametrize(
    ("text", "core", "terms", "places", "legal"),
    [
        ("深圳市宏達貿易有限公司", ["宏", "达"], ["贸易"], {"CN-SZ"}, "有限公司"),
        ("永利渡假村（澳門）股份有限公司", ["永", "利"], ["渡假村"], {"MO"}, "股份有限公司"),
        ("中國銀行澳門分行", [], ["银行"], {"CN", "MO"}, ""),
        ("TCL科技集团股份有限公司", ["tcl"], ["科技", "集团"], set(), "股份有限公司"),
        ("Shenzhen Hongda Trading Co., Ltd.", ["hongda"], ["trading"], {"CN-SZ"}, "co ltd"),
        ("Companhia de Electricidade de Macau - CEM, S.A.", [], ["companhia", "electricidade"], {"MO"}, "sa"),
        ("Nam Kwong (Group) Company Limited", ["nam", "kwong"], ["group"], set(), "company limited"),
        ("Sociedade Unipessoal Kuan Fat, Limitada", ["kuan", "fat"], ["sociedade unipessoal"], set(), "limitada"),
    ],
)
def test_a_name_is_split(text: str, core: list[str], terms: list[str], places: set[str], legal: str) -> None:
    form = prepare(text, NameKind.ORGANISATION).organisations[0]
    assert list(form.core) == core
    assert [unit.text for unit in form.terms] == terms
    assert form.places == places
    assert form.legal_text == legal


def test_what_carries_no_identity_leaves_a_han_match_strong() -> None:
    for other in ("騰訊", "腾讯控股", "騰訊控股集團有限公司", "深圳市腾讯控股有限公司"):
        assert _compare("腾讯控股有限公司", other).match_class == MatchClass.STRONG, other


def test_another_legal_form_is_a_difference_and_none_is_not() -> None:
    same, other, absent = (
        _compare("宏達貿易有限公司", name) for name in ("宏达贸易有限公司", "宏达贸易股份有限公司", "宏达贸易")
    )
    assert same.match_class == MatchClass.IDENTICAL
    assert other.match_class == MatchClass.COMPATIBLE
    assert other.score < absent.score
    assert absent.match_class == MatchClass.STRONG


def test_legal_forms_that_may_be_one_are_equal() -> None:
    for form in ("Limited", "Co., Ltd.", "S.A.", "Lda."):
        rules = [t.rule for t in _compare(f"Kuan Fat {form}", "Kuan Fat Company Limited").tokens]
        assert any(rule.startswith("legal form") for rule in rules), form


def test_another_place_is_contrary_and_none_is_neutral() -> None:
    assert _compare("深圳宏達貿易", "广州宏达贸易").match_class == MatchClass.NONE
    assert _compare("深圳宏達貿易", "宏达贸易").score == 1.0
    assert _compare("广东宏達貿易", "深圳宏达贸易").match_class == MatchClass.STRONG


def test_a_line_of_business_tells_sister_companies_apart() -> None:
    assert _compare("嘉里物流有限公司", "嘉里建設有限公司").match_class == MatchClass.NONE
    assert _compare("嘉里物流有限公司", "嘉里有限公司").match_class == MatchClass.NONE
    assert _compare("Kerry Logistics Limited", "Kerry Properties Limited").match_class == MatchClass.NONE


def test_each_part_is_explained() -> None:
    found = _compare("深圳市宏達電子有限公司", "Shenzhen Hongda Electronics Co., Ltd.")
    assert [(t.candidate, t.rule) for t in found.tokens] == [
        ("hong", "pinyin of 宏"),
        ("da", "pinyin of 达"),
        ("electronics", "same meaning"),
        ("CN-SZ", "place equal, or one lies in the other"),
        ("co ltd", "legal form may be the same"),
    ]
    assert [part.name for part in found.parts] == ["core", "line of business", "place", "legal form"]
    assert found.as_json()["match_class"] == "compatible"


@pytest.mark.parametrize(
    "latin", ["No. 3", "No.3", "Third", "3rd", "III", "Number Three", "Terceira"]
)  # fmt: skip
def test_numbers_are_one_however_they_are_written(latin: str) -> None:
    for written in (f"Shanghai {latin} Construction Co. Ltd.", f"Shanghai Construction {latin} Co. Ltd."):
        found = _compare("上海第三建筑有限公司", written)
        assert found.match_class == MatchClass.COMPATIBLE, written
        assert ("3", "3", "same number") in [token[:3] for token in found.tokens]
    for other in ("上海第二建筑有限公司", "上海第十三建筑有限公司", "上海建筑有限公司"):
        assert _compare(other, f"Shanghai {latin} Construction Co. Ltd.").match_class == MatchClass.NONE, other


def test_a_letter_is_a_number_only_at_the_end() -> None:
    assert prepare("V. Santos Trading Limited", NameKind.ORGANISATION).organisations[0].numbers == frozenset()
    assert prepare("Xi'an Pharmaceutical Factory V", NameKind.ORGANISATION).organisations[0].numbers == {5}


@pytest.mark.parametrize(
    ("han", "same", "other"),
    [
        ("環球貿易(澳門)有限公司", "Global Trading (Macau) Limited", "Innovation Trading (Macau) Limited"),
        ("創新科技(香港)有限公司", "Innovation Technology (Hong Kong) Limited", "Global Technology (HK) Limited"),
        ("珍珠玩具有限公司", "Pearl Toys Limited", "Pearl Shipping Limited"),
    ],
)
def test_a_brand_may_be_a_word_of_business(han: str, same: str, other: str) -> None:
    assert _compare(han, same).match_class == MatchClass.COMPATIBLE
    assert _compare(han, other).match_class == MatchClass.NONE


def test_lines_of_business_that_differ_are_contrary_across_scripts() -> None:
    assert _compare("宁波恒昌轴承有限公司", "Ningbo Hengchang Bearing Co. Ltd.").match_class == MatchClass.COMPATIBLE
    for line in ("Valve", "Logistics", "Wing Yip"):
        found = _compare("宁波恒昌轴承有限公司", f"Ningbo Hengchang {line} Co. Ltd.")
        assert found.match_class == MatchClass.NONE, line


def test_a_place_may_stand_behind_the_core_or_in_syllables() -> None:
    assert _compare("宏輝香港國際貿易有限公司", "Honghui Hong Kong International Trading Ltd").match_class
    assert _compare("深圳市中联大物流有限公司", "Shen Zhen Zhonglianda Logistics Ltd").match_class


def test_names_that_are_pinyin_throughout_are_read() -> None:
    assert _compare("深圳市宏达电子有限公司", "Shenzhen Shi Hongda Dianzi Youxian Gongsi").match_class


def test_a_person_is_not_the_company_that_carries_the_name() -> None:
    for other in ("Leong Vai Tac Trading Limited", "Leong Vai Tac, Lda."):
        assert compare_texts("Leong Vai Tac", other).match_class == MatchClass.NONE
