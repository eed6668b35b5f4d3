"""`gateway directory card|draft|renew`: cards of nodes, and drafts to sign."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Protocol

import typer

from gateway.cli.clock import now
from gateway.cli.directory.allowed import agreements_json, print_allowed
from gateway.cli.directory.files import open_directory, read_terms
from gateway.cli.directory.tables import print_differences, removal_sentences
from gateway.cli.files import naming, read_input, write_output
from gateway.cli.keys.tokens import PublicKeyFile
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.pairs import named_once
from gateway.cli.values import instant
from gateway.contract.ids import server_name
from gateway.errors import OptionError
from gateway.tls.secret_files import read_passphrase
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.trust.codec.directory import encode_directory
from gateway.trust.codec.node_card import MAX_CARD_BYTES, card_digest, decode_card, encode_card
from gateway.trust.pki.keys import (
    NEXT_LOG_KEY,
    NEXT_RECEIPTS_KEY,
    SECOND_LOG_KEY,
    SECOND_RECEIPTS_KEY,
    Ed25519Signer,
    MlDsa44Signer,
    load_second_key,
    load_signing_key,
)
from gateway.trust.rules.directory import Directory, FederationNode, KeyRecord, NodeCard
from gateway.trust.service.agreement_terms import ALERTS_ALONE, agreements_among
from gateway.trust.service.directory_drafts import (
    DEFAULT_DAYS,
    DEFAULT_GRACE_DAYS,
    draft_directory,
    next_version,
)
from gateway.trust.service.directory_drafts import remove_member as without_member
from gateway.trust.service.trial_federation import key_record

DirectoryFile = Annotated[Path, typer.Argument(metavar="FILE", help=_("A draft or a signed note."))]
OutFile = Annotated[Path, typer.Option("--out", help=_("File to write; an existing one is never replaced."))]
Days = Annotated[int, typer.Option(help=_("Validity in days."), min=1, max=800)]
PassphraseFile = Annotated[Path | None, typer.Option("--passphrase-file", help=_("File with the key's passphrase."))]
PassphraseVariable = Annotated[
    str | None, typer.Option("--passphrase-env", help=_("Environment variable with the key's passphrase."))
]
YesOption = Annotated[
    bool, typer.Option("--yes", help=_("Sign without being asked; what is signed is shown all the same."))
]


@reports_errors
def card(
    *,
    node: Annotated[str, typer.Option(help=_("The node's name, e.g. cn; also its authority's."))],
    federation: Annotated[str, typer.Option(help=_("The federation's name."), envvar="GATEWAY_FEDERATION")],
    pki: Annotated[Path, typer.Option(help=_("Folder with ca.pem and keys/log.pem, keys/receipts.pem."), exists=True)],
    directory_key: Annotated[
        Path, typer.Option(help=_("The authority's directory.vkey."), exists=True, dir_okay=False)
    ],
    name: Annotated[list[str], typer.Option(help=_("LANGUAGE=NAME of the authority; en is needed; may be repeated."))],
    out: OutFile,
    endpoint: Annotated[
        list[str] | None, typer.Option(help=_("host:port for partners; none if it only connects outwards."))
    ] = None,
    key_days: Annotated[int, typer.Option(help=_("Validity of the signing keys in days."), min=1)] = 3 * 365,
    next_from: Annotated[
        str,
        typer.Option(
            help=_(
                "When the node begins to sign with next keys, RFC 3339 or a span from now: by then every node has to "
                "have the version of the directory that names them."
            )
        ),
    ] = "14d",
    second_from: Annotated[
        str,
        typer.Option(
            help=_(
                "When second keys begin to be needed, RFC 3339 or a span from now: by then every node has to have the "
                "version of the directory that names them."
            )
        ),
    ] = "14d",
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseVariable = None,
    as_json: JsonOption = False,
) -> None:
    """Make the node card: everything that the directory needs of this node. It holds nothing secret.

    It has next and second keys too if `gateway pki next-keys` and `second-keys` have made them in the folder keys. A
    key in a hardware token has its public key there, log.pub or receipts.pub, in place of the .pem file.

    Send the file by any way, and read out its digest by another, e.g. by telephone.

    \b
    Example:
      gateway directory card --node cn --federation gba.customs.example --pki pki --directory-key directory.vkey \\
        --endpoint gw.example:7443 --name "en=Example Customs" --out cn.card.json
    """
    passphrase = read_passphrase(file=passphrase_file, variable=passphrase_env, environment=os.environ)
    log, receipts = (_public(pki / "keys" / f"{use}.pem", use, passphrase) for use in ("log", "receipts"))
    begin = instant(next_from, "--next-from").astimezone(UTC)
    needed_from = instant(second_from, "--second-from").astimezone(UTC)
    kept = _KeptKeys(pki / "keys", passphrase, key_days)
    made = NodeCard(
        federation=federation,
        name=node,
        node=FederationNode(
            authority=node,
            endpoints=tuple(endpoint or ()),
            tls_ca_pems=(read_input(pki / "ca.pem").decode("ascii", "replace"),),
            tls_server_name=server_name(federation, node),
            log_keys=(
                key_record(log, now(), key_days),
                *kept.records(load_signing_key, NEXT_LOG_KEY, begin),
                *kept.records(load_second_key, SECOND_LOG_KEY, needed_from),
            ),
            cosign_keys=(
                key_record(receipts, now(), key_days),
                *kept.records(load_signing_key, NEXT_RECEIPTS_KEY, begin),
                *kept.records(load_second_key, SECOND_RECEIPTS_KEY, needed_from),
            ),
        ),
        directory_key=read_input(directory_key).decode("ascii", "replace").strip(),
        display_names=named_once("--name", map(_name, name)),
    )
    text = encode_card(made)
    write_output(out, text)
    Output(as_json).facts(_("Node card made"), {N_("Card"): out, N_("Node"): node, N_("Digest"): card_digest(text)})


def _public(path: Path, name: str, passphrase: bytes | None) -> Ed25519Signer | PublicKeyFile:
    """A key whose public part goes into a card: its file, or the public key of one in a token."""
    return PublicKeyFile.beside(path) or load_signing_key(path, name=name, passphrase=passphrase)


@dataclass(frozen=True, slots=True)
class _KeptKeys:
    """A folder of keys, of which next and second ones may be missing."""

    folder: Path
    passphrase: bytes | None
    days: int

    def records(self, load: _LoadsKey, name: str, begin: datetime) -> Iterator[KeyRecord]:
        """The entry of a key that counts from a time on; none without its file."""
        file = self.folder / name
        in_token = PublicKeyFile.beside(file)
        if in_token is not None or file.exists():
            key = in_token or load(file, name=name, passphrase=self.passphrase)
            yield replace(key_record(key, now(), self.days), not_before=begin.replace(microsecond=0))


class _LoadsKey(Protocol):
    def __call__(self, path: Path, *, name: str, passphrase: bytes | None) -> Ed25519Signer | MlDsa44Signer: ...


@reports_errors
def draft(
    cards: Annotated[list[Path], typer.Argument(help=_("Node cards, one of each node."), exists=True, dir_okay=False)],
    *,
    out: OutFile,
    terms: Annotated[
        Path | None, typer.Option(help=_("TOML file with the agreements; without it alerts alone are allowed."))
    ] = None,
    threshold: Annotated[int | None, typer.Option(help=_("Authorities that must sign; without it all."), min=1)] = None,
    days: Days = DEFAULT_DAYS,
    grace_days: Annotated[
        int, typer.Option(help=_("Days after the end in which the exchange still runs."), min=0, max=90)
    ] = DEFAULT_GRACE_DAYS,
    as_json: JsonOption = False,
) -> None:
    """Draft the first version from the nodes' cards. It binds nobody until the authorities have signed it.

    Without --terms each node may send alerts to each other, for export_control, with INVESTIGATIVE information
    (no alert is without it), and nothing else: no watchlists, no queries, no personal or commercial information.

    The terms file has a table "agreements" for each direction, with the directory's members: sender, recipient,
    message_types, purposes, field_classes, clause; hit_reports (false without it), id, valid_from and valid_until
    if they matter. A table with between = ["cn", "hk"] instead of sender and recipient stands for every direction
    between these nodes. To allow other classes for other purposes, give a direction several, each with an id and
    purposes of its own.

    \b
    Examples:
      gateway directory draft cn.card.json hk.card.json mo.card.json --threshold 2 --out directory.json
      gateway directory draft cn.card.json hk.card.json --terms terms.toml --out directory.json
    """
    made_at = now()
    read = _cards(cards)
    if terms is None:
        agreements = agreements_among(
            [each.name for each in read],
            ALERTS_ALONE,
            valid_from=made_at,
            valid_until=_after(made_at, days + grace_days),
        )
    else:
        agreements = read_terms(read_input(terms), valid_from=made_at, valid_until=_after(made_at, days + grace_days))
    made = draft_directory(
        read, agreements=agreements, issued_at=made_at, threshold=threshold, days=days, grace_days=grace_days
    )
    write_draft(out, made, as_json)


@reports_errors
def renew(
    file: DirectoryFile,
    *,
    out: OutFile,
    card: Annotated[list[Path] | None, typer.Option(help=_("Newer node card; may be repeated."))] = None,
    terms: Annotated[
        Path | None, typer.Option(help=_("TOML file with new agreements in the place of all old."))
    ] = None,
    new_epoch: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE/NODE", help=_("Pair whose feeds begin anew after a fork; may be repeated.")),
    ] = None,
    drop_old_ca: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NODE", help=_("Node of whose CAs only those of its card stay; may be repeated. See below.")
        ),
    ] = None,
    days: Days = DEFAULT_DAYS,
    as_json: JsonOption = False,
) -> None:
    """Draft the next version: new dates, newer node cards where given, everything else as before.

    A card with another CA adds it: certificates of the old one go on to work. Once all are replaced, draft a version
    with the same card and --drop-old-ca; it names whose certificates stop working.

    \b
    Example:
      gateway directory renew directory.note --card hk.card.json --out directory-2.json
      gateway directory renew directory.note --card cn.card.json --new-epoch cn/hk --out directory-2.json
      gateway directory renew directory.note --card hk.card.json --drop-old-ca hk --out directory-3.json
    """
    previous = open_directory(file).directory
    pairs = [(one, other) for one, _slash, other in (pair.partition("/") for pair in new_epoch or [])]
    made = next_version(
        previous,
        issued_at=now(),
        days=days,
        cards=_cards(card or []),
        new_epochs=pairs,
        drop_old_cas=drop_old_ca or [],
    )
    if terms is not None:
        until = _after(now(), days + made.grace_days)
        agreements = read_terms(read_input(terms), valid_from=now(), valid_until=until)
        ended = (one for one in made.agreements if one not in previous.agreements)  # of former members that are back
        made = replace(made, agreements=tuple(sorted((*agreements, *ended), key=lambda one: one.id)))
    write_draft(out, made, as_json, previous=previous)


@reports_errors
def remove_member(
    file: DirectoryFile,
    node: Annotated[str, typer.Argument(help=_("The node that leaves, e.g. mo."))],
    *,
    out: OutFile,
    threshold: Annotated[
        int | None, typer.Option(help=_("Authorities that must sign from then on; without it as before."), min=1)
    ] = None,
    keys_until: Annotated[
        str,
        typer.Option(
            help=_(
                "Until when signatures by its keys count, RFC 3339 or a span from now: by then every node has to have "
                "this version of the directory."
            )
        ),
    ] = "14d",
    as_json: JsonOption = False,
) -> None:
    """Draft the next version without a member, its authority and its agreements; nothing else changes.

    From when it is in force, its connections are refused, and nothing is published to it. What it sent stays, and
    evidence of that still verifies: its keys stand on among the former members. It comes back by `gateway directory
    renew` with its card and new terms.

    \b
    Example:
      gateway directory remove-member directory.note mo --out directory-2.json
    """
    previous = open_directory(file).directory
    made = without_member(
        previous,
        node,
        issued_at=now(),
        keys_until=instant(keys_until, "--keys-until").astimezone(UTC),
        threshold=threshold,
    )
    write_draft(out, made, as_json, previous=previous)


def _cards(paths: list[Path]) -> list[NodeCard]:
    cards = []
    for path in paths:
        with naming(path, way_out=_("Give a node card: what `gateway directory card` has written, unchanged.")):
            cards.append(decode_card(read_input(path, MAX_CARD_BYTES)))
    return cards


def write_draft(
    out: Path,
    directory: Directory,
    as_json: bool,
    *,
    previous: Directory | None = None,
    revoked: Sequence[str] = (),
) -> None:
    """Writes a draft, and prints what it changes and allows."""
    write_output(out, encode_directory(directory))
    Output(as_json).facts(
        _("Draft made"),
        {
            N_("Draft"): out,
            N_("Federation"): directory.federation,
            N_("Version"): directory.version,
            N_("Threshold"): directory.threshold,
            N_("Authorities"): sorted(directory.authorities),
            N_("Expires"): directory.expires_at,
            **({N_("Revoked"): list(revoked)} if revoked else {}),
            **({N_("Ends"): ended} if (ended := list(removal_sentences(previous, directory))) else {}),
            **({N_("Agreements"): agreements_json(directory)} if as_json else {}),
        },
    )
    if not as_json:
        if previous is not None:
            print_differences(Output(), previous, directory)
        print_allowed(Output(), directory, now())
    Output(as_json).note(_("Next: each authority examines and signs it, `gateway directory sign {out} …`", out=out))


def _name(pair: str) -> tuple[str, str]:
    language, separator, name = pair.partition("=")
    if not separator:
        raise OptionError(_("--name: {pair!r} isn't LANGUAGE=NAME, e.g. en=Example Customs", pair=pair))
    return language, name


def _after(start: datetime, days: int) -> datetime:
    return start + timedelta(days=days)
