"""Scenes of shown commands for evidence files, casework, notifications, persons and publication sheets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from shutil import copytree
from typing import Any

from gateway.cli.trial.consoles import (
    CONSOLE_FILE,
    CONSOLE_SYSTEM,
    ZONES,
    ConsolePlace,
    capability_tables,
    consoles_on_one_host,
    write_console,
)
from gateway.notifications.rpc.delivery_tester import SPACING_S
from tests.support.command_kit import PATIENCE_S, CommandKit
from tests.support.federation import STOPPED_S, Federation, alert, free_port
from tests.support.files import GROUNDS, digest, picture
from tests.support.forked_commands import forked_commands
from tests.support.node_processes import end
from tests.support.persons import enrolled, new_name
from tests.support.receivers import SECRET
from tests.support.shown_call import Call

Scene = Callable[[CommandKit, Call, Path], None]

AT_PERSONS = "mo"
"""The node at which persons sign in: there no system approves as a second person, which others' scenes want."""

_PERSONS_TABLE = re.compile(r"\n\[persons\]\n(?:[a-z_]+ = .*\n)+")


def capabilities_of(node: str, secret: Path) -> str:
    """Settings that turn on all capabilities, persons at one node only; `secret`: a file for that of a webhook."""
    secret.touch(mode=0o600)
    secret.write_text(f"whsec_{SECRET}", encoding="ascii")
    webhook = f'[notifications.webhooks.case-system]\nurl = "http://127.0.0.1:9/"\nsecret_file = "{secret}"\n'
    tables = capability_tables(ConsolePlace("", "https://console.mo.example")) + webhook
    return tables if node == AT_PERSONS else _PERSONS_TABLE.sub("\n", tables)


def agree_on_pseudonyms(nodes: Federation) -> None:
    """Before the nodes start: hk sees persons of the node that has them under pseudonyms."""
    before = nodes.directory
    agreements = tuple(
        replace(one, extensions={"persons": "pseudonyms"}) if (one.sender, one.recipient) == (AT_PERSONS, "hk") else one
        for one in before.agreements
    )
    nodes.put_directory(replace(before, agreements=agreements))


# -- evidence files


def _uploaded(kit: CommandKit, cwd: Path) -> str:
    """Digest of a new file of cn."""
    name = new_name()
    content = picture(seed=hash(name))
    (cwd / f"{name}.jpg").write_bytes(content)
    words = ("file", "put", f"{name}.jpg", "--purpose", GROUNDS["purpose"], "--case", "CN-1")
    kit.json("cn", *words, "--system", "officers", cwd=cwd)
    return digest(content).hex()


def _named(kit: CommandKit, sha: str) -> str:
    """Name of an alert of cn that names a file, and that hk has."""
    size = len(picture())
    evidence: list[Any] = [{"sha256": bytes.fromhex(sha), "media_type": "image/jpeg", "size_bytes": size}]
    return f"cn/{kit.alert('cn', 'hk', evidence=evidence)}"


def putting(_: CommandKit, call: Call, cwd: Path) -> None:
    (cwd / call.arguments[0]).write_bytes(picture())


def kept_file(kit: CommandKit, call: Call, cwd: Path) -> None:
    call.arguments[0] = _uploaded(kit, cwd)


def partners_file(kit: CommandKit, call: Call, cwd: Path) -> None:
    """A file that cn has and hk knows by an alert."""
    kept_file(kit, call, cwd)
    call.node = "hk"
    call.set("--alert", _named(kit, call.arguments[0]))


def files_of_an_alert(kit: CommandKit, call: Call, cwd: Path) -> None:
    call.set("--alert", _named(kit, _uploaded(kit, cwd)))


# -- alerts that a colleague deals with, or that are closed


def with_a_note(kit: CommandKit, call: Call, _: Path) -> None:
    """An alert at hk, with a note of a colleague."""
    call.node, call.arguments[0] = "hk", f"cn/{kit.alert('cn', 'hk')}"
    assert kit.gateway("hk", "inbox", "note", call.arguments[0], "A note", "--system", "officers").exit_code == 0


def related(kit: CommandKit, call: Call, _: Path) -> None:
    """An alert at hk; all that the kit makes name one container."""
    kit.alert("cn", "hk")
    call.node, call.arguments[0] = "hk", f"cn/{kit.alert('cn', 'hk')}"


def assigning(kit: CommandKit, call: Call, _: Path) -> None:
    call.node = AT_PERSONS
    call.arguments = [f"cn/{kit.alert('cn', AT_PERSONS)}", _person(kit)]


def closed(kit: CommandKit, call: Call, _: Path) -> None:
    """An alert of cn that has a finding of hk and is closed."""
    call.arguments[0] = alert_id = kit.alert("cn", "hk")
    finding = ("--result", "confirmed", "--method", "x_ray", "--unlocode", "HKHKG", "--system", "officers")
    kit.json("hk", "alert", "finding", f"cn/{alert_id}", *finding)
    shown = ("alert", "show", alert_id, "--system", "officers")
    kit.eventually("cn", *shown, until=lambda found: "HKHKG" in json.dumps(found))
    kit.json("cn", "alert", "close", alert_id, "--outcome", "confirmed", "--system", "risk-engine")


def ended(kit: CommandKit, call: Call, cwd: Path) -> None:
    """The same, and hk has confirmed that it has the last step."""
    closed(kit, call, cwd)
    shown = ("alert", "show", call.arguments[0], "--system", "officers")
    kit.eventually("cn", *shown, until=lambda found: _last_step(found) == ("closed", "applied"))


def _last_step(found: Any) -> tuple[str, str]:
    (copy,) = found["deliveries"]
    return copy["last_step"]["event"], copy["last_step"]["state"]


# -- notifications


def notified(kit: CommandKit, call: Call, _: Path) -> None:
    """The positions are those of notifications that hk's officers have; of mo's alerts, since scenes stop cn's feed."""
    call.node = "hk"
    follow = ("notification", "follow", "new-alert", "--system", "officers")
    assert kit.gateway("hk", *follow).exit_code == 0
    for _each in range(2):
        kit.alert("mo", "hk")
    listing = ("notification", "list", "--unread", "--system", "officers")
    found = kit.eventually("hk", *listing, until=lambda rows: len(rows) >= 2)
    positions = [str(row["position"]) for row in found]
    call.arguments = positions[: len(call.arguments)]
    call.set("--up-to", positions[0])


def watch_notifications(kit: CommandKit, call: Call, cwd: Path) -> None:
    """Alerts come until one is told of; then Ctrl-C."""
    notified(kit, call, cwd)
    told = cwd / "told.txt"
    with _running(call, cwd, told, GATEWAY_CONFIG=str(kit.nodes[call.node].config)):
        _until(lambda: kit.alert("mo", "hk") and "alert" in told.read_text("utf-8"), told)


def with_own_rules(kit: CommandKit, _: Call, __: Path) -> None:
    for _each in range(2):
        kit.json("cn", "notification", "follow", "new-alert", "--system", "officers")


def with_shared_rules(kit: CommandKit, _: Call, __: Path) -> None:
    kit.json("cn", "notification", "share", "alarm", "--role", "operator", "--system", "ops")


def some_time_after_another_test(_: CommandKit, __: Call, ___: Path) -> None:
    time.sleep(SPACING_S)


# -- persons


def _person(kit: CommandKit) -> str:
    """Name of a new person."""
    name = new_name()
    words = ("person", "add", name, "--name", "Chan Tai Man", "--role", "officer", "--system", "ops")
    kit.json(AT_PERSONS, *words)
    return name


def adding(_: CommandKit, call: Call, __: Path) -> None:
    """A name is given once."""
    call.node, call.arguments[0] = AT_PERSONS, new_name()


def persons(kit: CommandKit, call: Call, _: Path) -> None:
    """One of the node's persons, where one is named."""
    call.node = AT_PERSONS
    name = _person(kit)
    call.arguments[:1] = [name] * len(call.arguments[:1])


def pseudonym(kit: CommandKit, call: Call, _: Path) -> None:
    """What hk sees of a person who published an alert."""
    call.node = AT_PERSONS
    nodes = kit.nodes

    async def publish() -> str:
        async with nodes.client(AT_PERSONS, CONSOLE_SYSTEM) as console, nodes.client(AT_PERSONS, "ops") as operator:
            officer = await enrolled(console, operator, "publisher")
            return (await officer.client().publish(alert(case_reference=officer.name), ["hk"])).alert_id

    shown = ("alert", "show", f"{AT_PERSONS}/{nodes.run(publish())}", "--system", "officers")
    seen = re.search(r"person/(~[a-z0-9]+)", json.dumps(kit.eventually("hk", *shown)))
    assert seen, "hk sees no pseudonym"
    call.arguments[0] = seen[0] if call.arguments[0].startswith("person/") else seen[1]


# -- the console


def run_console(kit: CommandKit, call: Call, cwd: Path) -> None:
    """It serves beside the node of the persons, and ends by Ctrl-C."""
    node = kit.nodes[AT_PERSONS]
    copytree(node.folder.path / "pki", cwd / "pki", dirs_exist_ok=True)
    place = consoles_on_one_host({AT_PERSONS: free_port()})[AT_PERSONS]
    write_console(cwd, place, gateway=f"127.0.0.1:{node.local_port}", zone=ZONES[AT_PERSONS])
    call.set("--config", CONSOLE_FILE)
    told = cwd / "told.txt"
    with _running(call, cwd, told):
        _until(lambda: _is_healthy(place), told)


def _is_healthy(place: ConsolePlace) -> bool:
    connection = HTTPConnection(place.bind, timeout=30)
    try:
        connection.request("GET", "/healthz", headers={"Host": place.origin.partition("://")[2]})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def _running(call: Call, cwd: Path, told: Path, **environment: str) -> Iterator[None]:
    """The command as a process, which ends by Ctrl-C with 0; `told` gets what it prints."""
    with told.open("wb") as output:
        command = [forked_commands() / "gateway", *call.words()]
        process = subprocess.Popen(
            command, cwd=cwd, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield
        assert process.poll() is None, told.read_text("utf-8")
        assert end(process, signal.SIGINT, STOPPED_S) == 0, told.read_text("utf-8")
    finally:
        end(process, signal.SIGKILL, STOPPED_S)


def _until(check: Callable[[], object], told: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < deadline, told.read_text("utf-8")
        time.sleep(0.1)


SCENES: Mapping[tuple[str, ...], Scene] = {
    ("alert", "erase"): ended,
    ("alert", "publication-sheet"): closed,
    ("file", "ask"): partners_file,
    ("file", "erase"): kept_file,
    ("file", "get"): kept_file,
    ("file", "list"): files_of_an_alert,
    ("file", "put"): putting,
    ("inbox", "assign"): assigning,
    ("inbox", "note"): with_a_note,
    ("inbox", "notes"): with_a_note,
    ("inbox", "related"): related,
    ("notification", "list"): notified,
    ("notification", "read"): notified,
    ("notification", "share"): with_shared_rules,
    ("notification", "test"): some_time_after_another_test,
    ("notification", "unfollow"): with_own_rules,
    ("notification", "unshare"): with_shared_rules,
    ("person", "add"): adding,
    ("person", "disable"): persons,
    ("person", "list"): persons,
    ("person", "reset"): persons,
    ("person", "roles"): persons,
    ("person", "rotate-key"): persons,
    ("person", "sessions"): persons,
    ("person", "show"): persons,
    ("person", "whois"): pseudonym,
}

UNENDING: Mapping[tuple[str, ...], Scene] = {
    ("console",): run_console,
    ("notification", "watch"): watch_notifications,
}
"""Commands that go on until Ctrl-C and have no option that ends them: each runs as a process and is interrupted."""
