"""Reads drafts, notes, terms, anchors and keys: unverified claims."""

from __future__ import annotations

import base64
import binascii
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

from gateway.cli.files import naming, read_input
from gateway.contract.json_document import ObjectReader, format_time
from gateway.errors import ConfigurationError, MalformedError, OptionError
from gateway.tlog import ml_dsa
from gateway.tlog.note import PUBLIC_KEY_BYTES, Verifier, parse_note
from gateway.translation.messages import gettext as _
from gateway.trust.codec.directory import MAX_AGREEMENTS, decode_directory, read_agreement
from gateway.trust.rules.directory import Agreement, Directory
from gateway.trust.service.directory_versions import RootOfTrust

_BASE64_KEY_CHARS = (44, 1752)

_SETS = ("message_types", "purposes", "field_classes")


@dataclass(frozen=True, slots=True)
class OpenedDirectory:
    """A directory with unverified signatures.

    Attributes:
        note: None for a draft.
        signed_by: claimed key names.
    """

    directory: Directory
    note: bytes | None
    signed_by: tuple[str, ...]


def open_directory(path: Path) -> OpenedDirectory:
    """Reads a draft or a signed note; MalformedError with all problems otherwise."""
    data = read_input(path)
    with naming(path, way_out=_("Give a directory: what `gateway directory draft` or `sign` has written, unchanged.")):
        if data.startswith(b"{") and data.endswith(b"}\n"):
            return OpenedDirectory(decode_directory(data), None, ())
        note = parse_note(data)
        signed_by = tuple(signature.name for signature in note.signatures)
        return OpenedDirectory(decode_directory(note.unverified_text), data, signed_by)


def read_terms(data: bytes, *, valid_from: datetime, valid_until: datetime) -> tuple[Agreement, ...]:
    """Reads agreements from TOML: `[[agreements]]` with the directory's members.

    Defaults: `id` `<sender>-<recipient>`, for one agreement in a direction; times as given; `hit_reports` false.
    `between`, a list of nodes, stands for each direction between two of them; an id is put before each one's.

    Raises:
        ConfigurationError: not TOML.
        DocumentInvalidError: members are wrong, with all their paths.
    """
    try:
        document: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of thousands of digits
        raise OptionError(_("the terms aren't a TOML document: {error}", error=error)) from None
    tables = document.get("agreements")
    groups = _take_groups(tables)
    unnamed: list[int] = []
    if isinstance(tables, list):
        document["agreements"] = [_completed(table, valid_from, valid_until) for table in tables]
        unnamed = _unnamed(tables)
    reader = ObjectReader(document)
    for index in unnamed:
        message = _("is missing; another agreement has this sender and recipient: give each an id")
        reader.problem(f"agreements[{index}].id", "terms.id", message)
    agreements = [read_agreement(text) for text in reader.objects("agreements", maximum=MAX_AGREEMENTS)]
    reader.close()
    reader.finish("terms")
    for index, group in sorted(groups.items(), reverse=True):
        agreements[index : index + 1] = group.spread(agreements[index])
    return tuple(sorted(agreements, key=lambda agreement: agreement.id))


def anchors_from(given: Sequence[str], threshold: int | None) -> RootOfTrust:
    """Anchors from verifier keys or their files, of one federation; without a threshold all must sign."""
    vkeys = [_vkey(text) for text in given]
    federations = {vkey.partition("+")[0].rsplit("/", 2)[0] for vkey in vkeys}
    if len(federations) != 1:
        raise OptionError(
            _("--anchor: keys of different federations: {federations}", federations=", ".join(sorted(federations)))
        )
    try:
        return RootOfTrust.from_vkeys(
            vkeys, federation=federations.pop(), threshold=len(vkeys) if threshold is None else threshold
        )
    except ConfigurationError as error:
        raise OptionError(
            error.message,
            way_out=_("Give the .vkey of each authority with --anchor, and a --threshold of at most their number."),
        ) from None


def public_key_from(given: str) -> bytes:
    """A public key, Ed25519 or ML-DSA-44, from base64 or a verifier key."""
    try:
        short = len(given) in _BASE64_KEY_CHARS
        key = base64.b64decode(given, validate=True) if short else Verifier.from_vkey(given).public_key
    except (binascii.Error, ValueError, MalformedError):
        key = b""
    if len(key) not in (PUBLIC_KEY_BYTES, ml_dsa.PUBLIC_KEY_BYTES):
        raise OptionError(
            _("--key: give the public key in base64, 44 characters, as `gateway directory show` does, or its vkey")
        )
    return key


def _vkey(given: str) -> str:
    if "+" in given and not Path(given).is_file():
        return given
    vkey = read_input(Path(given)).decode("utf-8", "replace").strip()
    try:
        return Verifier.from_vkey(vkey).to_vkey()
    except MalformedError as error:
        raise OptionError(
            _("--anchor: {given} holds no verifier key: {message}", given=given, message=error.message)
        ) from None


@dataclass(frozen=True, slots=True)
class _Group:
    """Nodes of which each may send to each other; `prefix` begins the agreements' ids."""

    nodes: tuple[str, ...]
    prefix: str

    def spread(self, agreement: Agreement) -> list[Agreement]:
        """The agreement in every direction between the nodes."""
        return [
            replace(agreement, id=f"{self.prefix}{sender}-{recipient}", sender=sender, recipient=recipient)
            for sender, recipient in permutations(self.nodes, 2)
        ]


def _take_groups(tables: object) -> dict[int, _Group]:
    """Takes `between` out of tables, by their positions; one direction stands for all until they are read."""
    groups: dict[int, _Group] = {}
    for index, table in enumerate(tables if isinstance(tables, list) else ()):
        nodes = table.get("between") if isinstance(table, dict) else None
        if not isinstance(nodes, list) or not all(isinstance(node, str) for node in nodes):
            continue
        if 1 < len(set(nodes)) == len(nodes) and not {"sender", "recipient"} & set(table):
            groups[index] = _Group(tuple(table.pop("between")), f"{table['id']}/" if "id" in table else "")
            table["sender"], table["recipient"] = nodes[:2]
    return groups


def _unnamed(tables: Sequence[object]) -> list[int]:
    """Positions of tables without an id that need one."""
    ids = Counter(str(table.get("id", _default_id(table))) for table in tables if isinstance(table, dict))
    return [
        index
        for index, table in enumerate(tables)
        if isinstance(table, dict) and "id" not in table and ids[_default_id(table)] > 1
    ]


def _default_id(table: Mapping[str, object]) -> str:
    return f"{table.get('sender')}-{table.get('recipient')}"


def _completed(table: object, valid_from: datetime, valid_until: datetime) -> object:
    if not isinstance(table, dict):
        return table
    completed: dict[str, object] = {
        "id": _default_id(table),
        "valid_from": valid_from.replace(microsecond=0),
        "valid_until": valid_until.replace(microsecond=0),
        "hit_reports": False,
        "extensions": {},
        **table,
    }
    for member in _SETS:  # the canonical form is sorted
        values = completed.get(member)
        if isinstance(values, list) and all(isinstance(value, str) for value in values):
            completed[member] = sorted(values)
    for member in ("valid_from", "valid_until"):
        time = completed[member]
        if isinstance(time, datetime):  # TOML has times; without a zone they are UTC
            completed[member] = format_time((time if time.tzinfo else time.replace(tzinfo=UTC)).replace(microsecond=0))
    return completed
