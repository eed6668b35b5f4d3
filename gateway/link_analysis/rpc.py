"""gRPC handlers of LinkAnalysisService."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import grpc.aio

from gateway.contract.filters import decode_number_token, encode_page_token
from gateway.contract.messages import to_ms
from gateway.contract.validation import validate
from gateway.db.database import Database
from gateway.errors import GatewayError, InvalidRequestError, UnavailableError, Violation
from gateway.link_analysis.codec import list_marks, subject_of
from gateway.link_analysis.rules.graph import NamedRecord
from gateway.link_analysis.rules.mentions import of_entry
from gateway.link_analysis.rules.things import Mention, given, thing_of
from gateway.link_analysis.service.answers import held_answers, held_records
from gateway.link_analysis.service.graphs import DEFAULT_EDGES, DEFAULT_NODES, FoundGraph, GraphLimits, GraphSearch
from gateway.link_analysis.service.records import HUB_START, LINK_NAMES, HubPlace, RecordLookup, ShipmentPeriod
from gateway.link_analysis.service.shown import GraphPainter
from gateway.rpc.calls import current_call, current_caller
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.v1 import history_pb2, link_analysis_service_pb2_grpc, screening_pb2, watchlist_pb2
from gateway.v1 import link_analysis_service_pb2 as pb
from gateway.watchlists.rpc.screening import ScreeningProcess
from gateway.watchlists.rules.visibility import Hidden, ListVisibility
from gateway.watchlists.service.queries import ListQueries

log = logging.getLogger(__name__)

NAMES_TIMEOUT_S = 20.0
"""To start for a graph, and again to match names."""

SCREENING_S = 5.0
"""Seconds for the marks of lists; then the graph is shown without them, and says so."""

HITS_OF_A_NODE = 5

_RETRY_AFTER_S = 2.0

_POSITIONS = range(1 << 62)
_OF_PLACE = (range(3), *[_POSITIONS] * (len(HubPlace._fields) - 1))
"""Ranges of a place's numbers in a page token."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class LinkNames:
    """Matches names of parties in alerts, in the history process. Not for the event loop's thread."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    def find(self, texts: Sequence[str]) -> dict[int, history_pb2.NameMatch]:
        """Matching names by key.

        Raises:
            InvalidRequestError: a name matches too many.
            UnavailableError: the process ended, or took too long.
        """
        try:
            self._process.start().result(NAMES_TIMEOUT_S)
            found: dict[int, history_pb2.NameMatch]
            found = self._process.call(LINK_NAMES, list(texts), caller=current_caller()).result(NAMES_TIMEOUT_S)
            return found
        except TimeoutError as error:
            message = "the history process hasn't answered in time"
            raise UnavailableError(message, retry_after_s=_RETRY_AFTER_S) from error


class LinkAnalysisServicer(link_analysis_service_pb2_grpc.LinkAnalysisServiceServicer):
    """Handlers of LinkAnalysisService."""

    def __init__(
        self,
        *,
        database: Database,
        lookup: RecordLookup,
        lists: ListQueries,
        screening: ScreeningProcess,
        visibility: ListVisibility,
        hub_records: int,
        partners: Callable[[str], list[str]],
        clock: Callable[[], int],
    ) -> None:
        """`partners`: those that agreements let this node ask about shipments, by purpose."""
        self._database = database
        self._lookup = lookup
        self._search = GraphSearch(lookup)
        self._painter = GraphPainter(database, lookup, hub_records=hub_records)
        self._lists = lists
        self._screening = screening
        self._visibility = visibility
        self._partners = partners
        self._clock = clock

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the handlers to a server."""
        link_analysis_service_pb2_grpc.add_LinkAnalysisServiceServicer_to_server(self, server)

    async def GetLinkGraph(self, request: pb.GetLinkGraphRequest, context: Context) -> pb.GetLinkGraphResponse:
        validate(request)
        call, grounds = current_call(), request.grounds
        hidden = self._visibility.hidden_from(call.principal.roles)
        call.record(
            purpose=grounds.purpose,
            case_reference=grounds.case_reference,
            detail=f"legal basis: {grounds.legal_basis}",
            subject_ids=[_audited(request)],
            counts={"depth": 1, "pages": 1} if request.in_pages else {"depth": request.depth or 1},
        )
        graph = await asyncio.to_thread(self._found, request, hidden)
        call.charge(rows=len(graph.linked.records))
        response = await asyncio.to_thread(self._painter.response, graph, request.max_edges or DEFAULT_EDGES)
        if graph.further is not None:
            response.next_page_token = encode_page_token([str(number) for number in graph.further], _asked(request))
        if request.with_partners:
            response.partners.extend(self._partners(grounds.purpose))
            held, response.more_held_answers = await asyncio.to_thread(held_answers, self._database, grounds)
            response.held_answers.extend(held)
        await self._mark_lists(response, graph, hidden, caller=call.principal.id)
        return response

    def _found(self, request: pb.GetLinkGraphRequest, hidden: Hidden) -> FoundGraph:
        held = held_records(self._database, request.answers, request.grounds)
        limits = _limits(request)
        seed = self._seed(request, hidden)
        if request.in_pages:
            return self._page(request, seed, limits, held)
        if isinstance(seed, NamedRecord):
            return self._search.of_record(seed, limits, held)
        return self._search.of_thing(seed, limits, held)

    def _page(
        self,
        request: pb.GetLinkGraphRequest,
        seed: NamedRecord | Mention,
        limits: GraphLimits,
        held: Sequence[NamedRecord],
    ) -> FoundGraph:
        if isinstance(seed, NamedRecord):
            message = "shows what one thing or node is connected with: begin with one"
            raise InvalidRequestError([Violation("in_pages", "in_pages.seed", message)])
        place = decode_number_token(request.page_token, _asked(request), *_OF_PLACE)
        try:
            return self._search.page_of_hub(seed, limits, held, HUB_START if place is None else HubPlace(*place))
        except InvalidRequestError as error:  # its name may be any of too many: of history's criteria
            field = request.WhichOneof("seed") or ""
            raise InvalidRequestError(
                [Violation(field, violation.rule, violation.message) for violation in error.violations]
            ) from error

    def _seed(self, request: pb.GetLinkGraphRequest, hidden: Hidden) -> NamedRecord | Mention:
        match request.WhichOneof("seed"):
            case "record_id":
                return _naming(self._lookup.shipment(request.record_id), "record_id")
            case "alert":
                return _naming(self._lookup.alert(request.alert.publisher, request.alert.alert_id), "alert")
            case "entry":
                return _naming(self._entry(request.entry, hidden), "entry")
            case "node_id":
                return _mention_of(request.node_id)
            case _:
                thing = given(request.thing)
                if not thing.keys:
                    raise _nothing_to_compare("thing")
                return thing

    def _entry(self, reference: watchlist_pb2.WatchlistReference, hidden: Hidden) -> NamedRecord:
        entry = self._lists.get(reference, hidden=hidden).entry
        key = ("entry", reference.publisher, reference.list, reference.id)
        return NamedRecord(key, to_ms(entry.published_at), tuple(of_entry(entry.content)))

    async def _mark_lists(
        self, response: pb.GetLinkGraphResponse, graph: FoundGraph, hidden: Hidden, *, caller: str
    ) -> None:
        try:
            async with asyncio.timeout(SCREENING_S):
                done: screening_pb2.ScreenPartiesResponse = await self._screening.screen(
                    [subject_of(node) for node in graph.shown],
                    max_hits=HITS_OF_A_NODE,
                    at_ms=self._clock(),
                    hidden=hidden,
                    caller=caller,
                )
        except (GatewayError, TimeoutError):
            response.lists_not_screened = True
            return
        for node, screened in zip(response.nodes, done.subjects, strict=True):
            node.marks.extend(list_marks(screened))
            response.lists_not_screened = response.lists_not_screened or screened.unindexed > 0


def _limits(request: pb.GetLinkGraphRequest) -> GraphLimits:
    period = ShipmentPeriod(
        to_ms(request.declared_from) if request.HasField("declared_from") else 0,
        to_ms(request.declared_until) if request.HasField("declared_until") else 0,
    )
    return GraphLimits(
        depth=request.depth or 1,
        nodes=request.max_nodes or DEFAULT_NODES,
        edges=request.max_edges or DEFAULT_EDGES,
        kinds=frozenset(request.kinds),
        period=period,
    )


def _asked(request: pb.GetLinkGraphRequest) -> str:
    """What a page token belongs to."""
    asked = pb.GetLinkGraphRequest()
    asked.CopyFrom(request)
    for field in ("page_token", "grounds", "max_nodes", "max_edges", "with_partners", "depth"):
        asked.ClearField(field)
    return asked.SerializeToString(deterministic=True).hex()


def _audited(request: pb.GetLinkGraphRequest) -> str:
    """The seed in the audit log, without names of parties beyond its kind."""
    match request.WhichOneof("seed"):
        case "record_id":
            return request.record_id
        case "alert":
            return request.alert.alert_id
        case "entry":
            return f"{request.entry.publisher}/{request.entry.list}/{request.entry.id}"[:64]
        case "node_id":
            return "node"
        case _:
            numbers = [identifier.value for identifier in request.thing.identifiers]
            return (numbers or ["thing"])[0][:64]


def _naming(record: NamedRecord, field: str) -> NamedRecord:
    if not record.mentions:
        raise _nothing_to_compare(field)
    return record


def _mention_of(node_id: str) -> Mention:
    thing = thing_of(node_id)
    if thing is None:
        raise InvalidRequestError([Violation("node_id", "node_id.form", "isn't a node of an earlier answer")])
    return Mention(*thing, field="")


def _nothing_to_compare(field: str) -> InvalidRequestError:
    message = "names nothing that could be compared: give a name of four letters or two characters, or a number"
    return InvalidRequestError([Violation(field, "seed.names", message)])
