"""Nothing that the contract calls personal or commercial gets onto a publication sheet, in whatever field it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.contract.disclosure_classes import class_of, classes_on
from gateway.figures.rules.publication import BLACKED_OUT, PUBLISHABLE, decidable, naming_values, reduced
from gateway.v1 import alert_pb2, goods_pb2, party_pb2


def filled(
    message: Message, marks: dict[str, frozenset[str]], prefix: str = "", above: frozenset[str] = frozenset()
) -> None:
    """Sets every field below a message, each text to a mark of its own; `marks`: the classes of each."""
    descriptor: Any = message.DESCRIPTOR
    for field in descriptor.fields:
        path = f"{prefix}{field.name}"
        own = class_of(field)
        classes = above | ({own} if own else frozenset())
        below = field.message_type
        if below is not None and below.GetOptions().map_entry:
            getattr(message, field.name)[mark(marks, f"{path}.key", classes)] = mark(marks, f"{path}.value", classes)
        elif below is not None:
            inner = getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name)
            filled(inner, marks, f"{path}.", classes)
            inner.SetInParent()
        elif field.type == FieldDescriptor.TYPE_STRING:
            put(message, field, mark(marks, path, classes))
        elif field.type == FieldDescriptor.TYPE_BYTES:
            put(message, field, mark(marks, path, classes).encode())
        elif field.type == FieldDescriptor.TYPE_BOOL:
            put(message, field, True)
        else:
            put(message, field, 1)


def put(message: Message, field: FieldDescriptor, value: Any) -> None:
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def mark(marks: dict[str, frozenset[str]], path: str, classes: frozenset[str]) -> str:
    text = f"mark{len(marks):04}x"
    marks[text] = classes
    return text


def leaves(message: Descriptor, prefix: str = "", above: frozenset[str] = frozenset()) -> Iterator[str]:
    for field in message.fields:
        below = field.message_type
        if below is None:
            yield f"{prefix}{field.name}"
        elif below.full_name not in above:
            yield from leaves(below, f"{prefix}{field.name}.", above | {message.full_name})


@pytest.mark.parametrize("part", PUBLISHABLE)
@pytest.mark.parametrize("decided", [False, True])
def test_no_value_of_these_classes_is_in_the_output(part: str, decided: bool) -> None:
    source, marks = PUBLISHABLE[part][0](), dict[str, frozenset[str]]()
    filled(source, marks)
    out = reduced(part, source, decidable() if decided else (), ()).message
    written = str(out)
    forbidden = {"PERSONAL", "COMMERCIAL"} | (set() if decided else {"INVESTIGATIVE"})
    shown = {text for text in marks if text in written}
    assert not [text for text in shown if marks[text] & forbidden]
    if decided:
        assert any("INVESTIGATIVE" in marks[text] for text in shown)


@pytest.mark.parametrize("part", PUBLISHABLE)
def test_the_list_names_fields_of_the_contract_and_none_of_these_classes(part: str) -> None:
    message, listed = PUBLISHABLE[part]
    known = set(leaves(message.DESCRIPTOR))
    assert listed <= known
    for path in listed:
        assert not classes_on(message.DESCRIPTOR, path) & {"PERSONAL", "COMMERCIAL"}, path


@pytest.mark.parametrize("part", PUBLISHABLE)
def test_a_field_that_isnt_listed_isnt_published(part: str) -> None:
    """So a field that the contract gets later stays out until somebody lists it."""
    source, marks = PUBLISHABLE[part][0](), dict[str, frozenset[str]]()
    filled(source, marks)
    out = reduced(part, source, decidable(), ()).message
    assert set(set_paths(out)) <= PUBLISHABLE[part][1]


def set_paths(message: Message, prefix: str = "") -> Iterator[str]:
    for field, value in message.ListFields():
        if field.message_type is None:
            yield f"{prefix}{field.name}"
        else:
            for inner in value if field.is_repeated else [value]:
                yield from set_paths(inner, f"{prefix}{field.name}.")


def test_what_is_left_out_for_its_class_is_named_whether_it_was_there_or_not() -> None:
    empty = reduced("content", alert_pb2.AlertContent(), (), ())
    assert empty.withheld["content.typologies"] == "INVESTIGATIVE"
    assert empty.withheld["content.goods.customs_value"] == "COMMERCIAL"
    assert empty.withheld["content.subject.parties.names.text"] == "PERSONAL"
    decided = reduced("content", alert_pb2.AlertContent(), ["content.typologies"], ())
    assert empty.withheld.keys() - decided.withheld.keys() == {"content.typologies"}
    found = reduced("findings", alert_pb2.AlertFinding(), ["findings.goods_found"], ())
    assert found.withheld["findings.goods_found.customs_value"] == "COMMERCIAL"
    assert "findings.goods_found.suspected_codes" not in found.withheld


def content(text: str) -> alert_pb2.AlertContent:
    return alert_pb2.AlertContent(
        case_reference="CN-2026-0815",
        subject=alert_pb2.Subject(
            parties=[
                party_pb2.Party(
                    names=[
                        party_pb2.Name(text="深圳明德貿易有限公司"),
                        party_pb2.Name(text="Mingde Trading Co., Ltd."),
                    ],
                    identifiers=[party_pb2.Identifier(scheme="uscc", value="91440300MA5EXAMP1X")],
                )
            ],
            equipment=[goods_pb2.Equipment(id="CSQU3054383", seals=["ML-77 812"])],
            means=[
                goods_pb2.TransportMeans(
                    registrations=[goods_pb2.TransportMeans.Identifier(scheme="hk_vehicle_plate", value="AB 1234")]
                )
            ],
        ),
        narratives=[alert_pb2.Narrative(language="en", text=text)],
    )


@pytest.mark.parametrize(
    "text",
    [
        "seen with MINGDE  TRADING CO LTD twice",
        "see 深圳明德貿易有限公司。",
        "seen in ｃｓｑｕ ３０５４３８３ with seal ML77812",
        "plate AB1234 again",
        "as in CN-2026-0815",
        "registered as 91440300-MA5EXAMP1X",
    ],
)
def test_a_name_that_a_text_repeats_is_blacked_out(text: str) -> None:
    alert = content(text)
    out = reduced("content", alert, ["content.narratives"], naming_values([alert]))
    assert out.blacked_out == {"content.narratives.text"}
    assert BLACKED_OUT in out.message.narratives[0].text
    assert len(out.message.narratives[0].text) < len(text) or "▇" in out.message.narratives[0].text


def test_other_words_stay_as_they_are() -> None:
    alert = content("Antimony ingots, 99.65 %, declared as lead；two lorries.")
    out = reduced("content", alert, ["content.narratives"], naming_values([alert]))
    assert out.message.narratives[0].text == alert.narratives[0].text
    assert not out.blacked_out


def test_short_values_and_codes_are_not_looked_for() -> None:
    alert = alert_pb2.AlertContent(narratives=[alert_pb2.Narrative(language="en", text="in HK the ABC scheme")])
    party = alert.subject.parties.add()
    party.identifiers.add(scheme="scheme", value="ABC", territory="HK")
    out = reduced("content", alert, ["content.narratives"], naming_values([alert]))
    assert out.message.narratives[0].text == "in HK the ABC scheme"


def test_the_source_stays_as_it_is() -> None:
    alert = content("x")
    before = alert.SerializeToString(deterministic=True)
    reduced("content", alert, decidable(), naming_values([alert]))
    assert alert.SerializeToString(deterministic=True) == before
