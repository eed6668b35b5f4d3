"""Finds conditions that are certainly false without CEL, since CEL is slow and nearly all conditions are false.

For each condition it makes a Python function that returns True only if the condition is false for the given facts.
Everything else is left to CEL, which alone decides that a condition is true; so an expression that this module can't
translate costs time and changes no result.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log10, sqrt
from typing import Any, NamedTuple

from gateway.errors import MalformedError
from gateway.risk.cel_syntax import CelCall, Literal, Name, Node, Operation, parse

Test = Callable[[Mapping[str, Any]], bool]
"""True if a condition is certainly false for these facts; False if only CEL can tell."""

_NUMBER, _WHOLE, _TEXT, _TRUTH, _LIST = "double", "int", "string", "bool", "list"
_COMPARISONS: Mapping[str, type[ast.cmpop]] = {
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
}
_ARITHMETIC: Mapping[str, type[ast.operator]] = {"+": ast.Add, "-": ast.Sub, "*": ast.Mult, "/": ast.Div}
_FUNCTIONS: Mapping[str, Callable[[float], float]] = {"log10": log10, "math.sqrt": sqrt, "math.abs": abs}
"""Functions of one double. Where Python raises an error CEL returns a value, so nothing is ruled out there."""

_FACTS = "facts"
_NEVER = ast.Constant(False)


class _Value(NamedTuple):
    type: str
    code: ast.expr


class _Sure(NamedTuple):
    """Expressions that are True only if a condition is certainly false, and only if it is certainly true."""

    false: ast.expr
    true: ast.expr


_UNKNOWN = _Sure(_NEVER, _NEVER)


def ruled_out(condition: str, variables: Mapping[str, str]) -> Test | None:
    """A test for one condition; None if no facts could rule it out.

    Args:
        condition: checked CEL of type bool.
        variables: types by name, as in CaseKind.
    """
    return all_ruled_out([condition], variables)


def all_ruled_out(conditions: Iterable[str], variables: Mapping[str, str]) -> Test | None:
    """One test that all of these conditions are certainly false; None if no facts could rule all of them out."""
    codes = [_surely_false(condition, variables) for condition in conditions]
    if any(_is(code, False) for code in codes):
        return None
    test = _compiled(codes[0] if len(codes) == 1 else ast.BoolOp(ast.And(), codes))

    def surely_false(facts: Mapping[str, Any]) -> bool:
        try:
            return test(facts)
        except (ArithmeticError, ValueError):  # a division by zero, a root of a negative number
            return False

    return surely_false


def _surely_false(condition: str, variables: Mapping[str, str]) -> ast.expr:
    try:
        return _Reader(variables).sure(parse(condition)).false
    except MalformedError:
        return _NEVER


def _compiled(code: ast.expr) -> Test:
    """Compiles a test from syntax nodes; a rule's text is never evaluated as Python."""
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg(_FACTS)], kwonlyargs=[], kw_defaults=[], defaults=[])
    function = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, code)))
    known = {"__builtins__": {}, "bool": bool, "len": len, "float": float}
    known |= {name.replace(".", "_"): does for name, does in _FUNCTIONS.items()}
    test: Test = eval(compile(function, "<condition>", "eval"), known)  # noqa: S307
    return test


class _Reader:
    """Translates CEL into Python's syntax nodes."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def sure(self, node: Node) -> _Sure:
        """Code that tells, where that is possible, whether a condition is false or true."""
        match node:
            case Operation("&&", (left, right)):
                one, other = self.sure(left), self.sure(right)
                return _Sure(_or(one.false, other.false), _and(one.true, other.true))
            case Operation("||", (left, right)):
                one, other = self.sure(left), self.sure(right)
                return _Sure(_and(one.false, other.false), _or(one.true, other.true))
            case Operation("!", (inner,)):
                of = self.sure(inner)
                return _Sure(of.true, of.false)
            case Operation("()", (inner,)):
                return self.sure(inner)
            case CelCall(Name(name), "exists", _) if self._type(name) == _LIST:
                return _Sure(_not(self._fact(name)), _NEVER)  # nothing exists in an empty list
            case _:
                return _known(self._relation(node))

    def _relation(self, node: Node) -> ast.expr | None:
        """Code for a truth value that follows from the facts."""
        match node:
            case Operation(symbol, (left, right)) if symbol in _COMPARISONS:
                return self._comparison(symbol, left, right)
            case Operation("in", (left, Operation("[]", listed))):
                return self._membership(left, listed)
            case Name(name) if self._type(name) == _TRUTH:
                return self._fact(name)
            case _:
                return None

    def _comparison(self, symbol: str, left: Node, right: Node) -> ast.expr | None:
        one, other = self._value(left), self._value(right)
        if one is None or other is None or one.type != other.type or one.type == _LIST:
            return None
        if one.type == _TEXT and symbol not in ("==", "!="):
            return None  # an order of texts
        return ast.Compare(one.code, [_COMPARISONS[symbol]()], [other.code])

    def _membership(self, left: Node, listed: tuple[Node, ...]) -> ast.expr | None:
        one, texts = self._value(left), [self._value(node) for node in listed]
        if one is None or one.type != _TEXT:
            return None
        if any(text is None or not isinstance(text.code, ast.Constant) or text.type != _TEXT for text in texts):
            return None
        return ast.Compare(one.code, [ast.In()], [ast.Tuple([text.code for text in texts if text], ast.Load())])

    def _value(self, node: Node) -> _Value | None:
        """A number or text; None where its value isn't known here."""
        match node:
            case Literal(value):
                kind = {float: _NUMBER, int: _WHOLE, str: _TEXT}.get(type(value))
                return _Value(kind, ast.Constant(value)) if kind else None
            case Name(name):
                kind = self._type(name)
                return _Value(kind, self._fact(name)) if kind in (_NUMBER, _WHOLE, _TEXT) else None
            case Operation("()", (inner,)):
                return self._value(inner)
            case Operation(symbol, operands):
                return self._calculation(symbol, [self._value(operand) for operand in operands])
            case CelCall(Name(name), "size", ()) if self._type(name) == _LIST:
                return _Value(_WHOLE, _called("len", self._fact(name)))
            case CelCall():
                return self._function(node)

    def _calculation(self, symbol: str, values: Sequence[_Value | None]) -> _Value | None:
        numbers = [value.code for value in values if value is not None and value.type == _NUMBER]
        if len(numbers) < len(values):
            return None
        match symbol, numbers:
            case "-", [number]:
                return _Value(_NUMBER, ast.UnaryOp(ast.USub(), number))
            case _, [left, right] if symbol in _ARITHMETIC:
                return _Value(_NUMBER, ast.BinOp(left, _ARITHMETIC[symbol](), right))
            case _:
                return None

    def _function(self, call: CelCall) -> _Value | None:
        value = self._value(call.arguments[0]) if len(call.arguments) == 1 else None
        if value is None:
            return None
        function = f"{call.of.text}.{call.name}" if isinstance(call.of, Name) else call.name
        if call.of is not None and not isinstance(call.of, Name):
            return None
        if function == "double" and value.type == _WHOLE:
            return _Value(_NUMBER, _called("float", value.code))
        if function in _FUNCTIONS and value.type == _NUMBER:
            return _Value(_NUMBER, _called(function.replace(".", "_"), value.code))
        return None

    def _type(self, name: str) -> str:
        known = self._variables.get(name, "")
        return _LIST if known == "maps" or known.startswith("list ") else known

    @staticmethod
    def _fact(name: str) -> ast.expr:
        return ast.Subscript(ast.Name(_FACTS, ast.Load()), ast.Constant(name), ast.Load())


def _known(code: ast.expr | None) -> _Sure:
    return _UNKNOWN if code is None else _Sure(_not(code), _truth(code))


def _truth(code: ast.expr) -> ast.expr:
    return _called("bool", code)


def _called(function: str, argument: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(function, ast.Load()), [argument], [])


def _is(code: ast.expr, value: bool) -> bool:
    return isinstance(code, ast.Constant) and code.value is value


def _not(code: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), code)


def _or(one: ast.expr, other: ast.expr) -> ast.expr:
    if _is(one, False) or _is(other, False):
        return other if _is(one, False) else one
    return ast.BoolOp(ast.Or(), [one, other])


def _and(one: ast.expr, other: ast.expr) -> ast.expr:
    if _is(one, False) or _is(other, False):
        return _NEVER
    return ast.BoolOp(ast.And(), [one, other])
