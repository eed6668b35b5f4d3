"""Makes three nodes ready to start: keys, certificates, a directory signed by all, and each one's gateway.toml.

One person holds everybody's keys, which is right for a trial only.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from gateway.cli.node.init import SETTINGS_FILE, settings_text
from gateway.cli.trial.consoles import (
    CONSOLE_ROLES,
    CONSOLE_SYSTEM,
    ZONES,
    ConsolePlace,
    capability_tables,
    write_console,
)
from gateway.files import OWNER_ONLY, replace_file
from gateway.node.defaults import DEFAULT_LOCAL_PORT, DEFAULT_PEER_PORT, LinkMode
from gateway.trust.service.agreement_terms import TRIAL_TERMS
from gateway.trust.service.trial_federation import FEDERATION, FederationFolder, MemberSpec, create_federation

AUTHORITIES: Mapping[str, Mapping[str, str]] = {
    "cn": {"en": "Mainland customs (trial)", "zh-Hans": "内地海关（试用）"},
    "hk": {"en": "Hong Kong customs (trial)", "zh-Hant": "香港海關（試用）"},
    "mo": {"en": "Macao customs (trial)", "zh-Hant": "澳門海關（試用）", "pt": "Alfândega de Macau (ensaio)"},
}
"""The authorities' names by language tag; each has one node of its own name."""

SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "risk-engine": ("publisher",),
    "officers": ("officer", "analyst"),
    "supervisors": ("supervisor",),
    "auditors": ("auditor",),
    "ops": ("operator",),
}
"""Local systems of each node with their roles."""

DEFAULT_PORT = DEFAULT_PEER_PORT
PORT_STEP = 10
"""On one host the nodes' ports are so far apart: cn 7443 and 7444, hk 7453 and 7454, mo 7463 and 7464."""


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Where one node is reached: by partners at host:peer_port, by its own systems at host:local_port."""

    host: str
    peer_port: int
    local_port: int


def on_one_host(host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> dict[str, NodeAddress]:
    """A place for each node, side by side; `port` is the first one's for partners."""
    return {
        node: NodeAddress(
            host, port + PORT_STEP * number, port + PORT_STEP * number + DEFAULT_LOCAL_PORT - DEFAULT_PEER_PORT
        )
        for number, node in enumerate(AUTHORITIES)
    }


def make_federation(
    root: Path,
    places: Mapping[str, NodeAddress],
    *,
    bind: str = "",
    detours: Mapping[tuple[str, str], str] = MappingProxyType({}),
    consoles: Mapping[str, ConsolePlace] = MappingProxyType({}),
    second_keys: bool = False,
    now: datetime,
) -> FederationFolder:
    """Makes everything that the nodes need to start.

    In each node's folder, `<root>/<node>`, is all that this node needs, with paths relative to it: gateway.toml, its
    copy of directory.note, pki/. So the folder can be moved to, or mounted at, another place.

    Args:
        root: folder to make it in, without a federation so far.
        places: node to place.
        bind: address that the nodes listen on; empty for each one's host.
        detours: (node, partner) to the host:port at which the node reaches that partner instead of its place.
        consoles: node to the place of its console; nodes without one have neither a console nor persons.
        second_keys: whether all sign with ML-DSA-44 too.
        now: start of validity, with zone.

    Raises:
        ConfigurationError: there are keys in it already, or it can't be written.
    """
    from gateway.node.marks import prepare_marks  # noqa: PLC0415  # imports slowly

    systems = {node: {**SYSTEMS, **({CONSOLE_SYSTEM: CONSOLE_ROLES} if node in consoles else {})} for node in places}
    members = [
        MemberSpec(node, place.host, place.peer_port, place.local_port, systems[node], AUTHORITIES[node], second_keys)
        for node, place in places.items()
    ]
    made = create_federation(root, members, FEDERATION, now=now, terms=TRIAL_TERMS)
    for node, place in places.items():
        folder = made.node(node).path
        shutil.copyfile(made.directory, folder / "directory.note")
        text = settings_text(
            node=node,
            federation=FEDERATION,
            peer_bind=f"{bind or place.host}:{place.peer_port}",
            local_bind=f"{bind or place.host}:{place.local_port}",
            anchors=made.anchor_vkeys,
            threshold=made.anchors.threshold,
            systems=systems[node],
            links={to: (LinkMode.PUSH.value, at) for (frm, to), at in detours.items() if frm == node},
            second_keys=second_keys,
        )
        prepare_marks(folder / "data", federation=FEDERATION, node=node, made_at=now)
        if console := consoles.get(node):
            text += capability_tables(console)
            write_console(folder, console, gateway=f"{place.host}:{place.local_port}", zone=ZONES[node])
        replace_file(folder / SETTINGS_FILE, text.encode(), mode=OWNER_ONLY)  # last: with it the node is complete
    return made


def unmake_federation(root: Path) -> None:
    """Removes what `make_federation` has made, and nothing else, from a trial of which nothing has run."""
    for name in (*AUTHORITIES, "offline"):
        shutil.rmtree(root / name)
    (root / "directory.note").unlink()


def is_complete(root: Path) -> bool:
    """Whether a federation was made here, to the end."""
    return all((root / node / SETTINGS_FILE).exists() for node in AUTHORITIES)
