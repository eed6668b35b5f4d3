"""Defines audit events, their canonical bytes and their hash chain.

`hash_0` is 32 zero bytes, `hash_n = SHA-256(hash_{n-1} ‖ body_n)`; `body` is canonical JSON (RFC 8785, integers only).
A chain shows changes and gaps, but not a cut-off tail: auditors keep heads (sequence number, hash) to compare with
later chains.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from gateway.errors import MalformedError, TooLargeError

GENESIS_HASH = bytes(32)

MAX_TEXT_CHARS = 512

MAX_SUBJECT_IDS = 256

MAX_SUBJECT_ID_CHARS = 64
"""A UUID has 36."""

MAX_COUNTS = 16

MAX_BODY_BYTES = 131_072
"""The limits above imply it (a character has at most six bytes in JSON), so no event is too large."""

REPEATED = "repeated"
LAST_TIME_MS = "last_time_ms"
SUBJECTS_LEFT_OUT = "subjects_left_out"
"""Counts of an event that stands for several: how many, the last one's time, subjects that didn't fit."""

_quoted = json.encoder.encode_basestring
"""JSON text, escaped only where needed."""

_SAFE_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader keeps exact (RFC 8785)."""


class AuditResult(StrEnum):
    """Result of a call."""

    ALLOW = "allow"
    DENY = "deny"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A decision.

    Attributes:
        time_ms: since 1970-01-01T00:00:00Z.
        principal: the caller's id, or `unverified:` and its claim.
        method: full gRPC method name, or a local operation.
        reason: reason code; usually empty for allow.
        detail: a sentence for the auditor; may say more than the caller's error.
        subject_ids: alerts, entries or links concerned.
        counts: named numbers, e.g. `(("entries", 500),)`, sorted by name.
        system: the console's id where a person called; not stored where it is empty.
        repeatable: without effect, so that equal ones become one with a count; not stored. All but allow are.
    """

    time_ms: int
    principal: str
    method: str
    result: AuditResult
    reason: str = ""
    detail: str = ""
    purpose: str = ""
    case_reference: str = ""
    subject_ids: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    system: str = ""
    repeatable: bool = field(default=False, compare=False)
    _body: bytes = field(default=b"", init=False, repr=False, compare=False)

    @property
    def occurrences(self) -> int:
        """Number of equal events that this one stands for."""
        return max(1, dict(self.counts).get(REPEATED, 1))

    @property
    def last_time_ms(self) -> int:
        """Time of the last of them."""
        return dict(self.counts).get(LAST_TIME_MS, self.time_ms)

    def merged(self, later: AuditEntry) -> AuditEntry:
        """One event for both: the first's texts, all subjects that fit, sums of counts, and the last's time.

        Beyond MAX_SUBJECT_IDS subjects are left out; their number is a count.
        """
        counts, added = dict(self.counts), dict(later.counts)
        counts[REPEATED], added[REPEATED] = self.occurrences, later.occurrences
        subject_ids = self.subject_ids + tuple(each for each in later.subject_ids if each not in self.subject_ids)
        if len(subject_ids) > MAX_SUBJECT_IDS:
            added[SUBJECTS_LEFT_OUT] = added.get(SUBJECTS_LEFT_OUT, 0) + len(subject_ids) - MAX_SUBJECT_IDS
        last = max(self.last_time_ms, later.last_time_ms)
        for name, number in added.items():
            counts[name] = counts.get(name, 0) + number
        counts[LAST_TIME_MS] = last
        return replace(self, subject_ids=subject_ids[:MAX_SUBJECT_IDS], counts=tuple(sorted(counts.items())))

    def clipped(self) -> AuditEntry:
        """The event with fields cut to their limits."""
        if self._body or self._fits():
            return self
        return replace(
            self,
            time_ms=_clamped(self.time_ms),
            principal=_text(self.principal),
            method=_text(self.method),
            reason=_text(self.reason),
            detail=_text(self.detail),
            purpose=_text(self.purpose),
            case_reference=_text(self.case_reference),
            system=_text(self.system),
            subject_ids=tuple(
                _text(subject_id, MAX_SUBJECT_ID_CHARS) for subject_id in self.subject_ids[:MAX_SUBJECT_IDS]
            ),
            counts=tuple(
                (_text(name, MAX_SUBJECT_ID_CHARS), _clamped(number)) for name, number in self.counts[:MAX_COUNTS]
            ),
        )

    def _fits(self) -> bool:
        # Printable text has neither surrogates nor NUL.
        texts = self.principal, self.method, self.reason, self.detail, self.purpose, self.case_reference, self.system
        ids = *self.subject_ids, *[name for name, _ in self.counts]
        numbers = self.time_ms, *[number for _, number in self.counts]
        return (
            "".join((*texts, *ids)).isprintable()
            and max(map(len, texts)) <= MAX_TEXT_CHARS
            and max(map(len, ids), default=0) <= MAX_SUBJECT_ID_CHARS
            and len(self.subject_ids) <= MAX_SUBJECT_IDS
            and len(self.counts) <= MAX_COUNTS
            and min(numbers) >= -_SAFE_INTEGER
            and max(numbers) <= _SAFE_INTEGER
        )

    def to_bytes(self) -> bytes:
        return self.clipped().canonical()

    def canonical(self) -> bytes:
        """Canonical JSON of a clipped event, cached; a general encoder takes four times as long."""
        if not self._body:
            object.__setattr__(self, "_body", self._written())
        return self._body

    def _written(self) -> bytes:
        counts = ",".join([f"{_quoted(name)}:{number}" for name, number in sorted(dict(self.counts).items())])
        subject_ids = ",".join(map(_quoted, self.subject_ids))
        system = f'"system":{_quoted(self.system)},' if self.system else ""  # events before persons have none
        return (
            f'{{"case_reference":{_quoted(self.case_reference)},"counts":{{{counts}}},"detail":{_quoted(self.detail)},'
            f'"method":{_quoted(self.method)},"principal":{_quoted(self.principal)},"purpose":{_quoted(self.purpose)},'
            f'"reason":{_quoted(self.reason)},"result":"{self.result.value}","subject_ids":[{subject_ids}],{system}'
            f'"time_ms":{self.time_ms}}}'
        ).encode()

    @classmethod
    def from_bytes(cls, body: bytes) -> AuditEntry:
        """Parses a body of `to_bytes`; what doesn't round-trip is refused.

        Raises:
            TooLargeError: longer than `MAX_BODY_BYTES`.
            MalformedError: not canonical.
        """
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(f"audit event of {len(body)} bytes exceeds {MAX_BODY_BYTES}")
        try:
            event = _from_document(json.loads(body))
            canonical = event.to_bytes()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise MalformedError("not an audit event") from error
        if canonical != body:
            raise MalformedError("audit event isn't in its canonical form")
        return event


AuditSink = Callable[[AuditEntry], None]
"""Takes an event without blocking, from any thread. Raises OverloadedError when it can't: unaudited calls must not run.
"""


@dataclass(frozen=True, slots=True)
class AuditHead:
    """Sequence number of the last event (0 when empty) and its chain value."""

    seq: int
    hash: bytes


EMPTY_HEAD = AuditHead(0, GENESIS_HASH)


def extend(head: AuditHead, body: bytes) -> AuditHead:
    """The head after another event."""
    return AuditHead(head.seq + 1, hashlib.sha256(head.hash + body).digest())


def _from_document(document: dict[str, Any]) -> AuditEntry:
    return AuditEntry(
        time_ms=_integer(document["time_ms"]),
        principal=document["principal"],
        method=document["method"],
        result=AuditResult(document["result"]),
        reason=document["reason"],
        detail=document["detail"],
        purpose=document["purpose"],
        case_reference=document["case_reference"],
        subject_ids=tuple(document["subject_ids"]),
        counts=tuple((name, _integer(number)) for name, number in document["counts"].items()),
        system=document.get("system", ""),
    )


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) > _SAFE_INTEGER:
        raise ValueError("not an integer that every JSON reader keeps exact")
    return value


def _clamped(number: int) -> int:
    return max(-_SAFE_INTEGER, min(number, _SAFE_INTEGER))


def _text(value: str, limit: int = MAX_TEXT_CHARS) -> str:
    # UTF-8 can't carry lone surrogates, nor PostgreSQL's text NUL.
    return value[:limit].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
