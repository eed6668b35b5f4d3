"""The persons of a trial: made-up officers of each authority, who sign in by a link that is printed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.cli.connection import Target
from gateway.cli.output import Output
from gateway.cli.trial.processes import TrialConsole, TrialNode
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from gateway.client import GatewayClient

ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "officer": ("officer", "analyst", "publisher"),
        "supervisor": ("supervisor",),
        "auditor": ("auditor",),
        "operator": ("operator",),
    }
)
"""Names of the persons at each authority, with their roles; "two persons" are the officer and the supervisor."""

DISPLAY_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cn": ("李明", "王芳", "赵强", "陈静"),
        "hk": ("陳大文", "黃小明", "何美儀", "李志強"),
        "mo": ("Ana Sousa", "João Lei", "Maria Costa", "Pedro Ho"),
    }
)
"""Their names as people read them, all made up, in the order of ROLES."""


def tell_consoles(nodes: Sequence[TrialNode], consoles: Sequence[TrialConsole], output: Output) -> None:
    """Prints where the consoles are, and a link for each person at the first time."""
    output.note(_("Consoles:"))
    for node, console in zip(nodes, consoles, strict=True):
        name = node.folder.name
        output.note(f"  {name}  {console.origin()}")
        tokens = Target(config=node.config, system="ops").run(partial(_add_persons, node=name))
        for person, token in tokens.items():
            output.note(_("      a link for the first sign-in of {person}:", person=person))
            output.note(f"      {console.origin()}/enrol/{token}")


async def _add_persons(client: GatewayClient, *, node: str) -> dict[str, str]:
    """Adds the persons of an authority if it has none; returns name to the token of the enrolment link."""
    if (await client.persons.list_page(page_size=1)).persons:
        return {}
    added = {}
    for (name, roles), display_name in zip(ROLES.items(), DISPLAY_NAMES[node], strict=True):
        added[name] = (await client.persons.add(name, display_name, roles)).enrolment_token
    return added
