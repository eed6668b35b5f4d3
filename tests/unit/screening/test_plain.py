"""Vessels, vehicles, containers, addresses and identifiers in their normal forms."""

from __future__ import annotations

import pytest

from gateway.errors import MalformedError
from gateway.screening.compare import compare, compare_texts
from gateway.screening.index.keys import index_keys, query_keys
from gateway.screening.prepared_name import prepare
from gateway.screening.result import MatchClass, NameKind, Thresholds, class_of

CASES = [
    (NameKind.VESSEL, "M.V. Hai Feng 08", "MV HAI FENG 8", MatchClass.COMPATIBLE),
    (NameKind.VESSEL, "Ocean Star II", "OCEAN STAR 2", MatchClass.COMPATIBLE),
    (NameKind.VESSEL, "Ocean Star II", "OCEAN STAR 3", MatchClass.NONE),
    (NameKind.VESSEL, "SEA STAR", "MV Seastar", MatchClass.COMPATIBLE),
    (NameKind.VESSEL, "Северная Звезда", "Красная Планета", MatchClass.NONE),
    (NameKind.VESSEL, "海豐八號", "海丰八号", MatchClass.IDENTICAL),
    (NameKind.VESSEL, "海豐8號", "海丰9号", MatchClass.NONE),
    (NameKind.VEHICLE, "粤Z·1234港", "粵Z 1234 港", MatchClass.IDENTICAL),
    (NameKind.VEHICLE, "MN-12-34", "mn1234", MatchClass.IDENTICAL),
    (NameKind.VEHICLE, "MN-12-34", "MN-12-35", MatchClass.NONE),
    (NameKind.CONTAINER, "CSQU 305438-3", "csqu3054383", MatchClass.IDENTICAL),
    (NameKind.IDENTIFIER, "9144 0300 708461136T", "91440300708461136t", MatchClass.IDENTICAL),
    (
        NameKind.ADDRESS,
        "Rm 5, 12/F, 88 Nathan Rd, Kowloon, HK",
        "Room 5, 12 F, 88 Nathan Road, Kowloon",
        MatchClass.COMPATIBLE,
    ),
    (NameKind.ADDRESS, "88 Nathan Road, Kowloon", "90 Nathan Road, Kowloon", MatchClass.NONE),
    (NameKind.ADDRESS, "Sea View 12", "Seaview 12", MatchClass.COMPATIBLE),
    (NameKind.ADDRESS, "深圳市福田區深南大道1號", "深圳市福田区深南大道1号", MatchClass.IDENTICAL),
]


@pytest.mark.parametrize(("kind", "a", "b", "expected"), CASES, ids=str)
def test_normal_forms(kind: NameKind, a: str, b: str, expected: MatchClass) -> None:
    found = compare_texts(a, b, kind)
    assert found.match_class == expected
    if expected:
        assert query_keys(prepare(a, kind)) & index_keys(prepare(b, kind))


def test_different_kinds_never_match() -> None:
    same = "Ocean Star"
    assert compare(prepare(same, NameKind.VESSEL), prepare(same, NameKind.ADDRESS)).match_class == MatchClass.NONE


@pytest.mark.parametrize(("compatible", "strong"), [(0, 0.9), (0.9, 0.8), (0.8, 1.1)])
def test_thresholds_out_of_order_are_refused(compatible: float, strong: float) -> None:
    with pytest.raises(MalformedError, match="thresholds"):
        Thresholds(compatible, strong)


def test_a_score_at_a_threshold_reaches_it() -> None:
    limits = Thresholds(0.8, 0.9)
    classes = [class_of(score, MatchClass.IDENTICAL, limits) for score in (0.7999, 0.8, 0.8999, 0.9)]
    assert classes == [MatchClass.NONE, MatchClass.COMPATIBLE, MatchClass.COMPATIBLE, MatchClass.IDENTICAL]
