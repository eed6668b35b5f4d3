"""A brand that sounds near its Han name counts beside a common line of business or place; Chinese syllables don't."""

from __future__ import annotations

import pytest

from gateway.screening.result import NameKind
from tests.support.names import compared_as


@pytest.mark.parametrize(
    ("han", "latin", "same"),
    [
        ("上海富瀚微電子股份有限公司", "Shanghai Fullhan Microelectronics Co., Ltd.", True),
        ("上海富瀚微電子股份有限公司", "Shanghai Fullhan Logistics Co., Ltd.", False),
        ("上海富瀚微電子股份有限公司", "Guangdong Fullhan Microelectronics Co., Ltd.", False),
        ("上海富瀚微電子股份有限公司", "Shanghai Fuda Microelectronics Co., Ltd.", False),
        ("恒生銀行有限公司", "Hang Lung Bank Limited", False),
        ("广西博世科环保科技股份有限公司", "Guangxi Bossco Environmental Protection Technology Co., Ltd.", True),
        ("广西博世科环保科技股份有限公司", "Guangxi Greenland Environmental Protection Technology Co., Ltd.", False),
        ("長榮海運股份有限公司", "Evergreen Marine Corp. (Taiwan) Ltd.", True),
        ("長榮海運股份有限公司", "Yang Ming Marine Corp. (Taiwan) Ltd.", False),
        ("三菱製紙株式会社", "Mitsubishi Paper Mills Limited", True),
        ("三菱製紙株式会社", "Mitsui Paper Mills Limited", False),
        ("大豊工業株式会社", "Taiho Kogyo Co., Ltd.", True),
        ("テクノプロ・ホールディングス株式会社", "TechnoPro Holdings, Inc.", True),
        ("주식회사 스카이텍", "Skytech Co., Ltd.", True),
        ("주식회사 스카이텍", "Hitech Co., Ltd.", False),
    ],
)
def test_brands_are_told_apart_and_a_key_finds_them(han: str, latin: str, same: bool) -> None:
    compared_as(han, latin, NameKind.ORGANISATION, same=same)
