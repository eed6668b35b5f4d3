"""Finds the entities of control and watch lists that a party's name may mean.

Names are compared as in screening (gateway.screening.compare). An entity is on its list for as long as the announcement
holds that put it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import MalformedError
from gateway.formats.tables.reference_tables import parse_table, read_table
from gateway.risk.announcements import ENTITY_LISTS, Announcement, Announcements, status_text
from gateway.risk.controlled_goods_file import confidence_of, separated
from gateway.risk.validity import OUTSIDE, Confidence, ControlStatus
from gateway.screening.result import MatchClass, NameKind, Thresholds

if TYPE_CHECKING:
    from gateway.screening.prepared_name import PreparedName

COLUMNS = ("name", "other_names", "announcement", "confidence", "source", "note")
"""Required columns."""

MAX_REMEMBERED = 4096
"""Most parties' names whose entities are kept: traders come again and again."""

THRESHOLDS = Thresholds(compatible=0.95, strong=0.95)
"""Scores from which a name may be an entity's: `IHI Aerospace Engineering` isn't `IHI Aerospace` (0.88)."""


@dataclass(frozen=True, slots=True)
class ListedEntity:
    """An entity of a list.

    Attributes:
        names: in all writings, the list's first.
        source: where the name was seen.
    """

    names: tuple[str, ...]
    announcement: Announcement
    confidence: Confidence
    source: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ListedEntityMatch:
    """An entity that a name may mean.

    Attributes:
        is_sure: the name is spelled like one of the entity's, or is strong or identical in the sense of screening.
        text: its list's state in words.
    """

    entity: ListedEntity
    name: str
    is_sure: bool
    status: ControlStatus
    text: str


class ListedEntities:
    """All entities of all lists. Thread-safe.

    Attributes:
        version: twelve hexadecimal digits over all lines.
    """

    def __init__(self, entities: Iterable[ListedEntity] = (), announcements: Announcements | None = None) -> None:
        self._entities = tuple(entities)
        self._announcements = announcements or Announcements()
        self.version = sha256(repr(self._entities).encode()).hexdigest()[:12]
        self._meant = lru_cache(MAX_REMEMBERED)(self._compared)

    def __iter__(self) -> Iterator[ListedEntity]:
        return iter(self._entities)

    def __len__(self) -> int:
        return len(self._entities)

    def find(self, name: str, on: date) -> list[ListedEntityMatch]:
        """Entities on a list, or on one that is suspended, on a day; surest first."""
        found = []
        for entity, is_sure in self._meant(name):
            validity = self._announcements.validity(entity.announcement)
            status = validity.status_on(on)
            if status not in OUTSIDE:
                text = status_text(validity, status, on)
                found.append(ListedEntityMatch(entity, name, is_sure, status, text))
        return sorted(found, key=lambda match: (not match.is_sure, match.status != ControlStatus.IN_FORCE))

    @cached_property
    def _prepared(self) -> list[tuple[ListedEntity, PreparedName]]:
        from gateway.screening.prepared_name import prepare  # noqa: PLC0415  takes long, and few records need it

        return [(entity, prepare(name, NameKind.ORGANISATION)) for entity in self for name in entity.names]

    def _compared(self, name: str) -> list[tuple[ListedEntity, bool]]:
        from gateway.screening.compare import evaluate  # noqa: PLC0415  as above
        from gateway.screening.prepared_name import prepare  # noqa: PLC0415

        query, found = prepare(name, NameKind.ORGANISATION), dict[ListedEntity, bool]()
        for entity, listed in self._prepared:
            match_class = evaluate(query, listed, THRESHOLDS).match_class
            if match_class is not MatchClass.NONE:
                is_sure = match_class >= MatchClass.STRONG or _spelled(query) == _spelled(listed)
                found[entity] = found.get(entity, False) or is_sure
        return list(found.items())


def _spelled(name: PreparedName) -> str:
    """Letters and digits, without a legal form."""
    return "".join(char for char in name.organisations[0].text.casefold() if char.isalnum())


def load_listed_entities(path: Path | None, announcements: Announcements) -> ListedEntities:
    """Entities from a file; None: of the packaged ones those whose announcements are there.

    Raises:
        ConfigurationError: unreadable or wrong, or an announcement isn't there; names file, lines and columns.
    """
    text, source = read_table(path, "listed_entities.csv", what="the listed entities")
    return _listed_entities(text, source, announcements, all_there=path is not None)


@lru_cache(maxsize=1)
def _listed_entities(text: str, source: str, announcements: Announcements, *, all_there: bool) -> ListedEntities:
    def entity(row: Mapping[str, str]) -> ListedEntity | None:
        return _entity(row, announcements, all_there=all_there)

    rows = parse_table(text.splitlines(), COLUMNS, entity, source=source)
    return ListedEntities((row for row in rows if row is not None), announcements)


def _entity(row: Mapping[str, str], announcements: Announcements, *, all_there: bool) -> ListedEntity | None:
    if not row["name"]:
        raise MalformedError("name: is empty")
    announcement = announcements.entity_list(row["announcement"])
    if announcement is None:
        if not all_there:
            return None
        lists = " or ".join(ENTITY_LISTS)
        raise MalformedError(
            f"announcement: {row['announcement']!r} is not among the announcements with measure {lists}"
        )
    names = (row["name"], *separated(row["other_names"]))
    return ListedEntity(names, announcement, confidence_of(row["confidence"]), row["source"], row["note"])
