"""Recognises valid messages in half the time of evaluating the contract's rules.

protovalidate takes a microsecond or more for each nested message, and almost every message is valid. A
recognised message is valid; about others protovalidate decides (`validation.violations`). Tests compare the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from keyword import iskeyword
from operator import attrgetter
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from buf.validate import validate_pb2
from gateway.v1 import options_pb2

YEAR_1_S = -62_135_596_800
YEAR_10000_S = 253_402_300_800
"""Bounds of google.protobuf.Timestamp in seconds since 1970."""

_REMEMBERED = 4_096
"""Most texts cached per pattern: codes and list names repeat."""

_REMEMBERED_CHARS = 64
"""Longest cached text."""

_REPEATING_TYPES = frozenset({"gateway.v1.Party", "gateway.v1.TransportMeans"})
"""Types cached whole: traders and vehicles repeat byte for byte."""

_REMEMBERED_MESSAGES = 8_192
"""Most cached messages per type."""

_REMEMBERED_BYTES = 512
"""Longest cached message."""

_UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_PORTABLE_PATTERN = re.compile(
    r"\^(?!.*(\(\?|--|~~|[+*?}][+?]))([A-Za-z0-9_/~-]|\[[A-Za-z0-9._/!~-]+\]|[()|+*?]|\{[0-9]+\})*\$"
)
"""Patterns that protovalidate and Python read alike: repeated classes of ASCII characters."""

_Recognise = Callable[[Any], bool]


class _UnknownRuleError(Exception):
    """A rule of an unknown kind."""


def recognised(message: Message) -> bool:
    """Whether the message is surely valid; False leaves it open."""
    return _recogniser(message.DESCRIPTOR)(message)


@cache
def _recogniser(descriptor: Descriptor) -> _Recognise:
    return _of_message(descriptor, frozenset())


def _never(_: Any) -> bool:
    return False


def _timestamp(message: Any) -> bool:
    return bool(YEAR_1_S <= message.seconds < YEAR_10000_S and 0 <= message.nanos < 1_000_000_000)


def _of_message(descriptor: Descriptor, above: frozenset[str]) -> _Recognise:
    if descriptor.full_name == "google.protobuf.Timestamp":
        return _timestamp
    if descriptor.full_name in above:
        return recognised
    try:
        recognise = _GeneratedFunction(descriptor, above | {descriptor.full_name}).compiled()
    except _UnknownRuleError:
        return _never
    return _MessageMemory(recognise) if descriptor.full_name in _REPEATING_TYPES else recognise


class _MessageMemory:
    """Caches recognised messages by their bytes; thread-safe."""

    def __init__(self, recognise: _Recognise) -> None:
        self._recognise = recognise
        self._known: set[bytes] = set()

    def __call__(self, message: Any) -> bool:
        content = message.SerializeToString()
        if content in self._known:
            return True
        if not self._recognise(message):
            return False
        if len(content) <= _REMEMBERED_BYTES:
            if len(self._known) >= _REMEMBERED_MESSAGES:
                self._known.clear()  # frequent ones soon return
            self._known.add(content)
        return True


class _GeneratedFunction:
    """Generates the function for a message type; `m` is the message, `known` its globals."""

    def __init__(self, descriptor: Descriptor, above: frozenset[str]) -> None:
        if descriptor.GetOptions().HasExtension(validate_pb2.message):
            raise _UnknownRuleError
        self._above = above
        self._known: dict[str, Any] = {}
        self._lines = ["def recognise(m):"]
        self._always([field for field in descriptor.fields if not field.has_presence])
        for field in descriptor.fields:
            if field.has_presence and field.containing_oneof is None:
                self._part(field)
        for choice in descriptor.oneofs:
            self._choice(choice.name, choice.fields, choice.GetOptions().Extensions[validate_pb2.oneof].required)
        one_of = descriptor.GetOptions().Extensions[options_pb2.at_least_one_of].fields
        self._line(1, f"return {' or '.join(f'bool({_value(name)})' for name in one_of) or 'True'}")

    def compiled(self) -> _Recognise:
        exec(compile("\n".join(self._lines), "<contract's rules>", "exec"), self._known)  # noqa: S102  written above
        function: _Recognise = self._known["recognise"]
        return function

    def _line(self, depth: int, text: str) -> None:
        self._lines.append(" " * depth + text)

    def _unless(self, depth: int, condition: str) -> None:
        self._line(depth, f"if not ({condition}): return False")

    def _refer(self, value: Any) -> str:
        name = f"k{len(self._known)}"
        self._known[name] = value
        return name

    def _always(self, fields: Sequence[FieldDescriptor]) -> None:
        """Fetches fields that are always set."""
        checked = [(field, checks) for field in fields if (checks := self._checks(field, f"v{field.number}"))]
        if not checked:
            return
        values = ", ".join(f"v{field.number}" for field, _ in checked)
        self._line(1, f"{values} = {self._refer(attrgetter(*(field.name for field, _ in checked)))}(m)")
        for _, checks in checked:
            for depth, text in checks:
                self._line(1 + depth, text)

    def _checks(self, field: FieldDescriptor, value: str) -> list[tuple[int, str]]:
        """Lines that return if a field without presence isn't recognised."""
        rules = _rules(field)
        below = field.message_type
        if below is not None and below.GetOptions().map_entry:
            if below.fields_by_name["value"].message_type is not None:
                raise _UnknownRuleError
            return self._pairs(rules, value)
        if field.is_repeated:
            return self._items(field, rules, value)
        condition = self._condition(field, rules, value)
        if rules.required:
            condition = f"{value} and ({condition})" if condition else value
        elif condition and rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE:
            condition = f"not {value} or ({condition})"
        return [(0, f"if not ({condition}): return False")] if condition else []

    def _items(self, field: FieldDescriptor, rules: validate_pb2.FieldRules, value: str) -> list[tuple[int, str]]:
        _require_known(rules, ("repeated",))
        _require_known(rules.repeated, ("min_items", "max_items", "unique", "items"))
        found = []
        if rules.repeated.min_items:
            found.append((0, f"if len({value}) < {rules.repeated.min_items}: return False"))
        inner = []
        if rules.repeated.HasField("max_items"):
            inner.append((1, f"if len({value}) > {rules.repeated.max_items}: return False"))
        if of_item := self._of_item(field, rules.repeated.items):
            inner += [(1, f"for x in {value}:"), (2, f"if not ({of_item}): return False")]
        if rules.repeated.unique:
            inner.append((1, f"if len({value}) > 1 and len(set({value})) < len({value}): return False"))
        return found + ([(0, f"if {value}:"), *inner] if inner else [])

    def _of_item(self, field: FieldDescriptor, rules: validate_pb2.FieldRules) -> str:
        below = field.message_type
        try:
            if below is None:
                return self._condition(field, rules, "x")
            _require_known(rules, ())
        except _UnknownRuleError:
            return "False"  # without items no rule is broken
        return f"{self._refer(_of_message(below, self._above))}(x)"

    def _pairs(self, rules: validate_pb2.FieldRules, value: str) -> list[tuple[int, str]]:
        _require_known(rules, ("map",))
        _require_known(rules.map, ("max_pairs",))
        return [(0, f"if len({value}) > {rules.map.max_pairs}: return False")] if rules.HasField("map") else []

    def _part(self, field: FieldDescriptor) -> None:
        self._line(1, f"if m.HasField({field.name!r}):")
        self._unless(2, self._present(field))
        if _rules(field).required:
            self._line(1, "else: return False")

    def _choice(self, name: str, fields: Sequence[FieldDescriptor], required: bool) -> None:
        self._line(1, f"w = m.WhichOneof({name!r})")
        if required:
            self._line(1, "if w is None: return False")
        for at, field in enumerate(fields):
            self._line(1, f"{'el' if at else ''}if w == {field.name!r}:")
            self._unless(2, self._present(field))

    def _present(self, field: FieldDescriptor) -> str:
        """The condition on a field with presence."""
        rules, value = _rules(field), _value(field.name)
        if field.message_type is None:
            return self._condition(field, rules, value) or "True"
        _require_known(rules, ("required", "ignore"))
        return f"{self._refer(_of_message(field.message_type, self._above))}({value})"

    def _condition(self, field: FieldDescriptor, rules: validate_pb2.FieldRules, value: str) -> str:
        """The condition on one scalar value; empty for any."""
        kind = rules.WhichOneof("type")
        _require_known(rules, ("required", "ignore", *((kind,) if kind else ())))
        if kind is None:
            return ""
        if kind == "string":
            return self._text(rules.string, value)
        if kind == "bytes":
            return self._bytes(rules.bytes, value)
        if kind == "enum" and field.enum_type is not None:
            return f"{value} in {self._refer(_accepted_values(field.enum_type, rules.enum))}"
        if kind in {"uint32", "uint64", "int32", "int64", "double"}:
            return _number(getattr(rules, kind), value)
        raise _UnknownRuleError

    def _text(self, rules: validate_pb2.StringRules, value: str) -> str:
        _require_known(rules, ("min_len", "max_len", "pattern", "uuid", "in"))
        if within := getattr(rules, "in"):
            _require_known(rules, ("in",))
            return f"{value} in {self._refer(frozenset(within))}"
        most = rules.max_len if rules.HasField("max_len") else None
        patterns = ([rules.pattern] if rules.HasField("pattern") else []) + ([_UUID] if rules.uuid else [])
        if patterns:
            return f"{self._refer(_PatternResults(rules.min_len, most, patterns).__getitem__)}({value})"
        if most is None:
            return f"len({value}) >= {rules.min_len}"
        return f"{rules.min_len} <= len({value}) <= {most}" if rules.min_len else f"len({value}) <= {most}"

    def _bytes(self, rules: validate_pb2.BytesRules, value: str) -> str:
        _require_known(rules, ("len", "min_len", "max_len"))
        terms = [f"len({value}) == {rules.len}"] if rules.HasField("len") else []
        terms += [f"len({value}) >= {rules.min_len}"] if rules.HasField("min_len") else []
        terms += [f"len({value}) <= {rules.max_len}"] if rules.HasField("max_len") else []
        return " and ".join(terms)


class _PatternResults(dict[str, bool]):
    """Results by text, up to a maximum."""

    def __init__(self, least: int, most: int | None, patterns: Sequence[str]) -> None:
        super().__init__()
        if not all(map(_PORTABLE_PATTERN.fullmatch, patterns)):
            raise _UnknownRuleError
        self._least, self._most = least, most
        self._found = [re.compile(pattern, re.ASCII).search for pattern in patterns]

    def __missing__(self, text: str) -> bool:
        long_enough = len(text) >= self._least and (self._most is None or len(text) <= self._most)
        # Python's $ also matches before a final line feed.
        found = long_enough and not text.endswith("\n") and all(found(text) for found in self._found)
        if len(self) < _REMEMBERED and len(text) <= _REMEMBERED_CHARS:
            self[text] = found
        return found


def _accepted_values(of: EnumDescriptor, rules: validate_pb2.EnumRules) -> frozenset[int]:
    """Defined values that the rules accept."""
    _require_known(rules, ("defined_only", "not_in", "in"))
    within = getattr(rules, "in")
    return frozenset(within or of.values_by_number) - frozenset(rules.not_in)


def _number(rules: Any, value: str) -> str:
    _require_known(rules, ("const", "gte", "gt", "lte", "lt"))
    signs = {"const": "==", "gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
    terms = [f"{value} {sign} {getattr(rules, name)!r}" for name, sign in signs.items() if rules.HasField(name)]
    return " and ".join(terms)


def _rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    rules = field.GetOptions().Extensions[validate_pb2.field]
    if rules.ignore not in (validate_pb2.IGNORE_UNSPECIFIED, validate_pb2.IGNORE_IF_ZERO_VALUE):
        raise _UnknownRuleError
    return rules


def _require_known(rules: Message, names: Sequence[str]) -> None:
    if any(field.is_extension or field.name not in names for field, _ in rules.ListFields()):
        raise _UnknownRuleError


def _value(name: str) -> str:
    return f"getattr(m, {name!r})" if iskeyword(name) else f"m.{name}"
