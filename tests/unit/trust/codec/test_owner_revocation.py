"""A revocation by its owner reads back as it was written, and is taken for nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.json_document import dump_json
from gateway.errors import MalformedError, TooLargeError
from gateway.tlog.checkpoint import Checkpoint, parse_checkpoint_body, sign_checkpoint
from gateway.tlog.note import parse_note
from gateway.trust.codec.directory import decode_directory, encode_directory
from gateway.trust.codec.owner_revocation import (
    MAX_CERTIFICATES,
    MAX_REVOCATION_BYTES,
    ORIGIN,
    decode_revocation,
    encode_revocation,
)
from tests.support.directories import FEDERATION, NOW, directory, signer
from tests.support.owner_revocations import certificate, revocation

KEYS = st.dictionaries(
    st.integers(1, 2**64).map(lambda seed: signer("any", seed).public_key),
    st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(  # drawn without a zone
        lambda time: time.replace(microsecond=0, tzinfo=UTC)
    ),
    min_size=1,
    max_size=3,
)


@given(KEYS, st.text(max_size=400))
def test_what_is_written_reads_back_and_anything_else_is_refused_in_one_way(
    keys: dict[bytes, datetime], reason: str
) -> None:
    made = revocation("mo", certificate("mo"), keys=keys, reason=reason)
    try:
        text = encode_revocation(made)
    except MalformedError:
        assert not 0 < len(reason) <= 300 or not reason.isprintable()
        return
    assert decode_revocation(text) == made


@given(st.binary(max_size=300))
def test_no_bytes_escape_as_another_error(data: bytes) -> None:
    for text in (data, ORIGIN + data):
        with pytest.raises(MalformedError):
            decode_revocation(text)


def test_no_other_kind_of_text_is_one_and_it_is_none() -> None:
    text = encode_revocation(revocation("mo", certificate("mo")))
    head = Checkpoint(f"{FEDERATION}/mo/cn/alerts", 3, bytes(32))
    checkpoint = parse_note(sign_checkpoint(head, signer(head.origin, 5))).unverified_text
    for other in (encode_directory(directory()), checkpoint, text.removeprefix(ORIGIN)):
        with pytest.raises(MalformedError, match="begins with the line"):
            decode_revocation(other)
    with pytest.raises(MalformedError):
        decode_directory(text)
    with pytest.raises(MalformedError):
        parse_checkpoint_body(text)


def test_its_limits() -> None:
    empty = dump_json({"federation": FEDERATION})
    with pytest.raises(TooLargeError):
        decode_revocation(ORIGIN + b" " * MAX_REVOCATION_BYTES + empty)
    with pytest.raises(MalformedError, match="at least one certificate or key"):
        encode_revocation(revocation("mo"))
    with pytest.raises(MalformedError, match=f"at most {MAX_CERTIFICATES}"):
        encode_revocation(revocation("mo", *(certificate("mo").replace("M", letter, 1) for letter in "ABCD" * 9)))
    with pytest.raises(MalformedError, match="sorted and without doubles"):
        encode_revocation(replace(revocation("mo"), certificates=(certificate("mo"), certificate("mo"))))
    with pytest.raises(MalformedError, match="whole seconds"):
        encode_revocation(revocation("mo", keys={signer("any", 7).public_key: NOW + timedelta(microseconds=1)}))
