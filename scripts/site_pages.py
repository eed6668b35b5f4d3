"""Makes the reference pages of the documentation site from code and contract."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet
from pydantic import BaseModel

from gateway.console.settings import ConsoleSettings
from gateway.node.settings import Settings
from gateway.trust.codec.permissions import load_permissions
from scripts import inventory

ROOT = Path(__file__).parents[1]
PACKAGE = "gateway.v1"

_MESSAGE, _ENUM, _SERVICE = 4, 5, 6  # numbers of fields in FileDescriptorProto, for paths of comments
_FIELD, _NESTED, _NESTED_ENUM, _VALUE, _METHOD = 2, 3, 4, 2, 2

_SCALARS = {number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()}


def pages() -> dict[str, str]:
    """Path below docs to Markdown."""
    makers: Mapping[str, Callable[[], Iterator[str]]] = {
        "reference/commands.md": _commands,
        "reference/contract.md": _contract,
        "reference/permissions.md": _permissions,
        "reference/settings.md": _settings,
        "reference/errors.md": errors,
        "reference/threats.md": threats,
    }
    return {path: "\n".join(make()) + "\n" for path, make in makers.items()}


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield "What `--help` says of each. Exit codes stand with the commands.\n"
    for path, command in inventory.commands().items():
        yield f"## gateway {' '.join(path)}\n"
        yield _help(command.help or "")
        rows = [row for parameter in command.params if not parameter.hidden for row in _parameter(parameter)]
        if rows:
            yield "\n| option | meaning | default |\n|---|---|---|"
            yield from rows
        yield ""


def _help(text: str) -> str:
    """Paragraphs stay; what `\\b` marks keeps its lines."""
    shown = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines = paragraph.splitlines()
        if lines and lines[0].strip() == "\b":
            head, *rest = lines[1:]
            shown.append(f"{head}\n\n```text\n" + "\n".join(rest) + "\n```" if rest else head)
        else:
            shown.append(paragraph)
    return "\n\n".join(shown)


def _parameter(parameter: Any) -> Iterator[str]:
    if "--help" in parameter.opts:
        return
    is_option = parameter.param_type_name == "option"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts)) if is_option else ""
    default = "" if callable(parameter.default) or parameter.default in (None, "", False) else f"`{parameter.default}`"
    variable = f" Or `{parameter.envvar}`." if getattr(parameter, "envvar", None) else ""
    help_ = getattr(parameter, "help", None) or ""
    names = names or f"`{parameter.metavar or parameter.name.upper()}`"
    yield f"| {names} | {_cell(help_ + variable)} | {default} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _contract() -> Iterator[str]:
    command = [str(Path(sys.prefix) / "bin" / "buf"), "build", "--as-file-descriptor-set", "-o", "-"]
    image = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    yield "# Contract\n"
    yield "Services and messages of `protos/gateway/v1`, with their comments. Rules of validation stand in the files.\n"
    for file in FileDescriptorSet.FromString(image).file:
        if file.package != PACKAGE:
            continue
        comments = {
            tuple(location.path): " ".join(location.leading_comments.split()) or location.trailing_comments.strip()
            for location in file.source_code_info.location
        }
        yield f"## {file.name.rpartition('/')[2]}\n"
        for number, service in enumerate(file.service):
            yield f"### {service.name}\n"
            yield comments.get((_SERVICE, number), "") + "\n"
            yield "| method | request | response | what |\n|---|---|---|---|"
            for at, method in enumerate(service.method):
                asks, answers = _name(method.input_type), _name(method.output_type)
                asks = f"stream {asks}" if method.client_streaming else asks
                answers = f"stream {answers}" if method.server_streaming else answers
                what = _cell(comments.get((_SERVICE, number, _METHOD, at), ""))
                yield f"| {method.name} | {asks} | {answers} | {what} |"
            yield ""
        for number, message in enumerate(file.message_type):
            yield from _message(message, (_MESSAGE, number), comments, "")
        for number, enum in enumerate(file.enum_type):
            yield from _enum(enum, (_ENUM, number), comments, "")


def _message(
    message: DescriptorProto, path: tuple[int, ...], comments: Mapping[tuple[int, ...], str], within: str
) -> Iterator[str]:
    if message.options.map_entry:
        return
    yield f"### {within}{message.name}\n"
    yield comments.get(path, "") + "\n"
    if message.field:
        yield "| field | type | what |\n|---|---|---|"
        for at, field in enumerate(message.field):
            repeated = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
            kind = _name(field.type_name) if field.type_name else _SCALARS[field.type]
            yield f"| `{field.name}` | {repeated}{kind} | {_cell(comments.get((*path, _FIELD, at), ''))} |"
        yield ""
    for at, nested in enumerate(message.nested_type):
        yield from _message(nested, (*path, _NESTED, at), comments, f"{within}{message.name}.")
    for at, enum in enumerate(message.enum_type):
        yield from _enum(enum, (*path, _NESTED_ENUM, at), comments, f"{within}{message.name}.")


def _enum(
    enum: EnumDescriptorProto, path: tuple[int, ...], comments: Mapping[tuple[int, ...], str], within: str
) -> Iterator[str]:
    yield f"### {within}{enum.name}\n"
    yield comments.get(path, "") + "\n"
    yield "| value | what |\n|---|---|"
    for at, value in enumerate(enum.value):
        yield f"| `{value.name}` | {_cell(comments.get((*path, _VALUE, at), ''))} |"
    yield ""


def _name(type_name: str) -> str:
    return type_name.removeprefix(".").removeprefix(f"{PACKAGE}.")


def _permissions() -> Iterator[str]:
    table = load_permissions()
    yield "# Who may call what\n"
    yield "A method without a row is denied. `partners` are their gateways, at the peer port.\n"
    yield "| method | roles | partners |\n|---|---|---|"
    for method in sorted(table):
        row = table[method]
        yield f"| `{method}` | {', '.join(sorted(row.roles))} | {'yes' if row.peers else ''} |"


def _settings() -> Iterator[str]:
    yield "# Settings\n"
    yield (
        "Of `gateway.toml`. An environment variable wins over the file: `GATEWAY_LOG_LEVEL`, "
        "`GATEWAY_TLS__CERTIFICATE`, with two underscores for a dot.\n"
    )
    yield from _rows_of_settings(Settings)
    yield "\n## Of the console\n"
    yield "Of `console.toml`.\n"
    yield from _rows_of_settings(ConsoleSettings)


def _rows_of_settings(model: type[BaseModel]) -> Iterator[str]:
    yield "| setting | type | default | what |\n|---|---|---|---|"
    for name, field in inventory.settings(model):
        default = "" if field.is_required() else f"`{_default(field.get_default(call_default_factory=True))}`"
        yield f"| `{name}` | {_cell(_type(field.annotation))} | {default} | {_cell(field.description or '')} |"


def _type(annotation: Any) -> str:
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_type(each) for each in get_args(annotation) if each is not type(None))
    arguments = [_type(each) for each in get_args(annotation) if isinstance(each, type) or get_args(each)]
    name = getattr(annotation, "__name__", str(annotation))
    return f"{name} of {', '.join(arguments)}" if arguments else name


def _default(value: object) -> str:
    return str(value) if not isinstance(value, str) else f'"{value}"'


def errors() -> Iterator[str]:
    """The lines of the page of errors."""
    yield "# Errors\n"
    yield (
        "Each failed call carries `google.rpc.Status` with an `ErrorInfo`: its reason is one of these. The code is "
        "gRPC's.\n"
    )
    yield "| reason | code | what | way out |\n|---|---|---|---|"
    for kind in sorted(inventory.error_classes(), key=lambda each: each.reason):
        what = (inspect.getdoc(kind) or "").partition("\n")[0]
        yield f"| `{kind.reason}` | {kind.kind.name} | {_cell(what)} | {_cell(kind.way_out)} |"


def threats() -> Iterator[str]:
    """The lines of the page of tests: each threat of the threat model with the tests that show its answer."""
    model = (ROOT / "docs/threat-model.md").read_text("utf-8").partition("## Threats by entrance")[2]
    answers = re.findall(
        r"^(\d+)\. (.*?)(?=^\d+\. |^#|\Z)", model.partition("## Residual risks")[0], flags=re.MULTILINE | re.DOTALL
    )
    tests = tomllib.loads((ROOT / "tests/threats.toml").read_text("utf-8"))
    yield "# Tests of the threat model\n"
    yield "Each threat of the [threat model](../threat-model.md) with its answer and the tests that show it.\n"
    yield "| | threat and answer | tests |\n|---|---|---|"
    for number, answer in answers:
        yield f"| {number} | {_cell(answer)} | {', '.join(f'`{name}`' for name in tests[number])} |"
