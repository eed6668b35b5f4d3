"""Says what is wrong with JSON that isn't a message of the contract: where, and what is expected there."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.contract.enum_words import number_of, words_of
from gateway.contract.json_form import in_real_oneof, is_map, is_time
from gateway.contract.suggestions import did_you_mean
from gateway.errors import Violation

MOST_PROBLEMS: Final = 50
"""Problems that are listed of one message."""

TWICE: Final = "json.twice"
"""Rule that protobuf's reader doesn't know: what stands twice is said once."""

MOST_LISTED: Final = 16
"""Fields that are listed where none is like the one that was written."""

_INTEGERS: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
    }
)
_NUMBERS: Final = frozenset({FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT})
_WHOLE: Final = re.compile(r"-?[0-9]+", re.ASCII)


def problems(document: object, descriptor: Descriptor, path: str = "") -> Iterator[Violation]:
    """What keeps a document from being a message of this kind; nothing where that isn't known."""
    if not isinstance(document, Mapping):
        yield Violation(path or "(document)", "json.object", f"must be an object, not {_shown(document)}")
        return
    fields = {name: field for field in descriptor.fields for name in (field.json_name, field.name)}
    written: dict[str, str] = {}
    for key, value in document.items():
        at = f"{path}.{key}" if path else str(key)
        field = fields.get(key)
        if field is None:
            yield Violation(at, "json.unknown", _unknown(str(key), descriptor))
        elif group := _said_before(field, written, value):
            yield Violation(at, TWICE, f"stands beside {group}; one of them is enough")
        elif value is not None:
            yield from _of_field(value, field, at)


def sound_part(document: object, descriptor: Descriptor) -> dict[str, Any]:
    """The members of a document that `problems` finds nothing wrong with; lists keep their places."""
    if not isinstance(document, Mapping):
        return {}
    fields = {name: field for field in descriptor.fields for name in (field.json_name, field.name)}
    written: dict[str, str] = {}
    kept: dict[str, Any] = {}
    for key, value in document.items():
        field = fields.get(key)
        if field is None or value is None or _said_before(field, written, value):
            continue
        if not any(_of_field(value, field, "")):
            kept[key] = value
        elif field.is_repeated and isinstance(value, list) and not is_map(field):
            kept[key] = [_sound_item(each, field) for each in value]
        elif field.message_type is not None and not field.is_repeated and not is_time(field):
            kept[key] = sound_part(value, field.message_type)
    return kept


def _sound_item(value: object, field: FieldDescriptor) -> Any:
    if not any(_of_value(value, field, "")):
        return value
    if field.message_type is not None:
        return None if is_time(field) else sound_part(value, field.message_type)
    return "" if field.type == FieldDescriptor.TYPE_STRING else 0


def as_named(document: object, descriptor: Descriptor) -> object:
    """The document with enums by their names in the contract, which protobuf's reader knows."""
    if not isinstance(document, Mapping):
        return document
    fields = {name: field for field in descriptor.fields for name in (field.json_name, field.name)}
    return {key: _named(value, fields[key]) if key in fields else value for key, value in document.items()}


def _named(value: Any, field: FieldDescriptor) -> Any:
    if isinstance(value, list):
        return [_named(each, field) for each in value]
    if field.enum_type is not None and isinstance(value, str):
        number = number_of(field.enum_type, value)
        return value if number is None else number
    if field.message_type is not None and not is_map(field) and not is_time(field):
        return as_named(value, field.message_type)
    return value


def _said_before(field: FieldDescriptor, written: dict[str, str], value: object) -> str:
    """The member that says the same, or excludes this one; empty without one."""
    if value is None:
        return ""
    names = [field.name, *([cast(Any, field.containing_oneof).full_name] if in_real_oneof(field) else [])]
    found = next((written[name] for name in names if name in written), "")
    written.update(dict.fromkeys(names, field.name))
    return found


def _unknown(key: str, descriptor: Descriptor) -> str:
    names = [field.name for field in descriptor.fields]
    likely = did_you_mean(key, names)
    return f"there is no such field{likely or f'; there are {_some(names)}'}"


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more


def _of_field(value: object, field: FieldDescriptor, at: str) -> Iterator[Violation]:
    if is_map(field):
        if not isinstance(value, Mapping):
            yield Violation(at, "json.object", f"must be an object, not {_shown(value)}")
        return
    if not field.is_repeated:
        yield from _of_value(value, field, at)
        return
    if not isinstance(value, list):
        yield Violation(at, "json.list", f"must be a list […], not {_shown(value)}")
        return
    for index, each in enumerate(value):
        yield from _of_value(each, field, f"{at}[{index}]")


def _of_value(value: object, field: FieldDescriptor, at: str) -> Iterator[Violation]:
    if is_time(field):
        if not _is_time(value):
            expected = "a time with its zone like 2026-01-15T08:00:00+08:00"
            yield Violation(at, "json.time", f"must be {expected}, not {_shown(value)}")
    elif field.message_type is not None:
        yield from problems(value, field.message_type, at)
    elif field.enum_type is not None:
        yield from _of_enum(value, field.enum_type, at)
    else:
        expected, fits = _expected(field.type)
        if not fits(value):
            yield Violation(at, "json.type", f"must be {expected}, not {_shown(value)}")


def _of_enum(value: object, enum: EnumDescriptor, at: str) -> Iterator[Violation]:
    known = list(words_of(enum))
    if isinstance(value, int) and not isinstance(value, bool) and value in enum.values_by_number:
        return
    if isinstance(value, str) and number_of(enum, value) is not None:
        return
    likely = did_you_mean(value, known) if isinstance(value, str) else ""
    yield Violation(at, "json.enum", f"must be one of {', '.join(known)}, not {_shown(value)}{likely}")


def _expected(kind: int) -> tuple[str, Callable[[Any], bool]]:
    if kind in _INTEGERS:
        return "a whole number", _is_whole
    if kind in _NUMBERS:
        return "a number", _is_number
    if kind == FieldDescriptor.TYPE_BOOL:
        return "true or false", lambda value: isinstance(value, bool)
    if kind == FieldDescriptor.TYPE_BYTES:
        return "bytes in base64", _is_base64
    return "a text in quotes", lambda value: isinstance(value, str)


def _is_whole(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        return _WHOLE.fullmatch(value) is not None
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_base64(value: Any) -> bool:
    try:
        base64.b64decode(value.encode(), altchars=b"-_" if "-" in value or "_" in value else None)
    except (AttributeError, binascii.Error, ValueError):
        return False
    return True


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:39]}…")
    kinds: tuple[tuple[type, str], ...] = ((bool, str(value).lower()), (Mapping, "an object"), (list, "a list"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "null" if value is None else str(value))
