"""Pairs of names to judge the comparison by, and a maker of names in every writing that registers use."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from gateway.screening.compare import compare
from gateway.screening.index.keys import index_keys, query_keys
from gateway.screening.persons.surnames import SURNAMES
from gateway.screening.prepared_name import prepare
from gateway.screening.result import Comparison, MatchClass, NameKind
from gateway.screening.text.sounds import RomanisationScheme, cantonese, mandarin, spellings
from tests.support.public_files import REFERENCE

_SCREENING = Path(__file__).parents[1] / "unit" / "screening"
OWN_PAIRS = _SCREENING / "name_pairs.csv"
HELD_OUT = _SCREENING / "held_out"

KINDS = {"person": NameKind.PERSON, "org": NameKind.ORGANISATION}
"""Kinds as the files of pairs write them; for any other the kind is left to be guessed."""

TRADE_NAMES = {
    "SJM Resorts, S.A.",
    "MMG Limited",
    "Wynn Resorts (Macau), S.A.",
}
"""Latin names of the shared pairs that neither romanise nor translate the Han name: no rule leads to them, nor does the
table of brands."""

GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华文辉玲建国嘉豪志家俊欣怡佩珊诗雅慧仪美玉兰珍海天德荣富贵永康宏达"
)
CORE = "宏达华美永盛新丰利金泰兴隆昌源恒信德安康荣富联海天汇鑫瑞祥和顺发通龙凤东升明辉"


@dataclass(frozen=True)
class Pair:
    kind: str
    same: bool
    a: str
    b: str
    why: str = ""

    @property
    def name_kind(self) -> NameKind:
        return KINDS.get(self.kind, NameKind.UNKNOWN)


def own_pairs() -> list[Pair]:
    with OWN_PAIRS.open(encoding="utf-8", newline="") as stream:
        return [Pair(r["kind"], r["same"] == "yes", r["a"], r["b"], r["why"]) for r in csv.DictReader(stream)]


def development_pairs() -> list[Pair]:
    found = json.loads((REFERENCE / "name_pairs.json").read_text(encoding="utf-8"))
    return [Pair(pair["kind"], pair["same"], pair["a"], pair["b"]) for pair in found]


def held_out_pairs(part: str) -> dict[str, list[Pair]]:
    """Pairs of the part that the rules were tuned on, the sealed or the later one, by group; nobody reads those two."""
    groups: dict[str, list[Pair]] = {}
    with (HELD_OUT / f"{part}.csv").open(encoding="utf-8", newline="") as stream:
        for r in csv.DictReader(stream):
            groups.setdefault(r["group"], []).append(Pair(r["kind"], r["same"] == "yes", r["a"], r["b"], r["why"]))
    return groups


def balanced_accuracy(outcomes: Sequence[tuple[bool, bool]]) -> float:
    """Mean of the rates of matches found and of non-matches left alone, from (same, matched); 1 for a missing side."""
    rates = []
    for side in (True, False):
        of_side = [matched == same for same, matched in outcomes if same == side]
        rates.append(sum(of_side) / len(of_side) if of_side else 1.0)
    return sum(rates) / 2


def syllable(character: str, scheme: RomanisationScheme, which: int) -> str:
    """One spelling of a character's first readings, chosen by `which`."""
    options = sorted(s for s in spellings((mandarin(character)[0], cantonese(character)[0]), scheme) if s.isalpha())
    return options[which % len(options)]


romanising = st.sampled_from([RomanisationScheme.MAINLAND, RomanisationScheme.HONG_KONG, RomanisationScheme.MACAO])


@dataclass(frozen=True)
class WrittenPerson:
    """A person's Han name and one Latin writing of it."""

    han: str
    latin: str


@st.composite
def persons(draw: st.DrawFn, scheme: RomanisationScheme | None = None) -> WrittenPerson:
    scheme = draw(romanising) if scheme is None else scheme
    surname = draw(st.sampled_from([s for s in SURNAMES if s.spellings[scheme] and len(s.han[0]) == 1]))
    given = draw(st.text(alphabet=GIVEN, min_size=1, max_size=2))
    latin = [syllable(c, scheme, draw(st.integers(0, 9))) for c in given]
    return WrittenPerson(surname.han[0] + given, draw(writings(sorted(surname.spellings[scheme])[0], latin)))


@dataclass(frozen=True)
class WrittenTwice:
    """A person's Han name and two Latin writings of it by two schemes."""

    han: str
    one: str
    other: str


@st.composite
def persons_written_twice(draw: st.DrawFn) -> WrittenTwice:
    schemes = draw(st.lists(romanising, min_size=2, max_size=2, unique=True))
    known = [s for s in SURNAMES if all(s.spellings[scheme] for scheme in schemes) and len(s.han[0]) == 1]
    surname = draw(st.sampled_from(known))
    given = draw(st.text(alphabet=GIVEN, min_size=1, max_size=2))
    spelt = [
        draw(
            writings(
                draw(st.sampled_from(sorted(surname.spellings[scheme]))),
                [syllable(c, scheme, draw(st.integers(0, 9))) for c in given],
            )
        )
        for scheme in schemes
    ]
    return WrittenTwice(surname.han[0] + given, *spelt)


@st.composite
def writings(draw: st.DrawFn, surname: str, given: list[str]) -> str:
    """One of the ways to order, join and capitalise a surname and a given name."""
    joint = draw(st.sampled_from([" ", "-"]))
    first_name = joint.join(part.capitalize() for part in given)
    shape = draw(st.sampled_from(["{s} {g}", "{s}, {g}", "{S} {g}", "{g} {S}", "{s} {g} Peter", "Peter {s} {g}"]))
    return shape.format(s=surname.capitalize(), S=surname.upper(), g=first_name)


LEGAL = [("", ""), ("有限公司", "Limited"), ("有限公司", "Co., Ltd."), ("有限公司", "Lda."), ("股份有限公司", "S.A.")]
BUSINESS = [
    ("", ""),
    ("贸易", "Trading"),
    ("物流", "Logistics"),
    ("电子", "Electronics"),
    ("银行", "Bank"),
    ("钨业", "Tungsten"),
]
PLACES = [("", ""), ("深圳市", "Shenzhen"), ("香港", "Hong Kong"), ("澳门", "Macau"), ("广州", "Guangzhou")]


@dataclass(frozen=True)
class WrittenOrganisation:
    """An organisation's Han name and one Latin writing of it; `core` and `spelt` are the core in each."""

    han: str
    latin: str
    core: str
    spelt: str

    def core_is_read_otherwise(self) -> bool:
        """Whether no reading of one of the writings has the whole core, a part of it being a word or place of itself.

        通信 is a line of business, 联通 too; 达联 in pinyin is the city Dalian. No rule joins such names, which
        docs/screening.md says.
        """
        han, latin = (prepare(text, NameKind.ORGANISATION).organisations for text in (self.han, self.latin))
        cores = ({"".join(form.core) for form in forms} for forms in (han, latin))
        return any(core not in found for core, found in zip((self.core, self.spelt), cores, strict=True))


def made_organisation(
    core: str, scheme: RomanisationScheme, which: Sequence[int], joint: str, *beside: tuple[str, str]
) -> WrittenOrganisation:
    """An organisation of a core and, beside it, place, line of business and legal form, each in Han and Latin."""
    spelt = [syllable(c, scheme, number) for c, number in zip(core, which, strict=True)]
    place, business, legal = beside
    han = place[0] + core + business[0] + legal[0]
    latin = " ".join(filter(None, (place[1], joint.join(spelt).title(), business[1], legal[1])))
    return WrittenOrganisation(han, latin, core, "".join(spelt))


@st.composite
def organisations(draw: st.DrawFn) -> WrittenOrganisation:
    scheme = draw(romanising)
    core = draw(st.text(alphabet=CORE, min_size=2, max_size=3))
    which = [draw(st.integers(0, 9)) for _ in core]
    joint = "" if scheme == RomanisationScheme.MAINLAND and draw(st.booleans()) else " "
    return made_organisation(core, scheme, which, joint, *(draw(st.sampled_from(t)) for t in (PLACES, BUSINESS, LEGAL)))


def drawn_organisations(count: int, seed: int) -> Iterator[WrittenOrganisation]:
    """So many of those that `organisations` may draw, always the same."""
    rng = random.Random(seed)
    for _ in range(count):
        scheme = rng.choice([RomanisationScheme.MAINLAND, RomanisationScheme.HONG_KONG, RomanisationScheme.MACAO])
        core = "".join(rng.choice(CORE) for _ in range(rng.choice((2, 3))))
        joint = rng.choice(("", " ")) if scheme == RomanisationScheme.MAINLAND else " "
        which = [rng.randrange(10) for _ in core]
        yield made_organisation(core, scheme, which, joint, *(rng.choice(t) for t in (PLACES, BUSINESS, LEGAL)))


def compared_as(native: str, latin: str, kind: NameKind, *, same: bool) -> Comparison:
    """Compares two writings both ways; asserts that they are compatible or not, and that a key finds those that are."""
    one, other = prepare(native, kind), prepare(latin, kind)
    found, back = compare(one, other), compare(other, one)
    assert found.match_class == (MatchClass.COMPATIBLE if same else MatchClass.NONE)
    assert (found.match_class, found.score) == (back.match_class, back.score)
    if same:
        assert query_keys(one) & index_keys(other)
        assert query_keys(other) & index_keys(one)
    return found
