"""`gateway init`: the settings file and the folders of one node; names the next commands."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.connection import read_settings
from gateway.cli.directory.files import anchors_from
from gateway.cli.files import write_output
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.pairs import named_once
from gateway.contract.ids import GatewayIdentity, SystemIdentity, is_node_name
from gateway.errors import OptionError
from gateway.files import OWNER_ONLY
from gateway.node.defaults import DEFAULT_LOCAL_PORT, DEFAULT_PEER_PORT, LinkMode
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.trust.rules.permissions import Role

SETTINGS_FILE = "gateway.toml"
FOLDERS = ("pki/systems", "pki/keys", "data")


NodeOption = Annotated[str, typer.Option("--node", help=_("This node's name in the directory, e.g. cn."))]
FederationOption = Annotated[
    str, typer.Option("--federation", envvar="GATEWAY_FEDERATION", help=_("The federation's name, a DNS name."))
]
OutOption = Annotated[Path, typer.Option("--out", help=_("Folder for settings, keys and data."), file_okay=False)]
PeerBindOption = Annotated[str, typer.Option(help=_("host:port for partner gateways."))]
LocalBindOption = Annotated[str, typer.Option(help=_("host:port for own systems."))]
DatabaseUrlOption = Annotated[str, typer.Option(help=_("postgresql://…; empty for SQLite in the data folder."))]
DirectoryOption = Annotated[Path, typer.Option(help=_("The signed directory; relative to --out."))]
AnchorOption = Annotated[
    list[str] | None,
    typer.Option(help=_("Pinned directory key of an authority, vkey or .vkey file; may be repeated.")),
]
ThresholdOption = Annotated[int | None, typer.Option(help=_("Anchors that must have signed; without it all."), min=1)]
SystemOption = Annotated[
    list[str] | None,
    typer.Option(help=_("An own system and its roles, NAME=ROLE[,ROLE]; may be repeated.")),
]
LinkOption = Annotated[
    list[str] | None,
    typer.Option(help=_("How a partner is reached, NODE=push|pull[,HOST:PORT]; may be repeated. push without it.")),
]
FetchOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PARTNER",
        help=_(
            "Fetch this partner's feed from it, when its link to here is pull mode because it can't "
            "connect; may be repeated."
        ),
    ),
]


@reports_errors
def init(
    *,
    node: NodeOption,
    federation: FederationOption,
    out: OutOption = Path(),
    peer_bind: PeerBindOption = f"0.0.0.0:{DEFAULT_PEER_PORT}",
    local_bind: LocalBindOption = f"127.0.0.1:{DEFAULT_LOCAL_PORT}",
    database_url: DatabaseUrlOption = "",
    directory: DirectoryOption = Path("directory.note"),
    anchor: AnchorOption = None,
    threshold: ThresholdOption = None,
    system: SystemOption = None,
    link: LinkOption = None,
    fetch: FetchOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write gateway.toml and make the folders of one node; asks nothing and overwrites nothing.

    \b
    Roles: publisher, officer, analyst, supervisor, auditor, operator.

    \b
    Example:
      gateway init --node cn --federation gba.customs.example --out /srv/gateway
        --anchor cn.vkey --anchor hk.vkey --anchor mo.vkey --threshold 2
        --system risk-engine=publisher --system officers=officer,supervisor --system ops=operator
      gateway init --node hk --federation gba.customs.example --out /srv/gateway --fetch cn
        (hk opens all connections between cn and hk; cn was prepared with --link hk=pull)

    \b
    Exit codes: 0 done, 2 an option isn't right or the file is there already.
    """
    GatewayIdentity(federation, node)  # refuses wrong names
    anchors, needed = _anchors(anchor or [], threshold)
    text = settings_text(
        node=node,
        federation=federation,
        peer_bind=peer_bind,
        local_bind=local_bind,
        database_url=database_url,
        directory=directory,
        anchors=anchors,
        threshold=needed,
        systems=named_once("--system", (_system(federation, node, text) for text in system or [])),
        links=named_once("--link", (_link(text) for text in link or [])),
        fetch=[_partner(name) for name in fetch or []],
    )
    file = out / SETTINGS_FILE
    write_output(file, text.encode(), mode=OWNER_ONLY)
    for folder in FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        (out / folder).chmod(0o700)  # it may have been there
    read_settings(file)  # refuses wrong settings
    from gateway.node.marks import prepare_marks  # noqa: PLC0415  # imports slowly

    prepare_marks(out / "data", federation=federation, node=node, made_at=datetime.now(UTC))
    output = Output(as_json)
    output.facts(_("Node prepared"), {N_("Settings"): file, N_("Folders"): [str(out / folder) for folder in FOLDERS]})
    for line in _next_steps(node, federation, out, needs_anchors=not anchors):
        output.note(line)


def settings_text(
    *,
    node: str,
    federation: str,
    peer_bind: str,
    local_bind: str,
    database_url: str = "",
    directory: Path = Path("directory.note"),
    anchors: Sequence[str] = (),
    threshold: int = 1,
    systems: dict[str, tuple[str, ...]],
    links: dict[str, tuple[str, str]] | None = None,
    fetch: Collection[str] = (),
    second_keys: bool = False,
) -> str:
    """The text of a gateway.toml in the layout that `gateway init` makes.

    Args:
        links: partner to (mode, endpoint or empty).
        fetch: partners whose feeds this node fetches.
        second_keys: whether it names second keys.
    """
    seconds = (
        'log_second = "pki/keys/log.ml-dsa-44.pem" # signs our feeds too',
        'receipts_second = "pki/keys/receipts.ml-dsa-44.pem" # cosigns what is received too',
    )
    lines = [
        "# Settings of one node. Paths are relative to this file; environment variables win: GATEWAY_LOG_LEVEL,",
        "# GATEWAY_TLS__KEY and so on. `gateway doctor` checks everything that stands here.",
        f"node = {_toml(node)}",
        f"federation = {_toml(federation)}",
        'data_dir = "data" # database, accepted directories, evidence of quarantines',
        f"database_url = {_toml(database_url)} # empty: SQLite in data_dir; else postgresql://…",
        f"peer_bind = {_toml(peer_bind)} # for partner gateways",
        f"local_bind = {_toml(local_bind)} # for own systems",
        "reflection = false",
        'log_format = "text" # text or json',
        'log_level = "info" # debug, info, warning, error',
        "",
        "[tls] # read again when they change, without a restart",
        'certificate = "pki/gateway.pem"',
        'key = "pki/gateway.key"',
        'ca = "pki/ca.pem" # our CA: the only one that counts on the local port',
        "",
        "[keys] # apart from TLS keys; add passphrase_file when they have a passphrase",
        'log = "pki/keys/log.pem" # signs our feeds',
        'receipts = "pki/keys/receipts.pem" # cosigns what is received',
        *(seconds if second_keys else ()),
        "",
        "[directory]",
        f"file = {_toml(str(directory))}",
        "# The authorities' directory keys, compared with them in person or by telephone.",
        f"anchors = {_toml(list(anchors))}",
        f"threshold = {threshold}",
        "",
        "[systems] # own systems (the name in their certificate) and their roles",
        *(f"{name} = {_toml(list(roles))}" for name, roles in systems.items()),
    ]
    known = {**dict.fromkeys(fetch, (LinkMode.PUSH.value, "")), **(links or {})}
    for partner, (mode, endpoint) in known.items():
        lines += ["", f"[links.{partner}]", f"mode = {_toml(mode)}"]
        lines += ["fetch = true # this node connects to the partner for its feed too"] if partner in fetch else []
        lines += [f"endpoint = {_toml(endpoint)}"] if endpoint else []
    return "\n".join(lines) + "\n"


def _toml(value: str | list[str]) -> str:
    # JSON's strings and arrays of strings are TOML's, but for DEL
    return json.dumps(value, ensure_ascii=False)


def _anchors(given: list[str], threshold: int | None) -> tuple[tuple[str, ...], int]:
    if not given:
        return (), threshold or 1
    root = anchors_from(given, threshold)
    return tuple(verifier.to_vkey() for verifier in root.verifiers), root.threshold


def _system(federation: str, node: str, text: str) -> tuple[str, tuple[str, ...]]:
    name, equals, listed = text.partition("=")
    roles = tuple(role.strip() for role in listed.split(",") if role.strip())
    unknown = [role for role in roles if role not in tuple(Role)]
    if not equals or not roles or unknown:
        problem = _("unknown role {role!r}", role=unknown[0]) if unknown else _("it must read NAME=ROLE[,ROLE]")
        raise OptionError(
            _("--system {text!r}: {problem}; the roles are {roles}", text=text, problem=problem, roles=", ".join(Role))
        )
    return SystemIdentity(federation, node, name).name, roles


def _link(text: str) -> tuple[str, tuple[str, str]]:
    name, _equals, rest = text.partition("=")
    mode, _comma, endpoint = rest.partition(",")
    if not is_node_name(name) or mode not in tuple(LinkMode):
        raise OptionError(
            _("--link {text!r}: it must read NODE=push or NODE=pull, and may go on with ,HOST:PORT", text=text)
        )
    return name, (mode, endpoint)


def _partner(name: str) -> str:
    if not is_node_name(name):
        raise OptionError(_("--fetch {name!r}: it must be a partner's name in the directory, e.g. cn", name=name))
    return name


def _next_steps(node: str, federation: str, out: Path, *, needs_anchors: bool) -> list[str]:
    who = f"--node {node} --federation {federation}"
    pki = out / "pki"
    issued = _(
        "your CA signs {request} (gateway pki issue); put the certificate at {certificate}, the CA's ca.pem at {ca}",
        request=pki / "gateway.csr",
        certificate=pki / "gateway.pem",
        ca=pki / "ca.pem",
    )
    card = _(
        "gateway directory card makes your part; the authorities draft and sign it (gateway directory draft, sign)"
    )
    steps = [
        (_("signing keys"), f"gateway pki signing-keys {who} --out {pki / 'keys'}"),
        (_("TLS key"), f"gateway pki request --kind gateway {who} --out {pki}"),
        (_("certificate"), issued),
        (_("own systems"), f"gateway pki request --kind system {who} --name NAME --out {pki / 'systems'}"),
        (_("directory"), card),
    ]
    if needs_anchors:
        steps.append((_("anchors"), _("put the authorities' directory keys into gateway.toml under [directory]")))
    steps += [
        (_("check"), f"gateway doctor --config {out / SETTINGS_FILE}"),
        (_("run"), f"gateway serve --config {out / SETTINGS_FILE}"),
    ]
    lines = [f"  {number}. {name + ':':<16} {step}" for number, (name, step) in enumerate(steps, 1)]
    return [_("Next:"), *lines]
