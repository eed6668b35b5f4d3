"""Matches recorded names of parties as screening does.

It loads the vocabularies of names, so it runs in a worker process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, Violation
from gateway.history.tables import names
from gateway.screening.compare import compare
from gateway.screening.index.keys import query_keys
from gateway.screening.prepared_name import prepare
from gateway.screening.result import Comparison, MatchClass
from gateway.v1 import history_pb2

MAX_NAMES = 2_000
"""Most recorded names compared with one."""


class RecordedNames(Protocol):
    """Names that are recorded: the functions of history.tables.names, or of another index of names."""

    def texts(self, conn: Connection, names: Sequence[int], /) -> dict[int, str]:
        """Texts of known names, by key."""

    def filed_under(self, conn: Connection, keys: Sequence[int], limit: int, /) -> list[int]:
        """Distinct names with any of these keys of screening."""


class NameSearch:
    """Matches names. Thread-safe."""

    def __init__(self, database: Database, recorded: RecordedNames = names) -> None:
        self._database = database
        self._recorded = recorded

    def find(self, asked: Sequence[str]) -> dict[int, history_pb2.NameMatch]:
        """Recorded names that match any of these, by key.

        Raises:
            InvalidRequestError: more than MAX_NAMES candidates.
        """
        matches: dict[int, history_pb2.NameMatch] = {}
        for text in asked:
            mine = prepare(text)
            exact = keys_wire.name_key(text)
            filings = sorted(query_keys(mine))
            with self._database.read() as conn:
                filed = self._recorded.filed_under(conn, filings, MAX_NAMES + 1) if filings else ()
                if len(filed) > MAX_NAMES:
                    raise _too_common(text)
                recorded_names = self._recorded.texts(conn, list({exact, *filed}))
            for key, recorded in recorded_names.items():
                comparison = compare(mine, prepare(recorded))
                before = matches.get(key)
                if comparison.match_class > MatchClass.NONE and (before is None or comparison.score > before.score):
                    matches[key] = _name_match(text, recorded, comparison)
                elif key == exact and before is None:
                    matches[key] = history_pb2.NameMatch(
                        asked=text, recorded=recorded, score=1.0, because="the same text"
                    )
        return matches


def _too_common(text: str) -> InvalidRequestError:
    return InvalidRequestError(
        [
            Violation(
                "criteria.party_names",
                "party_names.common",
                f"{text!r} may be any of more than {MAX_NAMES} recorded names: give more of the name, or an identifier",
            )
        ]
    )


def _name_match(asked: str, recorded: str, comparison: Comparison) -> history_pb2.NameMatch:
    return history_pb2.NameMatch(
        asked=asked,
        recorded=recorded,
        score=comparison.score,
        because=f"{comparison.match_class.name.lower()}: {comparison.because}",
    )
