from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.contract.messages import to_timestamp
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec import events
from gateway.watchlists.codec.encoded_changes import EntryEncoder, event_of, filled, published, update_of

CONTENTS = st.builds(
    watchlist_pb2.WatchlistContent,
    kind=st.sampled_from([0, 1, 2]),
    names=st.lists(st.builds(watchlist_pb2.ListedName, text=st.text(max_size=300)), max_size=3),
    purpose=st.sampled_from(["", "export_control"]),
    remarks=st.integers(0, 20_000).map("x".__mul__),
)
TIMES = st.integers(0, 10**13)


@given(
    list_name=st.text(min_size=1, max_size=200),
    entry_id=st.text(min_size=1, max_size=200),
    revision=st.integers(1, 2**32 - 1),
    times=st.tuples(TIMES, st.none() | TIMES),
    content=CONTENTS,
)
def test_an_encoded_entry_is_what_protobuf_makes_of_it(
    list_name: str,
    entry_id: str,
    revision: int,
    times: tuple[int, int | None],
    content: watchlist_pb2.WatchlistContent,
) -> None:
    published_at, first = times
    entry = watchlist_pb2.WatchlistEntry(
        list=list_name,
        id=entry_id,
        revision=revision,
        published_at=to_timestamp(published_at),
        first_published_at=None if first is None else to_timestamp(first),
        content=content,
    )
    change = watchlist_pb2.WatchlistChange(entered=entry)
    encode = EntryEncoder(list_name, published_at)
    made = encode(entry_id, revision, content.SerializeToString(deterministic=True), first)
    assert made == change.SerializeToString(deterministic=True)


CHANGES = st.lists(
    st.builds(
        lambda text: watchlist_pb2.WatchlistChange(ended=watchlist_pb2.WatchlistTombstone(reason=text)),
        st.text(max_size=4096),
    ),
    max_size=5,
)


@given(changes=CHANGES, snapshot=st.booleans(), time=TIMES)
def test_an_encoded_update_stands_in_decisions_and_events_as_if_they_were_messages(
    changes: Sequence[watchlist_pb2.WatchlistChange], snapshot: bool, time: int
) -> None:
    update = watchlist_pb2.WatchlistUpdate(changes=changes, snapshot=snapshot)
    encoded = update_of([change.SerializeToString(deterministic=True) for change in changes], snapshot=snapshot)
    assert encoded == update.SerializeToString(deterministic=True)
    decision = watchlist_pb2.ListDecision(decided_at=to_timestamp(time), actor="officer")
    event = watchlist_pb2.WatchlistEvent(occurred_at=to_timestamp(time))
    whole_decision, whole_event = (
        watchlist_pb2.ListDecision(published=update),
        watchlist_pb2.WatchlistEvent(update=update),
    )
    whole_decision.MergeFrom(decision)
    whole_event.MergeFrom(event)
    assert published(decision, encoded) == whole_decision.SerializeToString(deterministic=True)
    assert event_of(event, encoded) == whole_event.SerializeToString(deterministic=True)


@given(sizes=st.lists(st.sampled_from([0, 10, 4_000, 100_000, 200_000]), max_size=12), repeated=st.integers(1, 200))
def test_groups_are_those_of_messages(sizes: list[int], repeated: int) -> None:
    changes = [
        watchlist_pb2.WatchlistChange(ended=watchlist_pb2.WatchlistTombstone(reason="x" * size))
        for size in sizes
        for _ in range(repeated if size < 10 else 1)
    ]
    full, left = filled([change.SerializeToString() for change in changes])
    full_messages, left_messages = events.filled(changes)
    assert [list(map(watchlist_pb2.WatchlistChange.FromString, part)) for part in full] == full_messages
    assert list(map(watchlist_pb2.WatchlistChange.FromString, left)) == left_messages
    assert all(len(part) <= MAX_STREAM_ITEMS for part in full)
