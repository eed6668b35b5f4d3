"""Characters that look like a Latin letter or a Chinese character; made by scripts/lookalikes.py, never edited.

Source: Unicode's confusables (UTS 39, Unicode licence) as packaged by confusable-homoglyphs (MIT licence), and
Unicode's names of small capitals.
"""

from __future__ import annotations

_PAIRS = (
    "0131i 0184b 0185b 018dg 0196I 01a6R 01bds 01c0l 0251a 0261g 0262g 0263y 0269i 026ai 026fw 0274n "
    "0280r 028bu 028fy 0299b 029ch 029dj 029fl 037fJ 0391A 0392B 0395E 0396Z 0397H 0399I 039aK 039cM "
    "039dN 039fO 03a1P 03a4T 03a5Y 03a7X 03b1a 03b2b 03b3y 03b5e 03b6z 03b7h 03b9i 03bak 03bcm 03bdv "
    "03bfo 03c1p 03c3o 03c4t 03c5u 03c7x 03dcF 03ddf 03f3j 03faM 03fbm 0405S 0406I 0408J 0410A 0412B "
    "0415E 041aK 041cM 041dH 041eO 0420P 0421C 0422T 0423Y 0425X 042cb 0430a 0432b 0433r 0435e 043ak "
    "043cm 043dh 043eo 0440p 0441c 0442t 0443y 0445x 044cb 0455s 0456i 0458j 0461w 0474V 0475v 04aeY "
    "04afy 04bbh 04bde 04c0I 04cfi 0501d 050cG 050dg 051bq 051cW 051dw 054dU 054fS 0555O 0561w 0563q "
    "0566q 0570h 0578n 057cn 057du 057fs 0581g 0584f 0585o 0b20O 0d20o 101do 10e7y 10ffo 1175丨 1200U "
    "12d0O 13a0D 13a1R 13a2T 13a5i 13a9Y 13aaA 13abJ 13acE 13b3W 13b7M 13bbH 13bdY 13c0G 13c2h 13c3Z "
    "13cfb 13d2R 13d4W 13d5S 13d9V 13daS 13deL 13dfC 13e2P 13e6K 13e7d 13f3G 13f4B 13fbg 13fcb 142fV "
    "144cU 146dP 146fd 1472b 148dJ 14aaL 1541x 157cH 157dx 1587R 15afb 15b4F 15c5A 15deD 15eaD 15f0M "
    "15f7B 16b7X 16c1l 16d5K 16d6M 1d00a 1d04c 1d05d 1d07e 1d0aj 1d0bk 1d0dm 1d0fo 1d11o 1d18p 1d1bt "
    "1d1cu 1d20v 1d21w 1d22z 1d26r 1d83g 1d8cy 1e9df 1effy 2c85r 2c8eH 2c8fh 2c92I 2c93i 2c94K 2c95k "
    "2c98M 2c99m 2c9aN 2c9bn 2c9eO 2c9fo 2ca2P 2ca3p 2ca4C 2ca5c 2ca6T 2ca7t 2ca8Y 2ca9y 2cacX 2cadx "
    "2cd0L 2cd1l 2d38V 2d39E 2d4fl 2d54O 2d55Q 2d5dX 2e82乛 2e83乚 2e85亻 2e89刂 2e8b㔾 2e8e兀 2e8f尣 2e90尢 "
    "2e92巳 2e93幺 2e94彑 2e96忄 2e97㣺 2e98扌 2e99攵 2e9b旡 2e9e歺 2ea0民 2ea1氵 2ea2氺 2ea3灬 2ea4爫 2ea6丬 2ea8犭 "
    "2eab罒 2ead礻 2eaf糹 2eb1罓 2eb2罒 2eb9耂 2eba肀 2ebe艹 2ebf艹 2ec0艹 2ec1虎 2ec2衤 2ec3覀 2ec4西 2ec5见 2ec8讠 "
    "2ec9贝 2ecb车 2ecc辶 2ecd辶 2ecf阝 2ed0钅 2ed1長 2ed2镸 2ed3长 2ed4门 2ed6阝 2ed8青 2ed9韦 2eda页 2edb风 2edc飞 "
    "2edd食 2edf飠 2ee0饣 2ee2马 2ee4鬼 2ee5鱼 2ee8麦 2ee9黄 2eeb斉 2eec齐 2eed歯 2eee齿 2eef竜 2ef0龙 2ef2亀 30a4亻 "
    "30a8工 30ab力 30bf夕 30c8卜 30cb二 30cf八 30ed口 30fc一 a4d0B a4d1P a4d2d a4d3D a4d4T a4d6G a4d7K a4d9J "
    "a4daC a4dcZ a4ddF a4dfM a4e0N a4e1L a4e2S a4e3R a4e6V a4e7H a4eaW a4ebX a4ecY a4eeA a4f0E a4f2l "
    "a4f3O a4f4U a647i a6dfV a730f a731s a798F a799f a79fu a7afq a7b2J a7b3X a7b4B a7b5b ab32e ab35f "
    "ab3do ab47r ab48r ab4eu ab52u ab53x ab5ay ab70d ab71r ab72t ab75i ab79y ab7aa ab7bj ab7ce ab81r "
    "ab83w ab87m ab8bh ab8dy ab90g ab92h ab93z ab9fb aba2r aba4w aba5s aba9v abaas abael abafc abb2p "
    "abb6k abb7d "
)

SIMILAR = {chr(int(pair[:4], 16)): pair[4] for pair in _PAIRS.split()}
"""By character, the one that it looks like."""
