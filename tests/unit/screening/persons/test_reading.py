"""Persons: every writing of one Han name is compatible with it, and explained."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from gateway.screening.compare import compare_texts
from gateway.screening.persons.surnames import BY_HAN, SURNAMES
from gateway.screening.result import MatchClass, NameKind, Thresholds
from tests.support.names import WrittenPerson, WrittenTwice, persons, persons_written_twice


@settings(max_examples=300, deadline=None)
@given(persons())
def test_a_latin_writing_is_compatible_with_its_han_name(person: WrittenPerson) -> None:
    found = compare_texts(person.latin, person.han, NameKind.PERSON)
    assert found.match_class == MatchClass.COMPATIBLE


@settings(max_examples=200, deadline=None)
@given(persons_written_twice())
def test_two_romanisations_of_one_name_are_compatible(person: WrittenTwice) -> None:
    found = compare_texts(person.one, person.other, NameKind.PERSON)
    assert found.match_class == MatchClass.COMPATIBLE, person


@pytest.mark.parametrize(
    ("latin", "han"),
    [
        ("Peter Le Ya", "乐雅"),
        ("Peter Du Da-Qiang", "都达强"),
        ("Le De-Da Peter", "乐德达"),
        ("Peter Van I-Tak", "尹仪德"),
    ],
)
def test_a_chinese_word_like_a_particle_beside_a_western_given_name(latin: str, han: str) -> None:
    for one, other in ((latin, han), (han, latin)):
        assert compare_texts(one, other, NameKind.PERSON).match_class == MatchClass.COMPATIBLE


def test_particles_beside_other_family_names_stay_particles() -> None:
    for one, other in (("Maria da Costa", "Maria da Silva"), ("Peter van Dijk", "Peter van Damme")):
        assert compare_texts(one, other, NameKind.PERSON).match_class == MatchClass.NONE


def _rules(a: str, b: str) -> list[str]:
    return [token.rule for token in compare_texts(a, b, NameKind.PERSON).tokens]


def test_each_token_names_its_rule() -> None:
    assert _rules("黃少澤", "Wong Sio Chak") == [
        "Macao romanisation of 黄", "Macao romanisation of 少", "Macao romanisation of 泽",
    ]  # fmt: skip
    assert _rules("Peter Chan Tai Man", "陳大文")[-1] == "Western name absent in one"
    assert _rules("Ho Iat Seng", "He Yicheng")[0] == "surname of one Han character by Macao romanisation and pinyin"


def test_a_romanisation_is_never_more_than_compatible() -> None:
    for han in ("黃大文", "王大文", "汪大文"):
        assert compare_texts("Wong Tai Man", han, NameKind.PERSON).match_class == MatchClass.COMPATIBLE
    assert compare_texts("黃大文", "王大文", NameKind.PERSON).match_class == MatchClass.NONE


def test_the_same_latin_letters_are_compatible_with_full_score() -> None:
    found = compare_texts("WONG Tai Man", "Wong Tai-man", NameKind.PERSON)
    assert (found.match_class, found.score) == (MatchClass.COMPATIBLE, 1.0)


def test_han_characters_that_differ_outvote_latin_letters_that_agree() -> None:
    assert compare_texts("何一誠 Ho Iat Seng", "賀一誠 Ho Iat Seng", NameKind.PERSON).match_class == MatchClass.NONE
    assert compare_texts("賀一誠 Ho Iat Seng", "贺一诚", NameKind.PERSON).match_class == MatchClass.IDENTICAL


def test_latin_letters_beside_a_han_name_count_where_the_other_name_has_no_han() -> None:
    for han_and_latin in ("賀一誠 Ho Iat Seng", "賀一誠 (Pedro Ho)"):
        latin = han_and_latin.partition(" ")[2].strip("()")
        assert compare_texts(han_and_latin, latin, NameKind.PERSON).match_class == MatchClass.COMPATIBLE
        assert compare_texts(latin, han_and_latin, NameKind.PERSON).match_class == MatchClass.COMPATIBLE


def test_a_western_name_beside_a_han_name_belongs_to_it() -> None:
    assert compare_texts("Jackie 陳港生", "Jackie Chan", NameKind.PERSON).match_class == MatchClass.COMPATIBLE
    assert compare_texts("Jackie 陳港生", "Peter Chan Kong Sang", NameKind.PERSON).match_class == MatchClass.NONE


def test_thresholds_belong_to_the_list() -> None:
    strict = Thresholds(compatible=0.97, strong=0.99)
    assert compare_texts("黃少澤", "Wong Sio Chak", NameKind.PERSON, strict).match_class == MatchClass.NONE
    assert compare_texts("黃少澤", "黄少泽", NameKind.PERSON, strict).match_class == MatchClass.IDENTICAL


def test_a_surname_written_in_two_ways_is_strong() -> None:
    assert compare_texts("蕭偉明", "肖伟明", NameKind.PERSON).match_class == MatchClass.STRONG


COMMON = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付"
    "方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文樊兰殷施洪翟安颜倪牛温芦季俞章鲁葛伍申尤毕聂丛焦柳邢"
    "岳齐梅庄辛管祝左涂谷祁时舒耿卜路詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴华车冉房边辜吉"
    "饶刁瞿戚丘古米池滕晋苑邬臧畅宫来苟全褚廉简娄盖符奚木穆党燕郎邸冀谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞"
    "卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆谌银扬明沙伏岑习胥保和蔺水云昌凤牟亓郇盘麦候佘闻党"
)
"""The most common surnames of the mainland's statistics."""


def test_every_common_surname_is_read_in_pinyin_and_by_its_sound_in_hong_kong_and_macao() -> None:
    for character in COMMON:
        for scheme, given_name in ((0, "Weiming"), (1, "Wai Ming"), (2, "Vai Meng")):
            spelt = sorted(SURNAMES[BY_HAN[character].bit_length() - 1].spellings[scheme])
            for surname in spelt:
                found = compare_texts(f"{character}伟明", f"{surname.title()} {given_name}", NameKind.PERSON)
                assert found.match_class == MatchClass.COMPATIBLE, (character, surname)


@pytest.mark.parametrize("latin", ["Lv Liang", "LYU Liang", "Lu Liang", "Lü Liang"])
def test_ue_is_written_u_v_or_yu(latin: str) -> None:
    assert compare_texts("吕梁", latin, NameKind.PERSON).match_class == MatchClass.COMPATIBLE
    assert compare_texts("李旭绿", "Li Xulv", NameKind.PERSON).match_class == MatchClass.COMPATIBLE


INITIALS = ("C.K. Lam", "CK Lam", "LAM CK", "Lam C K", "Lam, C.K.", "Peter C.K. Lam", "Z.Q. Lin", "Lin ZQ")


@pytest.mark.parametrize("latin", INITIALS)
def test_initials_agree_with_han_by_one_scheme_and_in_order(latin: str) -> None:
    assert compare_texts("林志強", latin, NameKind.PERSON).match_class == MatchClass.COMPATIBLE
    assert compare_texts("陳志強", latin, NameKind.PERSON).match_class == MatchClass.NONE
    assert compare_texts("林国明", latin, NameKind.PERSON).match_class == MatchClass.NONE


def test_initials_in_another_order_or_by_another_scheme_than_the_surname_are_none() -> None:
    for latin in ("K.C. Lam", "KC Lam", "Z.Q. Lam", "Lin C.K.", "Lam C."):
        assert compare_texts("林志強", latin, NameKind.PERSON).match_class == MatchClass.NONE, latin


def test_an_initial_says_its_character_and_scheme() -> None:
    assert _rules("林志強", "CK Lam")[1:] == [
        "initial of 志 by Hong Kong romanisation", "initial of 强 by Hong Kong romanisation",
    ]  # fmt: skip


def test_hostile_texts_are_read_in_bounded_time() -> None:
    for text in ("a " * 4000, "li " * 4000, "ma-" * 4000, "陳" * 4000, "\u0301" * 4000, "", " ", ",,,", "一"):
        assert compare_texts(text, "Chan Tai Man").match_class == MatchClass.NONE
