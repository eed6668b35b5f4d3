"""`gateway directory sign|verify|show|diff`: signatures on the directory, and its content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.clock import now
from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, read_settings
from gateway.cli.directory.allowed import agreements_json, print_allowed
from gateway.cli.directory.drafting import DirectoryFile, PassphraseFile, PassphraseVariable, YesOption
from gateway.cli.directory.files import OpenedDirectory, anchors_from, open_directory
from gateway.cli.directory.tables import print_differences, print_directory
from gateway.cli.files import read_input, write_output
from gateway.cli.keys.tokens import DirectoryKey, ModuleOption, PinFile, TokenOption, directory_signer
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.errors import OptionError
from gateway.tlog.note import Verifier, add_signature, sign_note
from gateway.tls.secret_files import read_passphrase
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.trust.codec.directory import encode_directory
from gateway.trust.pki.keys import Ed25519Signer
from gateway.trust.rules.directory import Directory, directory_key_name
from gateway.trust.service.directory_versions import accept, reopen, unsafe_reopen


@reports_errors
def sign(
    file: DirectoryFile,
    *,
    authority: Annotated[str, typer.Option(help=_("Whose key it is, e.g. cn."))],
    key: DirectoryKey = None,
    token: TokenOption = "",
    module: ModuleOption = None,
    pin_file: PinFile = None,
    out: Annotated[Path | None, typer.Option("--out", help=_("Signed note; else FILE with ending .note."))] = None,
    previous: Annotated[
        Path | None, typer.Option(help=_("The version in force; shows what changes, and lets an outgoing key sign."))
    ] = None,
    yes: YesOption = False,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a draft, or add a signature to a note that others have signed, after a look at what it allows.

    A version takes effect when the threshold of authorities has signed: pass the note on from one to the next.

    \b
    Example:
      gateway directory sign directory.json --authority cn --key directory.pem
      gateway directory sign directory.note --authority hk --key directory.pem
      gateway directory sign directory.note --authority mo --token "pkcs11:token=mo-offline;object=directory" \\
        --module /usr/lib/softhsm/libsofthsm2.so
    """
    opened = open_directory(file)
    before = open_directory(previous).directory if previous else None
    passphrase = read_passphrase(file=passphrase_file, variable=passphrase_env, environment=os.environ)
    name = directory_key_name(opened.directory.federation, authority)
    output = Output(as_json)
    with directory_signer(key, passphrase, token, module, pin_file, name=name) as signer:
        _require_named(signer, opened.directory, before)
        _show(output, opened.directory, before)
        if not yes:
            _confirm(output, opened.directory)
        note = _with_signature(opened, signer)
    target = out or file.with_suffix(".note")
    write_output(target, note, replace=target == file)
    signed_by = open_directory(target).signed_by
    output.facts(
        _("Signed"),
        {
            N_("Note"): target,
            N_("Version"): opened.directory.version,
            N_("Signatures"): list(signed_by),
            N_("Threshold"): opened.directory.threshold,
            **({N_("Agreements"): agreements_json(opened.directory)} if as_json else {}),
        },
    )


@reports_errors
def verify(
    file: DirectoryFile,
    *,
    anchor: Annotated[
        list[str] | None, typer.Option(help=_("Pinned verifier key or .vkey file; may be repeated."))
    ] = None,
    threshold: Annotated[
        int | None, typer.Option(help=_("Anchors that must have signed; without it all."), min=1)
    ] = None,
    previous: Annotated[
        Path | None, typer.Option(help=_("The version in force, which the new one must follow; anchors verify it."))
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a signed directory as a node would, step by step; an error names the step that fails.

    Without anchors and a previous version nobody vouches for the keys: then only damage is found.

    \b
    Example:
      gateway directory verify directory.note --anchor cn.vkey --anchor hk.vkey --anchor mo.vkey --threshold 2
    """
    note = read_input(file)
    output = Output(as_json)
    if threshold is not None and not anchor:
        raise OptionError(_("--threshold counts anchors: name them with --anchor"))
    root = anchors_from(anchor, threshold) if anchor else None
    if previous is None and root is None:
        trusted = unsafe_reopen(note)
        output.warning(
            _("no anchors were given: the directory is signed by the keys that it names, and nobody vouches for those")
        )
    elif previous is not None:
        before = read_input(previous)
        in_force = unsafe_reopen(before) if root is None else reopen([before], anchors=root)
        trusted = accept(note, now=now(), previous=in_force)
    else:
        trusted = accept(note, now=now(), anchors=root)
    for warning in trusted.warnings:
        output.warning(warning)
    output.facts(
        _("Directory verified") if anchor or previous else _("Directory undamaged"),
        {
            N_("Federation"): trusted.federation,
            N_("Version"): trusted.version,
            N_("Signed by"): list(trusted.signed_by),
            N_("Threshold"): trusted.directory.threshold,
            N_("Validity"): trusted.validity(now()),
            N_("Expires"): trusted.directory.expires_at,
            N_("Anchored"): bool(anchor or previous),
            N_("Warnings"): list(trusted.warnings),
        },
    )


@reports_errors
def show(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help=_("A draft or a signed note; else the version in force at the node.")),
    ] = None,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show the content of a draft or signed directory, unverified; `gateway directory verify` verifies.

    Without FILE: the version in force at the node, and what authorities revoked by themselves beside it.

    \b
    Examples:
      gateway directory show directory.note
      gateway directory show --config /etc/gateway/gateway.toml
    """
    output = Output(as_json)
    if file is not None:
        print_directory(output, open_directory(file), now())
        return
    from gateway.node.existing_data import directory_state  # noqa: PLC0415  # imports slowly

    state = directory_state(read_settings(config))
    in_force = state.in_force
    print_directory(
        output, OpenedDirectory(in_force.directory, in_force.note, in_force.signed_by), now(), state.outstanding
    )


@reports_errors
def diff(
    old: Annotated[Path, typer.Argument(help=_("The version before."), exists=True, dir_okay=False)],
    new: Annotated[Path, typer.Argument(help=_("The version after."), exists=True, dir_okay=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show every difference between two versions, before you sign the newer one.

    \b
    Example:
      gateway directory diff directory.note directory-2.json
    """
    print_differences(Output(as_json), open_directory(old).directory, open_directory(new).directory)


def _require_named(signer: Ed25519Signer, directory: Directory, before: Directory | None) -> None:
    vkey = Verifier(signer.name, signer.public_key).to_vkey()
    versions = [version for version in (directory, before) if version is not None]
    if not any(vkey == authority.directory_key for version in versions for authority in version.authorities.values()):
        raise OptionError(
            _(
                "--key: the directory names another key for {name}, or none",
                name=signer.name,
            ),
            way_out=_("Give that authority's directory.pem; of an outgoing key, the version in force with --previous."),
        )


def _show(output: Output, directory: Directory, before: Directory | None) -> None:
    """What is signed: the changes, or everything; in both cases all that is allowed."""
    if output.as_json:
        return
    if before is None:
        print_directory(output, OpenedDirectory(directory, None, ()), now())
        return
    print_differences(output, before, directory)
    print_allowed(output, directory, now())


def _confirm(output: Output, directory: Directory) -> None:
    output.require_human()
    if not output.confirm(
        _("Sign version {version} of {federation}?", version=directory.version, federation=directory.federation)
    ):
        raise OptionError(_("nothing was signed; --yes signs without being asked"))


def _with_signature(opened: OpenedDirectory, signer: Ed25519Signer) -> bytes:
    alone = sign_note(encode_directory(opened.directory), [signer])
    if opened.note is None:
        return alone
    return add_signature(opened.note, alone[alone.rindex("\n\n— ".encode()) + 2 :])
