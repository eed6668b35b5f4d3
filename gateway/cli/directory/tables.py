"""Prints a directory, and the differences between two."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from gateway.cli.directory.allowed import print_allowed
from gateway.cli.directory.files import OpenedDirectory
from gateway.cli.output import Output, to_json
from gateway.contract.json_document import format_time
from gateway.translation.messages import N_, marked, ngettext
from gateway.translation.messages import gettext as _
from gateway.trust.codec.directory import encode_directory
from gateway.trust.rules.directory import Directory, FederationNode, KeyAlgorithm, KeyRecord
from gateway.trust.service.directory_drafts import differences, dropped_cas, removals
from gateway.trust.service.owner_revocations import Outstanding


def print_directory(
    output: Output, opened: OpenedDirectory, now: datetime, by_owners: Sequence[Outstanding] | None = None
) -> None:
    """Prints everything that a signatory examines; with --json the directory.

    Args:
        by_owners: what a node refuses beside it; None for a file, which doesn't tell.
    """
    directory = opened.directory
    if output.as_json:
        document = json.loads(encode_directory(directory))
        told = {} if by_owners is None else {"revoked_by_owners": list(map(_outstanding_json, by_owners))}
        output.json({"signed_by": opened.signed_by, "validity": directory.validity(now), "directory": document} | told)
        return
    output.facts(
        _("Directory of {federation}, version {version}", federation=directory.federation, version=directory.version),
        {
            N_("State"): _("draft") if opened.note is None else _("signed note, not verified here"),
            N_("Signature lines"): list(opened.signed_by) or _("none"),
            N_("Threshold"): _(
                "{threshold} of {number} authorities",
                threshold=directory.threshold,
                number=len(directory.authorities),
            ),
            N_("Issued"): directory.issued_at,
            N_("Expires"): directory.expires_at,
            N_("Grace until"): directory.grace_ends_at,
            N_("Validity"): directory.validity(now),
            N_("Revoked certificates"): sorted(directory.revoked_certificates) or _("none"),
        },
    )
    output.table(
        _("Authorities"),
        marked("Name", "Node", "Called", "Directory key"),
        [
            (name, authority.node, list(authority.display_names.values()), authority.directory_key)
            for name, authority in sorted(directory.authorities.items())
        ],
    )
    output.table(_("Nodes"), marked("Name", "Endpoints", "Server name", "CAs"), _node_rows(directory))
    output.table(
        _("Signing keys"), marked("Node", "For", "Public key", "Counts from", "Until", "Now"), _key_rows(directory, now)
    )
    print_allowed(output, directory, now)
    if by_owners:
        output.table(
            _("Revoked by owners alone, until a version says so"),
            marked("Authority", "Issued", "Reason", "Certificates", "Keys"),
            [
                (
                    one.revocation.authority,
                    one.revocation.content.issued_at,
                    one.revocation.content.reason,
                    [certificate.fingerprint for certificate in one.items.certificates],
                    [base64.b64encode(key).decode() for key in one.items.keys],
                )
                for one in by_owners
            ],
        )


def print_differences(output: Output, before: Directory, after: Directory) -> None:
    """Prints what changes, one place a row, and whose certificates stop working."""
    rows = difference_rows(before, after)
    if not rows:
        output.line(_("No differences."))
    if rows or output.as_json:
        output.table(_("Differences"), marked("Path", "Before", "After"), rows)
    for sentence in removal_sentences(before, after):
        output.warning(sentence)
    for node, ca in dropped_cas(before, after):
        output.warning(
            _(
                "certificates of {node} that the CA {subject} issued (SHA-256 {fingerprint}) stop working: its "
                "gateway's at partners, its systems' at their own gateway",
                node=node,
                subject=ca.subject,
                fingerprint=ca.fingerprint_sha256[:16],
            )
        )


def removal_sentences(before: Directory | None, after: Directory) -> Iterator[str]:
    """What ends with each member that a version leaves out; nothing without a version before."""
    for removal in removals(before, after) if before is not None else ():
        yield ngettext(
            "{node} is no member any more: its feeds end, and {number} agreement ends; signatures by its keys count "
            "until {until}",
            "{node} is no member any more: its feeds end, and {number} agreements end; signatures by its keys count "
            "until {until}",
            removal.agreements,
            node=removal.node,
            until=format_time(removal.keys_until) if removal.keys_until else _("this version"),
        )


def difference_rows(before: Directory, after: Directory) -> list[tuple[str, str | None, str | None]]:
    """Path, and what stands there before and after."""
    return [(change.path, _shown(change.old), _shown(change.new)) for change in differences(before, after)]


def _outstanding_json(one: Outstanding) -> object:
    content = one.revocation.content
    return {
        "authority": content.authority,
        "issued_at": content.issued_at,
        "reason": content.reason,
        "sha256": one.revocation.digest.hex(),
        "certificates": [certificate.fingerprint for certificate in one.items.certificates],
        "keys": [
            {"public_key": base64.b64encode(key).decode(), "since": since} for key, since in one.items.keys.items()
        ],
    }


def _node_rows(directory: Directory) -> list[tuple[object, ...]]:
    return [
        (name, list(node.endpoints) or _("connects outwards"), node.tls_server_name, len(node.tls_ca_pems))
        for name, node in sorted(directory.nodes.items())
    ]


def _key_rows(directory: Directory, now: datetime) -> list[tuple[object, ...]]:
    return [
        (
            name,
            use,
            _public_key(record),
            record.not_before,
            record.revoked_at or record.not_after,
            _key_state(record, now),
        )
        for name, node in sorted(directory.nodes.items())
        for use, record in _keys(node)
    ]


def _public_key(record: KeyRecord) -> str:
    key = base64.b64encode(record.public_key).decode()
    return key if record.algorithm is KeyAlgorithm.ED25519 else f"ML-DSA-44 {key[:33]}…"


def _key_state(record: KeyRecord, now: datetime) -> str:
    if record.revoked_at and record.revoked_at <= now:
        return _("revoked")
    return _("counts") if record.usable(now) else _("no")


def _keys(node: FederationNode) -> list[tuple[str, KeyRecord]]:
    return [*(("log", record) for record in node.log_keys), *(("receipts", record) for record in node.cosign_keys)]


def _shown(value: object) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) else to_json(value)
