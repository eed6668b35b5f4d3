"""The contract's rules: each one is broken at least once, every violation comes with its path, and all at once.

What is tried is read from the contract itself: for each field with a rule, values that break it are made from the rule
and the violation must name the field. A rule of a kind that isn't known here fails the test.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from buf.validate import validate_pb2
from gateway.contract.validation import validate, violations
from gateway.errors import InvalidRequestError
from gateway.v1 import alert_pb2, alert_service_pb2, options_pb2, party_pb2
from tests.support.nodes import alert_content

PROTOS = Path(__file__).parents[3] / "protos" / "gateway" / "v1"
NOW = 1_768_464_000_000


def _messages(descriptors: Any) -> Iterator[Descriptor]:
    for descriptor in descriptors:
        if not descriptor.GetOptions().map_entry:
            yield descriptor
            yield from _messages(descriptor.nested_types)


MODULES = [import_module(f"gateway.v1.{path.stem}_pb2") for path in sorted(PROTOS.glob("*.proto"))]
MESSAGES = [found for module in MODULES for found in _messages(module.DESCRIPTOR.message_types_by_name.values())]
FIELDS = [field for message in MESSAGES for field in message.fields]


def _rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    return field.GetOptions().Extensions[validate_pb2.field]


def _text_against(pattern: str) -> str:
    return next(text for text in ("!", "9", "A!", "\n", " ", "é" * 3, "../x") if re.search(pattern, text) is None)


def _breaking(kind: str, rule: str, value: Any) -> Any:
    """A value that breaks this one rule."""
    match kind, rule:
        case "string", "len":
            return "4" * (value - 1)
        case "string", "min_len":
            return "4" * (value - 1)
        case "string", "max_len":
            return "4" * (value + 1)
        case "string", "pattern":
            return _text_against(value)
        case "string", "uuid":
            return "not-a-uuid"
        case "string", "in":
            return "none of " + "".join(value)
        case "bytes", "len":
            return bytes(value - 1)
        case "bytes", "min_len":
            return bytes(value - 1)
        case "bytes", "max_len":
            return bytes(value + 1)
        case "enum", "not_in":
            return value[0]
        case "enum", "in":
            return max(value) + 1
        case "enum", "defined_only":
            return 9999
        case (("int32" | "uint32" | "uint64" | "double" | "float"), "gte"):
            return value - 1
        case (("int32" | "double" | "float"), "lte"):
            return value + 1
        case "double", "finite":
            return math.inf
        case "int64", "gt":
            return value
        case "bool", "const":
            return not value
        case "uint32", "const":
            return value + 1
        case "uint32", "lt":
            return value
        case (("uint32" | "uint64"), "lte"):
            return value + 1
    raise AssertionError(f"this test doesn't know how to break {kind}.{rule}: teach it")


def _scalar_cases(rules: validate_pb2.FieldRules) -> Iterator[tuple[str, Any]]:
    kind = rules.WhichOneof("type")
    for rule, value in getattr(rules, kind).ListFields():
        broken = _breaking(kind, rule.name, value)
        unsigned = kind.startswith("uint")
        if unsigned and broken < 0:
            continue
        yield f"{kind}.{rule.name}", broken


def _cases(field: FieldDescriptor) -> Iterator[tuple[str, Message]]:
    rules, holder = _rules(field), GetMessageClass(field.containing_type)
    if rules.required:
        yield "required", holder()
    kind = rules.WhichOneof("type")
    if kind == "repeated":
        for rule, value in rules.repeated.ListFields():
            for name, items in _item_lists(field, rule.name, value):
                yield name, _with_items(holder(), field, items)
    elif kind == "map":
        message, value_type = holder(), type(field.message_type.fields_by_name["value"].default_value)
        for number in range(rules.map.max_pairs + 1):
            getattr(message, field.name)[str(number)] = value_type(number)
        yield "map.max_pairs", message
    elif kind is not None:
        for name, value in _scalar_cases(rules):
            message = holder()
            setattr(message, field.name, value)
            yield name, message


def _item_lists(field: FieldDescriptor, rule: str, value: Any) -> Iterator[tuple[str, list[Any]]]:
    plain: Any = {FieldDescriptor.TYPE_STRING: "a", FieldDescriptor.TYPE_BYTES: b"a"}.get(field.type, 1)
    blank: Any = GetMessageClass(field.message_type)() if field.message_type else plain
    match rule:
        case "min_items":
            yield "repeated.min_items", []
        case "max_items":
            yield "repeated.max_items", [blank] * (value + 1)
        case "unique":
            yield "repeated.unique", [blank, blank]
        case "items":
            for name, broken in _scalar_cases(value):
                yield name, [broken]
        case _:
            raise AssertionError(f"this test doesn't know how to break repeated.{rule}: teach it")


def _with_items(message: Message, field: FieldDescriptor, items: list[Any]) -> Message:
    getattr(message, field.name).extend(items)
    return message


def test_each_rule_can_be_broken_and_names_its_field() -> None:
    rules = [(field, rule, message) for field in FIELDS for rule, message in _cases(field)]
    assert len(rules) > 900
    unnamed = {}
    for field, rule, message in rules:
        found = [one for one in violations(message) if re.fullmatch(rf"{field.name}(\[\d+\])?", one.field)]
        kind = rule.split(".", maxsplit=1)[0]
        of_rule = any(one.rule.startswith(kind) or one.rule == "required" for one in found)
        if not of_rule or not all(one.message for one in found):
            unnamed[field.full_name, rule] = violations(message)
    assert unnamed == {}


ONEOFS = [oneof for message in MESSAGES for oneof in message.oneofs if not oneof.name.startswith("_")]


@pytest.mark.parametrize("oneof", ONEOFS, ids=lambda oneof: oneof.full_name)
def test_a_choice_that_is_required_must_be_made(oneof: Any) -> None:
    required = oneof.GetOptions().Extensions[validate_pb2.oneof].required
    found = [one for one in violations(GetMessageClass(oneof.containing_type)()) if one.field == oneof.name]
    assert bool(found) == required


AT_LEAST_ONE = [message for message in MESSAGES if message.GetOptions().Extensions[options_pb2.at_least_one_of].fields]


@pytest.mark.parametrize("descriptor", AT_LEAST_ONE, ids=lambda descriptor: descriptor.name)
def test_at_least_one_of_these_is_given(descriptor: Descriptor) -> None:
    names = descriptor.GetOptions().Extensions[options_pb2.at_least_one_of].fields
    empty = GetMessageClass(descriptor)()
    (found,) = [one for one in violations(empty) if one.rule == "at_least_one_of"]
    assert found.field == ""
    assert all(name in found.message for name in names)
    for name in names:
        one = GetMessageClass(descriptor)()
        getattr(one, name).add()
        assert ("", "at_least_one_of") not in {(each.field, each.rule) for each in violations(one)}


def test_every_name_in_at_least_one_of_is_a_field() -> None:
    assert {message.name for message in AT_LEAST_ONE} == {"Subject", "Party", "ShipmentAddition", "WatchlistContent"}
    for message in AT_LEAST_ONE:
        for name in message.GetOptions().Extensions[options_pb2.at_least_one_of].fields:
            assert name in message.fields_by_name


def test_paths_lead_through_lists_and_messages() -> None:
    content = alert_content(NOW)
    content.subject.parties.add(role=1)
    content.subject.parties.add(role=1).names.add(text="x", script="latin")
    content.route.add().means.registrations.add(scheme="IMO", value="")
    request = alert_service_pb2.PublishAlertsRequest(
        alerts=[alert_service_pb2.PublishAlertRequest(request_id=str(uuid.uuid4()), recipients=["hk"], content=content)]
    )
    assert {one.field for one in violations(request)} == {
        "alerts[0].content.subject.parties[0]",
        "alerts[0].content.subject.parties[1].names[0].script",
        "alerts[0].content.route[0].means.registrations[0].scheme",
        "alerts[0].content.route[0].means.registrations[0].value",
    }
    assert {one.field for one in violations(request.alerts[0], "item.")} == {
        one.field.replace("alerts[0].", "item.") for one in violations(request)
    }


def test_a_subject_without_anything_is_named_by_its_path() -> None:
    content = alert_content(NOW)
    content.subject.Clear()
    (found,) = violations(content)
    assert (found.field, found.rule) == ("subject", "at_least_one_of")


@pytest.mark.parametrize(("seconds", "nanos"), [(253_402_300_800, 0), (-62_135_596_801, 0), (1, -1), (1, 10**9)])
def test_a_time_outside_of_the_calendar_is_none(seconds: int, nanos: int) -> None:
    content = alert_content(NOW)
    content.reply_by.seconds, content.reply_by.nanos = seconds, nanos
    content.valid_until.seconds, content.valid_until.nanos = seconds, nanos
    assert {one.field for one in violations(content)} == {"reply_by", "valid_until"}


def test_what_is_sound_passes_and_what_isnt_raises_with_everything() -> None:
    validate(alert_content(NOW))
    with pytest.raises(InvalidRequestError) as refused:
        validate(alert_pb2.AlertReference(publisher="!", alert_id="!"))
    assert {one.field for one in refused.value.violations} == {"publisher", "alert_id"}


def test_optional_texts_may_be_empty_but_not_wrong() -> None:
    assert violations(party_pb2.Name(text="陳大文")) == []
    wrong = party_pb2.Name(text="陳大文", script="hant", language="ZH")
    assert {one.field for one in violations(wrong)} == {"script", "language"}


# The contract as text


def _commented(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Each declaration of a field, value, method or type with its line number and whether a comment stands above it."""
    lines = path.read_text("utf-8").splitlines()
    declares = re.compile(
        r"^\s*(?:(?:repeated|optional)\s+)?(?:map<[^>]+>|[\w.]+)\s+\w+\s*=\s*\d+\s*[;\[]|^\s*\w+\s*=\s*\d+;|^\s*rpc\s"
    )
    for number, line in enumerate(lines):
        if declares.match(line) and not line.lstrip().startswith("option "):
            yield number + 1, line.strip(), lines[number - 1].lstrip().startswith("//")


@pytest.mark.parametrize("path", sorted(PROTOS.glob("*.proto")), ids=lambda path: path.name)
def test_every_field_value_and_method_has_a_comment(path: Path) -> None:
    assert [f"{number}: {line}" for number, line, has_comment in _commented(path) if not has_comment] == []


def test_no_declaration_escapes_the_walk_over_comments() -> None:
    seen = sum(len(list(_commented(path))) for path in PROTOS.glob("*.proto"))
    values = [v for module in MODULES for enum in module.DESCRIPTOR.enum_types_by_name.values() for v in enum.values]
    methods = [m for module in MODULES for s in module.DESCRIPTOR.services_by_name.values() for m in s.methods]
    extensions = [e for module in MODULES for e in module.DESCRIPTOR.extensions_by_name.values()]
    assert seen == len(FIELDS) + len(values) + len(methods) + len(extensions)
