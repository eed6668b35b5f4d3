"""How the cells of a CSV line become an entry, whoever's columns they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.v1.watchlist_pb2 import WatchlistContent

Put = Callable[[WatchlistContent, list[str]], None]
"""Sets what a line's cells say about one field; raises MalformedError where they make no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a line is read.

    Attributes:
        width: cells in a line.
        list_of: name of the list in a line's cells, empty where it isn't said.
        id_of: the entry's id in a line's cells.
        puts: each column as complaints name it, and what sets its field.
        encoding: of the file.
        delimiter: between cells.
    """

    width: int
    list_of: Callable[[list[str]], str]
    id_of: Callable[[list[str]], str]
    puts: Sequence[tuple[str, Put]]
    encoding: str = "utf-8"
    delimiter: str = ","
