"""Operations have one row for each partner: state, connection, the oldest entry that waits, what lags, its feeds."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.views.partner_links import PartnerRow, partner_rows
from gateway.v1.node_service_pb2 import Link, LinkState

CONNECTED, CONNECTING = LinkState.LINK_STATE_CONNECTED, LinkState.LINK_STATE_CONNECTING
SUSPENDED, RECOVERY = LinkState.LINK_STATE_SUSPENDED, LinkState.LINK_STATE_RECOVERY_REQUIRED
ELSEWHERE = LinkState.LINK_STATE_ELSEWHERE


def link(
    partner: str, channel: str, state: LinkState.ValueType = CONNECTED, *, incoming: bool = False, **fields: object
) -> Link:
    parts = (partner, "hk") if incoming else ("hk", partner)
    made = Link(
        origin=f"gba.customs.example/{parts[0]}/{parts[1]}/{channel}",
        partner=partner,
        direction="in" if incoming else "out",
        state=state,
        **fields,  # type: ignore[arg-type]
    )
    return made


def one(*links: Link) -> PartnerRow:
    (row,) = partner_rows(links)
    return row


def test_each_partner_has_one_row_with_its_feeds_inside() -> None:
    rows = partner_rows([link("mo", "alerts"), link("cn", "alerts"), link("mo", "watchlist", incoming=True)])
    assert [(row.partner, [feed.name for feed in row.feeds]) for row in rows] == [
        ("cn", ["Alerts"]),
        ("mo", ["Alerts", "Lists"]),
    ]
    assert [row.states for row in rows] == [[("In order", "good")]] * 2
    assert rows[0].connection == ("Connected", "good")


def test_what_stands_in_the_way_is_its_state_and_whether_it_is_reached_its_connection() -> None:
    row = one(link("mo", "alerts", SUSPENDED), link("mo", "watchlist"), link("mo", "licences", RECOVERY))
    assert [word for word, _colour in row.states] == ["To be recovered", "Suspended"]
    assert row.connection == ("Connected", "good")
    assert one(link("mo", "alerts", CONNECTING)).connection == ("Not reached", "bad")
    assert one(link("mo", "alerts", CONNECTING), link("mo", "watchlist")).connection == ("Connected in part", "warn")
    assert one(link("mo", "alerts", SUSPENDED)).connection == ("—", "quiet")
    assert one(link("mo", "alerts", ELSEWHERE)).connection == ("At another replica", "quiet")
    behind = one(link("mo", "alerts", RECOVERY, suspension="an inquiry"))
    assert [word for word, _colour in behind.states] == ["To be recovered", "Suspended"]


def test_what_waits_is_added_up_and_the_oldest_of_it_shown() -> None:
    row = one(
        link("mo", "alerts", backlog=2, oldest_waiting_at=Timestamp(seconds=90)),
        link("mo", "watchlist", backlog=1, oldest_waiting_at=Timestamp(seconds=60), last_error="Socket closed"),
        link("mo", "alerts", incoming=True, waiting=1, last_exchange_at=Timestamp(seconds=95)),
    )
    assert row.lags == ["3 entries without a receipt", "1 entry pending here"]
    assert (row.oldest, row.last_exchange) == (Timestamp(seconds=60), Timestamp(seconds=95))
    assert (row.error, [feed.lag for feed in row.feeds]) == ("Socket closed", [2, 1, 1])
    quiet = one(link("mo", "alerts"))
    assert (quiet.lags, quiet.oldest, quiet.error) == ([], None, "")


def test_own_feeds_that_are_blocked_come_last_and_have_no_connection() -> None:
    rows = partner_rows([link("hk", "lists", RECOVERY), link("mo", "alerts")])
    assert [(row.partner, row.is_own, row.connection is None) for row in rows] == [
        ("mo", False, False),
        ("hk", True, True),
    ]
