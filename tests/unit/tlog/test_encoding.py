"""One value, one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedError
from gateway.tlog import encoding


@given(st.binary(max_size=80))
def test_base64_round_trips(data: bytes) -> None:
    assert encoding.decode_base64(encoding.encode_base64(data), "data") == data


@given(st.binary(max_size=12) | st.text("AB+/=-_ \n", max_size=12).map(str.encode))
def test_what_base64_decodes_encodes_the_same(text: bytes) -> None:
    try:
        data = encoding.decode_base64(text, "data")
    except MalformedError:
        return
    assert encoding.encode_base64(data) == text


@pytest.mark.parametrize("text", [b"AA", b"AA=", b"AB==", b"AA==\n", b"A A==", b"-_-_", b"AA===", b"====", b"\xff==="])
def test_other_base64_spellings_are_refused(text: bytes) -> None:
    with pytest.raises(MalformedError):
        encoding.decode_base64(text, "data")


@given(st.integers(0, 2**63 - 1))
def test_decimals_round_trip(value: int) -> None:
    assert encoding.decode_decimal(str(value).encode(), "size", 2**63 - 1) == value


@pytest.mark.parametrize(
    "text",
    [b"", b"-1", b"+1", b"00", b"01", b" 1", b"1\n", b"1_0", b"0x1", b"101", b"1000", "١".encode(), b"9" * 5000],
)
def test_other_decimals_are_refused(text: bytes) -> None:
    with pytest.raises(MalformedError):
        encoding.decode_decimal(text, "size", 100)


def test_a_hash_has_its_length() -> None:
    assert encoding.decode_hash(encoding.encode_base64(bytes(32)), "root") == bytes(32)
    with pytest.raises(MalformedError):
        encoding.decode_hash(encoding.encode_base64(bytes(31)), "root")


def test_text_is_utf8_both_ways() -> None:
    assert encoding.decode_text(encoding.encode_text("澳門", "name"), "name") == "澳門"
    with pytest.raises(MalformedError):
        encoding.decode_text(b"\xff", "name")
    with pytest.raises(MalformedError):
        encoding.encode_text("\ud800", "name")


@given(st.text(max_size=20))
def test_control_characters(text: str) -> None:
    found = [character for character in text if character < " "]
    data = text.encode("utf-8", "replace")
    assert encoding.has_control_characters(data, newline_allowed=False) == bool(found)
    assert encoding.has_control_characters(data, newline_allowed=True) == any(each != "\n" for each in found)
