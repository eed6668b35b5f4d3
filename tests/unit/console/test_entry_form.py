"""The form of a list entry says what it shows, keeps what it has no fields for, and names what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from gateway.console.current import CurrentPage, set_current_page
from gateway.console.form import Form
from gateway.console.languages import ReaderLocale
from gateway.console.views.lists.entry_form import read_entry, shown
from gateway.console.views.lists.hits import hit_view
from gateway.console.views.lists.revisions import revision_views
from gateway.translation.messages import in_language
from gateway.v1 import party_pb2, watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as service
from tests.support.nodes import listed_content

ZONE = ZoneInfo("Asia/Macau")


@pytest.fixture(autouse=True)
def page() -> Iterator[None]:
    set_current_page(CurrentPage(ReaderLocale("en", ZONE), "", ""))
    with in_language("en"):
        yield


def whole() -> watchlist_pb2.WatchlistContent:
    """A content with fields that the form has and such that it hasn't."""
    content = listed_content("示例有限公司", birth_dates=["1963-05"], territories=["CN", "MO"])
    content.names[0].script, content.names[0].language = "Hans", "zh"
    content.identifiers.add(scheme="uscc", value="91440300MA5EXAMPL1", territory="CN", expires="2031")
    content.addresses.add(street="1 Example Road", city="Shenzhen", territory="CN")
    content.commodities.add(code="8110102000", scheme="tariff", territory="CN")
    content.route.add(unlocode="CNSZX", territory="CN")
    content.birth_places.add(city="Shenzhen", territory="CN")
    content.valid_until.FromSeconds(1_900_000_015)
    content.derived_from.add(publisher="cn", alert_id="0190f3d4-5a3c-7c00-8000-000000000001")
    return content


def test_a_form_that_nobody_changed_says_what_it_showed() -> None:
    content = whole()
    sent = Form(shown(content, ZONE))
    assert read_entry(sent, content, ZONE) == content
    assert sent.is_good, sent.problems


def test_a_row_that_is_emptied_takes_its_item_away_and_others_stay() -> None:
    content = whole()
    sent = Form(shown(content, ZONE))
    sent.values["addresses-0-street"] = sent.values["addresses-0-city"] = sent.values["addresses-0-territory"] = [""]
    sent.values["names-1-text"] = ["Example Limited"]
    sent.values["valid_until"] = [""]
    read = read_entry(sent, content, ZONE)
    assert [name.text for name in read.names] == ["示例有限公司", "Example Limited"]
    assert read.names[0].language == "zh"
    assert (len(read.addresses), read.HasField("valid_until"), read.identifiers[0].expires) == (0, False, "2031")


def test_what_is_wrong_stands_at_its_field() -> None:
    sent = Form(
        shown(whole(), ZONE)
        | {
            "birth_dates": ["May 1963"],
            "territories": ["China"],
            "reason": [""],
            "route-0-place": ["nowhere"],
            "commodities-0-code": ["none"],
        }
    )
    read_entry(sent, whole(), ZONE)
    assert {"birth_dates", "territories", "reason", "route-0-place", "commodities-0-code"} <= set(sent.problems)


def test_each_revision_says_what_it_changed_in_the_one_before() -> None:
    found = service.GetEntryResponse(entry=entry(4, "Third"))
    end = watchlist_pb2.WatchlistTombstone(
        id="A", revision=2, end=watchlist_pb2.WATCHLIST_END_WITHDRAWN, reason="cleared"
    )
    for change in (
        watchlist_pb2.WatchlistChange(entered=entry(3, "Second")),
        watchlist_pb2.WatchlistChange(ended=end),
        watchlist_pb2.WatchlistChange(),
        watchlist_pb2.WatchlistChange(entered=entry(1, "First")),
    ):
        found.earlier.add(change=change, place={"origin": "f", "index": 7})
    views = revision_views(found)
    assert [(view.kind, view.number) for view in views] == [
        ("now", 4),
        ("earlier", 3),
        ("ended", 2),
        ("erased", 0),
        ("earlier", 1),
    ]
    (names,) = views[0].lines
    assert (names.removed, names.added) == (("Second (primary)",), ("Third (primary)",))
    assert [view.is_first for view in views] == [False, True, False, False, True]
    assert (views[2].reason, views[1].place) == ("cleared", "f 7")


def entry(revision: int, name: str) -> watchlist_pb2.WatchlistEntry:
    return watchlist_pb2.WatchlistEntry(id="A", revision=revision, content=listed_content(name))


def test_a_hit_without_its_party_is_named_by_the_entry() -> None:
    reference = watchlist_pb2.WatchlistReference(publisher="cn", list="minerals", id="W-05")
    told = service.ListedHit(
        reporter="mo",
        hit=watchlist_pb2.WatchlistHit(entry=reference, match_class=watchlist_pb2.MATCH_CLASS_STRONG, score=0.914),
    )
    assert (hit_view(told).title, hit_view(told).waits, hit_view(told).found) == ("W-05", True, [])
    told.hit.subject.CopyFrom(
        party_pb2.Party(role=party_pb2.PARTY_ROLE_CONSIGNEE, names=[party_pb2.Name(text="Exemplo Lda")])
    )
    told.outcome = watchlist_pb2.HIT_OUTCOME_FALSE
    view = hit_view(told)
    assert (view.title, view.outcome, view.score) == ("Exemplo Lda", "Somebody or something else", "score 91 %")
