"""Compiles rule expressions in CEL (Common Expression Language) with types.

Beside CEL's standard functions and macros and the extensions `math` and `strings` there are: `log10(double)`;
`most_within(list of double, double)`: most numbers within one span; `sum_within(list of double, list of double,
double)`: largest sum of weights (second) of such numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_math, ext_strings
from google.protobuf import descriptor_pool

from gateway.errors import MalformedError

# They register the messages that expressions are checked against.
from gateway.v1 import shipment_pb2, trace_pb2

MAX_EXPRESSION_CHARS = 4096
"""Packaged ones have under a thousand."""

MAX_STEPS = 10_000
"""The library's limit on loop steps; beyond it a rule has no value."""

CONTAINER = "gateway.v1"
"""Package of messages and enums."""

_SIMPLE = {
    "double": cel.Type.DOUBLE,
    "int": cel.Type.INT,
    "bool": cel.Type.BOOL,
    "string": cel.Type.STRING,
    "timestamp": cel.Type.TIMESTAMP,
}
_DOUBLES = cel.Type.List(cel.Type.DOUBLE)
_POSITION = re.compile(r"<input>:([0-9]+):[0-9]+:")
_NEEDED = (shipment_pb2.DESCRIPTOR, trace_pb2.DESCRIPTOR)

BOOL = "bool"
NUMBER = "double"
ANY = ""

Value = Any
"""bool, int, float, str, datetime, or a list of these."""


class EvaluationError(Exception):
    """An expression has no value for these facts, e.g. an index beyond a list's end."""


class Expression:
    """A compiled expression. Thread-safe."""

    __slots__ = ("_compiled", "text")

    def __init__(self, compiled: Any, text: str) -> None:
        self._compiled = compiled
        self.text = text

    def evaluate(self, facts: Facts) -> Value:
        """Its value; raises EvaluationError without one."""
        try:
            result = self._compiled.eval(facts.activation)
        except RuntimeError as error:  # more than MAX_STEPS, or a fact of an unknown type
            raise EvaluationError(str(error)) from None
        if result.type() == cel.Type.ERROR:
            raise EvaluationError(str(result.value()))
        return result.plain_value()


class Facts:
    """Values of a language's variables for many expressions."""

    __slots__ = ("activation",)

    def __init__(self, language: Language, values: Mapping[str, Any]) -> None:
        self.activation = language.activate(values)


class Language:
    """Typed variables that expressions are checked against."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._environment = cel.NewEnv(
            descriptor_pool.Default(),
            variables={name: _type(word) for name, word in variables.items()},
            container=CONTAINER,
            extensions=[ext_math.ExtMath(), ext_strings.ExtStrings()],
            functions=[
                _function("log10", [cel.Type.DOUBLE], _log10),
                _function("most_within", [_DOUBLES, cel.Type.DOUBLE], _most_within),
                _function("sum_within", [_DOUBLES, _DOUBLES, cel.Type.DOUBLE], _sum_within),
            ],
        )

    def compile(self, text: str, gives: str = ANY) -> Expression:
        """Compiles and checks an expression; `gives` is the type required: BOOL, NUMBER or ANY.

        Raises:
            MalformedError: not CEL, unknown names, or another type.
        """
        if len(text) > MAX_EXPRESSION_CHARS:
            raise MalformedError(f"is longer than {MAX_EXPRESSION_CHARS} characters")
        try:
            compiled = self._environment.compile(text)
        except RuntimeError as error:
            raise MalformedError(_readable(str(error))) from None
        if gives and compiled.return_type() not in (_SIMPLE[gives], cel.Type.DYN):
            raise MalformedError(f"gives {compiled.return_type().name().lower()}, but must give {gives}")
        return Expression(compiled, text)

    def activate(self, values: Mapping[str, Any]) -> Any:
        return self._environment.Activation(values)


def _type(word: str) -> cel.Type:
    if word == "maps":
        return cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.DYN))
    if word.startswith("list "):
        return cel.Type.List(_type(word.removeprefix("list ")))
    return _SIMPLE.get(word) or cel.Type(word)


def _function(name: str, parameters: list[cel.Type], does: Callable[..., float]) -> cel.FunctionDecl:
    return cel.FunctionDecl(
        name, [cel.Overload(f"{name}_double", return_type=cel.Type.DOUBLE, parameters=parameters, impl=does)]
    )


def _most_within(numbers: list[float], span: float) -> float:
    return _sum_within(numbers, [1.0] * len(numbers), span)


def _sum_within(numbers: list[float], weights: list[float], span: float) -> float:
    """NaN if a weight is unknown; items without a partner are ignored."""
    ordered = sorted(zip(numbers, weights, strict=False))
    if not all(math.isfinite(weight) for _, weight in ordered):
        return math.nan
    begin, held, most = 0, 0.0, 0.0
    for number, weight in ordered:
        held += weight
        while number - ordered[begin][0] > span:
            held -= ordered[begin][1]
            begin += 1
        most = max(most, held)
    return most


def _log10(value: float) -> float:
    if value == 0:
        return -math.inf  # as CEL's doubles: less than any other
    return math.log10(value) if value > 0 else math.nan


def _readable(message: str) -> str:
    """The library's message without codes, excerpt and column."""
    return _POSITION.sub(r"line \1:", message.partition("\n")[0].removeprefix("INVALID_ARGUMENT: ERROR: "))
