"""Which language a page has, and how dates and numbers are written in it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console import filters
from gateway.console.current import CurrentPage, set_current_page
from gateway.console.languages import ReaderLocale, accepted_language, chosen_language
from gateway.translation.messages import LANGUAGES

AT = datetime(2026, 11, 26, 15, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-HK,zh;q=0.9,en;q=0.8", "zh-Hant"),
        ("fr-FR,fr;q=0.9,pt-PT;q=0.5,en;q=0.4", "pt"),
        ("en;q=0.1, zh-CN;q=0.2", "zh-Hans"),
        ("pt;q=0", None),
        ("pt;q=nonsense,pt;level=1", None),
        ("", None),
        (",;,q=,;q=1", None),
        ("x" * 100_000, None),
    ],
)
def test_the_browser_is_understood(header: str, language: str | None) -> None:
    assert accepted_language(header) == language


def test_the_person_comes_first_then_the_cookie_then_the_browser() -> None:
    assert chosen_language(person="pt", cookie="en", accepted="zh-CN") == "pt"
    assert chosen_language(person="", cookie="zh-Hant", accepted="en") == "zh-Hant"
    assert chosen_language(person="", cookie="../../etc", accepted="zh-CN") == "zh-Hans"
    assert chosen_language(person="", cookie="", accepted="fi") == "en"


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    set_current_page(CurrentPage(ReaderLocale(request.param, ZoneInfo("Asia/Macau")), "", ""))
    return str(request.param)


def test_times_are_those_of_the_readers_zone(language: str) -> None:
    shown = {
        "en": "26 Nov 2026, 23:45",
        "pt": "26/11/2026, 23:45",
        "zh-Hans": "2026年11月26日 23:45",
        "zh-Hant": "2026年11月26日 23:45",
    }
    at = Timestamp()
    at.FromDatetime(AT)

    assert filters.moment_text(at) == shown[language]
    assert 'datetime="2026-11-26T15:45:00Z"' in filters.moment(at)
    with_fraction = Timestamp(seconds=round(AT.timestamp()), nanos=996_405_000)
    assert filters.machine_time(with_fraction) == "2026-11-26T15:45:00Z"
    assert filters.clock(AT) == f'<time datetime="2026-11-26T15:45:00Z">{shown[language][-5:]}</time>'


def test_what_isnt_there_is_a_dash(language: str) -> None:
    for show in (filters.moment, filters.day, filters.clock, filters.from_now, filters.moment_text):
        assert show(None) == "—"
        assert show(Timestamp()) == "—"


def test_a_time_that_no_clock_has_is_shown_all_the_same(language: str) -> None:
    for seconds in (2**62, 253_402_300_799, -(2**62)):
        assert filters.moment_text(Timestamp(seconds=seconds, nanos=1))
        assert filters.from_now(Timestamp(seconds=seconds, nanos=1))


def test_foreign_text_can_neither_be_markup_nor_hide_itself(language: str) -> None:
    shown = filters.foreign("<b>ok</b>\u202egnp.exe\u200b")

    assert shown == '<bdi class="foreign">&lt;b&gt;ok&lt;/b&gt;\\u{202e}gnp.exe\\u{200b}</bdi>'
    assert filters.harmless("a\u202eb") == "a\\u{202e}b"
