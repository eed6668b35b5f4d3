"""Reads CEL expressions into a tree: operators, names, literals and calls.

Only for expressions that CEL's own compiler has accepted; what isn't read here is refused, never guessed. The grammar
is that of https://github.com/google/cel-spec/blob/master/doc/langdef.md, without messages, maps, bytes and escapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.errors import MalformedError

MAX_DEPTH = 64
"""Most brackets and operators within each other, two for each pair of brackets."""

MAX_TOKENS = 500
"""Most words and symbols; packaged rules have under 200."""

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<double>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
    |(?P<int>[0-9]+)(?![uUxX.\w])
    |(?P<text>"[^"\\\n]*"(?!")|'[^'\\\n]*'(?!'))
    |(?P<name>[A-Za-z_]\w*)\b(?!["'])
    |(?P<symbol>&&|\|\||<=|>=|==|!=|[-+*/%<>!?:.,()\[\]])
    )""",
    re.VERBOSE,
)
_LEVELS = (("||",), ("&&",), ("<", "<=", ">", ">=", "==", "!=", "in"), ("+", "-"), ("*", "/", "%"))
"""Operators from the loosest to the tightest."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A double, int, text or truth value."""

    value: float | int | str | bool


@dataclass(frozen=True, slots=True)
class Name:
    """A name with its dots, e.g. `declared.cover`: a variable, an enum, or a field of a variable."""

    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with its operands: `?` has three, `[]` is a list, `[` an index, `.x` a field of another value."""

    symbol: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class CelCall:
    """A function, or a method or macro `of` something."""

    of: Node | None
    name: str
    arguments: tuple[Node, ...]


Node = Literal | Name | Operation | CelCall


def parse(text: str) -> Node:
    """The tree of an expression.

    Raises:
        MalformedError: it has something that isn't read here.
    """
    reader = _Reader(_tokens(text))
    node = reader.ternary(0)
    reader.require("")
    return node


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise MalformedError(f"the expression has something unknown at {at}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
        if len(tokens) > MAX_TOKENS:
            raise MalformedError(f"the expression has more than {MAX_TOKENS} words and symbols")
    return [*tokens, ("end", "")]


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def require(self, symbol: str) -> None:
        """Passes a symbol; the empty one is the end."""
        kind, text = self._tokens[self._at]
        if text != symbol or kind not in ("symbol", "end"):
            raise MalformedError(f"the expression has {text!r} where {symbol!r} is required")
        self._at += 1

    def ternary(self, depth: int) -> Node:
        """Any expression."""
        if depth > MAX_DEPTH:
            raise MalformedError("the expression is nested too deeply")
        condition = self._binary(0, depth + 1)
        if not self._taken("?"):
            return condition
        first = self.ternary(depth + 1)
        self.require(":")
        return Operation("?", (condition, first, self.ternary(depth + 1)))

    def _binary(self, level: int, depth: int) -> Node:
        if level == len(_LEVELS):
            return self._unary(depth)
        left = self._binary(level + 1, depth)
        while (symbol := self._tokens[self._at][1]) in _LEVELS[level] and self._tokens[self._at][0] != "text":
            self._at += 1
            left = Operation(symbol, (left, self._binary(level + 1, depth)))
        return left

    def _unary(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise MalformedError("the expression is nested too deeply")
        for symbol in ("!", "-"):
            if self._taken(symbol):
                return Operation(symbol, (self._unary(depth + 1),))
        return self._member(depth)

    def _member(self, depth: int) -> Node:
        node = self._primary(depth)
        while True:
            if self._taken("."):
                kind, name = self._next()
                if kind != "name":
                    raise MalformedError("the expression has no name after a point")
                if self._taken("("):
                    node = CelCall(node, name, self._listed(")", depth))
                else:
                    node = Name(f"{node.text}.{name}") if isinstance(node, Name) else Operation(f".{name}", (node,))
            elif self._taken("["):
                node = Operation("[", (node, self.ternary(depth + 1)))
                self.require("]")
            else:
                return node

    def _primary(self, depth: int) -> Node:
        kind, text = self._next()
        if kind == "symbol":
            return self._bracketed(text, depth)
        if kind == "name" and text not in ("true", "false"):
            return CelCall(None, text, self._listed(")", depth)) if self._taken("(") else Name(text)
        return _literal(kind, text)

    def _bracketed(self, symbol: str, depth: int) -> Node:
        if symbol == "[":
            return Operation("[]", self._listed("]", depth))
        if symbol != "(":
            raise MalformedError(f"the expression has {symbol!r} where a value is required")
        node = self.ternary(depth + 1)
        self.require(")")
        return Operation("()", (node,)) if isinstance(node, Name) else node  # not the start of a longer name

    def _listed(self, end: str, depth: int) -> tuple[Node, ...]:
        if self._taken(end):
            return ()
        nodes = [self.ternary(depth + 1)]
        while self._taken(","):
            nodes.append(self.ternary(depth + 1))
        self.require(end)
        return tuple(nodes)

    def _taken(self, symbol: str) -> bool:
        if self._tokens[self._at] != ("symbol", symbol):
            return False
        self._at += 1
        return True

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at += 1
        return token


def _literal(kind: str, text: str) -> Literal:
    match kind:
        case "double":
            return Literal(float(text))
        case "int":
            return Literal(int(text))
        case "text":
            return Literal(text[1:-1])
        case "name":
            return Literal(text == "true")
        case _:
            raise MalformedError("the expression ends where a value is required")
