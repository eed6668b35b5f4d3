"""Reference data: facts as files and no code.

* `controlled_goods.csv`: commodity codes under Chinese export control. Source: announcements of MOFCOM and GACC,
  2023 to 2025, as published and copied; HS6 titles from the HS 2022 nomenclature. First and last days are included; an
  empty last day means no known end. After a suspension the control applies again, unless a later announcement says
  otherwise (not verified).
* `announcements.csv`: the announcements, one line per part where parts differ in date or suspension.
* `locations.csv`: ports, crossings and customs offices of the mainland, Hong Kong and Macao.
* `surnames.csv`: Chinese surnames with spellings; `hk` and `macao` are empty where the rules of
  `gateway.screening.text.romanisation` give them. Source: registers and newspapers; for low confidence, the rules and
  dictionaries' readings alone.
* `readings.csv`: toneless Mandarin (pinyin, v for ü) and Cantonese (Jyutping) readings of Chinese characters, the usual
  one first, made by `scripts/readings.py`. Source: pypinyin (MIT licence; Unihan and others) and ToJyutping (BSD
  licence; CanCLID's dictionary).
* `lookalikes.csv`: characters that look like a Latin letter or a Chinese character, with it, made by
  `scripts/lookalikes.py`. Source: Unicode's confusables (UTS 39, Unicode licence) as packaged by confusable-homoglyphs
  (MIT licence), and Unicode's names of small capitals.
* `western_given_names.txt`: Western names that could be read as Chinese syllables.
* `legal_forms.csv`, `organisation_places.csv`, `organisation_terms.csv`: words of organisations' names: legal forms by
  class, places, and terms by meaning with their weight for identity. Source: company registers' usage in Han, English
  and Portuguese.
* `physical_data.csv`: density, price band and usual packing of controlled substances, and of substances as which they
  are declared. Source: handbooks for densities; orders of magnitude of trade prices (mostly low confidence).
* `goods_terms.csv`: words that say nothing about goods, and words of forwarders' names. Source: own selection, after
  customs administrations' lists of unacceptable descriptions, and company registers.
* `risk_rules.toml`: the risk rules; see docs/risk-rules.md.
* `mappings/`: how to read columns of declaration files, one TOML file per kind of file.

`confidence` of a line: high (same in several copies of the announcement), medium (one copy, or a code taken from the
nomenclature), low (assumed). None of it replaces the announcements.
"""
