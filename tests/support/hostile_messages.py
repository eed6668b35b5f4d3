"""Messages that no client of ours would send, made from the contract's descriptors: 32 for each kind of request."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

MAX_DEPTH = 6
"""Messages in messages that are filled."""

_TEXTS = (
    "", " ", "x", "cn", "hk",
    "gba.customs.example/hk/cn/alerts", "0192f0c4-7b1e-7cc0-8000-000000000001", "CSQU3054383",
    "а" * 300, "\u202egnol\u202c", "\x00\x1b[2J\n\r", "'; DROP TABLE entries; --", "../../../etc/passwd", "{{7*7}}",
    "%s%n",
    "=1+1", "9" * 40, "-1", "NaN", "1e999", "publisher = hk and (", "\U0001f600", "\ud7ff", "ﷺ" * 40, "zh-Hant", "CNY",
)  # fmt: skip
_INTEGERS = (0, 1, -1, 2, 127, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63), 2**64 - 1, 253_402_300_800, 10**12)
_FLOATS = (0.0, -0.0, 1.5, -1.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7e308)
_LIMITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}


@dataclass(frozen=True)
class Filling:
    """How fields are filled: which texts and integers, and how many elements a repeated field gets."""

    texts: tuple[str, ...] = _TEXTS
    integers: tuple[int, ...] = _INTEGERS
    most: int = 3
    left_out: float = 0.15


MINIMAL = Filling(texts=("",), integers=(-(2**63),), most=1, left_out=0.0)
MAXIMAL = Filling(texts=("z" * 20_000,), integers=(2**64 - 1,), most=1, left_out=0.0)


def filled(kind: Descriptor, rng: random.Random, filling: Filling = Filling()) -> Message:
    """A message of the right types and with any values."""
    message = message_factory.GetMessageClass(kind)()
    _fill(message, rng, filling, MAX_DEPTH)
    return message


def _fill(message: Message, rng: random.Random, filling: Filling, depth: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if rng.random() < filling.left_out:
            continue
        if field.message_type and depth == 0:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            _fill_map(message, field, rng, filling)
        elif field.is_repeated:
            values = getattr(message, field.name)
            for _ in range(rng.randint(0, filling.most)):
                if field.message_type:
                    _fill(values.add(), rng, filling, depth - 1)
                else:
                    values.append(_value(field, rng, filling))
        elif field.message_type:
            child = getattr(message, field.name)
            child.SetInParent()
            _fill(child, rng, filling, depth - 1)
        else:
            setattr(message, field.name, _value(field, rng, filling))


def _fill_map(message: Message, field: FieldDescriptor, rng: random.Random, filling: Filling) -> None:
    key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
    if value.message_type is None:
        getattr(message, field.name)[_value(key, rng, filling)] = _value(value, rng, filling)


def _value(field: FieldDescriptor, rng: random.Random, filling: Filling) -> object:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        text = rng.choice(filling.texts)
        return text if field.type == FieldDescriptor.TYPE_STRING else text.encode() + rng.randbytes(rng.choice((0, 32)))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return rng.choice(_FLOATS)
    if kind == FieldDescriptor.CPPTYPE_ENUM and filling.integers is _INTEGERS:
        return rng.choice([*(value.number for value in field.enum_type.values), 99])
    least, most = _LIMITS[kind]
    return min(max(rng.choice(filling.integers), least), most)


def varint(number: int) -> bytes:
    """As protobuf writes it."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _delimited(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def _numbers(kind: Descriptor) -> list[int]:
    return [field.number for field in kind.fields] or [1]


def _cut(kind: Descriptor, rng: random.Random, part: float) -> bytes:
    whole = filled(kind, rng).SerializeToString()
    return whole[: int(len(whole) * part)]


def _flipped(kind: Descriptor, rng: random.Random) -> bytes:
    whole = bytearray(filled(kind, rng).SerializeToString() or b"\x0a\x00")
    for _ in range(rng.randint(1, 8)):
        whole[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
    return bytes(whole)


def _as_varints(kind: Descriptor, rng: random.Random) -> bytes:
    return b"".join(varint(number << 3) + varint(rng.getrandbits(64)) for number in _numbers(kind))


def _as_noise(kind: Descriptor, rng: random.Random) -> bytes:
    return b"".join(_delimited(number, rng.randbytes(rng.randrange(200))) for number in _numbers(kind))


def _not_utf8(kind: Descriptor, _: random.Random) -> bytes:
    return b"".join(_delimited(number, b"\xed\xa0\x80\xff\xc0\x80") for number in _numbers(kind))


def _many(kind: Descriptor, _: random.Random) -> bytes:
    """So many empty elements of the first repeated field, or repetitions of the first field."""
    repeated = [field.number for field in kind.fields if field.is_repeated] or _numbers(kind)
    return _delimited(repeated[0], b"") * 20_000


def _nested(kind: Descriptor, _: random.Random) -> bytes:
    content = b""
    for _level in range(200):
        content = _delimited(_numbers(kind)[0], content)
    return content


Make = Callable[[Descriptor, random.Random], bytes]

MUTATIONS: Mapping[str, Make] = {
    "empty": lambda kind, rng: b"",
    "zeros": lambda kind, rng: bytes(64),
    "ones": lambda kind, rng: b"\xff" * 64,
    "groups in groups": lambda kind, rng: b"\x0b" * 100_000,
    "a length beyond the end": lambda kind, rng: b"\x0a\xff\xff\xff\x7f",
    "a length of 64 bits": lambda kind, rng: b"\x0a" + b"\xff" * 9 + b"\x01",
    **{f"noise {n}": lambda kind, rng: rng.randbytes(rng.randrange(1, 2_000)) for n in range(4)},
    **{f"any values {n}": lambda kind, rng: filled(kind, rng).SerializeToString() for n in range(6)},
    "half": lambda kind, rng: _cut(kind, rng, 0.5),
    "all but the last bytes": lambda kind, rng: _cut(kind, rng, 0.97),
    **{f"flipped bits {n}": _flipped for n in range(4)},
    "twice": lambda kind, rng: filled(kind, rng).SerializeToString() + filled(kind, rng).SerializeToString(),
    "unknown fields": lambda kind, rng: filled(kind, rng).SerializeToString() + _delimited(19_999, rng.randbytes(500)),
    "all numbers": _as_varints,
    "all noise": _as_noise,
    "not UTF-8": _not_utf8,
    "least values": lambda kind, rng: filled(kind, rng, MINIMAL).SerializeToString(),
    "greatest values": lambda kind, rng: filled(kind, rng, MAXIMAL).SerializeToString(),
    "20,000 elements": _many,
    "200 levels": _nested,
    "a field of number 0": lambda kind, rng: b"\x00\x01" + filled(kind, rng).SerializeToString(),
}


def hostile_messages(kind: Descriptor) -> Mapping[str, bytes]:
    """By mutation; the same in every run."""
    return {name: make(kind, random.Random(f"{kind.full_name} {name}")) for name, make in MUTATIONS.items()}
