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
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor  # noqa: E402
from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: E402

from gateway.contract.enum_words import words_of  # noqa: E402
from gateway.contract.json_form import in_real_oneof, is_map, is_time, json_name  # noqa: E402
from scripts.command_shapes import MESSAGES, SHAPES, TEXT, TIME, Schema, name_of  # noqa: E402

FOLDER = ROOT / "docs" / "schema"
PROTOS = ROOT / "protos" / "gateway" / "v1"
COMMANDS = "commands.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
}
LONG = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64)


def schemas() -> dict[str, Schema]:
    """The documents by name of file."""
    comments = Comments()
    reached = {name_of(kind): kind for kind in _reached(list(_named(SHAPES.values())))}
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
    modules = [import_module(f"gateway.v1.{path.stem}_pb2") for path in sorted(PROTOS.glob("*.proto"))]
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
        return {"$ref": f"{MESSAGES}#/$defs/{name_of(field.message_type)}"}
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
