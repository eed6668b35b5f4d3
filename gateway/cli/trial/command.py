"""`gateway trial [DIR]`: makes and runs three nodes on this machine."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.node.init import SETTINGS_FILE
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.trial.consoles import CONSOLE_PORT_STEP, consoles_on_one_host
from gateway.cli.trial.federation import (
    AUTHORITIES,
    DEFAULT_PORT,
    NodeAddress,
    is_complete,
    make_federation,
    on_one_host,
    unmake_federation,
)
from gateway.cli.trial.persons import tell_consoles
from gateway.cli.trial.processes import TrialConsole, TrialNode, TrialProcess, has_run, require_free
from gateway.cli.trial.samples import ALERT, write_samples
from gateway.errors import OptionError
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked

FolderArgument = Annotated[
    Path, typer.Argument(metavar="[DIR]", help=_("Folder of the trial; it is made."), show_default=True)
]
StartOption = Annotated[bool, typer.Option("--start/--no-start", help=_("Run the nodes, or make the files alone."))]
StopOption = Annotated[bool, typer.Option("--stop", help=_("Stop the nodes; the files stay."))]
PortOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65_000,
        help=_("cn's port for partners, until a first start; the next is for its systems, hk's are 10 above, mo's 20."),
        show_default=str(DEFAULT_PORT),
    ),
]
PlaceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--place", metavar="NODE=HOST:PEER_PORT:LOCAL_PORT", help=_("Where a node is reached; may be repeated.")
    ),
]
ConsoleOption = Annotated[
    bool,
    typer.Option("--console/--no-console", help=_("Give each node a console and persons; decided when it is made.")),
]
DEFAULT_FOLDER = Path("nodes")

SecondKeysOption = Annotated[bool, typer.Option("--second-keys", help=_("Sign with ML-DSA-44 beside Ed25519."))]
BindOption = Annotated[str, typer.Option(help=_("Address that the nodes listen on; without it each one's host."))]


@reports_errors
def trial(
    folder: FolderArgument = DEFAULT_FOLDER,
    *,
    start: StartOption = True,
    stop: StopOption = False,
    port: PortOption = None,
    place: PlaceOption = None,
    bind: BindOption = "",
    console: ConsoleOption = False,
    second_keys: SecondKeysOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make three nodes (cn, hk, mo) with keys, directory and settings in DIR, and run them until --stop.

    For a trial only: one folder has everybody's keys. A second call starts what doesn't run. With --console officers
    and operators work in a browser: the first start prints a link for each person. With --second-keys checkpoints and
    receipts have two signatures, Ed25519 and ML-DSA-44, of which the second withstands quantum computers.

    \b
    Example:
      gateway trial
      gateway alert publish nodes/alert.json --to hk --config nodes/cn/gateway.toml --system risk-engine
      gateway alert list --config nodes/hk/gateway.toml --system officers
      gateway trial --stop

    \b
    Exit codes: 0 done, 2 an option isn't right, a port is in use or a node doesn't start.
    """
    output = Output(as_json)
    nodes = [TrialNode(folder / name) for name in AUTHORITIES]
    consoles = [TrialConsole(folder / name) for name in AUTHORITIES]
    if stop:
        _stop(folder, [*consoles, *nodes], output)
        return
    made = is_complete(folder)
    if made and port is not None and _moves(folder, nodes, port):
        unmake_federation(folder)
        made = False
    if not made:
        places = {**on_one_host(port=port or DEFAULT_PORT), **dict(_places(place or []))}
        ports = {node: at.local_port + CONSOLE_PORT_STEP for node, at in places.items()} if console else {}
        if start:  # before anything is made, so that another port can be named
            for node, at in places.items():
                of_node = (at.peer_port, at.local_port, *([ports[node]] if console else ()))
                require_free(node, [f"{bind or at.host}:{each}" for each in of_node])
        output.note(_("Making keys, certificates and the directory in {folder} …", folder=folder))
        now = datetime.now(UTC)
        make_federation(
            folder, places, bind=bind, consoles=consoles_on_one_host(ports, bind), second_keys=second_keys, now=now
        )
        write_samples(folder, now)
    elif console and not consoles[0].exists():
        raise OptionError(_("{folder} has a trial without consoles: make one in another folder", folder=folder))
    if start:
        _start(nodes, output)
        _start([each for each in consoles if each.exists()], output)
    _tell(folder, nodes, output, running=start)
    if start and consoles[0].exists():
        tell_consoles(nodes, consoles, output)


def _moves(folder: Path, nodes: Sequence[TrialNode], port: int) -> bool:
    """Whether a trial that was made, and of which nothing has run, gets other ports."""
    first = nodes[0].peer_port()
    if port == first:
        return False
    if any(has_run(node) for node in nodes):
        raise OptionError(
            _(
                "the nodes in {folder} have run, cn on port {port}, which the directory says: for other ports make a "
                "trial in another folder",
                folder=folder,
                port=first,
            )
        )
    return True


def _start(programs: Sequence[TrialProcess], output: Output) -> None:
    started = [(program, process) for program in programs if (process := program.start()) is not None]
    for program, process in output.track(started, _("Starting"), len(started)):
        program.wait_until_serving(process)


def _stop(folder: Path, programs: Sequence[TrialProcess], output: Output) -> None:
    if not is_complete(folder):
        raise OptionError(_("{folder} has no trial: `gateway trial {folder}` makes one", folder=folder))
    stopped = [program.title for program in programs if program.exists() and program.stop()]
    text = ", ".join(stopped)
    output.line(_("Stopped: {nodes}.", nodes=text) if stopped else _("No node was running."))
    if output.as_json:
        output.json({"stopped": stopped})


def _tell(folder: Path, nodes: Sequence[TrialNode], output: Output, *, running: bool) -> None:
    from gateway.cli.connection import read_settings  # noqa: PLC0415  # imports slowly

    settings = {node: read_settings(node.config) for node in nodes}
    output.table(
        _("Nodes"),
        marked("Node", "For partners", "For own systems", "Log"),
        [(each.node, each.peer_bind, each.local_bind, node.log) for node, each in settings.items()],
    )
    if running:
        here = shlex.quote(str(folder))
        named = "" if folder == DEFAULT_FOLDER else f" {here}"
        output.note(_("All run until: gateway trial{folder} --stop", folder=named))
        output.note(_("A first alert, and what hk sees of it:"))
        for line in (
            f"  gateway alert publish {here}/{ALERT} --to hk --system risk-engine \\",
            f"    --config {here}/cn/{SETTINGS_FILE}",
            f"  gateway alert list --system officers --config {here}/hk/{SETTINGS_FILE}",
        ):
            output.note(line)


def _places(given: Sequence[str]) -> Iterator[tuple[str, NodeAddress]]:
    for text in given:
        node, _equals, address = text.partition("=")
        host, _colon, ports = address.partition(":")
        peer_port, _colon, local_port = ports.partition(":")
        if node not in AUTHORITIES or not (host and peer_port.isdigit() and local_port.isdigit()):
            raise OptionError(
                _(
                    "--place {text}: it must read NODE=HOST:PEER_PORT:LOCAL_PORT, NODE one of {nodes}",
                    text=text,
                    nodes=", ".join(AUTHORITIES),
                )
            )
        yield node, NodeAddress(host, int(peer_port), int(local_port))
