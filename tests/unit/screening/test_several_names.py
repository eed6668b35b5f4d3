"""Former names, trade names and aliases in one field are names of their own; an overridden order keeps the written."""

from __future__ import annotations

import pytest

from gateway.screening.compare import compare_texts
from gateway.screening.result import MatchClass, NameKind
from gateway.screening.text.several_names import several_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Hengtong Metals Ltd (formerly Kaida Resources Ltd)", ["Hengtong Metals Ltd", "Kaida Resources Ltd"]),
        ("Wong Brothers Ltd T/A Blue Harbour Freight", ["Wong Brothers Ltd", "Blue Harbour Freight"]),
        ("Tan Beng Kiat @ Tan Ah Kow", ["Tan Beng Kiat", "Tan Ah Kow"]),
        ("恒通金属有限公司(原名:凯达资源有限公司)", ["恒通金属有限公司", "凯达资源有限公司"]),
        ("Blue Moon Ltd (previously Rising Sun Ltd)", ["Blue Moon Ltd", "Rising Sun Ltd"]),
        ("Blue Moon Ltd n/k/a Rising Sun Ltd", ["Blue Moon Ltd", "Rising Sun Ltd"]),
        ("明达电子有限公司(前身为凯旋电子有限公司)", ["明达电子有限公司", "凯旋电子有限公司"]),
        ("明达电子有限公司(原凯旋电子有限公司)", ["明达电子有限公司", "凯旋电子有限公司"]),
        ("中原电子有限公司", ["中原电子有限公司"]),
        ("Express Ex Works Ltd", ["Express Ex Works Ltd"]),
        ("Letchumi a/p Ramasamy", ["Letchumi a/p Ramasamy"]),
        ("Trading House Ltd", ["Trading House Ltd"]),
        ("@ home", ["@ home"]),
    ],
)
def test_names_are_taken_apart(text: str, names: list[str]) -> None:
    assert [name for name, _ in several_names(text)] == names


def test_a_former_name_is_found_and_said() -> None:
    found = compare_texts(
        "Kaida Resources Ltd", "Hengtong Metals Ltd (formerly Kaida Resources Ltd)", NameKind.ORGANISATION
    )
    assert found.match_class == MatchClass.COMPATIBLE
    assert "formerly" in found.because


@pytest.mark.parametrize("asked", ["ABC Metals Ltd", "CBA Metals Ltd"])
def test_an_override_is_read_as_shown_and_as_stored(asked: str) -> None:
    found = compare_texts(asked, "\u202eABC\u202c Metals Ltd", NameKind.ORGANISATION)
    assert found.match_class == MatchClass.COMPATIBLE
    assert "letters were" in found.because
