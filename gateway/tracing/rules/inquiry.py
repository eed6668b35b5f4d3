"""Next questions to find further legs of a consignment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.link_graph import asked_values, in_order
from gateway.tracing.rules.links import DAY_S, RULES, LinkKey, LinkKind, plain
from gateway.tracing.rules.onward_transfer import KeyedRecord, OnwardTransfer, disclosable
from gateway.tracing.rules.records import OUTWARD, RecordHit, Span, span_of, territory_of
from gateway.tracing.rules.weak import TRADERS
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria, SearchIdentifier, SearchReference
from gateway.v1.trace_pb2 import OnwardRefusal

MAX_QUESTIONS = 16
"""Most questions of a trace to one node: four rounds of four kinds."""

MAX_VALUES = 100
"""The contract's limit on values in a question."""

MAX_PARTIES = 16

DECLARED_LATE_S = 14 * DAY_S
"""A declaration may follow the goods by 14 days, on the mainland and in Hong Kong."""

ASKED_BEYOND_S = 14 * DAY_S
"""A question's time is so much wider each way: legs found a little earlier or later then need no further one."""

_YEAR_1_S = -62_135_596_800
_YEAR_10000_S = 253_402_300_800
"""Bounds of google.protobuf.Timestamp, seconds since 1970."""

_FIELDS = {
    LinkKind.CONTAINER: "containers",
    LinkKind.SEAL: "seals",
    LinkKind.E_LOCK: "locks",
    LinkKind.UCR: "references",
    LinkKind.TRANSPORT_DOCUMENT: "references",
    LinkKind.PREVIOUS_DOCUMENT: "references",
    LinkKind.DECLARATION: "references",
}


@dataclass(frozen=True, slots=True)
class _OpenValue:
    """A value to ask for, and when the records that know it were; None without such records."""

    kind: LinkKind
    shown: str
    span: Span | None = None


def next_questions(
    gathering: Gathering,
    asked: Mapping[str, Sequence[SearchCriteria]],
    reached: Collection[str],
    onward: OnwardTransfer,
) -> dict[str, list[SearchCriteria]]:
    """Further questions for each node that was reached; none at the end or at the limit.

    `asked` are the questions so far for each node of the trace, first that of the caller.
    """
    strong = _limited(_open_questions(gathering, asked, reached, onward), asked)
    if strong:
        return strong
    bases = {node: disclosable(gathering, onward, node, asked) for node in reached}
    return _limited({node: list(_weak(basis, asked[node])) for node, basis in bases.items()}, asked)


def opening_questions(
    gathering: Gathering,
    first: SearchCriteria,
    asked: Mapping[str, Sequence[SearchCriteria]],
    reached: Collection[str],
    onward: OnwardTransfer,
) -> dict[str, list[SearchCriteria]]:
    """For each node the caller's question, unless it was asked that, and beside it what the found records say.

    That is left for later where they are of several consignments: which one is meant, other nodes' records may show.
    """
    presumed = {node: some or [first] for node, some in asked.items()}
    _, others = gathering.graph.core()
    questions = {} if others else _open_questions(gathering, presumed, reached, onward)
    for node in reached:
        if not asked[node]:
            questions[node] = [first, *questions.get(node, ())]
    return questions


def is_of_one_consignment(question: SearchCriteria) -> bool:
    """Whether what it finds belongs together: references do, and containers, seals and vehicles are used again."""
    return {field.name for field, _ in question.ListFields()} <= {"references", "record_ids"}


class LinkQuestions:
    """What a trace would ask the same node after the records found, for one answer. Not thread-safe."""

    def __init__(self) -> None:
        self._gathering = Gathering()
        self._taken = 0

    def __call__(self, records: Sequence[HistoryRecord], asked: Sequence[SearchCriteria]) -> list[SearchCriteria]:
        """Criteria from all records so far, those of the call before first; `met` numbers the criteria asked.

        None where they are of several consignments.
        """
        new, self._taken = records[self._taken :], len(records)
        self._gathering.add(RecordHit(record, None if _is_start(record, asked) else SearchCriteria()) for record in new)
        if self._gathering.graph.core()[1]:
            return []
        node = records[0].node
        return _open_questions(self._gathering, {node: asked}, [node], OnwardTransfer(node)).get(node, [])


def _is_start(record: HistoryRecord, asked: Sequence[SearchCriteria]) -> bool:
    return any(number < len(asked) and is_of_one_consignment(asked[number]) for number in record.met or (0,))


def _limited(
    questions: Mapping[str, Sequence[SearchCriteria]], asked: Mapping[str, Sequence[SearchCriteria]]
) -> dict[str, list[SearchCriteria]]:
    """Without those beyond a node's limit, and without nodes that have none."""
    limited = {node: list(some[: MAX_QUESTIONS - len(asked[node])]) for node, some in questions.items()}
    return {node: some for node, some in limited.items() if some}


def is_exhausted(
    gathering: Gathering,
    asked: Mapping[str, Sequence[SearchCriteria]],
    reached: Collection[str],
    onward: OnwardTransfer,
) -> bool:
    """Whether no strong value is left to ask."""
    return not _open_questions(gathering, asked, reached, onward)


def onward_refusals(
    gathering: Gathering,
    asked: Mapping[str, Sequence[SearchCriteria]],
    reached: Collection[str],
    onward: OnwardTransfer,
) -> list[OnwardRefusal]:
    """Links of the consignment that weren't followed at a node for their sources' sake."""
    graph = gathering.graph
    core, _ = graph.core()
    consignment = [KeyedRecord(graph.known[index], graph.keys[index]) for index in in_order(core, graph.known)]
    refusals: list[OnwardRefusal] = []
    for node in sorted(reached):
        withheld = onward.withheld({keyed.record.record.node for keyed in consignment}, node)
        withheld += [onward.own] if onward.unreleased(gathering, node) else []
        if withheld:
            basis = disclosable(gathering, onward, node, asked)
            refusals += _refusals(node, withheld, _unasked(consignment, basis, asked[node]))
    return refusals


def _unasked(
    consignment: Sequence[KeyedRecord], basis: Sequence[KeyedRecord], asked: Sequence[SearchCriteria]
) -> dict[tuple[str, str], tuple[str, set[str]]]:
    """Values that a node wasn't asked for, by what they are: their kind and the nodes that know them."""
    known = {value for question in asked for value in _plain_values(question)}
    known |= {plain(key.shown) for keyed in basis for key in keyed.keys}
    unasked: dict[tuple[str, str], tuple[str, set[str]]] = {}
    for keyed in consignment:
        for key in keyed.keys:
            asked_as, value = _FIELDS.get(key.kind), plain(key.shown)
            if asked_as is not None and value not in known:
                unasked.setdefault((asked_as, value), (key.kind, set()))[1].add(keyed.record.record.node)
    if has_gap([keyed.record.record for keyed in consignment]) and not _asked_traders(asked):
        askable = _traders(basis)
        for (scheme, value), (_, sources) in _traders(consignment).items():
            if (scheme, value) not in askable:
                unasked[f"party {scheme}", value] = (LinkKind.PARTY, sources)
    return unasked


def _refusals(
    node: str, withheld: Sequence[str], unasked: Mapping[tuple[str, str], tuple[str, set[str]]]
) -> Iterator[OnwardRefusal]:
    for source in withheld:
        # A value that only other records say is linked by records of those that are withheld.
        kinds = [kind for kind, sources in unasked.values() if source in sources or not sources & set(withheld)]
        if kinds:
            yield OnwardRefusal(source=source, recipient=node, links=len(kinds), kinds=sorted(set(kinds)))


def has_gap(records: Sequence[HistoryRecord]) -> bool:
    """Whether an end of the goods' way has no record."""
    known = {territory_of(record) for record in records}
    return any(_other_end(record) not in known for record in records)


def _other_end(record: HistoryRecord) -> str:
    """Territory of origin or destination, if known."""
    shipment = record.shipment
    if shipment.procedure in OUTWARD:
        return shipment.destination_territory or next((leg.to.territory for leg in reversed(shipment.route)), "")
    return shipment.export_territory or next((getattr(leg, "from").territory for leg in shipment.route), "")


class _AskedValues:
    """Values asked without conditions that would hide records, and for which times of declaration."""

    def __init__(self, asked: Sequence[SearchCriteria]) -> None:
        self._times: dict[str, list[Span]] = {}
        for number, question in enumerate(asked):
            if number > 0 or _is_open(question):
                for value in asked_values(question):
                    self._times.setdefault(plain(value), []).append(_declared(question))

    def cover(self, value: _OpenValue) -> bool:
        """Whether an answer would have shown every record that this value links."""
        times = self._times.get(plain(value.shown), ())
        if value.span is None:
            return bool(times)
        needed = _linkable([value.span], _declared_within_s(value.kind))
        return any(asked.first <= needed.first and needed.last <= asked.last for asked in times)


def _plain_values(question: SearchCriteria) -> set[str]:
    return {plain(value) for value in (*asked_values(question), *question.record_ids)}


def _is_open(question: SearchCriteria) -> bool:
    set_fields = [field.name for field, _ in question.ListFields()]
    return len(set_fields) == 1 and all(not reference.kind for reference in question.references)


def _open_questions(
    gathering: Gathering,
    asked: Mapping[str, Sequence[SearchCriteria]],
    reached: Collection[str],
    onward: OnwardTransfer,
) -> dict[str, list[SearchCriteria]]:
    """Questions for strong values, for the nodes that have any."""
    graph = gathering.graph
    core, _ = graph.core()
    consignment = [key for index in in_order(core, graph.known) for key in graph.keys[index]]
    questions: dict[str, list[SearchCriteria]] = {}
    for node in reached:
        basis = disclosable(gathering, onward, node, asked)
        values = [_OpenValue(key.kind, key.shown, key.span) for keyed in basis for key in keyed.keys]
        of_caller = _of_caller(consignment, asked[node][0]) if asked[node] else ()
        some = list(_strong([*values, *of_caller], _AskedValues(asked[node])))
        if some:
            questions[node] = some
    return questions


def _of_caller(consignment: Iterable[LinkKey], first: SearchCriteria) -> Iterator[_OpenValue]:
    """Values of the consignment that the caller gave, without the time at which others know them."""
    given = {plain(value): value for value in (*asked_values(first), *first.record_ids)}
    for key in consignment:
        value = given.get(plain(key.shown))
        if value is not None:
            yield _OpenValue(key.kind, value)


def _strong(values: Iterable[_OpenValue], asked: _AskedValues) -> Iterator[SearchCriteria]:
    by_field: dict[str, dict[str, _OpenValue]] = {}
    spans: dict[str, list[Span]] = {}
    for value in values:
        field, compared = _FIELDS.get(value.kind), plain(value.shown)
        if field is None or asked.cover(value):
            continue
        by_field.setdefault(field, {}).setdefault(compared, value)
        spans.setdefault(field, []).extend(() if value.span is None else (value.span,))
    for field in ("references", "containers", "seals", "locks"):
        open_values = list(by_field.get(field, {}).values())[:MAX_VALUES]
        if open_values:
            yield _question(field, open_values, spans[field])


def _question(field: str, values: Sequence[_OpenValue], spans: Sequence[Span]) -> SearchCriteria:
    written = [value.shown for value in values]
    if field == "references":
        return SearchCriteria(references=[SearchReference(value=value) for value in written])
    question = SearchCriteria(containers=written) if field == "containers" else SearchCriteria(seals=written)
    if spans:
        _limit(question, spans, _declared_within_s(values[0].kind) + ASKED_BEYOND_S)
    return question


def _declared_within_s(kind: LinkKind) -> int:
    """Most seconds from a record to the declaration of one that such a value links."""
    return RULES[kind].window_s + DECLARED_LATE_S


def _weak(basis: Sequence[KeyedRecord], asked: Sequence[SearchCriteria]) -> Iterator[SearchCriteria]:
    """A question for the traders, only where the way has a gap: a large trader has thousands of records."""
    records = [keyed.record.record for keyed in basis]
    if _asked_traders(asked) or not has_gap(records):
        return
    identifiers = [identifier for identifier, _ in _traders(basis).values()]
    if identifiers:
        question = SearchCriteria(party_identifiers=identifiers[:MAX_PARTIES])
        _limit(question, [span_of(record) for record in records], RULES[LinkKind.PARTY].window_s)
        yield question


def _asked_traders(asked: Sequence[SearchCriteria]) -> bool:
    return any(question.party_identifiers for question in asked[1:])


def _traders(records: Iterable[KeyedRecord]) -> dict[tuple[str, str], tuple[SearchIdentifier, set[str]]]:
    """Identifiers of traders, and the nodes that know them."""
    traders: dict[tuple[str, str], tuple[SearchIdentifier, set[str]]] = {}
    for keyed in records:
        record = keyed.record.record
        for party in record.shipment.parties:
            for identifier in party.identifiers if party.role in TRADERS else ():
                if identifier.value:
                    made = SearchIdentifier(scheme=identifier.scheme, value=identifier.value)
                    key = (identifier.scheme, plain(identifier.value))
                    traders.setdefault(key, (made, set()))[1].add(record.node)
    return traders


def _limit(question: SearchCriteria, spans: Sequence[Span], within_s: int) -> None:
    declared = _linkable(spans, within_s)
    question.declared_from.CopyFrom(Timestamp(seconds=declared.first))
    question.declared_until.CopyFrom(Timestamp(seconds=declared.last + 1))


def _linkable(spans: Sequence[Span], within_s: int) -> Span:
    """Seconds at which what is so near to the spans was declared, as far as a Timestamp can say them."""
    first = max(min(span.first for span in spans) - within_s, _YEAR_1_S)
    return Span(first, min(max(span.last for span in spans) + within_s, _YEAR_10000_S - 2))


def _declared(question: SearchCriteria) -> Span:
    """Seconds of declaration that a question is limited to."""
    first = question.declared_from.seconds if question.HasField("declared_from") else _YEAR_1_S
    return Span(first, question.declared_until.seconds - 1 if question.HasField("declared_until") else _YEAR_10000_S)
