"""Examines a version of the directory that an operator brings: what it changes, who has signed, and what it lacks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Final

from gateway.contract.json_document import format_time
from gateway.contract.messages import to_timestamp
from gateway.errors import GatewayError, MalformedError
from gateway.tlog.note import Verifier, open_note, parse_note
from gateway.trust.codec.directory import decode_directory
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_drafts import differences, dropped_cas
from gateway.trust.service.directory_offers import DirectoryState
from gateway.v1 import node_service_pb2 as pb

MOST_CHARS: Final = 2_000
"""Characters of a value that are told: of a whole node or agreement more isn't read."""


def preview_of(note: bytes, state: DirectoryState, now: datetime) -> pb.PreviewDirectoryResponse:
    """How a version would differ from the one in force here; only `problem` says whether it may be taken.

    Args:
        note: untrusted bytes: a signed note, or a draft without signatures.

    Raises:
        MalformedError: it is no directory.
    """
    before, after = state.in_force.directory, _unverified_directory(note)
    return pb.PreviewDirectoryResponse(
        version=after.version,
        version_in_force=before.version,
        issued_at=to_timestamp(int(after.issued_at.timestamp() * 1000)),
        expires_at=to_timestamp(int(after.expires_at.timestamp() * 1000)),
        signers=_signers(note, before, after),
        threshold_in_force=before.threshold,
        threshold=after.threshold,
        changes=[
            pb.DirectoryChange(path=change.path, before=_told(change.old), after=_told(change.new))
            for change in differences(before, after)
        ],
        dropped_cas=[pb.DroppedCa(node=node, subject=ca.subject) for node, ca in dropped_cas(before, after)],
        problem=_problem(note, state, now),
    )


def _unverified_directory(note: bytes) -> Directory:
    try:
        return decode_directory(parse_note(note).unverified_text)
    except MalformedError:
        return decode_directory(note)


def _signers(note: bytes, before: Directory, after: Directory) -> Iterator[pb.DirectorySigner]:
    of_before, of_after = _keys(before), _keys(after)
    for authority, key in sorted(of_before | of_after):
        yield pb.DirectorySigner(
            authority=authority,
            counts_in_force=(authority, key) in of_before,
            counts_itself=(authority, key) in of_after,
            signed=_has_signed(note, key),
        )


def _keys(directory: Directory) -> set[tuple[str, str]]:
    return {(name, authority.directory_key) for name, authority in directory.authorities.items()}


def _has_signed(note: bytes, key: str) -> bool:
    try:
        open_note(note, [Verifier.from_vkey(key)])
    except GatewayError:
        return False
    return True


def _problem(note: bytes, state: DirectoryState, now: datetime) -> str:
    try:
        state.accepting(note, now)
    except GatewayError as error:
        return error.message
    return ""


def _told(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}…"


def _plain(value: object) -> object:
    """Values of a directory as JSON has them."""
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, bytes):
        return value.hex()
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        parts = [_plain(part) for part in value]
        return sorted(parts, key=str) if isinstance(value, frozenset) else parts
    return value
