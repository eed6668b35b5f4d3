"""Every rule of the contract that a person can break is said in words, with the field's name, in four languages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

import gateway.console
import gateway.v1
from gateway.console.form import Form
from gateway.console.problems import problem_of
from gateway.console.views.alerts.field_names import error_text, problem_text, violation_text
from gateway.contract.validation import violations
from gateway.errors import InvalidRequestError, NotFoundError, Violation
from gateway.translation.messages import LANGUAGES, in_language
from gateway.translation.refusals import refused
from tests.support.console.machine_words import MACHINE_WORD

MANY = 600
"""Items of a repeated field: more than any list of a request may have."""

WRONG: dict[int, Sequence[object]] = {
    FieldDescriptor.CPPTYPE_STRING: ("", "?! \N{SECTION SIGN}", "x" * 9_000),
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: (-1.0, 1e30),
    FieldDescriptor.CPPTYPE_ENUM: (0, 9_999),
}
"""Values that break rules, by the type of a field."""

OF_PROGRAMS = {
    "give either an alert or a query_id",
    "give either an alert, or the origin of a feed with an index",
    "give either files or archive",
    "give either positions or up_to",
    "old_size must not be greater than new_size",
}
"""Rules of requests that pages make: no form has their fields."""

NAME = re.compile(r"^[^:]+: ")


@cache
def broken() -> dict[str, Violation]:
    """A violation of each kind of rule, by the validator's message without its numbers."""
    found: dict[str, Violation] = {}
    for message in wrong_messages():
        for violation in violations(message):
            found.setdefault(re.sub(r"\d+|`.*`", "N", violation.message, flags=re.DOTALL), violation)
    return found


def wrong_messages() -> Iterator[Message]:
    """Requests of all services with one field that is wrong."""
    for descriptor in requests():
        made = message_factory.GetMessageClass(descriptor)
        yield made()
        for field in descriptor.fields:
            for value in WRONG.get(field.cpp_type, ()) if field.type != FieldDescriptor.TYPE_BYTES else ():
                message = made()
                if field.is_repeated:
                    getattr(message, field.name).extend([value] * MANY)
                else:
                    setattr(message, field.name, value)
                yield message


def requests() -> list[Descriptor]:
    """Requests, and what they are made of."""
    found: dict[str, Descriptor] = {}

    def take(descriptor: Descriptor) -> None:
        if descriptor.full_name.startswith("gateway.v1.") and found.setdefault(descriptor.full_name, descriptor):
            for field in descriptor.fields:
                if field.message_type is not None and field.message_type.full_name not in found:
                    take(field.message_type)

    for module in iter_modules(gateway.v1.__path__):
        if module.name.endswith("_service_pb2"):
            types = import_module(f"gateway.v1.{module.name}").DESCRIPTOR.message_types_by_name
            for name, descriptor in types.items():
                if name.endswith("Request"):
                    take(descriptor)
    return list(found.values())


def test_rules_of_all_kinds_are_broken() -> None:
    kinds = {violation.rule.partition(".")[0] for violation in broken().values()}
    assert {"string", "enum", "repeated", "uint32", "double", "required", "at_least_one_of"} <= kinds
    assert "must not be in list [N]" in broken()
    assert "does not match regex pattern N" in broken()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_rule_speaks_as_a_machine(language: str) -> None:
    with in_language(language):
        said = {
            kind: violation_text("entries[0].content.net_mass_kg", one.message)
            for kind, one in broken().items()
            if kind not in OF_PROGRAMS
        }
    assert {kind: text for kind, text in said.items() if MACHINE_WORD.search(text)} == {}
    assert {kind: text for kind, text in said.items() if "[" in text or "regex" in text} == {}


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_rule_is_said_in_the_readers_language(language: str) -> None:
    with in_language("en"):
        english = {kind: violation_text("reason", one.message) for kind, one in broken().items()}
    with in_language(language):
        said = {kind: violation_text("reason", one.message) for kind, one in broken().items()}
    same = {kind for kind, text in said.items() if NAME.sub("", text) == NAME.sub("", english[kind])}
    assert same - OF_PROGRAMS == set()


def test_a_form_says_the_fields_name_and_never_its_path() -> None:
    form = Form()
    error = InvalidRequestError(
        [
            Violation("entries[0].content.legal_basis", "string.min_len", "must be at least 1 characters"),
            Violation("content.goods[2].net_mass_kg", "double.gte", "must be greater than or equal to 0"),
            Violation("list", "string.pattern", "does not match regex pattern `^[a-z0-9][a-z0-9.-]*$`"),
        ]
    )
    form.add_violations(error, {"entries[0].content.legal_basis": "legal_basis"})
    assert form.problems["legal_basis"] == "Legal basis: isn't given"
    assert form.problems[""] == (
        "Goods: Net mass, kg: must be greater than or equal to 0; List: isn't in the form that it needs"
    )
    assert problem_of(error).sentence == error_text(error)
    assert "[" not in error_text(error)


def test_a_sentence_that_begins_with_a_field_has_its_name() -> None:
    assert problem_text("purity_percent: must be less than or equal to 100") == (
        "Purity, %: must be less than or equal to 100"
    )
    assert problem_text("give at least one of: party_names, commodity_codes") == (
        "give at least one of: Party's name, Commodity code"
    )
    assert refused("purity_percent: must be less than or equal to 100").startswith("purity_percent: "), "for commands"
    assert error_text(NotFoundError("there is no such step")) == "there is no such step"


@pytest.mark.drift
def test_one_place_of_the_console_words_what_the_gateway_refuses() -> None:
    console = Path(gateway.console.__file__).parent
    wording = [
        file.name for file in console.rglob("*.py") if "from gateway.translation.refusals" in file.read_text("utf-8")
    ]
    assert wording == ["field_names.py"]
