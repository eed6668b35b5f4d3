"""Bounds what an expression of somebody else may cost, before anything compiles or evaluates it.

The estimate depends on the text alone, so offerer and recipient come to the same result. Loops multiply, as in
Kubernetes' cost budget for CEL; functions that make texts or lists longer than they were aren't allowed at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.errors import MalformedError
from gateway.risk.cel_syntax import CelCall, Literal, Name, Node, Operation, parse
from gateway.risk.expressions import MAX_EXPRESSION_CHARS

MAX_COST: Final = 200_000
"""Most steps of one expression, tens of nanoseconds each: three loops within each other fit, as in R01, four don't."""

_LENGTH = 16
"""Items that a list of a record is taken to have; longer ones end at the library's limit on loop steps."""

_LOOPS = frozenset({"exists", "all", "exists_one", "filter", "map"})

_CALLS: Mapping[str, int] = {
    **dict.fromkeys(("has", "size", "int", "double", "isNaN", "getFullYear", "getMonth", "getDayOfWeek"), 1),
    **dict.fromkeys(("getHours", "duration", "timestamp", "abs", "greatest", "least", "log10"), 1),
    **dict.fromkeys(("sqrt", "round", "ceil", "floor"), 1),
    **dict.fromkeys(("string", "contains", "startsWith", "endsWith", "lowerAscii", "upperAscii", "trim"), 20),
    **dict.fromkeys(("most_within", "sum_within"), 10 * _LENGTH),
}
"""Allowed functions with their steps. Not: replace, join, split, format and matches."""


def require_bounded(text: str) -> int:
    """The estimated steps of an expression.

    Raises:
        MalformedError: too long, too deep, too costly, or with a function that isn't allowed; says which.
    """
    if len(text) > MAX_EXPRESSION_CHARS:
        raise MalformedError(f"is longer than {MAX_EXPRESSION_CHARS} characters")
    cost = _cost(parse(text))
    if cost > MAX_COST:
        raise MalformedError(f"may cost {cost:,} and must not cost more than {MAX_COST:,}: loops within loops multiply")
    return cost


def _cost(node: Node) -> int:
    match node:
        case Literal() | Name():
            return 1
        case Operation():
            copied = _LENGTH if node.symbol == "+" else 1  # texts and lists are copied
            return copied + sum(map(_cost, node.operands))
        case CelCall():
            return _cost_of_call(node)


def _cost_of_call(call: CelCall) -> int:
    target = 0 if call.of is None else _cost(call.of)
    inside = sum(map(_cost, call.arguments))
    if call.name in _LOOPS and call.of is not None:
        return target + _items(call.of) * inside
    if call.name not in _CALLS:
        raise MalformedError(f"calls {call.name[:40]}, which an offered rule may not: allowed are {_names()}")
    return _CALLS[call.name] + target + inside


def _items(of: Node) -> int:
    return max(_LENGTH, len(of.operands)) if isinstance(of, Operation) else _LENGTH


def _names() -> str:
    return ", ".join(sorted({*_LOOPS, *_CALLS}))
