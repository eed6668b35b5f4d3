"""`gateway directory revoke-now|take-revocation`: what an authority revokes by itself, at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.clock import now
from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, read_settings
from gateway.cli.directory.drafting import DirectoryFile, OutFile, PassphraseFile, PassphraseVariable, YesOption
from gateway.cli.directory.files import open_directory, public_key_from
from gateway.cli.directory.revocation import (
    CertificateOption,
    IssuedOption,
    KeyOption,
    KnownCertificate,
    SinceOption,
    key_names,
    known_certificates,
    moment_of,
    named_certificate,
)
from gateway.cli.files import read_input, write_output
from gateway.cli.keys.tokens import DirectoryKey, ModuleOption, PinFile, TokenOption, directory_signer
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.errors import DirectoryError, OptionError
from gateway.tlog.note import sign_note
from gateway.tls.secret_files import read_passphrase
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.trust.codec.owner_revocation import MAX_REVOCATION_BYTES, encode_revocation
from gateway.trust.rules.directory import Directory, KeyRecord, directory_key_name, of_algorithm
from gateway.trust.rules.owner_revocations import OwnCertificate, OwnerRevocation
from gateway.trust.rules.revocations import Revocations
from gateway.trust.service.owner_revocations import TrustedRevocation, nodes_of, own_certificate, verify_revocation


@reports_errors
def revoke_now(
    file: DirectoryFile,
    *,
    authority: Annotated[str, typer.Option(help=_("Whose certificates and keys they are, e.g. mo."))],
    reason: Annotated[str, typer.Option(help=_("In words, for the other authorities' operators."))],
    out: OutFile,
    directory_key: DirectoryKey = None,
    token: TokenOption = "",
    module: ModuleOption = None,
    pin_file: PinFile = None,
    certificate: CertificateOption = None,
    issued: IssuedOption = None,
    key: KeyOption = None,
    since: SinceOption = None,
    yes: YesOption = False,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke certificates and keys of one authority at once, by its directory key alone.

    For a stolen key that can't wait for other authorities' signatures. It can name what is this authority's own and
    nothing else, and it can't be taken back. Give the note to this authority's node with `gateway directory
    take-revocation`; partners fetch it from there within seconds. Then draft the version of the directory that says it
    for good: `gateway directory revoke`.

    \b
    Examples:
      gateway directory revoke-now directory.note --authority cn --directory-key directory.pem \\
        --certificate lost.pem --reason "laptop stolen at the quay" --out cn-revocation.note
      gateway directory revoke-now directory.note --authority cn --directory-key directory.pem \\
        --key "n4bQ…=" --reason "copy of the log key found" --out cn-revocation.note
    """
    directory = open_directory(file).directory
    if not certificate and not key:
        raise OptionError(_("name at least one --certificate or --key"))
    if since and not key:
        raise OptionError(_("--since is for keys; a certificate doesn't count from now on"))
    known = known_certificates(issued or [], directory)
    named = [named_certificate(name, known, directory, unseen=False) for name in certificate or []]
    moment = moment_of(since)
    keys = dict.fromkeys(map(public_key_from, key or []), moment)
    text = encode_revocation(
        OwnerRevocation(
            federation=directory.federation,
            authority=authority,
            issued_at=now().replace(microsecond=0),
            reason=reason,
            certificates=tuple(sorted({one.pem for one in named})),
            keys=keys,
        )
    )
    passphrase = read_passphrase(file=passphrase_file, variable=passphrase_env, environment=os.environ)
    name = directory_key_name(directory.federation, authority)
    with directory_signer(directory_key, passphrase, token, module, pin_file, name=name) as signer:
        note = sign_note(text, [signer])
    revocation = verify_revocation(note, directory)
    output = Output(as_json)
    for warning in _losses(revocation, directory, known):
        output.warning(warning)
    revoked = _revoked(revocation, directory)
    if not yes:
        for line in revoked:
            output.line(line)
        if not output.confirm(_("Revoke this at once? It can't be taken back.")):
            raise OptionError(_("nothing was signed; --yes signs without being asked"))
    write_output(out, note)
    _print(output, _("Revocation signed"), out, revocation, revoked)
    output.note(
        _("Give it to this authority's node: gateway directory take-revocation {file} --config gateway.toml", file=out)
    )


@reports_errors
def take_revocation(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("A note of `gateway directory revoke-now`."))],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Give a node what an authority revoked by itself; it counts within seconds, and partners fetch it from there.

    It is verified first: nothing counts that isn't signed by the authority's directory key, or isn't its own. Where the
    node has replicas, give it to each.

    \b
    Example:
      gateway directory take-revocation cn-revocation.note --config /etc/gateway/gateway.toml
    """
    from gateway.node.directory_store import KeptVersions  # noqa: PLC0415  # imports slowly
    from gateway.node.existing_data import directory_state  # noqa: PLC0415  # imports slowly

    settings, note = read_settings(config), read_input(file, MAX_REVOCATION_BYTES)
    state, revocation = directory_state(settings).revoking(note)
    if state.revocation(revocation.digest) is None:
        raise OptionError(
            _("the directory says all of it already: nothing was changed"),
            way_out=_("See it with gateway directory show."),
        )
    folder = KeptVersions(settings.data_dir).by_owners
    folder.put(note, revocation)
    output = Output(as_json)
    _print(output, _("Revocation taken"), folder.folder, revocation, _revoked(revocation, state.in_force.directory))
    output.note(_("A running node counts it within seconds; `gateway status` shows it."))


def _print(output: Output, title: str, file: Path, revocation: TrustedRevocation, revoked: Sequence[str]) -> None:
    output.facts(
        title,
        {
            N_("File"): file,
            N_("Authority"): revocation.authority,
            N_("Issued"): revocation.content.issued_at,
            N_("Reason"): revocation.content.reason,
            N_("Revoked"): list(revoked),
            N_("SHA-256"): revocation.digest.hex(),
        },
    )


def _revoked(revocation: TrustedRevocation, directory: Directory) -> list[str]:
    lines = [f"{_owner(certificate)}: {certificate.fingerprint}" for certificate in revocation.certificates]
    return lines + [name for key, since in revocation.content.keys.items() for name in key_names(directory, key, since)]


def _losses(revocation: TrustedRevocation, directory: Directory, known: Sequence[KnownCertificate]) -> Iterator[str]:
    """What nothing is left of afterwards, as far as the directory and the certificates at hand tell."""
    named = {certificate.fingerprint for certificate in revocation.certificates}
    gone = named | directory.revoked_certificates
    restricted = Revocations(frozenset(named), revocation.content.keys).restrict(directory)
    for node in nodes_of(revocation.authority, directory):
        for what, before, after in (
            (_("log key"), directory.nodes[node].log_keys, restricted.nodes[node].log_keys),
            (_("receipts key"), directory.nodes[node].cosign_keys, restricted.nodes[node].cosign_keys),
        ):
            if _counts(before) and not _counts(after):
                yield _(
                    "no {what} of {node} is left: partners believe nothing that it signs until a version of the "
                    "directory names another",
                    what=what,
                    node=node,
                )
    at_hand = {
        (own.owner, own.is_ca)
        for own in _at_hand(revocation.authority, directory, known)
        if own.fingerprint not in gone and own.issuer not in gone and own.not_after > now()
    }
    for certificate in revocation.certificates:
        if (certificate.owner, certificate.is_ca) not in at_hand:
            yield _(
                "no other certificate of {owner} is at hand: until a new one is in place, its connections are refused",
                owner=_owner(certificate),
            )


def _at_hand(authority: str, directory: Directory, known: Sequence[KnownCertificate]) -> Iterator[OwnCertificate]:
    for certificate in known:
        with suppress(DirectoryError):  # another authority's
            yield own_certificate(certificate.pem, authority, directory)


def _owner(certificate: OwnCertificate) -> str:
    return _("CA of {node}", node=certificate.owner) if certificate.is_ca else certificate.owner


def _counts(records: Sequence[KeyRecord]) -> bool:
    return any(record.usable(now()) for record in of_algorithm(records))
