"""Three consoles beside the gateways, and persons who sign in at them: what `--keep` leaves running for a browser."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from demo.stage import NODES, STOP_TIMEOUT_S, Gateway, Stage, clean_environment, free_ports
from gateway.cli.trial.consoles import (
    CONSOLE_FILE,
    CONSOLE_ROLES,
    CONSOLE_SYSTEM,
    ZONES,
    ConsolePlace,
    capability_tables,
    consoles_on_one_host,
    write_console,
)
from gateway.cli.trial.persons import DISPLAY_NAMES, ROLES
from gateway.contract.ids import SystemIdentity
from gateway.errors import UnavailableError
from gateway.files import OWNER_ONLY, replace_file
from gateway.trust.pki.issuance import create_request, load_ca
from gateway.trust.service.trial_federation import FEDERATION

START_TIMEOUT_S = 60.0
"""How long a console may take to start on a busy machine, in seconds; two are usual."""

_SERVE = (sys.executable, "-m", "gateway.cli.main", "console", "--config")
_POLL_S = 0.05


@dataclass(frozen=True)
class Console:
    """One console that runs: where a browser finds it, and how its persons sign in."""

    node: str
    place: ConsolePlace
    password: str

    @property
    def port(self) -> int:
        return int(self.place.bind.rpartition(":")[2])


@asynccontextmanager
async def running_consoles(stage: Stage) -> AsyncIterator[list[Console]]:
    """Turns persons and casework on at each gateway, which restarts, and runs a console beside it, to the end.

    The scenes before were played by systems; from here on only persons count as two.

    Raises:
        GatewayError: a gateway or a console doesn't start; the message says where it says why.
    """
    places = consoles_on_one_host(dict(zip(NODES, free_ports(len(NODES)), strict=True)))
    made = [Console(node, place, secrets.token_urlsafe(12)) for node, place in places.items()]
    await asyncio.gather(*(_open_to_persons(stage, console) for console in made))
    async with AsyncExitStack() as stack:
        for console in made:
            stack.push_async_callback(_stop, await _start(stage, console))
        await asyncio.gather(*(_answers(console, stage.gateways[console.node]) for console in made))
        await asyncio.gather(*(_enrol(stage, console) for console in made))
        yield made


def lines(consoles: list[Console]) -> list[str]:
    """What is told of them, each line within 80 columns."""
    return [
        "In a browser on this machine:",
        *(f"  {console.node}  {console.place.origin}  password  {console.password}" for console in consoles),
        f"Sign in as {', '.join(list(ROLES)[:-1])} or {list(ROLES)[-1]}, each with the password of the console.",
    ]


async def _open_to_persons(stage: Stage, console: Console) -> None:
    gateway = stage.gateways[console.node]
    await gateway.stop()
    await asyncio.to_thread(_issue, stage, gateway)
    text = gateway.config.read_text(encoding="utf-8")
    head, _, rest = text.partition("\n[systems]")
    comment, _, systems = rest.partition("\n")
    system = f"{CONSOLE_SYSTEM} = {json.dumps(CONSOLE_ROLES)}"
    changed = f"{head}\n[systems]{comment}\n{system}\n{systems}{capability_tables(console.place)}"
    replace_file(gateway.config, changed.encode(), mode=OWNER_ONLY)
    local = f"{gateway.place.host}:{gateway.place.local_port}"
    write_console(gateway.folder.path, console.place, gateway=local, zone=ZONES[console.node])
    await gateway.start()


def _issue(stage: Stage, gateway: Gateway) -> None:
    """A key and certificate for the console as a local system."""
    identity = SystemIdentity(FEDERATION, gateway.name, CONSOLE_SYSTEM)
    request = create_request(identity, key_path=gateway.folder.system_key(CONSOLE_SYSTEM))
    authority = load_ca(gateway.folder.ca.read_bytes(), stage.federation.ca_key(gateway.name))
    pem = authority.issue(request, identity=identity, now=datetime.now(UTC))
    gateway.folder.system_certificate(CONSOLE_SYSTEM).write_bytes(pem)


def _log(gateway: Gateway) -> Path:
    return gateway.folder.path / "console.log"


async def _start(stage: Stage, console: Console) -> asyncio.subprocess.Process:
    gateway = stage.gateways[console.node]
    with _log(gateway).open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *_SERVE,
            str(gateway.folder.path / CONSOLE_FILE),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=clean_environment(),
            start_new_session=True,
        )


async def _stop(process: asyncio.subprocess.Process) -> None:
    """In order; killed where that doesn't help: a console keeps nothing."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _answers(console: Console, gateway: Gateway) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not await _is_healthy(console):
        if time.monotonic() > deadline:
            tail = _log(gateway).read_text(encoding="utf-8", errors="replace")[-1500:]
            raise UnavailableError(f"the console of {console.node} doesn't answer; {_log(gateway)} says: {tail}")
        await asyncio.sleep(_POLL_S)


async def _is_healthy(console: Console) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", console.port)
    except OSError:
        return False
    try:
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: localhost:{console.port}\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in await reader.readline()
    finally:
        writer.close()


async def _enrol(stage: Stage, console: Console) -> None:
    """Adds the persons, and uses their enrolment links as they would."""
    gateway = stage.gateways[console.node]
    async with gateway.client("ops") as operator, gateway.client(CONSOLE_SYSTEM) as own:
        for (name, roles), display_name in zip(ROLES.items(), DISPLAY_NAMES[console.node], strict=True):
            added = await operator.persons.add(name, display_name, roles)
            signed_in = await own.persons.enrol(added.enrolment_token, console.password)
            await own.persons.sign_out(signed_in.session_token)
