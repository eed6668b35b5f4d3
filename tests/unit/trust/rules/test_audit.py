import hashlib
import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedError, TooLargeError
from gateway.trust.rules.audit import (
    EMPTY_HEAD,
    MAX_BODY_BYTES,
    MAX_COUNTS,
    MAX_SUBJECT_ID_CHARS,
    MAX_SUBJECT_IDS,
    MAX_TEXT_CHARS,
    AuditEntry,
    AuditResult,
    extend,
)

EVENT = AuditEntry(
    time_ms=1_768_435_200_000,
    principal="system/cn/risk-desk",
    method="/gateway.v1.AlertService/PublishAlert",
    result=AuditResult.ALLOW,
    purpose="export-control",
    case_reference="案件-7",
    subject_ids=("01890000-0000-7000-8000-000000000000",),
    counts=(("recipients", 2),),
)

# Lone surrogates included: they come in where a caller's bytes were decoded with surrogateescape.
text = st.text(st.characters(), max_size=700)
events = st.builds(
    AuditEntry,
    time_ms=st.integers(),
    principal=text,
    method=text,
    result=st.sampled_from(AuditResult),
    reason=text,
    detail=text,
    purpose=text,
    case_reference=text,
    subject_ids=st.lists(st.text(max_size=80), max_size=300).map(tuple),
    system=st.just("") | text,
    counts=st.dictionaries(st.text(max_size=80), st.integers(), max_size=20).map(lambda d: tuple(d.items())),
)


def test_the_body_is_the_documented_json() -> None:
    assert (
        EVENT.to_bytes()
        == (
            '{"case_reference":"案件-7","counts":{"recipients":2},"detail":"","method":"/gateway.v1.AlertService/PublishAlert",'
            '"principal":"system/cn/risk-desk","purpose":"export-control","reason":"","result":"allow",'
            '"subject_ids":["01890000-0000-7000-8000-000000000000"],"time_ms":1768435200000}'
        ).encode()
    )
    assert AuditEntry.from_bytes(EVENT.to_bytes()) == EVENT


@given(events)
def test_the_body_is_what_an_encoder_of_json_makes_of_it(event: AuditEntry) -> None:
    clipped = asdict(event.clipped())
    del clipped["_body"], clipped["repeatable"]
    if not clipped["system"]:
        del clipped["system"]  # so that events from before there were persons keep their bytes
    document = clipped | {"counts": dict(clipped["counts"]), "result": clipped["result"].value}
    assert event.to_bytes() == json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


@given(events)
def test_every_event_has_a_body_that_reads_back_as_its_clipped_form(event: AuditEntry) -> None:
    body = event.to_bytes()
    assert len(body) <= MAX_BODY_BYTES
    read = AuditEntry.from_bytes(body)
    assert read.to_bytes() == body
    assert dict(read.counts) == dict(event.clipped().counts)
    assert read.subject_ids == event.clipped().subject_ids
    assert (read.principal, read.reason) == (event.clipped().principal, event.clipped().reason)


def test_the_largest_event_that_can_be_written_can_be_read() -> None:
    worst = "\x01" * 10_000
    event = AuditEntry(
        time_ms=2**70,
        principal=worst,
        method=worst,
        result=AuditResult.DENY,
        reason=worst,
        detail=worst,
        purpose=worst,
        case_reference=worst,
        subject_ids=(worst,) * 1_000,
        counts=tuple((f"{n}{worst}", 2**70) for n in range(100)),
    )
    read = AuditEntry.from_bytes(event.to_bytes())
    assert len(read.principal) == MAX_TEXT_CHARS
    assert len(read.subject_ids) == MAX_SUBJECT_IDS
    assert {len(one) for one in read.subject_ids} == {MAX_SUBJECT_ID_CHARS}
    assert len(read.counts) == MAX_COUNTS
    assert read.time_ms == 2**53 - 1


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body + b" ",
        lambda body: body.replace(b":", b": ", 1),
        lambda body: body[:-1] + b',"extra":1}',
        lambda body: body.replace(b'"reason":"",', b""),
        lambda body: body.replace(b'"allow"', b'"maybe"'),
        lambda body: body.replace(b"1768435200000", b"1768435200000.0"),
        lambda body: body.replace(b"1768435200000", b"true"),
        lambda body: body.replace(b"1768435200000", b"99999999999999999999"),
        lambda body: body.replace(b'"counts":{"recipients":2}', b'"counts":{"recipients":1,"recipients":2}'),
        lambda body: body.replace(b'"counts":{"recipients":2}', b'"counts":[]'),
        lambda body: body.replace(b'"principal":"system/cn/risk-desk"', b'"principal":5'),
        lambda body: json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode(),  # escapes non-ASCII
        lambda body: b"\xff",
        lambda body: b"[]",
        lambda body: b"[" * 100_000,
    ],
)
def test_what_is_not_canonical_is_refused(change) -> None:
    body = change(EVENT.to_bytes())
    assert body != EVENT.to_bytes()
    with pytest.raises(MalformedError):
        AuditEntry.from_bytes(body)


def test_length_is_capped_before_parsing() -> None:
    with pytest.raises(TooLargeError):
        AuditEntry.from_bytes(b" " * (MAX_BODY_BYTES + 1))


def test_the_chain_is_sha256_of_previous_hash_and_body() -> None:
    first = extend(EMPTY_HEAD, b"one")
    second = extend(first, b"two")
    assert (first.seq, first.hash) == (1, hashlib.sha256(bytes(32) + b"one").digest())
    assert (second.seq, second.hash) == (2, hashlib.sha256(first.hash + b"two").digest())
