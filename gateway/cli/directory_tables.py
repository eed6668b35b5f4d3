"""How a directory and the differences between two look in a terminal.

Owns words and columns alone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import datetime

from gateway.cli.directory_files import OpenedDirectory
from gateway.cli.output import Output, to_json
from gateway.model.directory import Directory, KeyRecord, Node
from gateway.services.directory_drafts import Difference
from gateway.wire.directory import encode_directory


def print_directory(output: Output, opened: OpenedDirectory, now: datetime) -> None:
    """Prints everything a person has to look at; with --json the directory's own members."""
    directory = opened.directory
    if output.as_json:
        document = json.loads(encode_directory(directory))
        output.json({"signed_by": opened.signed_by, "validity": directory.validity(now), "directory": document})
        return
    output.facts(
        f"Directory of {directory.federation}, version {directory.version}",
        {
            "State": "draft" if opened.note is None else "signed note, not verified here",
            "Signature lines": list(opened.signed_by) or "none",
            "Threshold": f"{directory.threshold} of {len(directory.authorities)} authorities",
            "Issued": directory.issued_at,
            "Expires": directory.expires_at,
            "Grace until": directory.grace_ends_at,
            "Validity": directory.validity(now),
            "Revoked certificates": sorted(directory.revoked_certificates) or "none",
        },
    )
    output.table(
        "Authorities",
        ["Name", "Node", "Called", "Directory key"],
        [
            (name, each.node, list(each.display_names.values()), each.directory_key)
            for name, each in sorted(directory.authorities.items())
        ],
    )
    output.table("Nodes", ["Name", "Endpoints", "Server name", "CAs"], _node_rows(directory))
    output.table(
        "Signing keys", ["Node", "For", "Public key", "Counts from", "Until", "Now"], _key_rows(directory, now)
    )
    output.table(
        "Agreements",
        ["Id", "From", "To", "Messages", "Purposes", "Classes", "Valid until", "Now", "Clause"],
        [
            (
                each.id,
                each.sender,
                each.recipient,
                sorted(each.message_types),
                sorted(each.purposes),
                sorted(each.field_classes) or "none",
                each.valid_until,
                "in force" if each.in_force(now) else "not in force",
                each.clause,
            )
            for each in directory.agreements
        ],
    )


def print_differences(output: Output, changes: Iterable[Difference]) -> None:
    """Prints what changes, one place a row."""
    rows = [(change.path, _shown(change.old), _shown(change.new)) for change in changes]
    if not rows:
        output.line("No differences.")
    if rows or output.as_json:
        output.table("Differences", ["Path", "Before", "After"], rows)


def _node_rows(directory: Directory) -> list[tuple[object, ...]]:
    return [
        (name, list(node.endpoints) or "connects outwards", node.tls_server_name, len(node.tls_ca_pems))
        for name, node in sorted(directory.nodes.items())
    ]


def _key_rows(directory: Directory, now: datetime) -> list[tuple[object, ...]]:
    return [
        (
            name,
            use,
            base64.b64encode(record.public_key).decode(),
            record.not_before,
            record.revoked_at or record.not_after,
            "revoked" if record.revoked_at and record.revoked_at <= now else "counts" if record.usable(now) else "no",
        )
        for name, node in sorted(directory.nodes.items())
        for use, record in _keys(node)
    ]


def _keys(node: Node) -> list[tuple[str, KeyRecord]]:
    return [*(("log", record) for record in node.log_keys), *(("receipts", record) for record in node.cosign_keys)]


def _shown(value: object) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) else to_json(value)
