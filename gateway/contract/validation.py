"""Lists all violations of the contract's rules, with field paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.contract.recogniser import YEAR_1_S, YEAR_10000_S, recognised
from gateway.errors import InvalidRequestError, Violation
from gateway.v1 import options_pb2

if TYPE_CHECKING:
    import protovalidate

_TIMESTAMP = "google.protobuf.Timestamp"
_OFFSET = "utc_offset_minutes"
_DAY_MINUTES = 24 * 60

_Rule = Callable[[Message], Sequence[Violation]]
"""Violations with paths relative to the message, built only on failure."""


def violations(message: Message, prefix: str = "") -> list[Violation]:
    """All violations, with field paths after `prefix`, e.g. `alerts[3].`."""
    if recognised(message):
        return []
    notices = [
        Violation(prefix + _path(violation), violation.proto.rule_id, violation.proto.message)
        for violation in _validator().collect_violations(message)
    ]
    for rule in _own_rules(message.DESCRIPTOR):
        notices.extend(_under(prefix, rule(message)))
    return notices


def validate(message: Message, prefix: str = "") -> None:
    """Raises InvalidRequestError with every violation."""
    problems = violations(message, prefix)
    if problems:
        raise InvalidRequestError(problems)


def impossible_times(message: Message, prefix: str = "") -> list[Violation]:
    """Impossible times and UTC offsets in a foreign message with fields removed, which may break other rules."""
    problems: list[Violation] = []
    for rule in _time_rules(message.DESCRIPTOR):
        problems.extend(_under(prefix, rule(message)))
    return problems


@cache
def _validator() -> protovalidate.Validator:
    import protovalidate  # noqa: PLC0415  # 0.1 s: only where something is validated, not at a command's start

    return protovalidate.Validator()


def _path(violation: protovalidate.Violation) -> str:
    path = violation.proto.field
    return ".".join(_element(element) for element in path.elements) if path is not None else ""


def _element(element: Any) -> str:
    subscript = element.subscript
    if subscript is None:
        return str(element.field_name)
    key = subscript.value
    return f"{element.field_name}[{key}]" if subscript.field == "index" else f"{element.field_name}[{key!r}]"


@cache
def _own_rules(descriptor: Descriptor) -> tuple[_Rule, ...]:
    """Compiles the rules of a message type and all below it."""
    return tuple(_compile(descriptor, frozenset(), _rules_of))


@cache
def _time_rules(descriptor: Descriptor) -> tuple[_Rule, ...]:
    """As `_own_rules`, for times alone."""
    return tuple(_compile(descriptor, frozenset(), _time_rules_of))


def _rules_of(descriptor: Descriptor) -> Iterable[_Rule]:
    if descriptor.full_name == _TIMESTAMP:
        yield _timestamp
    option = descriptor.GetOptions().Extensions[options_pb2.at_least_one_of]
    if option.fields:
        yield _at_least_one_of(tuple(option.fields))


def _time_rules_of(descriptor: Descriptor) -> Iterable[_Rule]:
    if descriptor.full_name == _TIMESTAMP:
        yield _timestamp
    if _OFFSET in descriptor.fields_by_name:
        yield _offset


def _compile(
    descriptor: Descriptor, above: frozenset[str], rules_of: Callable[[Descriptor], Iterable[_Rule]]
) -> Iterable[_Rule]:
    """The rules of a message type and all below it."""
    yield from rules_of(descriptor)
    for field in descriptor.fields:
        below = field.message_type
        if below is None or below.full_name in above or _is_map(field):
            continue
        rules = tuple(_compile(below, above | {descriptor.full_name}, rules_of))
        if rules:
            yield _below(field, rules)


def _under(prefix: str, problems: Sequence[Violation]) -> Sequence[Violation]:
    return (
        [replace(violation, field=(prefix + violation.field).rstrip(".")) for violation in problems]
        if problems
        else problems
    )


def _timestamp(message: Message) -> Sequence[Violation]:
    """Timestamp's own bounds; other values overflow databases in milliseconds."""
    seconds, nanos = getattr(message, "seconds"), getattr(message, "nanos")  # noqa: B009  of a Timestamp
    if YEAR_1_S <= seconds < YEAR_10000_S and 0 <= nanos < 1_000_000_000:
        return ()
    return (Violation("", "timestamp", "isn't a time between the years 1 and 9999"),)


def _offset(message: Message) -> Sequence[Violation]:
    if abs(getattr(message, _OFFSET)) < _DAY_MINUTES:
        return ()
    return (Violation(_OFFSET, "utc_offset", "isn't less than a day"),)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _at_least_one_of(names: tuple[str, ...]) -> _Rule:
    broken = (Violation("", "at_least_one_of", f"give at least one of: {', '.join(names)}"),)

    def rule(message: Message) -> Sequence[Violation]:
        for name in names:
            if getattr(message, name):
                return ()
        return broken

    return rule


def _below(field: FieldDescriptor, rules: tuple[_Rule, ...]) -> _Rule:
    name = field.name

    def one(message: Message) -> Sequence[Violation]:
        if not message.HasField(name):
            return ()
        below = getattr(message, name)
        problems: list[Violation] = []
        for rule in rules:
            if broken := rule(below):
                problems.extend(_under(f"{name}.", broken))
        return problems

    def many(message: Message) -> Sequence[Violation]:
        problems: list[Violation] = []
        for index, below in enumerate(getattr(message, name)):
            for rule in rules:
                if broken := rule(below):
                    problems.extend(_under(f"{name}[{index}].", broken))
        return problems

    return many if field.is_repeated else one
