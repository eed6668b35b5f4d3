"""Reference data: facts as files and no code.

* `controlled_goods.csv`: commodity codes under Chinese export control. Source: announcements of MOFCOM and GACC,
  2023 to 2025, as published and copied; HS6 titles from the HS 2022 nomenclature. `effective` and `effective_to`,
  `suspended_from` and `suspended_to` are first and last days, both included; an empty last day means no end is known.
  What holds after a suspension ends is the control again, unless a later announcement says otherwise (not verified).
* `announcements.csv`: the announcements themselves, one line per part where parts differ in date or suspension.
* `locations.csv`: ports, crossings and customs offices of the mainland, Hong Kong and Macao.
* `surnames.csv`: Chinese surnames with their spellings; `hk` and `macao` are empty where the rules of
  `gateway.screening.text.romanisation` give them. Source: registers and newspapers for high and medium; low comes from
  the rules and from dictionaries' readings alone.
* `readings.csv`: toneless Mandarin (pinyin, v for ü) and Cantonese (Jyutping) readings of each Chinese character, the
  usual one first, as `scripts/readings.py` makes them. Source: pypinyin (MIT licence; Unihan and others) and ToJyutping
  (BSD licence; CanCLID's dictionary).
* `western_given_names.txt`: Western names that could be read as Chinese syllables.
* `legal_forms.csv`, `organisation_places.csv`, `organisation_terms.csv`: words of organisations' names, by class of
  legal form, by place, and by meaning with the weight it has for identity. Source: usage of company registers in Han,
  English and Portuguese.
* `physical_data.csv`: density, price band and usual packing of substances that are controlled, or that controlled ones
  are declared as. Source: handbooks for densities; the order of magnitude of trade prices for prices (mostly low
  confidence).
* `goods_terms.csv`: words that say nothing about goods, and words of forwarders' names. Source: own selection, after
  lists of unacceptable descriptions that customs administrations publish, and names in company registers.
* `risk_rules.toml`: the risk rules; docs/risk-rules.md says what each means.
* `mappings/`: how columns of declaration files are read, one TOML file per kind of file.

The column `confidence` says how far a line was verified: high (same in several copies of the announcement), medium (one
copy, or a code taken from the nomenclature), low (assumed). None of it replaces the announcements themselves.
"""
