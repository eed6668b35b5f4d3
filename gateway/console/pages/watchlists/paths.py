"""Addresses of the pages of watchlists."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from gateway.v1.watchlist_pb2 import WatchlistReference


def list_path(publisher: str, list_name: str, **query: str) -> str:
    """The entries of a list."""
    given = {name: value for name, value in query.items() if value}
    path = f"/watchlists/of/{quote(publisher, safe='')}/{quote(list_name, safe='')}"
    return f"{path}?{urlencode(given)}" if given else path


def entry_path(entry: WatchlistReference) -> str:
    """One entry; its id may have any characters."""
    parts = (entry.publisher, entry.list, entry.id)
    return "/watchlists/entry/" + "/".join(quote(part, safe="") for part in parts)


def withdrawal_path(list_name: str, entry_id: str) -> str:
    """The form that withdraws an own entry."""
    return f"/watchlists/withdraw/{quote(list_name, safe='')}/{quote(entry_id, safe='')}"


def amendment_path(list_name: str, entry_id: str) -> str:
    """The form that amends an own entry."""
    return f"/watchlists/amend/{quote(list_name, safe='')}/{quote(entry_id, safe='')}"


def hit_path(reporter: str, hit_id: str) -> str:
    """One hit."""
    return f"/watchlists/hits/{quote(reporter, safe='')}/{quote(hit_id, safe='')}"
