"""`gateway pki`: makes keys and certificates where they are used."""

from __future__ import annotations

import base64
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.clock import now
from gateway.cli.files import naming, read_input, write_output
from gateway.cli.output import JsonOption, Output, json_key, reports_errors
from gateway.cli.pki.show import describe
from gateway.contract.ids import GatewayIdentity, SystemIdentity, parse_spiffe, server_name
from gateway.errors import MalformedError, OptionError
from gateway.tlog.note import SignatureType, Verifier
from gateway.tls.certificates import inspect_ca, inspect_certificate
from gateway.tls.secret_files import read_passphrase
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.trust.pki.issuance import (
    CA_DAYS,
    DEFAULT_LEAF_DAYS,
    RequestedCertificate,
    create_ca,
    create_request,
    inspect_request,
    load_ca,
)
from gateway.trust.pki.keys import (
    NEXT_LOG_KEY,
    NEXT_RECEIPTS_KEY,
    SECOND_LOG_KEY,
    SECOND_RECEIPTS_KEY,
    create_second_keys,
    create_signing_key,
)
from gateway.trust.rules.directory import directory_key_name, receipts_key_name

ISSUED_FOLDER = "issued"
"""Folder in a CA's folder with a copy of each certificate that it signed, by serial number."""


class CertificateKind(StrEnum):
    """Kinds of certificates."""

    GATEWAY = "gateway"
    SYSTEM = "system"


NodeOption = Annotated[str, typer.Option("--node", help=_("The node's name, e.g. cn."))]
FederationOption = Annotated[
    str, typer.Option("--federation", help=_("The federation's name, a DNS name."), envvar="GATEWAY_FEDERATION")
]
OutFolder = Annotated[Path, typer.Option("--out", help=_("Folder for the new files."), file_okay=False)]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help=_("File (mode 0600) with the passphrase that encrypts the key.")),
]
PassphraseVariable = Annotated[
    str | None,
    typer.Option("--passphrase-env", help=_("Environment variable with the passphrase that encrypts the key.")),
]


@reports_errors
def init_ca(
    *,
    node: NodeOption,
    federation: FederationOption,
    out: OutFolder,
    days: Annotated[int, typer.Option(help=_("Validity in days."), min=1, max=20 * 365)] = CA_DAYS,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Make the CA of a node: it signs certificates for that node's gateway and systems, and for nobody else.

    Writes ca.key (keep it offline, with a passphrase) and ca.pem (goes into the directory).

    \b
    Example:
      gateway pki init-ca --node cn --federation gba.customs.example --out ca --passphrase-env CA_PASSPHRASE
    """
    passphrase = _passphrase(passphrase_file, passphrase_env)
    _require_free(out / "ca.pem")
    ca = create_ca(
        node=node, federation=federation, key_path=out / "ca.key", now=now(), days=days, passphrase=passphrase
    )
    write_output(out / "ca.pem", ca.certificate_pem)
    stated = inspect_ca(ca.certificate_pem)
    Output(as_json).facts(
        _("CA made"),
        {
            N_("Certificate"): out / "ca.pem",
            N_("Key"): out / "ca.key",
            N_("Subject"): stated.subject,
            N_("Fingerprint"): stated.fingerprint_sha256,
            N_("Valid until"): stated.not_after,
        },
    )


@reports_errors
def request(
    *,
    kind: Annotated[
        CertificateKind, typer.Option(help=_("gateway: server and client; system: client of its own gateway."))
    ],
    node: NodeOption,
    federation: FederationOption,
    out: OutFolder,
    name: Annotated[str, typer.Option(help=_("The system's name, e.g. officers; not for a gateway."))] = "",
    dns: Annotated[list[str] | None, typer.Option(help=_("DNS name of the gateway's host; may be repeated."))] = None,
    ip: Annotated[list[str] | None, typer.Option(help=_("IP address of the gateway's host; may be repeated."))] = None,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Make a TLS key here, where it will be used, and a request that the node's CA can sign.

    Writes gateway.key and gateway.csr, or NAME.key and NAME.csr. Only the .csr leaves this machine.
    A gateway's request always has the DNS name NODE.FEDERATION, by which partners know it on any host.

    \b
    Examples:
      gateway pki request --kind gateway --node cn --federation gba.customs.example --dns gw.example --out pki
      gateway pki request --kind system --node cn --name officers --federation gba.customs.example --out pki/systems
    """
    if (kind is CertificateKind.SYSTEM) != bool(name):
        raise OptionError(_("--name is needed for a system, and not for a gateway"))
    names = tuple(dns or ())
    if kind is CertificateKind.SYSTEM:
        identity: GatewayIdentity | SystemIdentity = SystemIdentity(federation, node, name)
    else:
        identity = GatewayIdentity(federation, node)
        names = tuple(dict.fromkeys((server_name(federation, node), *names)))
    stem = name or "gateway"
    _require_free(out / f"{stem}.csr")
    pem = create_request(
        identity,
        key_path=out / f"{stem}.key",
        dns_names=names,
        ip_addresses=ip or (),
        passphrase=_passphrase(passphrase_file, passphrase_env),
    )
    write_output(out / f"{stem}.csr", pem)
    Output(as_json).facts(
        _("Key and request made"),
        {
            N_("Request"): out / f"{stem}.csr",
            N_("Key"): out / f"{stem}.key",
            N_("Identity"): identity.uri,
            N_("DNS names"): list(names),
            N_("IP addresses"): ip or [],
        },
    )


@reports_errors
def issue(
    request_file: Annotated[Path, typer.Argument(metavar="CSR", help=_("The request."), exists=True, dir_okay=False)],
    *,
    ca: Annotated[Path, typer.Option("--ca", help=_("Folder with ca.pem and ca.key."), exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option("--out", help=_("File for the certificate; an older one is replaced."))],
    days: Annotated[int, typer.Option(help=_("Validity in days, at most 398."))] = DEFAULT_LEAF_DAYS,
    identity: Annotated[
        str, typer.Option(help=_("Identity that the request must have; without it you are asked to confirm."))
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help=_("Confirm beforehand whatever the request asks for."))] = False,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a request with the node's CA, after a look at its content.

    A copy goes into the CA's folder issued, by serial number: `gateway directory revoke` finds it there.

    \b
    Examples:
      gateway pki issue --ca ca gateway.csr --out gateway.pem
      gateway pki issue --ca ca gateway.csr --identity spiffe://gba.customs.example/gateway/cn --out gateway.pem
    """
    pem = read_input(request_file)
    with naming(request_file, way_out=_("Give a request: the .csr that `gateway pki request` has written.")):
        asked = inspect_request(pem)
    expected = _expected(asked, identity)
    if not identity and not yes:
        _confirm(Output(as_json), asked, days)
    authority = load_ca(read_input(ca / "ca.pem"), ca / "ca.key", _passphrase(passphrase_file, passphrase_env))
    certificate = authority.issue(
        pem,
        identity=expected,
        dns_names=asked.dns_names,
        ip_addresses=asked.ip_addresses,
        now=now(),
        days=days,
    )
    stated = inspect_certificate(certificate)
    kept = ca / ISSUED_FOLDER / f"{stated.serial:x}.pem"
    write_output(kept, certificate)  # first: what was issued can be revoked
    write_output(out, certificate, replace=True)
    Output(as_json).facts(
        _("Certificate issued"),
        {
            N_("Certificate"): out,
            N_("Kept as"): kept,
            N_("Identity"): stated.identity.uri,
            N_("DNS names"): list(stated.dns_names),
            N_("IP addresses"): list(stated.ip_addresses),
            N_("Serial"): f"{stated.serial:x}",
            N_("Fingerprint"): stated.fingerprint_sha256,
            N_("Valid until"): stated.not_after,
        },
    )


@reports_errors
def signing_keys(
    *,
    node: NodeOption,
    federation: FederationOption,
    out: OutFolder,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Make the node's two signing keys: log.pem signs its feeds, receipts.pem cosigns what it received.

    Prints the public parts: the log key as the directory has it, since it signs each feed under the feed's name,
    and the receipts key as a verifier key (C2SP signed-note).

    \b
    Example:
      gateway pki signing-keys --node cn --federation gba.customs.example --out pki/keys
    """
    GatewayIdentity(federation, node)  # refuses wrong names
    passphrase = _passphrase(passphrase_file, passphrase_env)
    _require_free(out / "receipts.pem")
    log = create_signing_key(out / "log.pem", name=f"{federation}/{node}/log", passphrase=passphrase)
    receipts_name = receipts_key_name(federation, node)
    receipts = create_signing_key(out / "receipts.pem", name=receipts_name, passphrase=passphrase)
    Output(as_json).facts(
        _("Signing keys made"),
        {
            N_("Log key"): out / "log.pem",
            N_("Log public key"): base64.b64encode(log.public_key).decode(),
            N_("Receipts key"): out / "receipts.pem",
            N_("Receipts vkey"): Verifier(receipts_name, receipts.public_key, SignatureType.COSIGNATURE).to_vkey(),
        },
    )


@reports_errors
def next_keys(
    *,
    out: OutFolder,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Make the keys that take the place of the signing keys in use, without a restart and without a gap.

    1. Make them, name them in gateway.toml under [keys], log_next and receipts_next, and send the node SIGHUP.
    2. Make a new card with --next-from, a time by which all nodes will have the next version of the directory, and
       have that version signed. From that time on the node signs with the new keys.
    3. Then let log and receipts name the new files, without log_next and receipts_next, and send SIGHUP again. The old
       public keys stay in the directory, and evidence under them stays right.

    \b
    Example:
      gateway pki next-keys --out pki/keys
    """
    passphrase = _passphrase(passphrase_file, passphrase_env)
    for name in (NEXT_LOG_KEY, NEXT_RECEIPTS_KEY):
        _require_free(out / name)
    for name in (NEXT_LOG_KEY, NEXT_RECEIPTS_KEY):
        create_signing_key(out / name, name=name, passphrase=passphrase)
    Output(as_json).facts(
        _("Next keys made"), {N_("Log key"): out / NEXT_LOG_KEY, N_("Receipts key"): out / NEXT_RECEIPTS_KEY}
    )


@reports_errors
def second_keys(
    *,
    out: OutFolder,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Make second keys, of ML-DSA-44 (FIPS 204): with them a quantum computer can't forge what the node signs.

    From a time on that the directory says, partners and courts require both signatures on checkpoints and receipts.

    1. Make the keys, name them in gateway.toml under [keys], log_second and receipts_second, and restart the node.
    2. Make a new card with --second-from, a time by which all nodes will have the next version of the directory, and
       have that version signed. The node signs with both keys as soon as it has the version.

    \b
    Example:
      gateway pki second-keys --out pki/keys
    """
    for name in (SECOND_LOG_KEY, SECOND_RECEIPTS_KEY):
        _require_free(out / name)
    create_second_keys(out, _passphrase(passphrase_file, passphrase_env))
    Output(as_json).facts(
        _("Second keys made"),
        {N_("Log key"): out / SECOND_LOG_KEY, N_("Receipts key"): out / SECOND_RECEIPTS_KEY},
    )


@reports_errors
def directory_key(
    *,
    authority: Annotated[str, typer.Option(help=_("The authority's name, e.g. cn."))],
    federation: FederationOption,
    out: OutFolder,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Make an authority's directory key. It stays offline and signs versions of the directory.

    Writes directory.pem and directory.vkey. Every node pins the verifier key as an anchor:
    hand it over in person or compare it by telephone.

    \b
    Example:
      gateway pki directory-key --authority cn --federation gba.customs.example --out offline --passphrase-env DIR_PASS
    """
    GatewayIdentity(federation, authority)  # refuses wrong names
    _require_free(out / "directory.vkey")
    name = directory_key_name(federation, authority)
    passphrase = _passphrase(passphrase_file, passphrase_env)
    signer = create_signing_key(out / "directory.pem", name=name, passphrase=passphrase)
    vkey = Verifier(name, signer.public_key).to_vkey()
    write_output(out / "directory.vkey", f"{vkey}\n".encode())
    Output(as_json).facts(_("Directory key made"), {N_("Key"): out / "directory.pem", N_("Vkey"): vkey})


@reports_errors
def show(
    files: Annotated[list[Path], typer.Argument(help=_("Certificates, requests, keys, verifier keys."))],
    *,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Show the content of certificates, requests and keys. Private parts are never shown.

    \b
    Example:
      gateway pki show pki/*.pem pki/keys/*.pem
    """
    passphrase = _passphrase(passphrase_file, passphrase_env)
    described = [(path, describe(path, read_input(path), passphrase, now())) for path in files]
    output = Output(as_json)
    if as_json:
        output.json(
            [{"file": path, **{json_key(name): value for name, value in each.items()}} for path, each in described]
        )
        return
    for path, facts in described:
        output.facts(str(path), facts)


def _expected(asked: RequestedCertificate, identity: str) -> GatewayIdentity | SystemIdentity:
    if not identity:
        return asked.identity
    try:
        return parse_spiffe(identity)
    except MalformedError as error:
        raise OptionError(_("--identity: {message}", message=error.message)) from None


def _confirm(output: Output, asked: RequestedCertificate, days: int) -> None:
    output.require_human()
    output.facts(
        _("The request asks for"),
        {
            N_("Identity"): asked.identity.uri,
            N_("DNS names"): list(asked.dns_names),
            N_("IP addresses"): list(asked.ip_addresses),
            N_("Days"): days,
        },
    )
    if not output.confirm(_("Did you expect exactly this, and sign it?")):
        raise OptionError(_("nothing was signed; give --identity, or --yes, to sign without being asked"))


def _require_free(path: Path) -> None:
    if path.exists():
        raise OptionError(_("{path} exists already", path=path), way_out=_("Choose another --out, or move it away."))


def _passphrase(file: Path | None, variable: str | None) -> bytes | None:
    return read_passphrase(file=file, variable=variable, environment=os.environ)
