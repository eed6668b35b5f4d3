"""Targets: filters, page tokens, identifiers, canonical JSON, and status details."""

from __future__ import annotations

import contextlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from gateway.contract.filters import (
    Term,
    decode_number_token,
    decode_page_token,
    encode_page_token,
    parse_filter,
    unix_ms,
)
from gateway.contract.identification.code_lists import normalise_code
from gateway.contract.identification.identifiers import Scheme, check_identifier, compact
from gateway.contract.json_document import ObjectReader, dump_json, parse_canonical_json, parse_json
from gateway.contract.status import DETAILS_KEY, MAX_STATUS_BYTES, from_failed_call, from_status, to_status
from gateway.errors import GatewayError, InvalidRequestError, Violation
from gateway.history.rpc.search_pages import (
    SearchPosition,
    decode_places,
    decode_positions,
    encode_places,
    encode_positions,
)
from gateway.history.rules.ordered_reading import NodePlace
from gateway.v1 import history_service_pb2
from tests.fuzz.target import target, text_of

FIELDS = {"status": ("=", "!="), "published_at": ("<", "<=", ">", ">="), "case_reference": ("=",)}
FILTERS = (
    b"status = published AND priority = A",
    b'case_reference = "a \\" b" AND status != open',
    b"published_at >= 2026-01-15T08:00:00+08:00",
)


@target(lambda: FILTERS)
def filter_text(data: bytes) -> None:
    """A filter gives conditions on the fields with their operators."""
    for term in parse_filter(text_of(data), FIELDS):
        assert term.operator in FIELDS[term.field]
        _time_of(term)


def _time_of(term: Term) -> None:
    with contextlib.suppress(GatewayError):
        assert isinstance(unix_ms(term), int)


def _tokens() -> Iterator[bytes]:
    yield encode_page_token(["0192f0c4", "7"], "status = open").encode()
    search = history_service_pb2.SearchShipmentsRequest()
    tag = json.loads(urlsafe_b64decode(encode_positions(search, {"hk": SearchPosition(5, 9)}) + "=="))[0]
    for text in (
        f'["{tag}","hk:5:9 mo:1:2"]',
        f'["{tag}","hk:5:9:A-1:2 mo:0:0:"]',
        f'["{tag}","hk:{"1" * 5_000}:9"]',
        "[" * 5_000,
    ):
        yield urlsafe_b64encode(text.encode()).rstrip(b"=")


@target(_tokens, max_bytes=8_192)
def page_token(data: bytes) -> None:
    """A token that is taken encodes to what it says."""
    text = text_of(data)
    search = history_service_pb2.SearchShipmentsRequest(page_token=text)
    for decode in (
        lambda: decode_page_token(text, "status = open", 2),
        lambda: decode_number_token(text, "status = open", range(1 << 62), range(100)),
        lambda: decode_positions(search),
        lambda: decode_places(search),
    ):
        try:
            value = decode()
        except GatewayError:
            continue
        if isinstance(value, dict) and all(isinstance(place, NodePlace) for place in value.values()):
            assert decode_places(type(search)(page_token=encode_places(search, value))) == (value or None)
        if isinstance(value, tuple):
            encoded = encode_page_token([str(part) for part in value], "status = open")
            assert decode_page_token(encoded, "status = open", 2) == tuple(map(str, value))


IDENTIFIERS = (
    b"container:MSKU 123456-5",
    b"uscc:91350100M000100Y43",
    b"imo_ship:IMO 9074729",
    b"hkid:A123456(3)",
    b"hs:8110.10",
)


@target(lambda: IDENTIFIERS, max_bytes=512)
def identifier(data: bytes) -> None:
    """Each scheme gives a notice or none, and a compact form; of ASCII it doesn't change again, nor with case."""
    scheme, _, value = text_of(data).partition(":")
    for name in (scheme, *Scheme):
        check_identifier(name, value)
        once = compact(name, value)
        if value.isascii() and name in set(Scheme):
            assert compact(name, once) == compact(name, value.lower()) == once
    assert normalise_code(value).isdigit()


@target(lambda: [dump_json({"a": [1, "é", None, True], "b": {"c": ""}}), b'{"a":1}\n', b"[" * 64 + b"]" * 64])
def json_document(data: bytes) -> None:
    """Canonical JSON is written as it was read, and a reader lists problems instead of failing."""
    value = parse_json(data, what="document", max_bytes=65_536)
    json.dumps(value, allow_nan=False)
    reader = ObjectReader(value)
    reader.time("time")
    reader.texts("texts", "[a-z]+", "letters", maximum=5)
    list(reader.objects("objects", maximum=5))
    reader.close()
    with contextlib.suppress(GatewayError):
        reader.finish("document")
    assert dump_json(parse_canonical_json(data, what="document", max_bytes=65_536)) == data


def _statuses() -> Iterator[bytes]:
    violations = [Violation("content.purpose", "string.min_len", "is empty"), Violation("x", "y", "z" * 400)]
    for error in (InvalidRequestError(violations), GatewayError("text", metadata={"a": "b"})):
        yield to_status(error).SerializeToString()


@target(_statuses)
def status_details(data: bytes) -> None:
    """A foreign status becomes an error of ours, which fits into a trailer again."""
    error = from_failed_call(3, text_of(data), [(DETAILS_KEY, data)])
    assert isinstance(error, GatewayError)
    try:
        status = Status.FromString(data)
    except DecodeError:
        return
    assert to_status(from_status(status)).ByteSize() <= MAX_STATUS_BYTES
