"""Reads and writes what an authority revokes by itself: a line that says what this is, then canonical JSON."""

from __future__ import annotations

import base64
from datetime import datetime
from functools import partial

from gateway.contract.json_document import JsonValue, ObjectReader, dump_json, format_time, parse_canonical_json
from gateway.errors import MalformedError
from gateway.trust.codec.directory import FEDERATION, NAME, PEM, PUBLIC_KEY, decode_public_key
from gateway.trust.rules.owner_revocations import OwnerRevocation

ORIGIN = b"customs-gateway-owner-revocation/v1\n"
"""First line of the text: no directory (JSON) and no checkpoint (a feed's name) begins like this."""

MAX_REVOCATION_BYTES = 64 * 1024
"""Largest signed note, in bytes: some 40 certificates."""

MAX_CERTIFICATES = 32
MAX_KEYS = 32

REASON = (
    r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,300}",
    "text without control characters, 1 to 300 characters",
)


def encode_revocation(revocation: OwnerRevocation) -> bytes:
    """Encodes a revocation and checks the round trip.

    Raises:
        DocumentInvalidError: all broken rules of the format.
        MalformedError: its parts aren't in canonical form.
    """
    text = ORIGIN + dump_json(_json(revocation))
    if decode_revocation(text) != revocation:
        raise MalformedError("revocation: it doesn't read back as it was written; its parts aren't in canonical form")
    return text


def decode_revocation(text: bytes) -> OwnerRevocation:
    """Parses a revocation: size first, canonical. What it names isn't looked at.

    Raises:
        TooLargeError: more than `MAX_REVOCATION_BYTES`.
        MalformedError: another kind of text, not JSON, or not canonical.
        DocumentInvalidError: all wrong members, with paths.
    """
    if not text.startswith(ORIGIN):
        raise MalformedError(f"a revocation by its owner begins with the line {ORIGIN.decode().strip()}")
    reader = ObjectReader(parse_canonical_json(text[len(ORIGIN) :], what="revocation", max_bytes=MAX_REVOCATION_BYTES))
    certificates = reader.texts("certificates", *PEM, maximum=MAX_CERTIFICATES)
    if list(certificates) != sorted(set(certificates)):
        reader.problem("certificates", "json.set", "must be sorted and without doubles")
    keys = _read_keys(reader)
    if not certificates and not keys:
        reader.problem("certificates", "revocation.empty", "at least one certificate or key must be named")
    revocation = OwnerRevocation(
        federation=reader.text("federation", *FEDERATION),
        authority=reader.text("authority", *NAME),
        issued_at=reader.time("issued_at"),
        reason=reader.text("reason", *REASON),
        certificates=certificates,
        keys=keys,
    )
    reader.close()
    reader.finish("revocation")
    return revocation


def _json(revocation: OwnerRevocation) -> JsonValue:
    keys = {base64.b64encode(key).decode(): since for key, since in revocation.keys.items()}
    return {
        "federation": revocation.federation,
        "authority": revocation.authority,
        "issued_at": format_time(revocation.issued_at),
        "reason": revocation.reason,
        "certificates": [*revocation.certificates],
        "keys": [{"public_key": name, "since": format_time(keys[name])} for name in sorted(keys)],
    }


def _read_keys(reader: ObjectReader) -> dict[bytes, datetime]:
    names: list[str] = []
    keys: dict[bytes, datetime] = {}
    for below in reader.objects("keys", maximum=MAX_KEYS):
        name = below.text("public_key", *PUBLIC_KEY)
        names.append(name)
        key = below.convert("public_key", partial(decode_public_key, name), b"") if name else b""
        keys[key] = below.time("since")
        below.close()
    if names != sorted(set(names)):
        reader.problem("keys", "json.set", "must be in order of public_key and without doubles")
    return keys
