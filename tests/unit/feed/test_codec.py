"""Entries as bytes: what is written is read back, and nothing else is accepted."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract import limits
from gateway.errors import GatewayError, MalformedError, TooLargeError, VerificationError
from gateway.feed.codec import FORMAT, EncodedEntry, check_entry, make_entry, parse_header
from gateway.v1 import feed_pb2

SALT = bytes(range(32))
NOW = 1_768_464_000_000

payloads = st.binary(max_size=200)
salts = st.binary(min_size=32, max_size=32)
type_names = st.from_regex(r"\A[A-Za-z][A-Za-z0-9]{0,40}\Z")
times = st.integers(min_value=1, max_value=2**63 - 1)


def entry(payload: bytes = b"payload") -> EncodedEntry:
    return make_entry("AlertEvent", payload, salt=SALT, recorded_at_ms=NOW)


def travelling(made: EncodedEntry) -> feed_pb2.Entry:
    return feed_pb2.Entry(header=made.header, salt=made.salt, payload=made.payload)


@given(type_names, payloads, salts, times)
def test_what_is_made_passes_the_check_unchanged(type_name: str, payload: bytes, salt: bytes, at: int) -> None:
    made = make_entry(type_name, payload, salt=salt, recorded_at_ms=at)
    assert check_entry(feed_pb2.Entry.FromString(travelling(made).SerializeToString())) == made
    header = parse_header(made.header)
    assert (header.format, header.type, header.recorded_at_unix_ms) == (FORMAT, type_name, at)
    assert header.payload_digest == sha256(salt + payload).digest()
    assert made.leaf == sha256(b"\x00" + made.header).digest()
    assert len(made.header) <= limits.MAX_HEADER_BYTES
    assert made.size_bytes == len(made.header) + len(salt) + len(payload)


@given(payloads, st.data())
def test_a_flipped_bit_anywhere_is_refused_or_changes_the_leaf(payload: bytes, data: st.DataObject) -> None:
    made = entry(payload)
    sent = travelling(made)
    field = data.draw(st.sampled_from([name for name in ("header", "salt", "payload") if getattr(sent, name)]))
    changed = bytearray(getattr(sent, field))
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    setattr(sent, field, bytes(changed))
    try:
        read = check_entry(sent)
    except GatewayError:
        return
    assert read.leaf != made.leaf


@given(payloads, salts, st.integers(1, 31))
def test_one_leaf_has_one_salt_and_one_payload(payload: bytes, salt: bytes, shift: int) -> None:
    sent = travelling(make_entry("AlertEvent", payload, salt=salt, recorded_at_ms=NOW))
    both = sent.salt + sent.payload
    for border in (32 - shift, min(32 + shift, len(both))):
        if border == 32:
            continue
        sent.salt, sent.payload = both[:border], both[border:]
        with pytest.raises(MalformedError):
            check_entry(sent)


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_canonical_header_or_malformed(data: bytes) -> None:
    try:
        parsed = parse_header(data)
    except MalformedError:
        return
    assert parsed.SerializeToString(deterministic=True) == data


@settings(max_examples=300)
@given(st.binary(max_size=40), st.integers(0, 130))
def test_nothing_can_be_put_into_a_header_without_notice(extra: bytes, place: int) -> None:
    header = entry().header
    changed = header[:place] + extra + header[place:]
    if changed == header:
        return
    try:
        parsed = parse_header(changed)
    except MalformedError:
        return
    assert parsed != parse_header(header)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header + b"\x08\x01",  # a field twice
        lambda header: header[2:] + header[:2],  # fields out of order
        lambda header: b"\x08\x81\x00" + header[2:],  # a number with padding
        lambda header: header + b"\x7a\x01x",  # an unknown field, as bytes
        lambda header: header + b"\x78\x01",  # an unknown field, as a number
        lambda header: header[:-1],
        lambda header: b"",
        lambda header: b"\xff" * 10,
    ],
)
def test_every_other_spelling_of_a_header_is_refused(change) -> None:
    with pytest.raises(MalformedError):
        parse_header(change(entry().header))


def test_a_newer_format_may_have_more_fields_and_is_kept_as_it_is() -> None:
    header = feed_pb2.EntryHeader(format=3, type="AlertEvent", payload_digest=bytes(32), recorded_at_unix_ms=NOW)
    data = header.SerializeToString(deterministic=True) + b"\x7a\x01x"
    assert parse_header(data).format == 3
    assert check_entry(feed_pb2.Entry(header=data)).header == data


@pytest.mark.parametrize("length", [0, 20, 31, 33, 64])
def test_a_digest_has_32_bytes(length: int) -> None:
    header = feed_pb2.EntryHeader(format=1, type="A", payload_digest=bytes(length), recorded_at_unix_ms=NOW)
    with pytest.raises(MalformedError, match="32"):
        parse_header(header.SerializeToString(deterministic=True))


@pytest.mark.parametrize("salt", [b"", b"x" * 31, b"x" * 33])
def test_a_salt_has_32_bytes(salt: bytes) -> None:
    sent = travelling(make_entry("AlertEvent", b"payload", salt=salt, recorded_at_ms=NOW))
    with pytest.raises(MalformedError, match="salt"):
        check_entry(sent)


def test_an_erased_entry_has_its_leaf_and_nothing_else() -> None:
    made = entry()
    assert check_entry(feed_pb2.Entry(header=made.header)) == EncodedEntry(made.header, b"", b"", made.leaf)


@pytest.mark.parametrize(
    ("salt", "payload"), [(SALT, b""), (b"", b"payload"), (SALT, b"payloae"), (SALT[::-1], b"payload")]
)
def test_half_erased_or_exchanged_is_refused(salt: bytes, payload: bytes) -> None:
    with pytest.raises((MalformedError, VerificationError)):
        check_entry(feed_pb2.Entry(header=entry().header, salt=salt, payload=payload))


def test_limits_are_inclusive() -> None:
    largest = make_entry("AlertEvent", bytes(limits.MAX_PAYLOAD_BYTES), salt=SALT, recorded_at_ms=NOW)
    assert check_entry(travelling(largest)) == largest
    with pytest.raises(TooLargeError):
        make_entry("AlertEvent", bytes(limits.MAX_PAYLOAD_BYTES + 1), salt=SALT, recorded_at_ms=NOW)
    with pytest.raises(TooLargeError):
        check_entry(feed_pb2.Entry(header=largest.header, salt=SALT, payload=bytes(limits.MAX_PAYLOAD_BYTES + 1)))
    with pytest.raises(TooLargeError):
        parse_header(bytes(limits.MAX_HEADER_BYTES + 1))
