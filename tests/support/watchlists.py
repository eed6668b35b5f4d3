"""Contents of watchlists for tests: defaults that a caller would give, and strategies within the contract's rules."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

from gateway.formats.lists.normal import normalise
from gateway.formats.lists.rows import BadRow, ListOptions, ListRow
from gateway.formats.territories import territory_code
from gateway.v1 import alert_pb2
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistEntry


def defaults() -> WatchlistContent:
    content = WatchlistContent(
        reason="Listed by its source",
        legal_basis="Arrangement 2024, article 7",
        purpose="export_control",
        requested_action=alert_pb2.REQUESTED_ACTION_INSPECT,
        releasable_to=["hk", "mo"],
    )
    content.handling.classification = alert_pb2.CLASSIFICATION_RESTRICTED
    content.handling.onward_transfer = alert_pb2.ONWARD_TRANSFER_PROHIBITED
    return content


OPTIONS = ListOptions(list="own", defaults=defaults())


def entry(entry_id: str, content: WatchlistContent, *, revision: int = 1) -> WatchlistEntry:
    made = WatchlistEntry(list="own", id=entry_id, revision=revision, content=content)
    made.published_at.FromJsonString("2026-01-15T08:00:00.123Z")
    return made


def good(rows: Any) -> dict[str, WatchlistContent]:
    """Contents by id; fails where there is anything else."""
    found = list(rows)
    assert [row for row in found if not isinstance(row, ListRow)] == []
    assert len({row.id for row in found}) == len(found)
    return {row.id: row.content for row in found}


def bad(rows: Any) -> list[tuple[int, str, str]]:
    """Line, id and field of each bad row."""
    return [(row.line, row.id, row.field) for row in rows if isinstance(row, BadRow)]


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=24) | st.sampled_from(
    [
        "a;b",
        "a|b",
        "a\\b",
        "\\",
        " ",
        "=1+1",
        "-",
        "黃大文",
        "  x ",
        "\t",
        "a\r\nb",
        '"',
        ",",
        "\\n",
        "\\u0041",
        "\u2028",
    ]
)
ids = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=16).filter(str.isprintable)
schemes = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
codes = st.text(string.ascii_uppercase, min_size=2, max_size=2).filter(lambda code: territory_code(code) == code)
"""Codes of territories; UK is a name of GB and read as that."""
nodes = st.lists(st.sampled_from(["hk", "mo", "cn"]), unique=True)
dates = st.one_of(
    st.integers(1900, 2020).map(str),
    st.dates().map(lambda day: day.isoformat()),
    st.dates().map(lambda day: day.isoformat()[:7]),
)
periods = st.one_of(dates.map(lambda date: f"{date}~"), st.builds("{}/{}".format, dates, dates))
stamps = st.builds(
    lambda seconds, nanos: {"seconds": seconds, "nanos": nanos},
    st.integers(-62_135_596_800, 253_402_300_799),
    st.integers(0, 999_999_999),
)
names = st.fixed_dictionaries(
    {
        "text": texts,
        "script": st.sampled_from(["", "Hans", "Hant", "Latn"]),
        "language": st.sampled_from(["", "zh", "pt", "zh-Hant-HK"]),
        "kind": st.integers(0, 5),
    }
)
addresses = st.fixed_dictionaries({"street": st.just("") | texts, "city": st.just("") | texts, "territory": codes})
commodities = st.fixed_dictionaries(
    {
        "code": st.text(string.digits, min_size=4, max_size=13),
        "scheme": st.sampled_from(["hs", "tariff"]),
        "territory": st.just("") | codes,
    }
)
places = st.fixed_dictionaries(
    {"unlocode": st.sampled_from(["", "CNSZX", "HKHKG"]), "territory": codes, "name": st.just("") | texts}
)
handlings = st.fixed_dictionaries(
    {
        "classification": st.integers(1, 3),
        "onward_transfer": st.integers(1, 3),
        "onward_recipients": nodes,
        "caveat": st.just("") | texts,
    }
)
alerts = st.fixed_dictionaries({"publisher": st.sampled_from(["hk", "mo"]), "alert_id": st.uuids().map(str)})


_FIELDS = st.fixed_dictionaries(
    {
        "kind": st.integers(1, 9),
        "names": st.lists(names, min_size=1, max_size=4),
        "identifiers": st.lists(
            st.fixed_dictionaries(
                {
                    "scheme": schemes,
                    "value": texts.filter(lambda text: text == text.strip()),
                    "territory": st.just("") | codes,
                    "expires": st.just("") | dates,
                }
            ),
            max_size=3,
        ),
        "addresses": st.lists(addresses, max_size=2),
        "birth_dates": st.lists(dates, max_size=3),
        "birth_periods": st.lists(periods, max_size=2),
        "birth_places": st.lists(addresses, max_size=2),
        "territories": st.lists(codes, max_size=3),
        "commodities": st.lists(commodities, max_size=2),
        "route": st.lists(places, max_size=3),
        "reason": texts,
        "legal_basis": texts,
        "purpose": st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True),
        "requested_action": st.integers(1, 6),
        "handling": handlings,
        "releasable_to": nodes,
        "derived_from": st.lists(alerts, max_size=2),
        "remarks": st.just("") | texts,
    },
    optional={"valid_from": stamps, "valid_until": stamps},
)
"""Made once: making it takes longer than a draw from it."""


@st.composite
def contents(draw: st.DrawFn) -> WatchlistContent:
    """A valid content in normal form."""
    content = WatchlistContent(**draw(_FIELDS))
    normalise(content)
    return content
