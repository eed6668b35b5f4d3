"""Makes watchlist entries as registers and lists would have them: `entries(count)`, seeded, one after the other.

The same seed gives the same entries. 张伟, the commonest name, comes to 0.02 % of mainlanders, as in fact it does.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Generic, NamedTuple, TypeVar

import opencc
from stdnum.cn import ric

from bench import list_tables as tables
from gateway.screening.persons.surnames import SURNAMES
from gateway.screening.text.sounds import RomanisationScheme, cantonese, mandarin, spellings
from gateway.v1 import alert_pb2, watchlist_pb2

T = TypeVar("T")
KINDS = watchlist_pb2.WatchlistKind
NAMES = watchlist_pb2.ListedNameKind
_TRADITIONAL = opencc.OpenCC("s2hk")
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"


class Choice(Generic[T]):
    """Values drawn by their shares, or falling off with their rank; the more `even`, the less."""

    def __init__(self, values: Sequence[T], shares: Sequence[float] | None = None, even: int = 6) -> None:
        self._values = list(values)
        self._sums = list(accumulate(shares or [1 / (rank + even) for rank in range(len(values))]))

    def draw(self, rng: random.Random) -> T:
        return self._values[bisect(self._sums, rng.random() * self._sums[-1])]


class Named(NamedTuple):
    """A surname or character: simplified, traditional, and its spellings by scheme, the usual one first."""

    hans: str
    hant: str
    mainland: str
    hong_kong: tuple[str, ...]
    macao: tuple[str, ...]


def _usual(character: str, scheme: RomanisationScheme) -> tuple[str, ...]:
    found = spellings((mandarin(character)[0], cantonese(character)[0]), scheme)
    return tuple(sorted((s for s in found if s.isalpha()), key=lambda s: (abs(len(s) - 3), s)))[:3]


@cache
def _character(hans: str) -> Named:
    pinyin = "".join(mandarin(c)[0] for c in hans).replace("v", "u")
    return Named(
        hans,
        _TRADITIONAL.convert(hans),
        pinyin,
        _usual(hans, RomanisationScheme.HONG_KONG),
        _usual(hans, RomanisationScheme.MACAO),
    )


def _surname(hans: str) -> Named:
    found = next((s for s in SURNAMES if hans in s.han), None)
    if found is None:
        return _character(hans)
    of = {scheme: tuple(sorted(found.spellings[scheme], key=lambda s: (len(s), s))) for scheme in RomanisationScheme}
    hong_kong, macao = (
        of[RomanisationScheme.HONG_KONG] or ("-",),
        of[RomanisationScheme.MACAO] or of[RomanisationScheme.HONG_KONG] or ("-",),
    )
    return Named(hans, _TRADITIONAL.convert(hans), of[RomanisationScheme.MAINLAND][0], hong_kong, macao)


def _surnames(text: str) -> Choice[Named]:
    parts = [(part.rstrip("0123456789."), part) for part in text.split()]
    return Choice([_surname(name) for name, _ in parts], [float(part[len(name) :]) for name, part in parts])


def _words(text: str) -> Choice[str]:
    return Choice(text.split())


_MAINLAND = _surnames(tables.MAINLAND_SURNAMES)
_SOUTHERN = _surnames(tables.SOUTHERN_SURNAMES)
_GIVEN = Choice([_character(c) for c in dict.fromkeys(tables.GIVEN_NAMES)], even=15)
_CORE = Choice([_character(c) for c in dict.fromkeys(tables.CORE_CHARACTERS + tables.GIVEN_NAMES)], even=25)
_WESTERN = Choice(
    [w for pair in zip(tables.WESTERN_MEN.split(), tables.WESTERN_WOMEN.split(), strict=False) for w in pair]
)
_FOREIGN = {
    origin: (
        _words(tables.FOREIGN_GIVEN[origin]),
        _words(tables.FOREIGN_FAMILY[origin].replace("da Silva", "da\xa0Silva")),
    )
    for origin in tables.FOREIGN_GIVEN
}
_ORIGINS = Choice(list(_FOREIGN), [0.35, 0.12, 0.2, 0.18, 0.15])
_CORE_LENGTH = Choice((1, 2, 3, 4), (0.02, 0.6, 0.28, 0.1))
_BUSINESS = Choice(tables.BUSINESSES)
_PLACES = Choice(tables.MAINLAND_PLACES)
_FOREIGN_CORES, _FOREIGN_BUSINESSES = _words(tables.FOREIGN_CORES), _words(tables.FOREIGN_BUSINESSES)
_FOREIGN_FORMS = Choice(tables.FOREIGN_FORMS.split(","))
_VESSELS = _words(tables.VESSEL_WORDS)
_STREETS, _HAN_STREETS = Choice(tables.STREETS.split(",")), Choice(tables.HAN_STREETS.split(","))

Content = watchlist_pb2.WatchlistContent


def entries(count: int, seed: int = 1) -> Iterator[tuple[str, Content]]:
    """Ids and contents of so many entries.

    Of a thousand 420 are persons (60 % Chinese names of the mainland, 20 % of Hong Kong and Macao, 20 % others), 460
    organisations, 50 vessels, 30 vehicles, 30 containers, 10 addresses.
    """
    rng = random.Random(seed)
    makers = (_person, _organisation, _vessel, _vehicle, _container, _address)
    sums = list(accumulate((420, 460, 50, 30, 30, 10)))
    for number in range(1, count + 1):
        content = Content(
            reason="listed by the generator",
            legal_basis="regulation 1",
            purpose="export_control",
            requested_action=alert_pb2.REQUESTED_ACTION_INSPECT,
        )
        content.handling.SetInParent()
        makers[bisect(sums, rng.random() * 1000)](rng, content)
        yield f"S{number:07d}", content


def query_name(rng: random.Random) -> tuple[str, str]:
    """A name and its kind (person, organisation) as it stands in a declaration, made as those of entries are."""
    content = Content()
    if rng.random() < 0.4:
        _person(rng, content)
        return rng.choice(content.names).text, "person"
    _organisation(rng, content)
    return rng.choice(content.names).text, "organisation"


def _add(content: Content, text: str, kind: NAMES.ValueType, script: str = "Latn") -> None:
    content.names.add(text=text, script=script, kind=kind)


def _spelt(rng: random.Random, options: tuple[str, ...]) -> str:
    return options[0] if rng.random() < 0.75 else rng.choice(options)


def _person(rng: random.Random, content: Content) -> None:
    content.kind = KINDS.WATCHLIST_KIND_PERSON
    origin = rng.random()
    if origin < 0.6:
        _mainlander(rng, content)
    elif origin < 0.8:
        _southerner(rng, content)
    else:
        _foreigner(rng, content)
    if rng.random() < 0.5:
        content.birth_dates.append(f"{rng.randrange(1940, 2005)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}")
    if rng.random() < 0.3:
        value = f"{rng.choice('EGKAPN')}{rng.randrange(10**7, 10**8)}"
        content.identifiers.add(scheme="passport", value=value)


def _given(rng: random.Random, single: float) -> tuple[Named, ...]:
    first = _GIVEN.draw(rng)
    return (first,) if rng.random() < single else (first, _GIVEN.draw(rng))


def _mainlander(rng: random.Random, content: Content) -> None:
    surname, given = _MAINLAND.draw(rng), _given(rng, 0.15)
    pinyin = "".join(c.mainland for c in given).capitalize()
    _add(content, surname.hans + "".join(c.hans for c in given), NAMES.LISTED_NAME_KIND_PRIMARY, "Hans")
    if rng.random() < 0.8:
        written = (
            f"{surname.mainland.upper()} {pinyin}"
            if rng.random() < 0.3
            else f"{surname.mainland.capitalize()} {pinyin}"
        )
        _add(content, written, NAMES.LISTED_NAME_KIND_ALIAS)
    if rng.random() < 0.12:
        _add(content, f"{_WESTERN.draw(rng)} {surname.mainland.capitalize()}", NAMES.LISTED_NAME_KIND_WEAK_ALIAS)
    if rng.random() < 0.4:
        content.identifiers.add(scheme="cn_resident_id", value=_resident_id(rng))


def _southerner(rng: random.Random, content: Content) -> None:
    macao = rng.random() < 0.25
    surname, given = _SOUTHERN.draw(rng), _given(rng, 0.08)
    spelt = _spelt(rng, surname.macao if macao else surname.hong_kong).capitalize()
    latin = [_spelt(rng, c.macao if macao else c.hong_kong) for c in given]
    joint = "-" if rng.random() < 0.3 else " "
    first = joint.join(part if at and joint == "-" else part.capitalize() for at, part in enumerate(latin))
    han, western = surname.hant + "".join(c.hant for c in given), _WESTERN.draw(rng)
    with_han = rng.random() < 0.85
    shape = rng.random()
    written = (
        f"{spelt} {first}"
        if shape < 0.5
        else f"{spelt.upper()}, {first}"
        if shape < 0.7
        else f"{western} {spelt} {first}"
    )
    if with_han:
        _add(content, han, NAMES.LISTED_NAME_KIND_PRIMARY, "Hant")
    _add(content, written, NAMES.LISTED_NAME_KIND_ALIAS if with_han else NAMES.LISTED_NAME_KIND_PRIMARY)
    if rng.random() < 0.25:
        _add(content, f"{western} {spelt}", NAMES.LISTED_NAME_KIND_WEAK_ALIAS)
    if rng.random() < 0.15:
        pinyin = f"{surname.mainland.capitalize()} {''.join(c.mainland for c in given).capitalize()}"
        _add(content, pinyin, NAMES.LISTED_NAME_KIND_ALIAS)
    if rng.random() < 0.4:
        scheme, value = ("mo_bir", f"{rng.choice('157')}{rng.randrange(10**7):07d}") if macao else ("hkid", _hkid(rng))
        content.identifiers.add(scheme=scheme, value=value)


def _foreigner(rng: random.Random, content: Content) -> None:
    given, family = _FOREIGN[_ORIGINS.draw(rng)]
    words = [given.draw(rng)]
    if rng.random() < 0.6:
        words.append(given.draw(rng))
    last = family.draw(rng).replace("\xa0", " ")
    _add(content, " ".join((*words, last)), NAMES.LISTED_NAME_KIND_PRIMARY)
    if rng.random() < 0.4:
        _add(content, f"{last.upper()}, {' '.join(words)}", NAMES.LISTED_NAME_KIND_ALIAS)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        _add(content, " ".join((words[0], given.draw(rng), last)), NAMES.LISTED_NAME_KIND_ALIAS)
    if rng.random() < 0.1:
        _add(content, f"Abu {given.draw(rng)}", NAMES.LISTED_NAME_KIND_WEAK_ALIAS)


def _organisation(rng: random.Random, content: Content) -> None:
    content.kind = KINDS.WATCHLIST_KIND_ORGANISATION
    origin = rng.random()
    if origin < 0.55:
        _mainland_company(rng, content)
    elif origin < 0.8:
        _southern_company(rng, content)
    else:
        _foreign_company(rng, content)


def _core(rng: random.Random) -> tuple[Named, ...]:
    return tuple(_CORE.draw(rng) for _ in range(_CORE_LENGTH.draw(rng)))


def _mainland_company(rng: random.Random, content: Content) -> None:
    core, (business, trade) = _core(rng), _BUSINESS.draw(rng)
    place, place_latin = _PLACES.draw(rng)
    form, form_latin = tables.MAINLAND_FORMS[0] if rng.random() < 0.8 else rng.choice(tables.MAINLAND_FORMS)
    name, spelt = "".join(c.hans for c in core), "".join(c.mainland for c in core).capitalize()
    _add(content, place + name + business + form, NAMES.LISTED_NAME_KIND_PRIMARY, "Hans")
    if rng.random() < 0.6:
        _add(content, f"{place_latin} {spelt} {trade} {form_latin}", NAMES.LISTED_NAME_KIND_ALIAS)
    if rng.random() < 0.12:
        _add(content, name + business, NAMES.LISTED_NAME_KIND_TRADE, "Hans")
    if rng.random() < 0.1:
        _add(content, "".join(c.hans for c in _core(rng)) + business + form, NAMES.LISTED_NAME_KIND_FORMER, "Hans")
    if rng.random() < 0.6:
        content.identifiers.add(scheme="uscc", value=_uscc(rng))


def _southern_company(rng: random.Random, content: Content) -> None:
    macao = rng.random() < 0.2
    core, (business, trade) = _core(rng), _BUSINESS.draw(rng)
    form, form_latin = rng.choice(tables.MACAO_FORMS if macao else tables.HONG_KONG_FORMS)
    place, place_latin = ("（澳門）", "(Macau) ") if macao else ("（香港）", "(Hong Kong) ")
    if rng.random() < 0.6:
        place = place_latin = ""
    latin = " ".join(_spelt(rng, c.macao if macao else c.hong_kong).capitalize() for c in core)
    han = "".join(c.hant for c in core) + _TRADITIONAL.convert(business) + place + _TRADITIONAL.convert(form)
    with_han = rng.random() < 0.8
    if with_han:
        _add(content, han, NAMES.LISTED_NAME_KIND_PRIMARY, "Hant")
    kind = NAMES.LISTED_NAME_KIND_ALIAS if with_han else NAMES.LISTED_NAME_KIND_PRIMARY
    _add(content, f"{latin} {trade} {place_latin}{form_latin}", kind)
    if rng.random() < 0.15:
        _add(content, f"{_FOREIGN_CORES.draw(rng)} {_FOREIGN_CORES.draw(rng)}", NAMES.LISTED_NAME_KIND_TRADE)
    if rng.random() < 0.6 and not macao:
        content.identifiers.add(scheme="hk_brn", value=f"{rng.randrange(10**8):08d}")


def _foreign_company(rng: random.Random, content: Content) -> None:
    core = [_FOREIGN_CORES.draw(rng) for _ in range(1 if rng.random() < 0.2 else 2)]
    trade, form = _FOREIGN_BUSINESSES.draw(rng), _FOREIGN_FORMS.draw(rng)
    _add(content, f"{' '.join(core)} {trade} {form}", NAMES.LISTED_NAME_KIND_PRIMARY)
    if rng.random() < 0.3:
        _add(content, f"{' '.join(core)} {_FOREIGN_BUSINESSES.draw(rng)}", NAMES.LISTED_NAME_KIND_ALIAS)
    if rng.random() < 0.1:
        _add(content, "".join(word[0] for word in (*core, trade)), NAMES.LISTED_NAME_KIND_WEAK_ALIAS)


def _vessel(rng: random.Random, content: Content) -> None:
    content.kind = KINDS.WATCHLIST_KIND_VESSEL
    number = f" {rng.randrange(2, 99)}" if rng.random() < 0.3 else ""
    _add(content, f"{_VESSELS.draw(rng)} {_VESSELS.draw(rng)}{number}".upper(), NAMES.LISTED_NAME_KIND_PRIMARY)
    content.identifiers.add(scheme="imo_ship", value=f"IMO {_imo(rng)}")


def _vehicle(rng: random.Random, content: Content) -> None:
    content.kind = KINDS.WATCHLIST_KIND_VEHICLE
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    if rng.random() < 0.5:
        plate = f"粤Z{rng.choice(letters)}{rng.randrange(1000):03d}{rng.choice('港澳')}"
        content.identifiers.add(scheme="cn_cross_border_plate", value=plate)
    else:
        plate = f"{rng.choice(letters)}{rng.choice(letters)}{rng.randrange(1, 10000)}"
        content.identifiers.add(scheme="hk_vehicle_plate", value=plate)


def _container(rng: random.Random, content: Content) -> None:
    content.kind = KINDS.WATCHLIST_KIND_CONTAINER
    owner = rng.choice(("MSKU", "COSU", "OOLU", "CMAU", "MSCU", "HLCU", "TGHU", "TCLU", "TEMU", "CSNU", "FCIU", "GESU"))
    content.identifiers.add(scheme="iso6346", value=_iso6346(f"{owner}{rng.randrange(10**6):06d}"))


def _address(rng: random.Random, content: Content) -> None:
    content.kind = KINDS.WATCHLIST_KIND_ADDRESS
    if rng.random() < 0.5:
        street = (
            f"Flat {rng.choice('ABCDEFGH')}, {rng.randrange(1, 40)}/F, {rng.randrange(1, 900)} {_STREETS.draw(rng)}"
        )
        content.addresses.add(street=street, city="Hong Kong", territory="HK")
    else:
        street = f"{_HAN_STREETS.draw(rng)}{rng.randrange(1, 3000)}号{rng.randrange(1, 30)}楼"
        content.addresses.add(street=street, city="深圳市", territory="CN")


def _resident_id(rng: random.Random) -> str:
    area = rng.choice(("440301", "440106", "310101", "110105", "430102", "360702", "440402"))
    born = f"{rng.randrange(1940, 2005)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
    body = f"{area}{born}{rng.randrange(1000):03d}"
    return body + str(ric.calc_check_digit(body + "0"))


def _hkid(rng: random.Random) -> str:
    body = f"{rng.choice('ABCDEFGHKMPRVYZ')}{rng.randrange(10**6):06d}"
    values = (36, *(int(char, 36) for char in body))
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return f"{body}({'0123456789A'[-total % 11]})"


def _uscc(rng: random.Random) -> str:
    organisation = f"MA{rng.randrange(10**6):06d}"
    total = sum(int(c, 36) * w for c, w in zip(organisation, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    body = (
        f"91{rng.choice(('440300', '440101', '310115', '110108', '430104'))}{organisation}{'0X987654321'[total % 11]}"
    )
    check = sum(_USCC.index(c) * pow(3, at, 31) for at, c in enumerate(body))
    return body + _USCC[-check % 31]


def _imo(rng: random.Random) -> str:
    digits = f"{rng.randrange(8_000_00, 9_999_99):06d}"
    return digits + str(sum(int(d) * w for d, w in zip(digits, range(7, 1, -1), strict=True)) % 10)


def _iso6346(body: str) -> str:
    values = (int(c, 36) + max(int(c, 36) - 1, 0) // 10 if c.isalpha() else int(c) for c in body)
    return body + str(sum(value * 2**at for at, value in enumerate(values)) % 11 % 10)
