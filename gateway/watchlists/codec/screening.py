"""Converts watchlist entries and screening messages for the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from gateway.contract.identification.identifiers import Scheme
from gateway.contract.messages import to_ms
from gateway.screening.identifiers import PLATE
from gateway.screening.index.entries import EntryName, IndexEntry
from gateway.screening.index.hits import Hit, SearchResult
from gateway.screening.index.index import PartyQuery
from gateway.screening.prepared_name import prepare
from gateway.screening.result import MatchClass, NameKind
from gateway.v1 import goods_pb2, party_pb2, screening_pb2, watchlist_pb2

NAME_KINDS = {
    watchlist_pb2.WATCHLIST_KIND_ORGANISATION: NameKind.ORGANISATION,
    watchlist_pb2.WATCHLIST_KIND_PERSON: NameKind.PERSON,
    watchlist_pb2.WATCHLIST_KIND_VESSEL: NameKind.VESSEL,
    watchlist_pb2.WATCHLIST_KIND_VEHICLE: NameKind.VEHICLE,
    watchlist_pb2.WATCHLIST_KIND_AIRCRAFT: NameKind.VEHICLE,  # its name is its registration mark too
    watchlist_pb2.WATCHLIST_KIND_CONTAINER: NameKind.CONTAINER,
    watchlist_pb2.WATCHLIST_KIND_ADDRESS: NameKind.ADDRESS,
}
"""Kinds of entries' names; commodities are found by code, routes not at all."""

CLASSES = {
    MatchClass.IDENTICAL: watchlist_pb2.MATCH_CLASS_IDENTICAL,
    MatchClass.STRONG: watchlist_pb2.MATCH_CLASS_STRONG,
    MatchClass.COMPATIBLE: watchlist_pb2.MATCH_CLASS_COMPATIBLE,
}

COMMODITY = "commodity"
"""Scheme of commodity codes in the index."""

HS_DIGITS = 6
"""Harmonised digits of a commodity code; the rest is national."""

LEAST_CODE_DIGITS = 4

UNKNOWN_SCHEME = ""
"""Scheme of an identifier without one."""


def group_of(publisher: str, list_name: str) -> str:
    """The index's name for a list, e.g. `cn/un-sc`."""
    return f"{publisher}/{list_name}"


def reference_of(group: str, entry_id: str) -> watchlist_pb2.WatchlistReference:
    """The entry that a group and an id name."""
    publisher, _, list_name = group.partition("/")
    return watchlist_pb2.WatchlistReference(publisher=publisher, list=list_name, id=entry_id)


def record_of(publisher: str, entry: watchlist_pb2.WatchlistEntry) -> IndexEntry:
    """An entry as indexed, with only those addresses that are listed themselves."""
    content = entry.content
    kind = NAME_KINDS.get(content.kind)
    names = [] if kind is None else [_listed(name, kind) for name in content.names]
    if kind is NameKind.ADDRESS:
        names += [EntryName(text, NameKind.ADDRESS) for text in map(address_text, content.addresses) if text]
    identifiers = [(identifier.scheme, identifier.value) for identifier in content.identifiers]
    if kind in (NameKind.VEHICLE, NameKind.CONTAINER):
        scheme = PLATE if kind is NameKind.VEHICLE else UNKNOWN_SCHEME
        identifiers += [(scheme, name.text) for name in content.names]
    if content.kind == watchlist_pb2.WATCHLIST_KIND_COMMODITY:
        identifiers += [
            (COMMODITY, code_text(commodity.code, commodity.territory)) for commodity in content.commodities
        ]
    return IndexEntry(
        group_of(publisher, entry.list),
        entry.id,
        entry.revision,
        content.kind,
        content.requested_action,
        to_ms(content.valid_from),
        to_ms(content.valid_until),
        names,
        identifiers,
    )


def _listed(name: watchlist_pb2.ListedName, kind: NameKind) -> EntryName:
    return EntryName(name.text, kind, name.kind == watchlist_pb2.LISTED_NAME_KIND_WEAK_ALIAS)


def address_text(address: party_pb2.Address) -> str:
    """An address on one line."""
    return ", ".join(filter(None, (address.street, address.city)))


def party_query(subject: screening_pb2.ScreeningSubject) -> PartyQuery:
    """The query for a subject."""
    declared = NAME_KINDS.get(subject.kind, NameKind.UNKNOWN)
    names = [(name.text, kind) for name in subject.names for kind in kinds_of(name.text, declared)]
    names += [(text, NameKind.VESSEL) for text in subject.vessels]
    names += [(text, NameKind.ADDRESS) for text in map(address_text, subject.addresses) if text]
    identifiers = [(identifier.scheme, identifier.value) for identifier in subject.identifiers]
    identifiers += [(PLATE, plate) for plate in subject.vehicles]
    identifiers += [(Scheme.CONTAINER.value, number) for number in subject.containers]
    identifiers += [
        (COMMODITY, text) for text in dict.fromkeys(chain.from_iterable(map(codes_of, subject.commodities)))
    ]
    return PartyQuery(tuple(names), tuple(identifiers))


def code_text(code: str, territory: str) -> str:
    """A commodity code with its territory: `HS 811010`, `CN 81101020`."""
    return f"{territory if len(code) > HS_DIGITS else 'HS'} {code}"


def codes_of(commodity: goods_pb2.CommodityCode) -> Iterator[str]:
    """A code and every shorter code that covers it."""
    for digits in range(LEAST_CODE_DIGITS, len(commodity.code) + 1):
        yield code_text(commodity.code[:digits], commodity.territory)


def kinds_of(text: str, declared: NameKind) -> tuple[NameKind, ...]:
    """Kinds to query a name as: declared, else guessed; perhaps both (Huawei, 小米)."""
    if declared is not NameKind.UNKNOWN:
        return (declared,)
    name = prepare(text)
    if name.kind is NameKind.PERSON and not any(form.is_full for form in name.persons):
        return (NameKind.PERSON, NameKind.ORGANISATION)
    return (name.kind,)


def sought_by(record: IndexEntry) -> Iterator[tuple[PartyQuery, bool]]:
    """Queries for an entry's parties, and whether by weak aliases."""
    strong = tuple((name.text, name.kind) for name in record.names if not name.weak)
    weak = tuple((name.text, name.kind) for name in record.names if name.weak)
    yield PartyQuery(strong, tuple(record.identifiers)), False
    if weak:
        yield PartyQuery(weak), True


def answer(
    references: Iterable[str], results: Sequence[SearchResult], *, unindexed: int = 0
) -> list[screening_pb2.ScreenedSubject]:
    """Results by subject."""
    return [
        screening_pb2.ScreenedSubject(
            reference=reference, hits=map(hit_of, each.hits), found=each.total, unindexed=unindexed
        )
        for reference, each in zip(references, results, strict=True)
    ]


def hit_of(hit: Hit) -> screening_pb2.ScreeningHit:
    """One hit with its explanation."""
    comparison = hit.comparison
    return screening_pb2.ScreeningHit(
        entry=reference_of(*hit.reference),
        revision=hit.revision,
        kind=watchlist_pb2.WatchlistKind.ValueType(hit.kind),
        match_class=CLASSES[comparison.match_class],
        score=comparison.score,
        requested_action=hit.action,  # type: ignore[arg-type]  # a number that was an action before
        explanation=screening_pb2.MatchExplanation(
            given=hit.query,
            listed=hit.listed,
            because=comparison.because,
            weak_alias=hit.weak,
            forms=[
                screening_pb2.FormComparison(given=form.query, listed=form.candidate, score=form.score)
                for form in comparison.variants
            ],
            tokens=[
                screening_pb2.TokenAgreement(
                    given=token.query, listed=token.candidate, rule=token.rule, agreement=token.agreement
                )
                for token in comparison.tokens
            ],
            parts=[
                screening_pb2.ScorePart(name=part.name, weight=part.weight, agreement=part.agreement)
                for part in comparison.parts
            ],
        ),
    )
