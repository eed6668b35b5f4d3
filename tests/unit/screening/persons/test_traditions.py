"""Han names are read in Hokkien, Korean and Vietnamese, and as transcriptions of names of other peoples."""

from __future__ import annotations

import pytest

from gateway.screening.result import NameKind
from tests.support.names import compared_as


@pytest.mark.parametrize(
    ("han", "other", "same"),
    [
        ("林志強", "Lim Chee Keong", True),
        ("林志強", "Lim Chee Beng", False),
        ("陳明輝", "Tan Beng Hui", True),
        ("金英洙", "Kim Yong-su", True),
        ("金英洙", "Young Soo Kim", True),
        ("金英洙", "Kim Yong-ho", False),
        ("金英洙", "김영수", True),
        ("黎明俊", "Lê Minh Tuấn", True),
        ("黎明俊", "Lê Minh Tâm", False),
        ("艾尔肯·图尔逊", "Erkin Tursun", True),
        ("艾尔肯·图尔逊", "Erkin Turdi", False),
        ("洛桑平措", "Lobsang Phuntsok", True),
        ("洛桑平措", "Lobsang Tenzin", False),
        ("安德烈·索科洛夫", "Andrei Sokolov", True),
        ("安德烈·索科洛夫", "Андрей Соколов", True),
        ("安德烈·索科洛夫", "Aleksei Sokolov", False),
        ("阿卜杜拉·哈立德", "Abdulla Khaled", True),
        ("歐陽鋒", "Ou Feng", False),
        ("歐陽鋒", "Au Yeung Fung", True),
    ],
)
def test_readings_that_are_not_chinese(han: str, other: str, same: bool) -> None:
    found = compared_as(han, other, NameKind.PERSON, same=same)
    if same:
        assert found.tokens
