from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.contract.json_document import dump_json
from gateway.errors import DocumentInvalidError, MalformedError, TooLargeError
from gateway.tlog.note import SignatureType, Verifier
from gateway.trust.codec.directory import MAX_DIRECTORY_BYTES, decode_directory, encode_directory
from gateway.trust.codec.node_card import MAX_CARD_BYTES, card_digest, decode_card, encode_card
from gateway.trust.rules.directory import Directory
from tests.support.directories import NODES, NOW, card, directory, signer

TEXT = encode_directory(directory())


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(TEXT)
    change(document)
    return dump_json(document)


def problems(text: bytes) -> dict[str, str]:
    with pytest.raises(DocumentInvalidError) as caught:
        decode_directory(text)
    return {violation.field: violation.message for violation in caught.value.violations}


def test_a_directory_reads_back_as_it_was_written() -> None:
    assert decode_directory(TEXT) == directory()
    assert encode_directory(decode_directory(TEXT)) == TEXT


def test_the_text_can_be_a_notes_text() -> None:
    assert TEXT.endswith(b"}\n")
    assert b"\n\n" not in TEXT
    assert all(byte >= 0x20 or byte == 0x0A for byte in TEXT)
    assert "海關".encode() in TEXT


names = st.sampled_from(NODES)
purposes = st.frozensets(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), max_size=5)
free_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)
extensions = st.dictionaries(st.text(), free_json, max_size=3)
clauses = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=50)


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    base = directory(
        threshold=draw(st.integers(1, 3)),
        version=draw(st.integers(1, 2**53 - 1)),
        days=draw(st.integers(1, 800)),
        grace_days=draw(st.integers(0, 90)),
    )
    agreements = tuple(
        replace(
            agreement,
            purposes=draw(purposes),
            field_classes=draw(st.frozensets(st.sampled_from([*agreement.field_classes]))),
            clause=draw(clauses),
            hit_reports=draw(st.booleans()),
            extensions=draw(extensions),
        )
        for agreement in base.agreements
        if draw(st.booleans())
    )
    node = draw(names)
    key = signer("any", draw(st.integers(10_000, 20_000))).public_key
    record = replace(base.nodes[node].log_keys[0], public_key=key, revoked_at=draw(st.none() | st.just(NOW)))
    logs = (*base.nodes[node].log_keys, record)
    nodes = {**base.nodes, node: replace(base.nodes[node], log_keys=logs, tls_server_name=None, endpoints=())}
    revoked = draw(st.frozensets(st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=4))
    return replace(base, agreements=agreements, nodes=nodes, revoked_certificates=revoked, extensions=draw(extensions))


@given(directories())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_sound_directory_round_trips(any_directory: Directory) -> None:
    text = encode_directory(any_directory)
    assert decode_directory(text) == any_directory
    assert encode_directory(decode_directory(text)) == text


@given(st.integers(0, len(TEXT) - 1), st.sampled_from([b" ", b"\n", b"0", b"\\u0041", b"/**/", b"\xff", b"\x00"]))
@settings(max_examples=200, deadline=None)
def test_no_second_spelling_is_read(position: int, insertion: bytes) -> None:
    """Whatever is inserted anywhere, the result is refused or means something else."""
    text = TEXT[:position] + insertion + TEXT[position:]
    try:
        read = decode_directory(text)
    except MalformedError:
        return
    assert read != directory()
    assert encode_directory(read) == text


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=200, deadline=None)
def test_noise_is_refused_with_the_one_kind_of_error(noise: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_directory(noise)


@given(free_json.map(dump_json))
@settings(max_examples=100, deadline=None)
def test_any_other_json_is_refused_with_its_problems(text: bytes) -> None:
    with pytest.raises(DocumentInvalidError):
        decode_directory(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'{"a": 1.0}', "isn't an integer"),
        (b'{"a": NaN}', "isn't an integer"),
        (b'{"a": 9007199254740992}', "beyond"),
        (b'{"a": ' + b"9" * 5000 + b"}", "isn't strict JSON"),
        (b'{"a": "\\ud800"}', "isn't strict JSON"),
        (b'{"\\udc00": 1}', "isn't strict JSON"),
        (b"\xff", "isn't strict JSON"),
        (b"{}", "canonical form"),
        (TEXT[:-1], "canonical form"),
        (b"\xef\xbb\xbf" + TEXT, "isn't strict JSON"),
    ],
)
def test_hostile_json_is_refused(text: bytes, problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        decode_directory(text)


def test_size_is_capped_before_parsing() -> None:
    with pytest.raises(TooLargeError, match="at most"):
        decode_directory(b"\xff" * (MAX_DIRECTORY_BYTES + 1))
    with pytest.raises(TooLargeError):
        decode_card(b"\xff" * (MAX_CARD_BYTES + 1))


def test_every_problem_is_reported_with_its_path() -> None:
    def break_much(document: dict[str, Any]) -> None:
        del document["grace_days"]
        document["federation"] = "GBA"
        document["version"] = True
        document["surprise"] = 1
        document["issued_at"] = "2026-02-30T00:00:00Z"
        document["nodes"]["cn"]["endpoints"][1] = "cn.example:0"
        document["nodes"]["cn"]["log_keys"][0]["public_key"] = "short"
        document["nodes"]["cn"]["log_keys"][0]["revoked_at"] = "yesterday"
        document["nodes"]["hk"]["tls_ca_pems"] = ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        document["nodes"]["mo"] = []
        document["authorities"]["hk"]["display_names"] = {"zh-Hans": "海关"}
        document["authorities"]["mo"]["directory_key"] = "no+vkey"
        document["agreements"][0]["field_classes"] = ["SECRET"]
        document["agreements"][1]["purposes"] = ["b", "a"]
        document["agreements"][2]["hit_reports"] = 1
        document["revoked_certificates"] = "none"

    found = problems(changed(break_much))
    assert found["grace_days"] == "is missing; it must be an integer from 0 to 90"
    assert found["surprise"].startswith("unknown member")
    assert "a CA" in found["nodes.hk.tls_ca_pems[0]"] or "certificate" in found["nodes.hk.tls_ca_pems[0]"]
    assert found["nodes.mo"] == "must be an object"
    assert set(found) == {
        "grace_days",
        "federation",
        "version",
        "surprise",
        "issued_at",
        "nodes.cn.endpoints[1]",
        "nodes.cn.log_keys[0].public_key",
        "nodes.cn.log_keys[0].revoked_at",
        "nodes.hk.tls_ca_pems[0]",
        "nodes.mo",
        "authorities.hk.display_names.en",
        "authorities.mo.directory_key",
        "agreements[0].field_classes[0]",
        "agreements[1].purposes",
        "agreements[2].hit_reports",
        "revoked_certificates",
    }


def _set(*path: str | int) -> Callable[[Any], Callable[[dict[str, Any]], None]]:
    def to(value: Any) -> Callable[[dict[str, Any]], None]:
        def change(document: Any) -> None:
            for step in path[:-1]:
                document = document[step]
            document[path[-1]] = value

        return change

    return to


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (_set("format")("customs-gateway-directory/v2"), "format"),
        (_set("nodes", "cn", "history_modes")([]), "nodes.cn.history_modes"),
        (_set("agreements", 0, "history")({}), "agreements[0].history"),
        (_set("authorities", "cn", "x")(None), "authorities.cn.x"),
        (_set("nodes", "cn", "log_keys", 0, "x")(None), "nodes.cn.log_keys[0].x"),
        (_set("nodes", "CN")({}), "nodes.CN"),
        (_set("expires_at")("2026-01-15T08:00:00Z"), "expires_at"),
        (_set("version")(0), "version"),
        (_set("version")("1"), "version"),
        (_set("threshold")(0), "threshold"),
        (_set("nodes", "cn", "endpoints")(["cn.example"]), "nodes.cn.endpoints[0]"),
        (_set("nodes", "cn", "endpoints")(["cn.example:65536"]), "nodes.cn.endpoints[0]"),
        (_set("nodes", "cn", "endpoints")(["a b:1"]), "nodes.cn.endpoints[0]"),
        (_set("nodes", "cn", "endpoints")(["x:1"] * 9), "nodes.cn.endpoints"),
        (_set("nodes", "cn", "log_keys", 0, "public_key")("A" * 43 + "="), "nodes.cn.log_keys[0].public_key"),
        (_set("nodes", "cn", "log_keys", 0, "public_key")("A" * 42 + "B="), "nodes.cn.log_keys[0].public_key"),
        (_set("agreements", 0, "clause")("two\nlines"), "agreements[0].clause"),
        (_set("agreements", 0, "clause")(""), "agreements[0].clause"),
        (_set("agreements", 0, "id")("zz"), "agreements"),
        (_set("agreements", 0, "sender")("xx"), "agreements[0].sender"),
        (_set("agreements", 0, "valid_from")("2026-01-15T08:00:00+00:00"), "agreements[0].valid_from"),
        (_set("agreements", 0, "purposes")(["*"]), "agreements[0].purposes[0]"),
        (_set("revoked_certificates")(["A" * 64]), "revoked_certificates[0]"),
        (_set("extensions")([]), "extensions"),
    ],
)
def test_a_wrong_member_is_named(change: Callable[[dict[str, Any]], None], path: str) -> None:
    assert path in problems(changed(change))


def test_additions_below_extensions_are_kept() -> None:
    text = changed(_set("agreements", 0, "extensions")({"history_modes": ["by_reference"]}))
    assert decode_directory(text).agreements[0].extensions == {"history_modes": ["by_reference"]}
    assert encode_directory(decode_directory(text)) == text


def test_what_would_not_read_back_is_not_written() -> None:
    good = directory()
    with pytest.raises(DocumentInvalidError, match="threshold"):
        encode_directory(replace(good, threshold=9))
    with pytest.raises(MalformedError, match="whole seconds"):
        encode_directory(replace(good, issued_at=NOW + timedelta(microseconds=1)))
    with pytest.raises(MalformedError, match="time zone"):
        encode_directory(replace(good, issued_at=NOW.replace(tzinfo=None)))
    with pytest.raises(DocumentInvalidError, match="order of id"):
        encode_directory(replace(good, agreements=good.agreements[::-1]))


def test_what_reads_back_as_something_else_is_not_written() -> None:
    """JSON knows lists alone; a tuple that slipped in would come back as another value."""
    extensions: dict[str, Any] = {"modes": ("by_reference",)}
    with pytest.raises(MalformedError, match="doesn't read back"):
        encode_directory(replace(directory(), extensions=extensions))
    hk = card("hk")
    with pytest.raises(MalformedError, match="doesn't read back"):
        encode_card(replace(hk, node=replace(hk.node, extensions=extensions)))


def test_directory_keys_are_of_the_signing_kind() -> None:
    cosigner = signer("gba.customs.example/cn/directory", 77)
    vkey = Verifier(cosigner.name, cosigner.public_key, SignatureType.COSIGNATURE).to_vkey()
    assert "0x01" in problems(changed(_set("authorities", "cn", "directory_key")(vkey)))["authorities.cn.directory_key"]
    empty = problems(changed(_set("authorities", "cn", "display_names")([])))
    assert empty["authorities.cn.display_names"] == "must be an object of at most 16"


def test_a_node_card_round_trips_and_refuses_what_a_directory_would() -> None:
    text = encode_card(card("hk"))
    assert decode_card(text) == card("hk")
    assert len(card_digest(text).split()) == 8
    document = json.loads(text)
    document["node"]["endpoints"] = ["nowhere"]
    document["private_key"] = "x"
    with pytest.raises(DocumentInvalidError) as caught:
        decode_card(dump_json(document))
    assert {violation.field for violation in caught.value.violations} == {"node.endpoints[0]", "private_key"}
    del document["node"]
    with pytest.raises(DocumentInvalidError, match="node: is missing"):
        decode_card(dump_json(document))
