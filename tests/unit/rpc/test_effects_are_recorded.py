"""A call with an effect has an audit event of its own, which no other is merged with."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import pytest

from gateway.alerts import rpc as alerts
from gateway.attachments.rpc import service as files
from gateway.casework.rpc import service as casework
from gateway.evidence import rpc as evidence
from gateway.feed.rpc import exchange_service as exchange
from gateway.history.rpc import service as history
from gateway.node import rpc as node
from gateway.watchlists.rpc import service as watchlists

pytestmark = pytest.mark.drift

SERVICES = (
    (alerts, "AlertServicer"),
    (files, "FileServicer"),
    (casework, "CaseworkServicer"),
    (evidence, "EvidenceServicer"),
    (exchange, "ExchangeServicer"),
    (history, "HistoryServicer"),
    (node, "NodeServicer"),
    (watchlists, "WatchlistServicer"),
)
ARRIVES_LATER = {"Replicate"}
"""Feeds and receipts show what came."""


@cache
def functions(module: ModuleType) -> dict[str, ast.AsyncFunctionDef | ast.FunctionDef]:
    tree = ast.parse(inspect.getsource(module))
    return {one.name: one for one in ast.walk(tree) if isinstance(one, ast.AsyncFunctionDef | ast.FunctionDef)}


def calls(module: ModuleType, name: str, seen: set[str]) -> Iterator[ast.Call]:
    """Calls in a function, and in functions of its module that it names."""
    known = functions(module)
    if name in seen or name not in known:
        return
    seen.add(name)
    for node_ in ast.walk(known[name]):
        if isinstance(node_, ast.Call):
            yield node_
        named = node_.attr if isinstance(node_, ast.Attribute) else node_.id if isinstance(node_, ast.Name) else ""
        yield from calls(module, named, seen)


def is_merged(call: ast.Call) -> bool:
    return any(word.arg == "repeatable" for word in call.keywords)


@pytest.mark.parametrize(("module", "servicer"), SERVICES, ids=lambda one: str(one)[-20:])
def test_handlers_that_write_record_an_event_of_their_own(module: ModuleType, servicer: str) -> None:
    methods = [name for name in vars(getattr(module, servicer)) if name[0].isupper()]
    assert methods
    for method in methods:
        made = list(calls(module, method, set()))
        names = [ast.unparse(one.func).rpartition(".") for one in made]
        writes = any("writer" in before and last in ("run", "submit") for before, _, last in names)
        records = any(last == "record" and not is_merged(one) for one, (_, _, last) in zip(made, names, strict=True))
        if writes and method not in ARRIVES_LATER:
            assert records, method
