"""`gateway directory revoke`: drafts the next version with certificates and keys revoked, none that it can't find."""

from __future__ import annotations

import base64
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.clock import now
from gateway.cli.directory.drafting import DirectoryFile, OutFile, write_draft
from gateway.cli.directory.files import open_directory, public_key_from
from gateway.cli.files import read_input
from gateway.cli.output import JsonOption, reports_errors
from gateway.contract.json_document import format_time
from gateway.errors import OptionError, UnauthenticatedError
from gateway.tls.certificates import authenticate, canonical_pem, inspect_ca, inspect_certificate
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_drafts import revoke as make_revocation

FINGERPRINT_DIGITS = 64
"""Hexadecimal digits of a SHA-256."""

MAX_SERIAL_DIGITS = 40
"""Hexadecimal digits of the longest serial number, 20 octets (RFC 5280)."""

_PEM_BEGIN = b"-----BEGIN CERTIFICATE-----"

CertificateOption = Annotated[
    list[str] | None,
    typer.Option(help=_("Certificate file, SHA-256 fingerprint or serial number, hexadecimal; may be repeated.")),
]
IssuedOption = Annotated[
    list[Path] | None,
    typer.Option(
        help=_("Certificate file, or folder of such as CA/issued, to look up fingerprints and serials in."),
        exists=True,
    ),
]
KeyOption = Annotated[
    list[str] | None, typer.Option(help=_("Public part of a log or receipts key, base64 or vkey; may be repeated."))
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(help=_("For keys: from this time (UTC) on their signatures don't count; else from now on.")),
]


@dataclass(frozen=True, slots=True)
class KnownCertificate:
    """A certificate of a node in the directory: its CA, or one that its CA signed; `pem` is empty if it is unseen."""

    fingerprint: str
    serial: int
    owner: str
    pem: str = field(default="", compare=False)

    def is_named(self, hexadecimal: str) -> bool:
        """By its fingerprint, or by its serial number, which is shorter."""
        if len(hexadecimal) == FINGERPRINT_DIGITS:
            return self.fingerprint == hexadecimal
        return self.serial == int(hexadecimal, 16)


@reports_errors
def revoke(
    file: DirectoryFile,
    *,
    out: OutFile,
    certificate: CertificateOption = None,
    issued: IssuedOption = None,
    unseen: Annotated[
        bool, typer.Option("--unseen", help=_("Revoke fingerprints too of which no certificate is at hand."))
    ] = False,
    key: KeyOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft the next version with certificates and signing keys revoked; nothing else changes.

    Every name must stand for one certificate of a node in the directory. The directory itself has the CAs alone, so
    others are found in their files, or by serial or fingerprint among --issued: `gateway pki issue` keeps what it
    signed in the CA's folder issued.

    \b
    Examples:
      gateway directory revoke directory.note --certificate lost.pem --certificate old.pem --out directory-2.json
      gateway directory revoke directory.note --certificate 5a3f09… --issued ca/issued --out directory-2.json
      gateway directory revoke directory.note --key "n4bQ…=" --since 2026-01-15T08:00:00 --out directory-2.json
    """
    previous = open_directory(file).directory
    if not certificate and not key:
        raise OptionError(_("name at least one --certificate or --key"))
    if since and not key:
        raise OptionError(_("--since is for keys; a certificate is revoked when the version is in force"))
    known = known_certificates(issued or [], previous)
    keys = list(map(public_key_from, key or []))
    certificates = [named_certificate(name, known, previous, unseen=unseen) for name in certificate or []]
    moment = moment_of(since)
    made = make_revocation(
        previous,
        issued_at=now(),
        since=moment,
        fingerprints=dict.fromkeys(named.fingerprint for named in certificates),
        public_keys=dict.fromkeys(keys),
    )
    revoked = [f"{named.owner}: {named.fingerprint}" for named in dict.fromkeys(certificates)]
    revoked += [name for public_key in dict.fromkeys(keys) for name in key_names(previous, public_key, moment)]
    write_draft(out, made, as_json, previous=previous, revoked=revoked)


def moment_of(since: datetime | None) -> datetime:
    """The time of `--since`, UTC, or now; whole seconds."""
    return (since.replace(tzinfo=UTC) if since else now()).replace(microsecond=0)


def known_certificates(issued: Iterable[Path], directory: Directory) -> list[KnownCertificate]:
    """The directory's CAs, and its nodes' certificates in these files and folders."""
    return [*_cas(directory), *_among(issued, directory)]


def named_certificate(
    name: str, known: Sequence[KnownCertificate], directory: Directory, *, unseen: bool
) -> KnownCertificate:
    """The one certificate that a name stands for; raises OptionError. `unseen`: fingerprints may be of none at hand."""
    plain = name.replace(":", "").lower()
    if Path(name).is_file():
        return _in_file(Path(name), directory)
    if not plain or set(plain) - set(string.hexdigits) or MAX_SERIAL_DIGITS < len(plain) != FINGERPRINT_DIGITS:
        raise OptionError(
            _("--certificate: {given!r} is neither a file, nor a fingerprint of 64 digits, nor a serial", given=name)
        )
    by_fingerprint = len(plain) == FINGERPRINT_DIGITS
    matching = {candidate for candidate in known if candidate.is_named(plain)}
    if len(matching) == 1:
        return matching.pop()
    if matching:
        owners = listed(sorted(f"{candidate.owner} {candidate.fingerprint}" for candidate in matching))
        raise OptionError(_("--certificate {given}: several have this serial: {owners}", given=name, owners=owners))
    if by_fingerprint and unseen:
        return KnownCertificate(plain, 0, _("unseen"))
    message = _(
        "--certificate {given} is none of the directory's CAs and of the certificates among --issued: name its file, "
        "or with --issued the folder of its CA's certificates",
        given=name,
    )
    raise OptionError(message + (_("; --unseen revokes a fingerprint all the same") if by_fingerprint else ""))


def _in_file(path: Path, directory: Directory) -> KnownCertificate:
    """The certificate in a file; it must be of a node in the directory."""
    data = read_input(path)
    if (count := data.count(_PEM_BEGIN)) > 1:
        raise OptionError(
            _("--certificate {path} has {count} certificates: name each in a file of its own", path=path, count=count)
        )
    certificate = _certificate(data, directory)
    if certificate is None:
        raise OptionError(
            _(
                "--certificate {path}: no CA of this directory has signed it, nor is it one of them: nothing here "
                "accepts it, so there is nothing to revoke",
                path=path,
            )
        )
    return certificate


def key_names(directory: Directory, public_key: bytes, since: datetime) -> Iterator[str]:
    """Whose key it is and what for, and from when on it doesn't count."""
    shown = base64.b64encode(public_key).decode()
    from_then_on = format_time(since)
    for name, node in directory.signers().items():
        if public_key in {record.public_key for record in node.log_keys}:
            yield _("log key of {node}, from {time} on: {key}", node=name, time=from_then_on, key=shown)
        if public_key in {record.public_key for record in node.cosign_keys}:
            yield _("receipts key of {node}, from {time} on: {key}", node=name, time=from_then_on, key=shown)


def _cas(directory: Directory) -> Iterator[KnownCertificate]:
    for name, node in directory.nodes.items():
        for pem in node.tls_ca_pems:
            ca = inspect_ca(pem)
            yield KnownCertificate(ca.fingerprint_sha256, ca.serial, _("CA of {node}", node=name), pem)


def _among(paths: Iterable[Path], directory: Directory) -> Iterator[KnownCertificate]:
    """Certificates of the directory's nodes in files and folders; others are passed over."""
    for path in paths:
        for file in sorted(path.glob("*.pem")) if path.is_dir() else [path]:
            data = read_input(file)
            certificate = _certificate(data, directory) if data.count(_PEM_BEGIN) == 1 else None
            if certificate is not None:
                yield certificate


def _certificate(pem: bytes, directory: Directory) -> KnownCertificate | None:
    """A certificate, if it is a CA of the directory or signed by one; raises ConfigurationError if it is none."""
    try:
        stated = inspect_certificate(pem)
    except UnauthenticatedError:
        ca = inspect_ca(pem)
        return next((known for known in _cas(directory) if known.fingerprint == ca.fingerprint_sha256), None)
    try:
        authenticate(
            pem,
            trust_domain=directory.federation,
            ca_pems=directory.tls_ca_pems(stated.identity.node),
            revoked_fingerprints=(),
            now=min(max(now(), stated.not_before), stated.not_after),  # an expired one may be revoked as well
        )
    except UnauthenticatedError:
        return None
    return KnownCertificate(stated.fingerprint_sha256, stated.serial, str(stated.identity), canonical_pem(pem))
