"""A brand that sounds near its Han name counts beside a common line of business or place; Chinese syllables don't."""

from __future__ import annotations

import pytest

from gateway.screening.organisations.near import brand_sounds, is_brand, may_be_brands, packed
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.prepared_name import prepare
from gateway.screening.result import NameKind
from tests.support.names import compared_as, own_pairs


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


def variants(text: str) -> tuple[OrganisationVariant, ...]:
    return prepare(text, NameKind.ORGANISATION).organisations


def test_what_the_index_skips_as_no_brand_is_none() -> None:
    texts = {text for pair in own_pairs() if pair.name_kind == NameKind.ORGANISATION for text in (pair.a, pair.b)}
    texts |= {"上海富瀚微電子股份有限公司", "Shanghai Fullhan Microelectronics Co., Ltd.", "Fullhan Microelectronics"}
    texts |= {
        "Tigris Logistics",
        "东莞市婷地物流有限公司",
        "宁波泰丽物流有限公司",
        "Horizon Star Electronics OOO",
        "富瀚銀行",
    }
    firms = [variant for text in texts for variant in variants(text) if variant.core]
    sounds = {variant: brand_sounds([variant]) for variant in firms}
    brands = 0
    for han in (variant for variant in firms if variant.is_han):
        for latin in (variant for variant in firms if not variant.is_han):
            if is_brand(han, latin):
                brands += 1
                for one, other in ((han, latin), (latin, han)):
                    assert sounds[one]
                    assert may_be_brands(sounds[one][0], [(7, packed(sounds[other]))]) == {7}
    assert brands > 3


def test_of_several_writings_one_suffices_and_far_places_exclude() -> None:
    (one,) = brand_sounds(variants("Shanghai Fullhan Microelectronics Co., Ltd."))
    both = packed(brand_sounds(variants("上海富瀚微電子 Fullhan Microelectronics Limited")))
    assert "\n" in both
    elsewhere = packed(brand_sounds(variants("广东富瀚微電子有限公司")))
    nowhere = packed(brand_sounds(variants("富瀚微電子有限公司")))
    unlike = packed(brand_sounds(variants("上海巨石微電子有限公司")))
    latin = packed([one])
    others = {1: both, 2: elsewhere, 3: nowhere, 4: unlike, 5: latin}
    assert may_be_brands(one, others.items()) == {1, 3}
    assert packed([]) == ""
