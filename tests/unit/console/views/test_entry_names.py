"""How people call a list's entry: an id that the gateway made tells them nothing."""

from __future__ import annotations

import pytest

from gateway.console.views.lists.entries import entry_text, given_id
from gateway.v1.watchlist_pb2 import WatchlistReference


@pytest.mark.parametrize(
    ("entry_id", "text"), [("7", "CN minerals 7"), ("01a23584-6d39-7894-9334-3ea3e540a96d", "CN minerals")]
)
def test_an_entry_is_called_by_its_list_and_the_id_that_somebody_gave_it(entry_id: str, text: str) -> None:
    entry = WatchlistReference(publisher="cn", list="minerals", id=entry_id)
    assert entry_text(entry) == text
    assert given_id(entry_id) == text.removeprefix("CN minerals").strip()
