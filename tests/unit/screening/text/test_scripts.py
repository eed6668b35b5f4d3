"""Hangul, kana, Cyrillic and Thai are romanised by published systems and compared with other spellings by sound."""

from __future__ import annotations

import pytest

from gateway.screening.compare import compare_texts
from gateway.screening.prepared_name import prepare
from gateway.screening.result import MatchClass, NameKind
from gateway.screening.text import cyrillic, hangul, kana, thai
from gateway.screening.text.scripts import Script, script_of, sound_alike


@pytest.mark.parametrize(
    ("hangul_text", "spelt"), [("삼성", "samseong"), ("현대", "hyeondae"), ("광주", "gwangju"), ("옥천", "okcheon")]
)
def test_hangul_follows_the_revised_romanization(hangul_text: str, spelt: str) -> None:
    assert hangul.romanise(hangul_text) == spelt


@pytest.mark.parametrize(
    ("kana_text", "spelt"),
    [
        ("トヨタ", "toyota"),
        ("さっぽろ", "sapporo"),
        ("とうきょう", "tokyo"),
        ("マッチャ", "matcha"),
        ("ファナック", "fanakku"),
    ],
)
def test_kana_follow_hepburn_without_long_vowels(kana_text: str, spelt: str) -> None:
    assert kana.romanise(kana_text) == spelt


def test_cyrillic_has_two_spellings() -> None:
    assert cyrillic.romanise("Евгений Щукин") == ("yevgeniy shchukin", "evgenii shchukin")
    assert cyrillic.romanise("Газпром") == ("gazprom",)


@pytest.mark.parametrize(
    ("thai_text", "spelt"),
    [("สมชาย", "somchai"), ("กรุงเทพ", "krungthep"), ("เชียงใหม่", "chiangmai"), ("ทักษิณ", "thaksin")],
)
def test_thai_follows_the_royal_general_system(thai_text: str, spelt: str) -> None:
    assert thai.romanise(thai_text) == spelt


def test_a_text_has_the_script_of_its_letters() -> None:
    assert script_of("삼성전자") == Script.HANGUL
    assert script_of("トヨタ自動車") == Script.KANA
    assert script_of("中国エ商银行") is None, "one kana may stand for a Han character"
    assert script_of("Samsung 三星") is None


@pytest.mark.parametrize(
    ("script", "one", "other"),
    [
        (Script.HANGUL, "samseong", "samsung"),
        (Script.HANGUL, "hyeondae", "hyundai"),
        (Script.HANGUL, "daeu", "daewoo"),
        (Script.KANA, "ota", "ohta"),
        (Script.CYRILLIC, "sergey", "sergei"),
        (Script.THAI, "phanit", "panit"),
    ],
)
def test_customary_spellings_sound_alike(script: Script, one: str, other: str) -> None:
    assert sound_alike(script, one, other)
    assert sound_alike(script, other, one)


@pytest.mark.parametrize(
    ("native", "latin", "rule"),
    [
        (
            "삼성전자 주식회사",
            "Samsung Electronics Co., Ltd.",
            "one sound, romanised from Hangul (Revised Romanization)",
        ),
        ("トヨタ自動車株式会社", "Toyota Motor Corporation", "same Latin letters"),
        ("ООО «Северный Ветер»", "Severny Veter LLC", "spelt alike"),
        ("บริษัท โชคชัยการค้า จำกัด", "Chokchai Trading Co. Ltd.", "same Latin letters"),
    ],
)
def test_a_firm_of_another_script_is_found_and_told_how(native: str, latin: str, rule: str) -> None:
    for query, listed in ((native, latin), (latin, native)):
        found = compare_texts(query, listed, NameKind.ORGANISATION)
        assert found.match_class == MatchClass.COMPATIBLE
        assert rule in {token.rule for token in found.tokens}
        assert "letters were romanised from" in found.because
        assert "words of business translated" in found.because


def test_a_person_of_another_script_is_found_and_told_how() -> None:
    found = compare_texts("정몽구", "Chung Mong-koo", NameKind.PERSON)
    assert found.match_class == MatchClass.COMPATIBLE
    assert [token.rule for token in found.tokens] == [
        "romanised from Hangul (Revised Romanization)", "one sound in Hangul (Revised Romanization)",
    ]  # fmt: skip
    assert "letters were romanised from Hangul" in found.because
    assert compare_texts("정몽구", "Chung Koo-mong", NameKind.PERSON).match_class == MatchClass.NONE


def test_a_kind_is_guessed_from_translated_words() -> None:
    assert prepare("대한정밀 주식회사").kind == NameKind.ORGANISATION
    assert prepare("Сергей Лавров").kind == NameKind.PERSON


def test_what_stands_beside_in_latin_is_read_too() -> None:
    found = compare_texts("삼성전자 (Samsung Electronics Co., Ltd.)", "Samsung Electronics", NameKind.ORGANISATION)
    assert found.score >= 0.95


def test_scripts_alone_are_read_without_error() -> None:
    for text in (
        "가",
        "ー",
        "ン",
        "ъ",
        "์",
        "เ",
        "가나다라마바사아자차" * 60,
        "ไ" * 600,
        "ёж",
        "株式会社",
        "(주)",
        "ооо",
        "บริษัท จำกัด",
    ):
        for kind in (NameKind.PERSON, NameKind.ORGANISATION, NameKind.UNKNOWN):
            prepare(text, kind)
