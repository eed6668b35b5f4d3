"""Japanese persons in kanji and kana are found by Latin spellings, in either order, and told apart."""

from __future__ import annotations

import pytest

from gateway.screening.compare import compare
from gateway.screening.prepared_name import prepare
from gateway.screening.result import MatchClass, NameKind
from tests.support.names import compared_as


@pytest.mark.parametrize(
    ("native", "latin", "same"),
    [
        ("田中健一", "Kenichi Tanaka", True),
        ("田中健一", "TANAKA Kenichi", True),
        ("田中健一", "Kenji Tanaka", False),
        ("大森一樹", "Omori Kazuki", True),
        ("大森一樹", "Oomori Kazuki", True),
        ("大森一樹", "Omori Kazuya", False),
        ("山下てつお", "Tetsuo Yamashita", True),
        ("山下てつお", "Tetsuya Yamashita", False),
        ("渡辺陽子", "Yoko Watanabe", True),
        ("渡部陽介", "Yoko Watanabe", False),
        ("安倍晋三", "Shinzō Abe", True),
        ("小林正樹", "Masato Kobayashi", False),
        ("王明", "Tanaka Akira", False),
        ("林志玲", "Hayashi Shirei", False),
    ],
)
def test_names_are_read_character_by_character(native: str, latin: str, same: bool) -> None:
    found = compared_as(native, latin, NameKind.PERSON, same=same)
    if same:
        assert all(token.rule.startswith("Japanese reading") for token in found.tokens)


def test_a_mixed_name_is_identical_to_itself() -> None:
    assert compare(*(prepare("山下てつお", NameKind.PERSON) for _ in range(2))).match_class == MatchClass.IDENTICAL
