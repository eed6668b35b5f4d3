"""Every command that the site, README and help show runs against three nodes, or stands in a block that is pasted.

A command's name alone (`gateway alert show` in a sentence) is a mention. Everything else runs, in a fresh copy of a
folder that has the files which documents name. `PLACEHOLDERS` and `FILES` say what words in capitals stand for,
`COMPLETIONS` what a sentence leaves out or abbreviates by `…`, `SCENES` what a command finds and at which node it runs.
A new page is taken in by itself; where it needs something new, one of these tables gets a line.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from rich.cells import cell_len
from typer.testing import Result

from gateway.cli.trial.federation import SYSTEMS as TRIAL_SYSTEMS
from tests.support.command_kit import CONTAINER, GROUNDS, LISTED, PASSPHRASE, RECORDS, CommandKit
from tests.support.federation import SYSTEMS, with_logs
from tests.support.licence_scenes import SCENES as SCENES_OF_LICENCES
from tests.support.risk_profile_scenes import SCENES as SCENES_OF_PROFILES
from tests.support.shown_call import Call
from tests.support.shown_commands import COMMANDS, Shown, command_of, shown_commands
from tests.support.shown_scenes import SCENES as SCENES_OF_CAPABILITIES
from tests.support.shown_scenes import UNENDING, Scene, agree_on_pseudonyms, capabilities_of
from tests.support.token_scenes import generating, signing_with_a_token

Words = tuple[str, ...]
NEW_ID = "019bbf30-0000-7000-8000-000000000000"
"""A scene puts the id of something that is there in its place."""

NOT_RUN: Mapping[str, str] = {
    "trial": "runs in blocks of README (test_pasted), and in test_trial",
    "trial --stop": "the same",
    "trial --console": "runs in test_trial, which stops what it starts",
    "evidence verify FOLDER --directory directory.note": "test_hostile_partner has two histories to verify",
    "keys unlock TOKEN": "test_signing_tokens has a node with a locked token",
    "keys unlock cn-hsm": "the same",
    "keys unlock cn-hsm --system ops": "the same",
}
"""Commands that don't run here, with the reason; few."""

PLACEHOLDERS: Mapping[str, str] = {
    "FEED": "cn/hk/alerts", "PARTNER": "hk", "NODE": "cn", "NAME": "minerals", "TEXT": "A reason", "…": "A reason",
    "LICENCE": "cn/CN-2026-0001", "NUMBER": "CN-2026-0001", "KIND": "arrived",
    "RECORD": RECORDS[0], "LIST/ID": "minerals/M-17", "OLD": "directory.note", "NEW": "directory-2.json",
    "DIRECTORY": "directory.note", "CARD": "cn.card.json", "OWN/PARTNER": "cn/hk",
    "BUNDLE": "case-7.zip", "ALERT": NEW_ID, "QUERY": NEW_ID, "ID": NEW_ID,
}  # fmt: skip
"""What stands for what, in whichever command; FILE is in `FILES`."""

FILES: Mapping[Words, str] = {
    ("pki", "show"): "gateway.pem",
    ("pki", "signing-keys"): "passphrase",
    ("audit", "export"): "events.zip",
    ("audit", "head"): "new.head",
    ("verify",): "2026-01-15.head",
    ("history", "import"): "manifests.csv",
    ("history", "trace"): "new.html",
    ("licence", "amend"): "licence.json",
    ("licence", "import"): "licences.csv",
    ("licence", "publish"): "licence.json",
    ("risk-profile", "offer"): "profile.json",
    ("watchlist", "import"): "list.csv",
    ("evidence", "consistency"): "directory.note",
    ("watchlist", "propose"): "entry.json",
}
"""What FILE is, by command."""

_NODE = {"--node": "cn", "--federation": "gba.customs.example"}
COMPLETIONS: Mapping[Words, tuple[list[str], dict[str, str]]] = {
    ("alert", "answer"): (["ID", "ID", "Two: A1, A2"], {}),
    ("alert", "ask"): (["mo/ID", "May cn know?"], {"--deadline": "5d"}),
    ("alert", "show"): (["ID"], {}),
    ("alert", "publish"): (["alert.json"], {"--to": "hk"}),
    ("directory", "renew"): (["directory.note"], {"--out": "directory-2.json"}),
    ("directory", "sign"): (["directory.note"], {"--authority": "hk", "--key": "directory.pem"}),
    ("evidence", "export"): ([], {}),
    ("history", "hold", "place"): ([], {"--container": CONTAINER, "--reason": "A reason", "--case": "SZ-1"}),
    ("history", "import"): (["manifests.csv"], {}),
    ("history", "balance"): ([], {"--substance": "antimony", **GROUNDS}),
    ("history", "search"): ([], {"--container": CONTAINER, **GROUNDS}),
    ("history", "show"): ([RECORDS[0]], {}),
    ("history", "trace"): ([], {"--container": CONTAINER, **GROUNDS}),
    ("backup",): (["OUT"], {}),
    ("law", "show"): (["811010"], {}),
    ("licence", "amend"): (["licence.json"], {"--number": "CN-2026-0001"}),
    ("licence", "check"): (["LICENCE"], {"--quantity": "1", **GROUNDS}),
    ("licence", "follow"): (["LICENCE", "KIND"], {"--declaration": "D-1", "--quantity": "1"}),
    ("licence", "import"): (["licences.csv"], {"--legal-basis": "Export Control Law, article 12"}),
    ("licence", "publish"): (["licence.json"], {"--number": "CN-2026-0001"}),
    ("licence", "reject"): (["ID"], {"--remarks": "A reason"}),
    ("licence", "show"): (["LICENCE"], {}),
    ("licence", "use"): (["LICENCE"], {"--declaration": "D-1", "--quantity": "1"}),
    ("licence", "withdraw"): (["NUMBER"], {"--reason": "A reason"}),
    ("licence", "approve"): (["ID"], {}),
    ("link", "declare-new"): (["hk"], {"--reason": "A new node"}),
    ("pki", "request"): ([], {**_NODE, "--out": "console"}),
    ("pki", "issue"): (["gateway.csr"], {"--ca": "ca", "--out": "new.pem"}),
    ("pki", "signing-keys"): ([], {**_NODE, "--out": "pki/keys"}),
    ("risk-profile", "offer"): (["profile.json"], {}),
    ("watchlist", "screen"): ([LISTED], {}),
}
"""What a sentence leaves out: arguments, options."""

OFFLINE = (("rebuild",), ("restore",))
"""Commands for a node that doesn't run: mo, after all others."""

FOLLOWING: Mapping[Words, str] = {
    ("alert", "watch"): "--once",
    ("watchlist", "watch"): "--once",
    ("watchlist", "matches"): "--once",
}
"""Commands that go on until Ctrl-C, with the option that ends them."""


def incoming(kit: CommandKit, call: Call, _: Path) -> None:
    """An alert that hk has received."""
    publisher = call.arguments[0].partition("/")[0]
    call.node, call.arguments[0] = "hk", f"{publisher}/{kit.alert(publisher, 'hk')}"


def found(kit: CommandKit, call: Call, cwd: Path) -> None:
    """An alert that hk has received, and reported a finding on."""
    incoming(kit, call, cwd)
    finding = ("--result", "confirmed", "--measure", "seized:Sb:1255", "--system", "officers")
    kit.json("hk", "alert", "finding", call.arguments[0], *finding)


def outgoing(kit: CommandKit, call: Call, cwd: Path) -> None:
    """An alert that cn has published, or received where its publisher is named."""
    if "/" in call.arguments[0]:
        incoming(kit, call, cwd)
    else:
        call.arguments[0] = kit.alert("cn", "hk")


def question(kit: CommandKit, call: Call, _: Path) -> None:
    call.arguments[:2] = kit.question(*(("--pass-on-to", "mo") if call.has("--consent") else ()))


def evidence(kit: CommandKit, call: Call, cwd: Path) -> None:
    if call.has("--answer"):
        call.set("--answer", kit.query())
        call.set("--record", RECORDS[1])
    else:
        call.arguments = call.arguments or ["ID"]
        outgoing(kit, call, cwd)


def cose_receipt(kit: CommandKit, call: Call, _: Path) -> None:
    if not call.has("--feed"):
        call.arguments = [f"cn/{kit.alert('cn', 'hk')}"]


def argument(make: Callable[[CommandKit], str], node: str = "cn") -> Scene:
    """The first argument is something that the kit makes for each command."""

    def scene(kit: CommandKit, call: Call, _: Path) -> None:
        call.node, call.arguments[0] = node, make(kit)

    return scene


def at_the_holder(kit: CommandKit, call: Call, _: Path) -> None:
    """Names of another node's list are asked at one that has a copy."""
    if call.value("--publisher") == "cn" or (call.arguments[:1] and call.arguments[0].startswith("cn/")):
        call.node = "hk"


def mapping(name: str) -> Scene:
    """`ours.toml` is another file for another kind of import."""

    def scene(kit: CommandKit, call: Call, cwd: Path) -> None:
        if call.value("--mapping") == "ours.toml":
            shutil.copy(cwd / name, cwd / "ours.toml")

    return scene


def signing(kit: CommandKit, call: Call, cwd: Path) -> None:
    """The key is the named authority's; a note has one signature so far. Whoever signs confirms what is shown."""
    if call.has("--token"):
        signing_with_a_token(kit, call, cwd)
    else:
        key = cwd / call.value("--key")
        key.parent.mkdir(exist_ok=True)
        shutil.copy(kit.nodes.folder.directory_key(call.value("--authority")), key)
        protect(call, key)
        call.input = "y\n"
    if call.arguments == ["directory.note"]:
        shutil.copy(cwd / "signed-once.note", cwd / "directory.note")
        if call.has("--previous"):
            shutil.copy(cwd / "directory.note", cwd / "version-1.note")
    call.give("--out", "signed.note")


def issuing(kit: CommandKit, call: Call, cwd: Path) -> None:
    protect(call, cwd / call.value("--ca") / "ca.key")
    if call.value("--identity") == PLACEHOLDERS["…"]:
        call.set("--identity", "spiffe://gba.customs.example/gateway/cn")
    call.input = "y\n"


def protect(call: Call, key: Path) -> None:
    """Puts a key under the passphrase where the command gives one."""
    if call.has("--passphrase-env"):
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        encryption = serialization.BestAvailableEncryption(PASSPHRASE.encode())
        key.write_bytes(loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))


def revoking(kit: CommandKit, call: Call, cwd: Path) -> None:
    """`5a3f09` stands for a certificate's serial number, `n4bQ…=` for a key."""
    serial = next((cwd / "ca" / "issued").glob("*.pem")).stem
    call.options = [
        (name, serial if (value or "").startswith("5a3f09") else _log_vkey(cwd) if name == "--key" else value)
        for name, value in call.options
    ]


def revoking_now(kit: CommandKit, call: Call, cwd: Path) -> None:
    """Whoever signs confirms what is shown."""
    revoking(kit, call, cwd)
    call.input = "y\n"


def taking_revocation(kit: CommandKit, call: Call, cwd: Path) -> None:
    """A note by cn's authority about a certificate that nobody uses."""
    by = ("--authority", "cn", "--directory-key", "directory.pem", "--certificate", "old.pem", "--reason", "A test")
    words = ("directory", "revoke-now", "directory.note", *by, "--yes", "--out", call.arguments[0])
    made = kit.gateway(call.node, *words, cwd=cwd)
    assert made.exit_code == 0, made.output


def _log_vkey(cwd: Path) -> str:
    found = re.search(r'"vkey": "([^"]+)"|"public_key": "([^"]+)"', (cwd / "cn.card.json").read_text())
    assert found, (cwd / "cn.card.json").read_text()
    return found[1] or found[2]


def drafting(kit: CommandKit, call: Call, cwd: Path) -> None:
    """The terms are between those whose cards are given."""
    nodes = ", ".join(f'"{card[:2]}"' for card in call.arguments)
    (cwd / "terms.toml").write_text((cwd / "terms.toml").read_text().replace('"cn", "hk", "mo"', nodes))


def preparing(_: CommandKit, call: Call, cwd: Path) -> None:
    """A folder on which nothing has run."""
    call.environment["GATEWAY_DATA_DIR"] = str(cwd / "data")


def restoring(kit: CommandKit, call: Call, cwd: Path) -> None:
    """A backup that was made after the node stopped."""
    assert kit.gateway("mo", "backup", cwd / "backup").exit_code == 0
    call.arguments[0] = "backup"


def resolving(kit: CommandKit, call: Call, _: Path) -> None:
    call.arguments[0] = kit.quarantine("hk", "cn")


def of_keys(kit: CommandKit, call: Call, cwd: Path) -> None:
    passphrase = cwd / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text(PASSPHRASE)


def announcing(_: CommandKit, call: Call, cwd: Path) -> None:
    """Maintenance that is still to come, not that of the example's day."""
    now = datetime.now(UTC)
    for option, hours in (("--from", 1), ("--until", 5)):
        call.set(option, (now + timedelta(hours=hours)).isoformat(timespec="seconds"))


def announced(kit: CommandKit, call: Call, cwd: Path) -> None:
    """Maintenance that can be ended."""
    begin, end = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, 5))
    times = ("--from", begin.isoformat(), "--until", end.isoformat())
    assert kit.gateway("cn", "maintenance", "announce", *times, "--reason", "x", "--system", "ops").exit_code == 0


SCENES: Mapping[Words, Scene] = {
    **SCENES_OF_CAPABILITIES,
    **SCENES_OF_LICENCES,
    **SCENES_OF_PROFILES,
    ("alert", "ack"): incoming,
    ("alert", "amend"): outgoing,
    ("alert", "answer"): question,
    ("alert", "ask"): incoming,
    ("alert", "close"): outgoing,
    ("alert", "correct-finding"): found,
    ("alert", "finding"): incoming,
    ("alert", "flag"): incoming,
    ("alert", "publish"): mapping("ours-of-declarations.toml"),
    ("alert", "show"): outgoing,
    ("alert", "withdraw"): outgoing,
    ("alert", "withdraw-finding"): found,
    ("directory", "draft"): drafting,
    ("directory", "revoke"): revoking,
    ("directory", "revoke-now"): revoking_now,
    ("directory", "take-revocation"): taking_revocation,
    ("directory", "sign"): signing,
    ("evidence", "export"): evidence,
    ("evidence", "cose-receipt"): cose_receipt,
    ("history", "hold", "release"): argument(CommandKit.hold),
    ("keys", "generate"): generating,
    ("link", "resolve"): resolving,
    ("maintenance", "announce"): announcing,
    ("maintenance", "end"): announced,
    ("pki", "issue"): issuing,
    ("pki", "signing-keys"): of_keys,
    ("prepare",): preparing,
    ("restore",): restoring,
    ("why", "alert"): argument(lambda kit: kit.alert("cn", "mo")),  # another command suspends the feed to hk
    ("why", "entry"): argument(CommandKit.entry),
    ("why", "record"): argument(lambda _: RECORDS[0]),
    ("watchlist", "answer"): argument(CommandKit.hit),
    ("watchlist", "approve"): argument(CommandKit.proposal),
    ("watchlist", "confirm"): argument(CommandKit.match, "hk"),
    ("watchlist", "dismiss"): argument(CommandKit.match, "hk"),
    ("watchlist", "export"): at_the_holder,
    ("watchlist", "import"): mapping("ours-of-lists.toml"),
    ("watchlist", "list"): at_the_holder,
    ("watchlist", "proposal"): argument(CommandKit.proposal),
    ("watchlist", "reject"): argument(CommandKit.proposal),
    ("watchlist", "report"): at_the_holder,
    ("watchlist", "show"): at_the_holder,
    ("watchlist", "withdraw"): argument(CommandKit.entry),
}
"""What a command finds: an alert to acknowledge, a proposal to approve."""


def too_wide(result: Result) -> list[str]:
    """Lines for people that don't fit 80 columns, but for commands to copy."""
    return [line for line in result.stdout.splitlines() if cell_len(line) > 80 and "gateway " not in line]


ENDS: Mapping[Words, tuple[int, ...]] = {
    ("licence", "check"): (0, 3),  # 3: it doesn't cover the goods
    ("notification", "test"): (3,),  # nothing listens there
    ("restore",): (0, 2),  # 2: it says what is lost, and wants --accept-loss
    ("watchlist", "changes"): (0, 2),  # 2: there is no report of that number yet
    ("watchlist", "diff"): (0, 3),  # a change may be on its way
    ("watchlist", "screen"): (0, 3),  # 3: something was found
}
"""Exit codes that are right, where 0 isn't the only one."""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandKit]:
    root = tmp_path_factory.mktemp("shown")
    systems = {**SYSTEMS, **TRIAL_SYSTEMS, "analysts": ("analyst",)}
    secret = root / "webhook.secret"
    for nodes in with_logs(root, settings_of=lambda node: capabilities_of(node, secret), systems=systems):
        agree_on_pseudonyms(nodes)
        nodes.start()
        yield CommandKit(root, nodes)


TO_RUN = {
    shown.words: shown
    for shown in reversed(shown_commands())
    if not (shown.pasted or shown.is_name) and " ".join(shown.words) not in NOT_RUN
}
"""One of each."""


def order(shown: Shown) -> tuple[bool, Words]:
    return command_of(shown.words) in OFFLINE, shown.words


@pytest.mark.parametrize("shown", sorted(TO_RUN.values(), key=order), ids=lambda shown: " ".join(shown.words))
def test_it_runs(kit: CommandKit, shown: Shown) -> None:
    call = Call.of(shown)
    complete(call)
    with kit.folder() as cwd:
        replace_placeholders(call)
        if call.path in OFFLINE:
            kit.nodes["mo"].stop()
            call.node = "mo"
        if call.path in SCENES:
            SCENES[call.path](kit, call, cwd)
        settle_paths(kit, call, cwd)
        if call.path == ("serve",):
            serve(kit)
            return
        if call.path in UNENDING:
            UNENDING[call.path](kit, call, cwd)
            return
        result = kit.gateway(call.node, *call.words(), cwd=cwd, variables=call.environment, input=call.input)
    assert result.exit_code in ENDS.get(call.path, (0,)), (
        f"{shown.where} shows `gateway {' '.join(shown.words)}`; run as {call.words()} at {call.node}:\n{result.output}"
    )
    if not call.has("--json", "--dry-run") and (call.path[1:] != ("export",) or call.has("--out")):
        assert too_wide(result) == []


def complete(call: Call) -> None:
    if call.path in COMPLETIONS:
        call.complete(*COMPLETIONS[call.path])
    if call.path in FOLLOWING and (call.path[1] == "watch" or call.has("--watch")):
        call.give(FOLLOWING[call.path])
        call.options = [(name, "0" if name == "--position" else value) for name, value in call.options]
    if call.takes("--address"):
        roles = re.search(r"Roles?: ([a-z, ]+)", call.command.callback.__doc__)
        assert roles, f"help of {call.path} names no role"
        call.give("--system", SYSTEM_OF[roles[1].split(", ")[0]])


SYSTEM_OF = {role: system for system, roles in TRIAL_SYSTEMS.items() for role in roles} | {"any": "officers"}


def replace_placeholders(call: Call) -> None:
    def value(text: str) -> str:
        if text == "FILE":
            assert call.path in FILES, f"say in FILES what FILE is for gateway {' '.join(call.path)}"
            return FILES[call.path]
        if text in PLACEHOLDERS:
            return PLACEHOLDERS[text]
        return text

    call.arguments = [value(each) for each in call.arguments]
    call.options = [(name, None if text is None else value(text)) for name, text in call.options]


def settle_paths(kit: CommandKit, call: Call, cwd: Path) -> None:
    """Patterns become names; the settings are the node's; what is to be written isn't there yet."""
    call.arguments = [
        name
        for each in call.arguments
        for name in (sorted(str(path.relative_to(cwd)) for path in cwd.glob(each)) if "*" in each else [each])
    ]
    call.set("--config", str(kit.nodes[call.node].config))
    call.arguments = [f"elsewhere-{Path(each).name}" if each.startswith("/") else each for each in call.arguments]
    out = call.value("--out")
    if out.startswith("/"):
        call.set("--out", "elsewhere")
    elif out and call.path != ("pki", "issue"):
        target = cwd / out
        if target.is_dir():
            shutil.rmtree(target)
        elif out not in call.arguments:
            target.unlink(missing_ok=True)


@cache
def serve(kit: CommandKit) -> None:
    """mo is started by the command once, whatever the path of its settings, and runs until it is told to stop."""
    mo = kit.nodes["mo"]
    mo.stop()
    mo.start_command()
    assert mo.stop() == 0
    mo.start()


def test_none_is_left_out() -> None:
    """What isn't run here is pasted, named alone, or has its reason."""
    left = [shown for shown in shown_commands() if shown.words not in TO_RUN]
    unexplained = [shown for shown in left if not (shown.pasted or shown.is_name or " ".join(shown.words) in NOT_RUN)]
    assert unexplained == []
    assert set(NOT_RUN) <= {" ".join(shown.words) for shown in left}, "what nobody shows needs no reason"
    assert len(TO_RUN) > 150
    assert {path for path in COMMANDS if path not in {Call.of(shown).path for shown in TO_RUN.values()}} <= {
        ("trial",),
        ("keys", "unlock"),  # a locked token: test_signing_tokens
        ("link", "recover"),  # `gateway recover` by another name
    }
