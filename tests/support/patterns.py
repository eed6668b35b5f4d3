"""Finds the regular expressions of a package, and texts on which one takes more time than their length explains.

A pattern's own syntax tree says where it repeats. A hostile text leads up to a repetition, fills it, and ends so that
nothing matches. A pattern that tries again from every place, or shares the text out in every way, then takes the square
of the length, or worse.
"""

from __future__ import annotations

import ast
import gc
import importlib.util
import itertools
import pkgutil
import re
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

CALLS = frozenset({"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"})
AT_ONE_PLACE = frozenset({"match", "fullmatch"})
"""Calls that begin at one place of a text; the others begin at each."""

LENGTHS = (8, 12, 16, 20, 24, 28, 34, 48, 64, 128, 512, 4_096)
"""Characters, in steps that end early: an exponential pattern shows at a few dozen."""

FLOOR_S = 0.008
"""Of processor time. A pattern below it at the greatest length is linear: the square is 8 million steps, some 50 ms."""

MOST_GROWTH = 8.0
"""Of the time for four times the length: 4 is linear, 16 is quadratic."""

LEAST_REPEATS = 100
"""Of a repetition that counts as without a bound."""

TAILS = ("", "!", "\x00", " ", "\n", "x", "0")
REPRESENTATIVES = "a0 Z_-./()@,;:'\"#\n中é&+"

PIECES = 6
"""Of a pattern's own characters that are tried in pairs."""


@dataclass(frozen=True)
class UsedPattern:
    """A pattern, where it stands, and whether it is called so that it begins at each place of a text, or at one."""

    place: str
    pattern: re.Pattern[str]
    calls: frozenset[str]

    def runs(self) -> Iterator[Callable[[str], object]]:
        """The calls that cost most."""
        if not self.calls <= AT_ONE_PLACE:
            yield lambda text: self.pattern.sub("", text)
        if self.calls & AT_ONE_PLACE:
            yield self.pattern.fullmatch if "fullmatch" in self.calls else self.pattern.match


@dataclass(frozen=True)
class HostileText:
    """A beginning, a piece that is repeated, and an end."""

    head: str
    piece: str
    tail: str

    def of(self, chars: int) -> str:
        return self.head + self.piece * (chars // len(self.piece)) + self.tail


def patterns_of(package: str) -> Iterator[UsedPattern]:
    """Every pattern that a module or those of a package hold, also in tables, and every one that a call writes out."""
    for name, uses in modules_of(package):
        module = importlib.import_module(name)
        for held, value in vars(module).items():
            if isinstance(value, re.Pattern):
                if isinstance(value.pattern, str) and (calls := uses.calls.get(held)):
                    yield UsedPattern(f"{name}.{held}", value, calls)
            else:
                for number, pattern in enumerate(_within(value, set())):
                    yield UsedPattern(f"{name}.{held}[{number}]", pattern, CALLS)
        held_patterns = {value.pattern for value in vars(module).values() if isinstance(value, re.Pattern)}
        for line, called, pattern in uses.written_out:
            if pattern not in held_patterns:
                calls = CALLS if called == "compile" else frozenset({called})
                yield UsedPattern(f"{name}:{line}", re.compile(str(pattern)), calls)


def made_at_run_time(package: str) -> Iterator[str]:
    """Functions that put a pattern together: `module.function`."""
    for name, uses in modules_of(package):
        yield from (f"{name}.{function}" for function in uses.putting_together)


@dataclass(frozen=True)
class Uses:
    """What a module does with patterns, by its syntax tree.

    Attributes:
        calls: the methods by which it calls what a name holds; all if it hands it on. Names that it only defines or
            exports are missing.
        written_out: line, function of `re` and pattern of each call that writes a pattern out.
        putting_together: names of functions that call `re` with a pattern that isn't written out.
    """

    calls: Mapping[str, frozenset[str]]
    written_out: tuple[tuple[int, str, object], ...]
    putting_together: tuple[str, ...]


def modules_of(package: str) -> Iterator[tuple[str, Uses]]:
    """Those that use patterns, and how: a module, or a package with all below; no generated ones."""
    module = importlib.import_module(package)
    below = pkgutil.walk_packages(getattr(module, "__path__", ()), f"{package}.")
    for name in (package, *(info.name for info in below)):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or ".v1" in name or name.endswith("__main__"):
            continue
        source = Path(spec.origin).read_text(encoding="utf-8")
        if "re." in source or "Pattern" in source:
            yield name, _uses(name, source)


@cache
def _uses(_name: str, source: str) -> Uses:
    nodes = list(ast.walk(ast.parse(source)))
    owners = {node.value: node.attr for node in nodes if isinstance(node, ast.Attribute)}
    calls: dict[str, frozenset[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            called = CALLS & {owners[node]} if node in owners else CALLS
            calls[node.id] = calls.get(node.id, frozenset()) | called
    of_re = list(_calls_of_re(nodes))
    made = {call for call in of_re if not isinstance(call.args[0], ast.Constant)}
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)] if made else []
    return Uses(
        calls,
        tuple(
            (call.lineno, ast.unparse(call.func).removeprefix("re."), call.args[0].value)
            for call in of_re
            if isinstance(call.args[0], ast.Constant)
        ),
        tuple(function.name for function in functions if not made.isdisjoint(_calls_of_re(ast.walk(function)))),
    )


def _calls_of_re(nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            base = node.func.value
            if isinstance(base, ast.Name) and base.id == "re" and node.func.attr in CALLS | {"compile"}:
                yield node


def _within(value: Any, seen: set[int]) -> Iterator[re.Pattern[str]]:
    """Patterns in a table, an object or a bound method."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield value
    elif isinstance(value, Mapping):
        for part in (*value.keys(), *value.values()):
            yield from _within(part, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from _within(part, seen)
    elif isinstance(value, types.BuiltinMethodType):
        yield from _within(value.__self__, seen)
    elif type(value).__module__.startswith("gateway.") and not isinstance(value, type):
        for part in gc.get_referents(value):
            if not isinstance(part, type):
                yield from _within(part, seen)


def slow_text(used: UsedPattern) -> str | None:
    """Which hostile text takes more time than its length explains; None if none does."""
    for run in used.runs():
        for text in hostile_texts(used.pattern):
            if grows_too_fast(run, text):
                return f"{text.head!r} + {text.piece!r} * n + {text.tail!r}"
    return None


def grows_too_fast(run: Callable[[str], object], text: HostileText) -> bool:
    """Whether four times the length takes far more than four times the processor time of this thread."""
    for chars in LENGTHS:
        if _elapsed_s(run, text.of(chars)) > FLOOR_S:
            longer = min(_elapsed_s(run, text.of(chars)) for _ in range(3))
            shorter = min(_elapsed_s(run, text.of(chars // 4)) for _ in range(3))
            return longer > FLOOR_S and longer > MOST_GROWTH * shorter
    return False


def _elapsed_s(run: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    run(text)
    return time.thread_time() - began


def hostile_texts(pattern: re.Pattern[str]) -> Iterator[HostileText]:
    """Texts for each repetition of a pattern, and repetitions of its own characters."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    own: dict[str, None] = {}
    texts: dict[HostileText, None] = {}
    for head, bodies in _repetitions(tree, ""):
        for body in bodies:
            own.update(dict.fromkeys((head + body, body, *body)))
            texts.update((HostileText(head, body, tail), None) for tail in TAILS)
            texts[HostileText("", head + body, "")] = None
        if head:
            own[head] = None
            texts[HostileText("", head, "")] = None
    pieces = [piece for piece in own if 0 < len(piece) < 40]
    texts.update((HostileText("", piece, tail), None) for piece in pieces for tail in TAILS)
    for first, second in itertools.permutations([piece for piece in pieces if len(piece) == 1][:PIECES], 2):
        texts[HostileText("", first + second, "!")] = None
    yield from texts


def _repetitions(tree: Any, head: str) -> Iterator[tuple[str, list[str]]]:
    """Each repetition without a small bound: what leads up to it, and samples of what it repeats."""
    for op, argument in tree:
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            _, most, body = argument
            if most is ops.MAXREPEAT or most >= LEAST_REPEATS:
                yield head, _samples(body)
            yield from _repetitions(body, head)
        elif op is ops.SUBPATTERN:
            yield from _repetitions(argument[-1], head)
        elif op is ops.ATOMIC_GROUP:
            yield from _repetitions(argument, head)
        elif op is ops.BRANCH:
            for branch in argument[1]:
                yield from _repetitions(branch, head)
        head += next(iter(_samples([(op, argument)])), "")


def _samples(tree: Any) -> list[str]:
    """A few texts that a part of a pattern matches."""
    found = [""]
    for op, argument in tree:
        parts = _part_samples(op, argument)
        found = [before + part for before in found for part in parts][:8] or found
    return list(dict.fromkeys(text for text in found if text))


def _part_samples(op: Any, argument: Any) -> list[str]:
    if op is ops.LITERAL:
        return [chr(argument)]
    if op is ops.NOT_LITERAL:
        return [each for each in REPRESENTATIVES if ord(each) != argument][:4]
    if op is ops.ANY:
        return ["a", "0", " ", "("]
    if op is ops.IN:
        return _of_class(argument)
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
        least, _, body = argument
        return [sample * least for sample in _samples(body)] if least else [""]
    if op is ops.SUBPATTERN:
        return _samples(argument[-1]) or [""]
    if op is ops.ATOMIC_GROUP:
        return _samples(argument) or [""]
    if op is ops.BRANCH:
        return [sample for branch in argument[1] for sample in _samples(branch)[:2]][:12] or [""]
    return [""]


def _of_class(argument: Any) -> list[str]:
    """Some characters of a class: what it lists itself, and well-known ones that it takes."""
    listed = [chr(value if op is ops.LITERAL else value[0]) for op, value in argument if op in (ops.LITERAL, ops.RANGE)]
    taken = [each for each in REPRESENTATIVES if _takes(argument, each)]
    is_negated = any(op is ops.NEGATE for op, _ in argument)
    return list(dict.fromkeys([*([] if is_negated else listed[:4]), *taken[:8]]))[:10]


def _takes(argument: Any, char: str) -> bool:
    categories = {
        ops.CATEGORY_DIGIT: r"\d",
        ops.CATEGORY_NOT_DIGIT: r"\D",
        ops.CATEGORY_SPACE: r"\s",
        ops.CATEGORY_NOT_SPACE: r"\S",
        ops.CATEGORY_WORD: r"\w",
        ops.CATEGORY_NOT_WORD: r"\W",
    }
    is_negated = any(op is ops.NEGATE for op, _ in argument)
    is_in = any(
        (op is ops.LITERAL and value == ord(char))
        or (op is ops.RANGE and value[0] <= ord(char) <= value[1])
        or (op is ops.CATEGORY and re.match(categories[value], char))
        for op, value in argument
        if op is not ops.NEGATE
    )
    return is_in != is_negated
