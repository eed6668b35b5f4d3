"""Reads and writes the directory as canonical JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from gateway.contract.json_document import (
    MAX_INTEGER,
    JsonValue,
    ObjectReader,
    dump_json,
    format_time,
    parse_canonical_json,
)
from gateway.errors import ConfigurationError, DocumentInvalidError, MalformedError
from gateway.tlog.note import SignatureType, Verifier
from gateway.tls.certificates import inspect_ca
from gateway.trust.rules.directory import (
    Agreement,
    Authority,
    Directory,
    FederationNode,
    FieldClass,
    FormerMember,
    KeyAlgorithm,
    KeyRecord,
    of_algorithm,
)
from gateway.trust.rules.directory_checks import MAX_GRACE_DAYS, broken_rules

FORMAT = "customs-gateway-directory/v1"
MAX_DIRECTORY_BYTES = 768 * 1024
"""Largest text in bytes; with signatures it stays below a note's limit (1 MiB)."""
MAX_AUTHORITIES = 64
"""A note's limit on signatures."""
MAX_AGREEMENTS = 1024
"""All pairs of 32 nodes, or 170 for each pair of three."""
MAX_KEYS_PER_NODE = 32
"""Keys of one kind of a node; past ones verify old evidence."""
MAX_CAS_PER_NODE = 4
"""One, and a second during a change."""
MAX_ENDPOINTS = 8
MAX_REVOKED = 4096
"""Expired ones may be dropped."""
MAX_LIST = 64
"""Message types or purposes of an agreement."""

NAME = (r"[a-z][a-z0-9-]{0,31}", "a lower-case letter, then at most 31 of a-z, 0-9 and hyphen")
FEDERATION = (
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*",
    "a DNS name in lower case",
)
ENDPOINT = (
    r"([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9a-f:.]{2,45}\])"
    r":([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])",
    "host:port, an IPv6 address in brackets",
)
SERVER_NAME = (r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", "a DNS name")
PEM = (
    r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]{1,8000}-----END CERTIFICATE-----\n",
    "a certificate in PEM, with a newline at its end",
)
PUBLIC_KEY = (r"[A-Za-z0-9+/]{43}=", "an Ed25519 public key: 32 bytes in base64")
ML_DSA_PUBLIC_KEY = (r"[A-Za-z0-9+/]{1750}==", "an ML-DSA-44 public key: 1,312 bytes in base64")
VERIFIER_KEY = (r"[!-~]{1,512}", "a verifier key: name+key id+base64")
FINGERPRINT = (r"[0-9a-f]{64}", "a SHA-256 fingerprint: 64 lower-case hexadecimal digits")
MESSAGE_TYPE = (r"[A-Za-z][A-Za-z0-9]{0,63}", "the name of an entry type, e.g. AlertEvent")
PURPOSE = (r"[a-z][a-z0-9_]{0,63}", "a purpose, e.g. export_control")
FIELD_CLASS = ("|".join(FieldClass), "one of " + ", ".join(FieldClass))
AGREEMENT_ID = (r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}", "letters, digits and . _ / -, at most 128")
PLAIN = (r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,2000}", "text without control characters, 1 to 2,000 characters")


def encode_directory(directory: Directory) -> bytes:
    """Encodes a directory and checks the round trip.

    Raises:
        DocumentInvalidError: all broken rules of the format.
        MalformedError: a time has a fraction of a second or no zone.
    """
    text = dump_json(_directory_json(directory))
    if decode_directory(text) != directory:
        raise MalformedError("directory: it doesn't read back as it was written; its parts aren't in canonical form")
    return text


def decode_directory(text: bytes) -> Directory:
    """Parses a directory: size first, canonical.

    Raises:
        TooLargeError: more than `MAX_DIRECTORY_BYTES`.
        MalformedError: not JSON, or not canonical.
        DocumentInvalidError: all wrong or contradictory members, with paths.
    """
    reader = ObjectReader(parse_canonical_json(text, what="directory", max_bytes=MAX_DIRECTORY_BYTES))
    directory = _read_directory(reader)
    reader.close()
    reader.finish("directory")
    if broken := broken_rules(directory):
        raise DocumentInvalidError("directory", broken)
    return directory


SECOND_KEYS = "second_keys"
"""Extension of a node: its keys of the second algorithm, which gateways of earlier versions pass over."""


FORMER_MEMBERS = "former_members"
"""Extension of the directory: nodes of earlier versions, which gateways of earlier releases pass over."""


def key_record_json(record: KeyRecord) -> dict[str, JsonValue]:
    """A key record's JSON; it names the algorithm unless that is Ed25519."""
    algorithm: dict[str, JsonValue] = (
        {} if record.algorithm is KeyAlgorithm.ED25519 else {"algorithm": record.algorithm.value}
    )
    return algorithm | {
        "public_key": base64.b64encode(record.public_key).decode(),
        "not_before": format_time(record.not_before),
        "not_after": format_time(record.not_after),
        "revoked_at": format_time(record.revoked_at) if record.revoked_at else None,
    }


def node_json(node: FederationNode) -> dict[str, JsonValue]:
    """A node's JSON."""
    return {
        "authority": node.authority,
        "endpoints": list(node.endpoints),
        "tls_ca_pems": list(node.tls_ca_pems),
        "tls_server_name": node.tls_server_name,
        "log_keys": [key_record_json(record) for record in of_algorithm(node.log_keys)],
        "cosign_keys": [key_record_json(record) for record in of_algorithm(node.cosign_keys)],
        "extensions": {**node.extensions, **_second_keys_json(node)},
    }


def _second_keys_json(node: FederationNode) -> dict[str, JsonValue]:
    second: dict[str, JsonValue] = {
        member: [key_record_json(record) for record in of_algorithm(records, KeyAlgorithm.ML_DSA_44)]
        for member, records in (("log_keys", node.log_keys), ("cosign_keys", node.cosign_keys))
    }
    return {SECOND_KEYS: second} if any(second.values()) else {}


def read_node(reader: ObjectReader) -> FederationNode:
    """Reads a node."""
    log_keys, cosign_keys = _read_keys(reader, "log_keys"), _read_keys(reader, "cosign_keys")
    extensions = reader.free("extensions")
    if SECOND_KEYS in extensions:
        second = reader.nested("extensions").nested(SECOND_KEYS)
        log_keys += _read_second_keys(second, "log_keys")
        cosign_keys += _read_second_keys(second, "cosign_keys")
        second.close()
    node = FederationNode(
        authority=reader.text("authority", *NAME),
        endpoints=reader.texts("endpoints", *ENDPOINT, maximum=MAX_ENDPOINTS),
        tls_ca_pems=reader.texts("tls_ca_pems", *PEM, maximum=MAX_CAS_PER_NODE),
        tls_server_name=reader.optional_text("tls_server_name", *SERVER_NAME),
        log_keys=log_keys,
        cosign_keys=cosign_keys,
        extensions={name: value for name, value in extensions.items() if name != SECOND_KEYS},
    )
    for index, pem in enumerate(node.tls_ca_pems):
        if pem:
            _check_ca(reader, index, pem)
    reader.close()
    return node


def read_verifier_key(reader: ObjectReader, member: str) -> str:
    """Reads an Ed25519 verifier key (C2SP signed-note, type 0x01)."""
    vkey = reader.text(member, *VERIFIER_KEY)
    if vkey:
        verifier = reader.convert(member, lambda: Verifier.from_vkey(vkey), None)
        if verifier is not None and verifier.algorithm is not SignatureType.ED25519:
            reader.problem(member, "directory.key_type", "must be of type 0x01, Ed25519")
    return vkey


def read_display_names(reader: ObjectReader, member: str) -> Mapping[str, str]:
    """Reads names by language tag; English is mandatory."""
    names = reader.text_map(member, *PLAIN, maximum=16)
    if names and "en" not in names:
        reader.problem(f"{member}.en", "json.required", "is missing; an authority has a name in English")
    return names


def _directory_json(directory: Directory) -> JsonValue:
    return {
        "format": FORMAT,
        "federation": directory.federation,
        "version": directory.version,
        "issued_at": format_time(directory.issued_at),
        "expires_at": format_time(directory.expires_at),
        "grace_days": directory.grace_days,
        "threshold": directory.threshold,
        "authorities": {name: _authority_json(authority) for name, authority in directory.authorities.items()},
        "nodes": {name: node_json(node) for name, node in directory.nodes.items()},
        "agreements": [_agreement_json(agreement) for agreement in directory.agreements],
        "revoked_certificates": [*sorted(directory.revoked_certificates)],
        "extensions": {**directory.extensions, **_former_members_json(directory)},
    }


def _former_members_json(directory: Directory) -> dict[str, JsonValue]:
    former: dict[str, JsonValue] = {
        name: {
            "version": one.version,
            "removed_at": format_time(one.removed_at),
            "node": node_json(one.node),
            "display_names": dict(one.display_names),
            "agreements": [_agreement_json(agreement) for agreement in one.agreements],
        }
        for name, one in directory.former_members.items()
    }
    return {FORMER_MEMBERS: former} if former else {}


def _read_former_members(reader: ObjectReader) -> Mapping[str, FormerMember]:
    below = reader.nested("extensions")
    return {name: _read_former_member(one) for name, one in below.named(FORMER_MEMBERS, *NAME, maximum=MAX_AUTHORITIES)}


def _read_former_member(reader: ObjectReader) -> FormerMember:
    former = FormerMember(
        version=reader.integer("version", 2, MAX_INTEGER),
        removed_at=reader.time("removed_at"),
        node=read_node(reader.nested("node")),
        display_names=read_display_names(reader, "display_names"),
        agreements=tuple(read_agreement(below) for below in reader.objects("agreements", maximum=MAX_AGREEMENTS)),
    )
    reader.close()
    return former


def _authority_json(authority: Authority) -> dict[str, JsonValue]:
    return {
        "node": authority.node,
        "directory_key": authority.directory_key,
        "display_names": dict(authority.display_names),
    }


def _agreement_json(agreement: Agreement) -> dict[str, JsonValue]:
    return {
        "id": agreement.id,
        "sender": agreement.sender,
        "recipient": agreement.recipient,
        "message_types": [*sorted(agreement.message_types)],
        "purposes": [*sorted(agreement.purposes)],
        "field_classes": [*sorted(agreement.field_classes)],
        "clause": agreement.clause,
        "valid_from": format_time(agreement.valid_from),
        "valid_until": format_time(agreement.valid_until),
        "hit_reports": agreement.hit_reports,
        "extensions": dict(agreement.extensions),
    }


def _read_directory(reader: ObjectReader) -> Directory:
    reader.text("format", FORMAT, FORMAT)
    extensions = reader.free("extensions")
    directory = Directory(
        federation=reader.text("federation", *FEDERATION),
        version=reader.integer("version", 1, MAX_INTEGER),
        issued_at=reader.time("issued_at"),
        expires_at=reader.time("expires_at"),
        grace_days=reader.integer("grace_days", 0, MAX_GRACE_DAYS),
        threshold=reader.integer("threshold", 1, MAX_AUTHORITIES),
        authorities={
            name: _read_authority(below) for name, below in reader.named("authorities", *NAME, maximum=MAX_AUTHORITIES)
        },
        nodes={name: read_node(below) for name, below in reader.named("nodes", *NAME, maximum=MAX_AUTHORITIES)},
        agreements=tuple(read_agreement(below) for below in reader.objects("agreements", maximum=MAX_AGREEMENTS)),
        revoked_certificates=reader.text_set("revoked_certificates", *FINGERPRINT, maximum=MAX_REVOKED),
        former_members=_read_former_members(reader) if FORMER_MEMBERS in extensions else {},
        extensions={name: value for name, value in extensions.items() if name != FORMER_MEMBERS},
    )
    ids = [agreement.id for agreement in directory.agreements]
    if ids != sorted(ids):
        reader.problem("agreements", "json.order", "must be in order of id")
    return directory


def _read_authority(reader: ObjectReader) -> Authority:
    authority = Authority(
        node=reader.text("node", *NAME),
        directory_key=read_verifier_key(reader, "directory_key"),
        display_names=read_display_names(reader, "display_names"),
    )
    reader.close()
    return authority


def read_agreement(reader: ObjectReader) -> Agreement:
    """Reads an agreement."""
    classes = reader.text_set("field_classes", *FIELD_CLASS, maximum=MAX_LIST)
    agreement = Agreement(
        id=reader.text("id", *AGREEMENT_ID),
        sender=reader.text("sender", *NAME),
        recipient=reader.text("recipient", *NAME),
        message_types=reader.text_set("message_types", *MESSAGE_TYPE, maximum=MAX_LIST),
        purposes=reader.text_set("purposes", *PURPOSE, maximum=MAX_LIST),
        field_classes=frozenset(FieldClass(name) for name in classes if name),
        clause=reader.text("clause", *PLAIN),
        valid_from=reader.time("valid_from"),
        valid_until=reader.time("valid_until"),
        hit_reports=reader.flag("hit_reports"),
        extensions=reader.free("extensions"),
    )
    reader.close()
    return agreement


def _read_keys(reader: ObjectReader, member: str) -> tuple[KeyRecord, ...]:
    return tuple(_read_key(below) for below in reader.objects(member, maximum=MAX_KEYS_PER_NODE))


def _read_second_keys(reader: ObjectReader, member: str) -> tuple[KeyRecord, ...]:
    records: list[KeyRecord] = []
    for below in reader.objects(member, maximum=MAX_KEYS_PER_NODE):
        below.text("algorithm", KeyAlgorithm.ML_DSA_44.value, f"{KeyAlgorithm.ML_DSA_44.value}, the one that there is")
        records.append(_read_key(below, KeyAlgorithm.ML_DSA_44))
    return tuple(records)


def _read_key(reader: ObjectReader, algorithm: KeyAlgorithm = KeyAlgorithm.ED25519) -> KeyRecord:
    text = reader.text("public_key", *_PUBLIC_KEYS[algorithm])
    record = KeyRecord(
        public_key=reader.convert("public_key", lambda: decode_public_key(text, algorithm), b"") if text else b"",
        not_before=reader.time("not_before"),
        not_after=reader.time("not_after"),
        revoked_at=reader.optional_time("revoked_at"),
        algorithm=algorithm,
    )
    reader.close()
    return record


def decode_public_key(text: str, algorithm: KeyAlgorithm = KeyAlgorithm.ED25519) -> bytes:
    """A public key from text that matches its pattern; raises MalformedError."""
    key = base64.b64decode(text)  # the pattern ensures base64
    if base64.b64encode(key).decode() != text:
        raise MalformedError("must be canonical base64")
    return Verifier("any", key, _TYPES[algorithm]).public_key  # refuses keys of small order


def verifier_of(name: str, record: KeyRecord, first: SignatureType = SignatureType.ED25519) -> Verifier:
    """A record's key under a name.

    Args:
        first: what keys of the first algorithm sign: a log's checkpoints, or with COSIGNATURE receipts.
    """
    kind = first if record.algorithm is KeyAlgorithm.ED25519 else _TYPES[record.algorithm]
    return Verifier(name, record.public_key, kind)


_PUBLIC_KEYS: Mapping[KeyAlgorithm, tuple[str, str]] = {
    KeyAlgorithm.ED25519: PUBLIC_KEY,
    KeyAlgorithm.ML_DSA_44: ML_DSA_PUBLIC_KEY,
}
_TYPES: Mapping[KeyAlgorithm, SignatureType] = {
    KeyAlgorithm.ED25519: SignatureType.ED25519,
    KeyAlgorithm.ML_DSA_44: SignatureType.ML_DSA_44,
}


def _check_ca(reader: ObjectReader, index: int, pem: str) -> None:
    try:
        inspect_ca(pem)
    except ConfigurationError as error:
        reader.problem(f"tls_ca_pems[{index}]", "directory.ca", error.message)
