"""Reference data: facts as files and no code.

* `controlled_goods.csv`: goods under Chinese export control, by code, or by element where the announcement names no
  code; days and suspensions are those of the announcement. `basket`: which code also has goods that aren't controlled,
  the listed `code` or its `subheading` alone. HS6 titles from the HS 2022 nomenclature.
* `announcements.csv`: announcements of MOFCOM and others, one line per part where parts differ: what needs a licence,
  what is refused to some destinations, what is suspended. First and last days are included; an empty last day means no
  known end. `afterwards` of a suspension is empty as long as it isn't verified what followed.
* `locations.csv`: ports, crossings and customs offices of the mainland, Hong Kong and Macao.
* `positions.csv`: where those places, and ports and airports that their goods go to, are, to a hundredth of a degree.
  Districts and places that aren't in it have no position and are drawn nowhere. Source: general knowledge of published
  maps, compared with npm's sea-ports 0.0.9 (MIT licence), which puts Yantian and Jiuzhou elsewhere.
* `outline.json`: land of the world, of eastern Asia and of the Pearl River Delta, made by `scripts/world_outline.py`.
* `surnames.csv`: Chinese surnames with spellings; `hk` and `macao` are empty where the rules of
  `gateway.screening.text.romanisation` give them. Source: registers and newspapers; for low confidence, the rules and
  dictionaries' readings alone.
* `readings.csv`: toneless Mandarin (pinyin, v for ü) and Cantonese (Jyutping) readings of Chinese characters, the usual
  one first, made by `scripts/readings.py`. Source: pypinyin (MIT licence; Unihan and others) and ToJyutping (BSD
  licence; CanCLID's dictionary).
* `kanji_readings.csv`: readings of kanji in Hepburn (`on`, `kun`, and `names` of persons), made by
  `scripts/kanji_readings.py`. Source: KANJIDIC2 of the Electronic Dictionary Research and Development Group
  (https://www.edrdg.org/wiki/index.php/KANJIDIC_Project), licence CC BY-SA 4.0, which this file keeps; changed: spelt
  in Hepburn, stems of verbs added, other data left out.
* `japanese_surnames.csv`: common Japanese surnames that begin like Chinese ones or that no reading of their characters
  gives. Source: general knowledge of common surnames.
* `ofac_remarks.csv`: kinds of items in the remarks of OFAC's lists, by their beginning: what each becomes, and the
  scheme of its identifier. Source: the published lists of 2015 to 2025 and their data specification.
* `person_names.csv`: given and family names by culture. A word is a name with its spellings, also in Arabic, Cyrillic
  and, for transcriptions, Han. Source: general knowledge of common names and of how papers and newspapers spell them.
* `dialect_readings.csv`: characters of names as Hokkien and Teochew families of Malaysia and Singapore spell them (as a
  surname, and in given names), in Korean (Hangul) and in Vietnamese without marks. Source: general knowledge of papers'
  spellings, and of Sino-Korean and Sino-Vietnamese readings as dictionaries have them.
* `western_given_names.txt`: Western names that could be read as Chinese syllables.
* `legal_forms.csv`, `organisation_places.csv`, `organisation_terms.csv`: words of organisations' names: legal forms by
  class, places, and terms by meaning with their weight for identity. Source: company registers' usage in Han, English,
  Portuguese, Spanish and Vietnamese; counts of words side by side in the Hong Kong companies register.
* `organisation_brands.csv`: names that firms have in Han and in Latin letters where no rule leads from one to the other
  (长荣, Evergreen). Source: firms' own names as they publish them, from general knowledge; no register was copied.
* `organisation_abbreviations.csv`: words of firms' Latin names with their abbreviations. Source: general knowledge of
  bills of lading, registers and the United States Postal Service's Publication 28.
* `foreign_terms.csv`: legal forms, words of business and places in Korean, Japanese, Russian and Thai, with an English
  meaning that the vocabulary above knows. Source: company registers' usage.
* `physical_data.csv`: density, price band and usual packing of controlled substances, and of substances as which they
  are declared. Of `names` pages show the first in English, simplified and traditional Chinese and Portuguese, which
  follow each other. Source: handbooks for densities; orders of magnitude of trade prices (mostly low confidence).
* `goods_terms.csv`: words that say nothing about goods, and words of forwarders' names. Source: own selection, after
  customs administrations' lists of unacceptable descriptions, and company registers.
* `risk_rules.toml`: the risk rules; see docs/risk-rules.md.
* `mappings/`: how to read columns of declaration files, one TOML file per kind of file.

`confidence` of a line: high (same in several copies of the announcement), medium (one copy, or a code taken from a copy
of the tariff or the nomenclature), low (assumed, or not confirmed: `note` says what). `source` says where it was seen.
None of it replaces the announcements; docs/controlled-goods.md says what was checked.
"""
