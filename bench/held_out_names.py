"""Prints pairs of names whose answer is known, made from spellings that registers and newspapers use.

`python -m bench.held_out_names tuning|sealed` prints rows of `tests/unit/screening/held_out`. The spellings below are
facts written down beside the gateway's own tables of romanisation, and the two parts share neither given names nor
brands: what is tuned on one part is measured on the other.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterator
from typing import NamedTuple

SEEDS = {"tuning": 1411, "sealed": 2026}

SURNAMES = """
陳 Chen Chan Chan Chen|黃 Huang Wong Wong Huang|李 Li Lee Lei Li|張 Zhang Cheung Cheong Chang|何 He Ho Ho Ho
梁 Liang Leung Leong Liang|劉 Liu Lau Lao Liu|林 Lin Lam Lam Lin|吳 Wu Ng Ng Wu|周 Zhou Chow Chao Chou
鄭 Zheng Cheng Cheang Cheng|郭 Guo Kwok Kuok Kuo|馮 Feng Fung Fong Feng|蘇 Su So Sou Su|曾 Zeng Tsang Chang Tseng
呂 Lyu Lui Loi Lu|許 Xu Hui Hoi Hsu|蕭 Xiao Siu Sio Hsiao|葉 Ye Yip Ip Yeh|蔡 Cai Choi Choi Tsai
謝 Xie Tse Che Hsieh|趙 Zhao Chiu Chio Chao|徐 Xu Tsui Choi Hsu|朱 Zhu Chu Chu Chu|鄧 Deng Tang Tang Teng
陶 Tao To Tou Tao|魯 Lu Lo Lou Lu|孟 Meng Mang Mang Meng|龐 Pang Pong Pong Pang|顏 Yan Ngan Ngan Yen
藍 Lan Lam Lam Lan|常 Chang Sheung Seong Chang|史 Shi Sze Si Shih|段 Duan Tuen Tun Tuan|易 Yi Yik Iek I
邢 Xing Ying Ieng Hsing|裴 Pei Pui Pui Pei|閻 Yan Yim Im Yen|苗 Miao Miu Mio Miao|牛 Niu Ngau Ngao Niu
"""
"""Character, then pinyin, Hong Kong, Macao, Wade-Giles."""

GIVEN = """
偉 wei wai vai wei|明 ming ming meng ming|志 zhi chi chi chih|強 qiang keung keong chiang|國 guo kwok kuok kuo
華 hua wah wa hua|建 jian kin kin chien|家 jia ka ka chia|文 wen man man wen|德 de tak tak te
永 yong wing weng yung|健 jian kin kin chien|俊 jun chun chon chun|傑 jie kit kit chieh|輝 hui fai fai hui
麗 li lai lai li|珍 zhen chun chan chen|芳 fang fong fong fang|英 ying ying ieng ying|玉 yu yuk iok yu
嘉 jia ka ka chia|慧 hui wai wai hui|美 mei mei mei mei|鳳 feng fung fong feng|秀 xiu sau sao hsiu
海 hai hoi hoi hai|龍 long lung long lung|光 guang kwong kuong kuang|榮 rong wing weng jung|昌 chang cheong cheong chang
樹 shu shue su shu|森 sen sum sam sen|忠 zhong chung chong chung|安 an on on an|平 ping ping peng ping
"""

BRANDS = """
宏達 Hongda Wang-Tat|永興 Yongxing Wing-Hing|金輝 Jinhui Kam-Fai|順豐 Shunfeng Shun-Fung|德信 Dexin Tak-Shun
華盛 Huasheng Wah-Shing|利源 Liyuan Lee-Yuen|恒泰 Hengtai Hang-Tai|嘉樂 Jiale Ka-Lok|榮昌 Rongchang Wing-Cheong
廣聯 Guanglian Kwong-Luen|東昇 Dongsheng Tung-Sing|瑞安 Ruian Shui-On|富康 Fukang Fu-Hong|康健 Kangjian Hong-Kin
銘揚 Mingyang Ming-Yeung|天佑 Tianyou Tin-Yau|鴻圖 Hongtu Hung-To|百利 Baili Pak-Lee|振邦 Zhenbang Chun-Pong
"""

TRANSLATED = (
    "銀河 Galaxy|彩虹 Rainbow|鑽石 Diamond|先鋒 Pioneer|希望 Hope"
    "|勝利 Victory|金龍 Golden-Dragon|鳳凰 Phoenix|海豚 Dolphin|翡翠 Jade"
)
LINES = (
    "物流 Logistics|電子 Electronics|紡織 Textile|建築 Construction|食品 Food|化工 Chemical|機械 Machinery"
    "|鞋業 Footwear|軸承 Bearing|玩具 Toys|廣告 Advertising|印刷 Printing|醫療 Medical|塑膠 Plastic|模具 Mould"
    "|珠寶 Jewellery"
)
PLACES = "上海 Shanghai|廣州 Guangzhou|深圳市 Shenzhen|寧波 Ningbo|香港 Hong-Kong|澳門 Macau|青島 Qingdao|成都 Chengdu"
NUMBERS = (
    "第一 No.1 First 1st I|第二 No.2 Second 2nd II"
    "|第三 No.3 Third 3rd III|第四 No.4 Fourth 4th IV|第五 No.5 Fifth 5th V"
)
WEAK = "貿易 Trading|實業 Industrial|科技 Technology|發展 Development"


class Row(NamedTuple):
    group: str
    kind: str
    same: str
    a: str
    b: str
    why: str


def _table(text: str) -> list[list[str]]:
    return [entry.split() for line in text.strip().splitlines() for entry in line.split("|") if entry.strip()]


def _half(rows: list[list[str]], part: str) -> list[list[str]]:
    """Every second row, after shuffling; the parts have none in common."""
    shuffled = list(rows)
    random.Random(7).shuffle(shuffled)
    return sorted(shuffled[part == "sealed" :: 2])


def _title(text: str) -> str:
    return text.replace("-", " ")


def _persons(rng: random.Random, part: str) -> Iterator[Row]:
    surnames, given = _half(_table(SURNAMES), part), _half(_table(GIVEN), part)
    for _ in range(45):
        surname, (one, two, other) = rng.choice(surnames), rng.sample(given, 3)
        scheme, second = rng.sample((1, 2, 3), 2)
        han = surname[0] + one[0] + two[0]
        family = surname[scheme]
        first, last = one[scheme], two[scheme]
        joint = "" if scheme == 1 else rng.choice(" -")
        yield Row("person", "person", "yes", han, f"{family} {first.title()}{joint}{last}", "made: whole")
        yield Row("person", "person", "yes", han, f"{surname[4]} {one[4].title()}-{two[4]}", "made: Wade-Giles")
        initials = first[0].upper() + last[0].upper()
        shape = rng.choice(("{f} {i}", "{i} {f}", "{d} {f}", "{F} {d}"))
        dotted = f"{initials[0]}.{initials[1]}."
        initial_text = shape.format(f=family, F=family.upper(), i=initials, d=dotted)
        yield Row("person", "person", "yes", han, initial_text, "made: initials")
        if first != one[second] or last != two[second]:
            whole, again = f"{family} {first.title()} {last.title()}", f"{surname[second]} {one[second]} {two[second]}"
            yield Row("person", "person", "yes", whole, again.title(), "made: two schemes")
        if other[scheme] in (first, last):
            continue
        wrong = f"{family} {first.title()}{joint}{other[scheme]}"
        yield Row("person", "person", "no", han, wrong, "made: other given name")
        if first != last:
            swapped = f"{family} {last.title()}{joint}{first}"
            yield Row("person", "person", "no", han, swapped, "made: order of the given name")
        if first[0] != last[0]:
            text = shape.format(f=family, F=family.upper(), i=initials[::-1], d=f"{initials[1]}.{initials[0]}.")
            yield Row("person", "person", "no", han, text, "made: order of initials")
        mixed = f"{family} {one[second].title()} {two[second].title()}"
        if family != surname[second] and {one[second], two[second]}.isdisjoint({first, last}) and scheme == 1:
            yield Row("person", "person", "no", han, mixed, "made: mixed schemes")


def _organisations(rng: random.Random, part: str) -> Iterator[Row]:
    brands, translated = _half(_table(BRANDS), part), _half(_table(TRANSLATED), part)
    lines, places, weak = _table(LINES), _table(PLACES), _table(WEAK)
    for _ in range(22):
        brand, place = rng.choice(brands), rng.choice(places)
        other_brand = rng.choice([each for each in brands if each != brand])
        line, other_line = rng.sample(lines, 2)
        which = rng.choice((1, 2))
        legal = rng.choice((("有限公司", "Co., Ltd."), ("有限公司", "Limited"), ("股份有限公司", "Company Limited")))
        word = rng.choice([["", ""], ["", ""], *weak])
        han = f"{place[0]}{brand[0]}{line[0]}{word[0]}{legal[0]}"
        shape = f"{_title(place[1])} {{}} {{}} {word[1]} {legal[1]}".replace("  ", " ")
        right = shape.format(_title(brand[which]), line[1])
        yield Row("org", "org", "yes", han, right, "made: whole")
        yield Row("org", "org", "yes", han, right.replace(_title(place[1]) + " ", ""), "made: without place")
        yield Row("org", "org", "no", han, shape.format(_title(brand[which]), other_line[1]), "made: other line")
        yield Row("org", "org", "no", han, shape.format(_title(other_brand[which]), line[1]), "made: other brand")
        english, number = rng.choice(translated), rng.choice(_table(NUMBERS))
        other_number = rng.choice([each for each in _table(NUMBERS) if each != number])
        form = rng.choice((1, 2, 3, 4))
        yield Row("org", "org", "yes", f"{english[0]}{line[0]}{legal[0]}",
                  f"{_title(english[1])} {line[1]} {legal[1]}", "made: translated brand")  # fmt: skip
        yield Row("org", "org", "no", f"{english[0]}{line[0]}{legal[0]}",
                  f"{_title(english[1])} {other_line[1]} {legal[1]}", "made: translated brand, other line")  # fmt: skip
        numbered = f"{place[0]}{number[0]}{line[0]}厂"
        yield Row("org", "org", "yes", numbered, f"{_title(place[1])} {number[form]} {line[1]} Factory", "made: number")
        yield Row("org", "org", "no", numbered, f"{_title(place[1])} {other_number[form]} {line[1]} Factory",
                  "made: other number")  # fmt: skip


def main() -> None:
    part = sys.argv[1]
    rng = random.Random(SEEDS[part])
    rows = dict.fromkeys([*_persons(rng, part), *_organisations(rng, part)])
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(row for row in rows if row.a)


if __name__ == "__main__":
    main()
