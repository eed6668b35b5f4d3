#!/usr/bin/env python3
"""Makes docs/schema from the contract: JSON Schemas of what the commands print with --json.

scripts/schemas.py            write them
scripts/schemas.py --check    fail when those that are there are others
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor  # noqa: E402
from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: E402

from gateway.contract.enum_words import words_of  # noqa: E402
from gateway.contract.json_form import in_real_oneof, is_map, is_time, json_name  # noqa: E402
from gateway.v1 import (  # noqa: E402
    alert_pb2,
    alert_service_pb2,
    evidence_service_pb2,
    history_pb2,
    history_service_pb2,
    match_pb2,
    node_service_pb2,
    screening_pb2,
    shipment_pb2,
    watchlist_pb2,
    watchlist_service_pb2,
)

FOLDER = ROOT / "docs" / "schema"
MESSAGES, COMMANDS = "messages.json", "commands.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
}
LONG = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64)

Schema = dict[str, Any]


def _name(kind: Descriptor) -> str:
    """Its name in the contract, with that of the message around it."""
    return kind.full_name.removeprefix(f"{kind.file.package}.")


def message(kind: Any) -> Schema:
    """The schema of a message, by reference."""
    return {"$ref": f"{MESSAGES}#/$defs/{_name(kind.DESCRIPTOR)}"}


def listing(kind: Any) -> Schema:
    """A list of messages."""
    return {"type": "array", "items": message(kind)}


def lines(shape: Schema) -> Schema:
    """JSON lines of one shape."""
    return {"$comment": "JSON lines: each line is this", **shape}


def facts(*names: str, **members: Schema) -> Schema:
    """An object of these members, whose values are as they are printed."""
    properties: Schema = {**{name: {} for name in names}, **members}
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def joined(kind: Any, **members: Schema) -> Schema:
    """A message with further members."""
    return {"allOf": [message(kind), facts(**members)]}


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
TIME: Schema = {"type": "string", "format": "date-time"}
OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}
STEP = joined(alert_service_pb2.AcknowledgeAlertResponse, alert=TEXT)

ERROR = facts(error=facts(reason=TEXT, message=TEXT, way_out=TEXT))

SHAPES: Mapping[str, Schema] = {
    "error": {"$comment": "on standard error, of every command", **ERROR},
    "status": message(node_service_pb2.GetNodeStatusResponse),
    "doctor": {"type": "array", "items": facts(check=TEXT, result={"enum": ["ok", "warn", "fail"]}, detail=TEXT)},
    "verify": facts("audit_coverage", sound=FLAG, feeds=OBJECTS, audit_events=COUNT, records=COUNT, answers=COUNT),
    "rebuild": facts(entries=COUNT, answers_sent=COUNT, recorded_items=COUNT),
    "alert publish": {
        "$comment": "of one alert in JSON; of a table published, published_before, refused and problems",
        "anyOf": [
            message(alert_service_pb2.PublishAlertResponse),
            facts(published={"type": "array"}, published_before={"type": "array"}, refused=OBJECTS, problems=OBJECTS),
        ],
    },
    "alert list": listing(alert_service_pb2.AlertSummary),
    "alert show": message(alert_service_pb2.GetAlertResponse),
    "alert watch": lines(message(alert_service_pb2.AlertChange)),
    "alert ack": STEP,
    "alert flag": joined(alert_service_pb2.FlagAlertResponse, alert=TEXT),
    "alert ask": joined(alert_service_pb2.AskQuestionResponse, alert=TEXT),
    "alert answer": joined(alert_service_pb2.AnswerQuestionResponse, alert=TEXT),
    "alert finding": joined(alert_service_pb2.ReportFindingResponse, alert=TEXT),
    "alert close": joined(alert_service_pb2.CloseAlertResponse, alert=TEXT),
    "alert withdraw": joined(alert_service_pb2.WithdrawAlertResponse, alert=TEXT),
    "alert amend": joined(alert_service_pb2.AmendAlertResponse, alert=TEXT),
    "watchlist import": facts(
        list=TEXT,
        proposal_id=TEXT,
        new=COUNT,
        changed=COUNT,
        unchanged=COUNT,
        withdrawn=COUNT,
        refused_count=COUNT,
        refused=OBJECTS,
        problems=OBJECTS,
    ),
    "watchlist list": listing(watchlist_service_pb2.ListedEntry),
    "watchlist show": message(watchlist_service_pb2.GetEntryResponse),
    "watchlist proposals": listing(watchlist_service_pb2.Proposal),
    "watchlist diff": joined(watchlist_service_pb2.CompareCopyResponse, verdict=TEXT),
    "watchlist watch": lines(
        facts(position=COUNT, full_state=FLAG, begins=FLAG, changes=listing(watchlist_service_pb2.PublishedChange))
    ),
    "watchlist screen": message(screening_pb2.ScreenedSubject),
    "watchlist matches": {
        "$comment": "with --watch JSON lines of the second form",
        "anyOf": [listing(match_pb2.Match), facts(position=COUNT, matches=listing(match_pb2.Match))],
    },
    "watchlist confirm": message(match_pb2.DecideMatchResponse),
    "watchlist dismiss": message(match_pb2.DecideMatchResponse),
    "watchlist report": message(watchlist_service_pb2.ReportHitResponse),
    "watchlist hits": listing(watchlist_service_pb2.ListedHit),
    "watchlist answer": message(watchlist_service_pb2.AnswerHitResponse),
    "watchlist statistics": listing(watchlist_service_pb2.ListStatistics),
    "watchlist propose": joined(watchlist_service_pb2.ProposeEntriesResponse, list=TEXT),
    "watchlist withdraw": joined(watchlist_service_pb2.ProposeEntriesResponse, list=TEXT),
    "watchlist approve": facts(proposal=TEXT, changes=COUNT),
    "watchlist reject": facts(proposal=TEXT, changes=COUNT),
    "history import": facts(
        recorded=COUNT, shipments=COUNT, additions=COUNT, lines=COUNT, refused=OBJECTS, bad=OBJECTS
    ),
    "history search": lines(
        {
            "oneOf": [
                facts(record=message(history_pb2.HistoryRecord)),
                facts(answer=message(history_pb2.NodeAnswer)),
                facts(end=message(history_service_pb2.SearchEnd)),
            ]
        }
    ),
    "history trace": message(history_service_pb2.TraceConsignmentResponse),
    "history show": message(history_service_pb2.GetShipmentResponse),
    "history risks": {"type": "array", "items": {"$ref": f"{MESSAGES}#/$defs/RiskHit"}},
    "history rules": message(history_service_pb2.ListRulesResponse),
    "history hold place": message(history_service_pb2.PlaceHoldResponse),
    "history hold release": facts(hold=TEXT),
    "history hold list": listing(history_service_pb2.LegalHold),
    "evidence verify": facts("evidence", verified=FLAG, steps=OBJECTS),
    "link list": listing(node_service_pb2.Link),
    "link suspend": message(node_service_pb2.Link),
    "link resume": message(node_service_pb2.Link),
    "link resolve": message(node_service_pb2.Link),
    "directory show": facts("directory", signed_by=TEXTS, validity=TEXT),
    "audit list": listing(evidence_service_pb2.AuditEvent),
    "audit head": facts(file=TEXT, events=COUNT, signed_at=TIME),
    "file: alert": message(alert_pb2.AlertContent),
    "file: finding": message(alert_pb2.AlertFinding),
    "file: watchlist entry": message(watchlist_pb2.WatchlistEntry),
    "file: shipment": message(shipment_pb2.Shipment),
    "file: addition to a shipment": message(shipment_pb2.ShipmentAddition),
}
"""What each command prints, and files that are read. Commands that aren't here print an object of their facts."""


def schemas() -> dict[str, Schema]:
    """The documents by name of file."""
    comments = Comments()
    reached = {_name(kind): kind for kind in _reached(list(_named(SHAPES.values())))}
    messages = {name: _message(kind, comments) for name, kind in sorted(reached.items())}
    return {
        MESSAGES: {"$schema": DIALECT, "title": "Messages of the contract as JSON", "$defs": messages},
        COMMANDS: {"$schema": DIALECT, "title": "What commands print with --json", "$defs": dict(SHAPES)},
    }


class Comments:
    """Comments of the contract, by full name of what they stand at."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        for file in _with_sources().file:
            for location in file.source_code_info.location:
                if location.leading_comments and (name := _at(file, list(location.path))):
                    self._texts[f"{file.package}.{name}"] = " ".join(location.leading_comments.split())

    def of(self, full_name: str) -> Schema:
        text = self._texts.get(full_name)
        return {"description": text} if text else {}


def _with_sources() -> FileDescriptorSet:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.binpb"
        protos = sorted(str(path.relative_to(ROOT / "protos")) for path in ROOT.glob("protos/gateway/v1/*.proto"))
        command = [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=protos"]
        command += ["--proto_path=third_party/protos", "--include_source_info", f"--descriptor_set_out={out}", *protos]
        subprocess.run(command, cwd=ROOT, check=True)  # our own files
        return FileDescriptorSet.FromString(out.read_bytes())


def _at(file: Any, path: list[int]) -> str:
    """The name at a path of numbers: of a message, a message inside one, or one of its fields."""
    kinds: Any = file.message_type
    names: list[str] = []
    if path[:1] != [4]:
        return ""
    path = path[1:]
    while path:
        kind = kinds[path[0]]
        names.append(kind.name)
        match path[1:]:
            case []:
                return ".".join(names)
            case [2, index]:
                return ".".join([*names, kind.field[index].name])
            case [3, *rest]:
                kinds, path = kind.nested_type, rest
            case _:
                return ""
    return ""


def _named(shapes: Iterable[Any]) -> Iterator[Descriptor]:
    """Messages that shapes refer to."""
    modules = (
        alert_pb2, alert_service_pb2, evidence_service_pb2, history_pb2, history_service_pb2, match_pb2,
        node_service_pb2, screening_pb2, shipment_pb2, watchlist_pb2, watchlist_service_pb2,
    )  # fmt: skip
    found = {ref.rpartition("/")[2] for ref in _refs(list(shapes))}
    for module in modules:
        for name, kind in module.DESCRIPTOR.message_types_by_name.items():
            if name in found:
                yield kind


def _refs(shape: Any) -> Iterator[str]:
    if isinstance(shape, dict):
        yield from [shape["$ref"]] if "$ref" in shape else []
        for value in shape.values():
            yield from _refs(value)
    elif isinstance(shape, list):
        for value in shape:
            yield from _refs(value)


def _reached(kinds: list[Descriptor]) -> Iterator[Descriptor]:
    seen: set[str] = set()
    while kinds:
        kind = kinds.pop()
        if kind.full_name in seen:
            continue
        seen.add(kind.full_name)
        yield kind
        for field in kind.fields:
            below = field.message_type
            if is_map(field):
                below = below.fields_by_name["value"].message_type
            if below is not None and not is_time(field):
                kinds.append(below)


def _message(kind: Descriptor, comments: Comments) -> Schema:
    properties = {
        json_name(field): {**comments.of(f"{kind.full_name}.{field.name}"), **_field(field)} for field in kind.fields
    }
    required = [json_name(field) for field in kind.fields if not in_real_oneof(field)]
    return {**comments.of(kind.full_name), "type": "object", "properties": properties, "required": required}


def _field(field: FieldDescriptor) -> Schema:
    if is_map(field):
        return {"type": "object", "additionalProperties": _value(field.message_type.fields_by_name["value"])}
    if field.is_repeated:
        return {"type": "array", "items": _value(field)}
    absent = is_time(field) or (field.has_presence and not in_real_oneof(field)) or field.enum_type is not None
    return _or_null(_value(field)) if absent else _value(field)


def _or_null(shape: Schema) -> Schema:
    if "enum" in shape:
        return {**shape, "enum": [*shape["enum"], None]}
    if "$ref" in shape:
        return {"anyOf": [shape, {"type": "null"}]}
    kinds = shape["type"] if isinstance(shape["type"], list) else [shape["type"]]
    return {**shape, "type": [*kinds, "null"]}


def _value(field: FieldDescriptor) -> Schema:
    if is_time(field):
        return dict(TIME)
    if field.message_type is not None:
        return {"$ref": f"{MESSAGES}#/$defs/{_name(field.message_type)}"}
    if field.enum_type is not None:
        return _enum(field.enum_type)
    if field.type in LONG:
        return {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"}
    if field.type in INTEGERS:
        least, most = INTEGERS[field.type]
        return {"type": "integer", "minimum": least, "maximum": most}
    plain = {
        FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
        FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
        FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    }
    return dict(plain.get(field.type, TEXT))


def _enum(enum: EnumDescriptor) -> Schema:
    return {"enum": list(words_of(enum))}


def main() -> None:
    """Writes the files, or compares them."""
    made = {name: json.dumps(schema, indent=1, ensure_ascii=False) + "\n" for name, schema in schemas().items()}
    if "--check" in sys.argv[1:]:
        old = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
        if old != made:
            sys.exit("docs/schema isn't what the contract gives: run scripts/schemas.py")
        return
    FOLDER.mkdir(exist_ok=True)
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
