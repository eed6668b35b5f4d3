"""Plans a search for a text: which words, which recorded names.

It loads the vocabularies of names, so it runs in a worker process.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.casework.rules.words import searched_words
from gateway.casework.service.search_plan import AlertSearchPlan, MatchedName, whole_number
from gateway.casework.tables import names
from gateway.contract.identification.shipment_keys import name_key
from gateway.db.database import Database
from gateway.screening.compare import compare
from gateway.screening.index.keys import query_keys
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import MatchClass
from gateway.screening.text.normalisation import simplified_text

MAX_NAMES = 2_000
"""Most recorded names compared with one."""

MOST_MATCHES = 200
"""Most recorded names that one text may mean; the most alike count."""


class AlertSearchPlanner:
    """Plans searches. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, text: str) -> AlertSearchPlan:
        """A search for a text as an officer types it."""
        plain = text if text.isascii() else simplified_text(text)
        matched, too_common = self.matching([text])
        return AlertSearchPlan(whole_number(plain), tuple(searched_words(plain)), matched, too_common)

    def matching(self, asked: Sequence[str]) -> tuple[dict[int, MatchedName], bool]:
        """Recorded names that may be any of these, by key; True where too many were candidates."""
        found: dict[int, MatchedName] = {}
        too_common = False
        for text in asked:
            mine, exact = prepare(text), name_key(text)
            keys = sorted(query_keys(mine))
            with self._database.read() as conn:
                filed = names.filed_under(conn, keys, MAX_NAMES + 1) if keys else []
                recorded = names.texts(conn, list({exact, *filed[:MAX_NAMES]}))
            too_common = too_common or len(filed) > MAX_NAMES
            for key, name in recorded.items():
                match = _match(mine, name) if key != exact else MatchedName(name, 1.0, "identical: the same text")
                if match is not None and (key not in found or match.score > found[key].score):
                    found[key] = match
        best = sorted(found.items(), key=lambda item: -item[1].score)[:MOST_MATCHES]
        return dict(best), too_common


def _match(mine: PreparedName, recorded: str) -> MatchedName | None:
    comparison = compare(mine, prepare(recorded))
    if comparison.match_class is MatchClass.NONE:
        return None
    return MatchedName(recorded, comparison.score, f"{comparison.match_class.name.lower()}: {comparison.because}")
