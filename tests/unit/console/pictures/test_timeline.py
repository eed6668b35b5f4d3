"""A timeline orders what is dated, says what isn't, and shows who tells whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.console.pictures.timeline import MAX_EVENTS, TimelineEvent, TimeWords, timeline
from tests.support.console.pictures import check_svg, texts_of

WORDS = TimeWords(
    day=lambda at: f"{at:%Y-%m-%d}",
    clock=lambda at: f"{at:%H:%M}",
    duration=lambda long: f"{long.total_seconds():.0f} s",
)
times = st.none() | st.datetimes(timezones=st.just(UTC))
events = st.lists(
    st.builds(
        TimelineEvent,
        st.sampled_from(["cn", "hk", "mo", "<i>x</i>", "e", "f", "g", "h"]),
        times,
        st.text(max_size=200),
        st.text(max_size=30),
        st.sampled_from(["sent", "", "asked"]),
        st.lists(st.sampled_from(["cn", "hk", "nobody"])).map(tuple),
    ),
    max_size=20,
)


@settings(max_examples=30, deadline=None)
@given(events)
def test_any_events_give_valid_pictures(shown: list[TimelineEvent]) -> None:
    drawn = timeline(shown, WORDS)
    check_svg(drawn.wide)
    check_svg(drawn.narrow)
    assert len(drawn.rows) == len(shown)
    assert timeline(shown, WORDS) == drawn


def test_order_is_by_instant_and_unknown_times_come_last() -> None:
    hong_kong = timezone(timedelta(hours=8))
    drawn = timeline(
        [
            TimelineEvent("hk", None, "Found"),
            TimelineEvent("cn", datetime(2026, 3, 3, 2, 0, tzinfo=UTC), "Later"),
            TimelineEvent("hk", datetime(2026, 3, 3, 9, 0, tzinfo=hong_kong), "Earlier"),
        ],
        WORDS,
    )
    assert [row[3] for row in drawn.rows] == ["Earlier", "Later", "Found"]
    assert drawn.rows[-1][0] == "time not known"
    assert "Time not known" in texts_of(drawn.wide)


def test_a_long_silence_is_said() -> None:
    start = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
    drawn = timeline([TimelineEvent("cn", start, "a"), TimelineEvent("hk", start + timedelta(days=1), "b")], WORDS)
    assert "86400 s later" in texts_of(drawn.wide)


def test_more_than_it_can_show_is_said_and_stands_in_the_table() -> None:
    start = datetime(2026, 3, 3, tzinfo=UTC)
    many = [TimelineEvent("cn", start + timedelta(minutes=at), f"e{at}") for at in range(MAX_EVENTS + 7)]
    drawn = timeline(many, WORDS)
    check_svg(drawn.wide)
    assert "7 more events, in the table" in texts_of(drawn.wide)
    assert len(drawn.rows) == len(many)


def test_arrows_go_to_lanes() -> None:
    at = datetime(2026, 3, 3, tzinfo=UTC)
    drawn = timeline([TimelineEvent("cn", at, "Sent", targets=("hk",)), TimelineEvent("hk", at, "Stored")], WORDS)
    assert drawn.wide.count('class="way"') == 1
    assert "→ hk" in texts_of(drawn.narrow)
