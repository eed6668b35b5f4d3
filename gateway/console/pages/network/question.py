"""The form of a link graph: why somebody asks, where the graph begins, and how far it goes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.agreed import agreed
from gateway.console.form import Form
from gateway.console.page import render
from gateway.console.pages.history.question import read_grounds
from gateway.console.pages.new_alert import PARTY_SCHEMES
from gateway.console.views.network import KINDS, kind_word
from gateway.translation.identifier_words import scheme_word
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertReference, AnswerReference
from gateway.v1.history_pb2 import QueryGrounds
from gateway.v1.link_graph_pb2 import (
    LINK_NODE_KIND_ADDRESS,
    LINK_NODE_KIND_CONTAINER,
    LINK_NODE_KIND_PARTY,
    LINK_NODE_KIND_VEHICLE,
    LINK_NODE_KIND_VESSEL,
    LinkedThing,
    LinkNodeKind,
)
from gateway.v1.party_pb2 import Identifier
from gateway.v1.watchlist_pb2 import WatchlistReference

BEGINNINGS: Final = ("party", "address", "vehicle", "vessel", "container", "record", "alert", "entry")
"""Where a graph may begin; also names of fields that a link may fill in."""

CARRIED: Final = ("purpose", "legal_basis", "case_reference", "begin", "what", "scheme", "node_id", "hub", "depth",
                  "kinds", "declared_from", "declared_until", "answers")  # fmt: skip
"""Fields that a page hands on to the next step."""

PROBLEM_FIELDS: Final = {
    "grounds.purpose": "purpose",
    "grounds.legal_basis": "legal_basis",
    "grounds.case_reference": "case_reference",
    **dict.fromkeys(("thing", "record_id", "alert", "entry", "node_id", "in_pages", "page_token"), "what"),
}
"""Field of the form by path of the request."""

MOST_NODES, MOST_EDGES = 40, 72
"""What a page of 150 kB has room for in words; the gateway's answer counts what is left out."""

MOST_ANSWERS: Final = 16
"""Answers that one graph looks at, by the contract; the newest count."""

DEPTHS: Final = ("1", "2", "3")

_THINGS: Final = {
    "party": LINK_NODE_KIND_PARTY,
    "address": LINK_NODE_KIND_ADDRESS,
    "vehicle": LINK_NODE_KIND_VEHICLE,
    "vessel": LINK_NODE_KIND_VESSEL,
    "container": LINK_NODE_KIND_CONTAINER,
}
_SCHEME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")
_NUMBER: Final = re.compile(r"(?:IMO ?)?[0-9]{7}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LinkQuestion:
    """What is asked: arguments of the client's call, and values of the form to go on with."""

    arguments: dict[str, Any]
    grounds: QueryGrounds
    hidden: dict[str, list[str]]


async def ask(request: Request) -> Response:
    """The form, empty or with a beginning that a link of another page names (never why)."""
    begun = next(((name, request.query_params[name]) for name in BEGINNINGS if name in request.query_params), None)
    values = {"begin": "party", "depth": "2"}
    if begun is not None:
        values |= {"begin": begun[0], "what": begun[1]}
    return await show_form(request, Form.with_values(values))


async def show_form(request: Request, sent: Form) -> Response:
    """The form with what was typed, and its problems."""
    words = {
        "party": _("Company or person"),
        "address": _("Address"),
        "vehicle": _("Vehicle, by plate"),
        "vessel": _("Vessel, by name or IMO number"),
        "container": _("Container"),
        "record": _("Own shipment record, by its id"),
        "alert": _("Alert, as authority/id"),
        "entry": _("Entry of a list, as authority/list/id"),
    }
    return render(
        request,
        "network/ask.html",
        title=_("Network"),
        status=200 if sent.is_good else 422,
        form=sent,
        purposes=(await agreed(request)).purpose_options(),
        schemes=[(one, scheme_word(one)) for one in PARTY_SCHEMES],
        beginnings=[(name, words[name], "") for name in BEGINNINGS],
        depths=[(depth, depth) for depth in DEPTHS],
        kinds=[(name, kind_word(kind), "") for name, kind in KINDS.items()],
    )


def read_question(form: Form, zone: ZoneInfo) -> LinkQuestion:
    """The question of a form; what is missing or wrong is noted in it."""
    grounds = read_grounds(form)
    arguments = _beginning(form)
    arguments |= {
        "max_nodes": MOST_NODES,
        "max_edges": MOST_EDGES,
        "depth": int(form.text("depth")) if form.text("depth") in DEPTHS else 1,
        "kinds": _kinds(form),
        "declared_from": form.day("declared_from", zone),
        "declared_until": form.day("declared_until", zone, after=1),
        "answers": _answers(form),
        "page_token": form.text("page_token"),
        "with_partners": True,
    }
    hidden = {name: form.all(name) for name in CARRIED if form.all(name)}
    return LinkQuestion(arguments, grounds, hidden)


def _beginning(form: Form) -> dict[str, Any]:
    """The seed of the call: a node of an earlier graph goes before what the form's first page said."""
    if form.raw("hub"):
        return {"node_id": form.raw("hub"), "in_pages": True}
    if form.raw("node_id"):
        return {"node_id": form.raw("node_id")}
    return _named_beginning(form)


def _named_beginning(form: Form) -> dict[str, Any]:
    begin, what = form.text("begin"), form.required("what", _("Say where to begin."))
    if begin in _THINGS:
        return {"seed": _thing(begin, what, form)}
    if begin == "record":
        return {"record_id": what}
    if begin == "alert":
        publisher, _slash, alert_id = what.partition("/")
        if not alert_id:
            form.problems.setdefault("what", _("Write it as authority/id."))
        return {"seed": AlertReference(publisher=publisher, alert_id=alert_id)}
    parts = what.split("/", 2)
    if begin != "entry" or len(parts) != 3:
        form.problems.setdefault("what", _("Write it as authority/list/id."))
        return {}
    return {"seed": WatchlistReference(publisher=parts[0], list=parts[1], id=parts[2])}


def _thing(begin: str, what: str, form: Form) -> LinkedThing:
    kind, scheme = _THINGS[begin], form.text("scheme")
    if scheme and not _SCHEME.fullmatch(scheme):
        form.problems["scheme"] = _("Write it in small letters, digits and _, e.g. uscc.")
        return LinkedThing(kind=kind)
    if begin == "party" and scheme:
        return LinkedThing(kind=kind, identifiers=[Identifier(scheme=scheme, value=what)])
    if begin in ("party", "address"):
        return LinkedThing(kind=kind, names=[line.strip() for line in what.splitlines() if line.strip()])
    if begin == "vessel" and not _NUMBER.fullmatch(what):
        return LinkedThing(kind=kind, names=[what])
    return LinkedThing(kind=kind, identifiers=[Identifier(scheme=scheme or "number", value=what)])


def _kinds(form: Form) -> list[LinkNodeKind.ValueType]:
    """Kinds to show; all where all or none are chosen."""
    chosen = [KINDS[name] for name in form.all("kinds") if name in KINDS]
    return chosen if len(chosen) < len(KINDS) else []


def _answers(form: Form) -> list[AnswerReference]:
    """Partners' answers, each as node/query id."""
    chosen = list(dict.fromkeys(form.all("answers")))[-MOST_ANSWERS:]
    parts = [text.partition("/") for text in chosen]
    return [AnswerReference(node=node, query_id=query_id) for node, _slash, query_id in parts]
