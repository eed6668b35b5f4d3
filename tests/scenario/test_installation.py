"""The path to paste of docs/operating.md, in its order, in a scratch root: a node that serves, and its removal."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.federation import free_port

ROOT = Path(__file__).parents[2]
PATIENCE_S = 240
FEDERATION = "gba.customs.example"
SHIMS = {
    "useradd": 'echo "useradd $*" >>"$CALLED"',
    "chown": 'echo "chown $*" >>"$CALLED"',
    "systemctl": 'echo "systemctl $*" >>"$CALLED"',
    "runuser": '[ "$1 $2 $3" = "--user gateway --" ] && shift 3 && exec "$@"',
    # A test's user owns what it makes.
    "install": (
        'words=(); while (($#)); do case $1 in --owner|--group) shift ;; *) words+=("$1") ;; esac; shift; done; '
        'exec /usr/bin/install "${words[@]}"'
    ),
}
"""Programs that would change the machine; what they were called with is in the file CALLED."""

TERMS = """
[[agreements]]
between = ["cn", "hk"]
message_types = ["AlertEvent"]
purposes = ["export_control"]
field_classes = ["COMMERCIAL"]
clause = "Example arrangement, article 7"
"""


class Machines:
    """The node's machine and the offline one: folders that a shell takes for /."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offline, self.root, self.programs = folder / "offline", folder / "root", folder / "programs"
        self.called = folder / "called"
        for path in (self.offline, self.root / "etc/systemd/system", self.root / "opt", self.programs):
            path.mkdir(parents=True)
        for name, script in SHIMS.items():
            (self.programs / name).write_text(f"#!/bin/bash\n{script}\n")
            (self.programs / name).chmod(0o755)
        self.peer, self.local = free_port(), free_port()

    def here(self, text: str) -> str:
        """A script of the page for this root, and ports that are free."""
        text = re.sub(r"(?<=[\s\"=])/(opt/gateway|srv/gateway|etc/systemd)", rf"{self.root}/\1", text)
        return text.replace(
            "/srv/gateway --threshold 2",
            f"/srv/gateway --threshold 2 --peer-bind 127.0.0.1:{self.peer} --local-bind 127.0.0.1:{self.local}",
        )

    def paste(self, script: str, folder: Path) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        path = f"{self.programs}:{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
        environment |= {"PATH": path, "CALLED": str(self.called)}
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail"], input=self.here(script), cwd=folder, env=environment,
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path)


def parts(heading: str) -> list[str]:
    """The blocks to paste under a heading."""
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    section = text.partition(f"\n{heading}\n")[2]
    section = re.split(rf"\n#{{1,{heading.count('#')}}} ", section)[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)


def test_a_node_is_set_up_by_the_path_to_paste_and_removed(machines: Machines) -> None:
    software, authority, keys, signing, check, start, removal = parts("## Set up")
    srv, offline = machines.root / "srv/gateway", machines.offline

    # The command is this environment's: to build the wheel and install 60 packages takes minutes.
    *build, user, folders, units = software.splitlines()
    assert build[-1] == "/opt/gateway/bin/pip install --no-deps dist/customs_gateway-*.whl"
    (machines.root / "opt/gateway").symlink_to(sys.prefix)
    machines.paste("\n".join((user, folders, units)), ROOT)
    assert "enable" not in machines.called.read_text(), "there are no keys yet"

    machines.paste(authority, offline)
    partner = "gateway pki directory-key --authority cn --federation gba.customs.example --out partner"
    machines.paste(partner, offline)
    shutil.copytree(offline / "ca", srv / "ca", ignore=shutil.ignore_patterns("*.key", "directory.pem"))
    (srv / "partners").mkdir()
    shutil.copy(offline / "partner/directory.vkey", srv / "partners/cn.vkey")
    machines.paste(keys, machines.root)

    public = shutil.ignore_patterns("*.key", "log.pem", "receipts.pem")
    shutil.copytree(srv / "pki", offline / "pki", ignore=public)
    shutil.copy(srv / "hk.card.json", offline)
    machines.paste(signing, offline)
    directory = [
        *("pki init-ca --node cn --out partner", "pki signing-keys --node cn --out p/keys"),
        *("pki request --kind gateway --node cn --out p",),
        "pki issue p/gateway.csr --ca partner --identity spiffe://gba.customs.example/gateway/cn --out p/gateway.pem",
        "directory card --node cn --pki p --directory-key partner/directory.vkey --endpoint 127.0.0.1:9 "
        "--name en=Customs --out cn.card.json",
        "directory draft cn.card.json hk.card.json --terms terms.toml --threshold 2 --out directory.json",
        "directory sign directory.json --authority cn --key partner/directory.pem --yes",
        "directory sign directory.note --authority hk --key ca/directory.pem --yes",
    ]
    (offline / "terms.toml").write_text(TERMS)
    steps = [f"export GATEWAY_FEDERATION={FEDERATION}", *(f"gateway {step}" for step in directory)]
    steps.insert(5, "cp partner/ca.pem p/")
    machines.paste("\n".join(steps), offline)
    shutil.copytree(offline / "pki", srv / "pki", dirs_exist_ok=True)
    shutil.copy(offline / "directory.note", srv)

    checked = machines.paste(check, machines.root)
    failed = re.findall(r"^Check +(.+)\nResult +fail$", checked, flags=re.MULTILINE)
    assert failed == ["Partner cn"], checked
    assert "enable" not in machines.called.read_text()
    machines.paste(start, machines.root)
    assert machines.called.read_text().splitlines()[-2:] == [
        "systemctl daemon-reload",
        "systemctl enable --now gateway.service gateway-backup.timer",
    ]
    assert_it_serves(machines)

    machines.paste(removal, machines.root)
    assert not list((machines.root / "etc/systemd/system").iterdir())
    assert not (machines.root / "opt/gateway").exists()
    assert (srv / "gateway.toml").exists(), "keys and record go by a person's decision"


def assert_it_serves(machines: Machines) -> None:
    """Runs what the unit runs."""
    unit = (machines.root / "etc/systemd/system/gateway.service").read_text()
    needed = re.findall(r"^ConditionPathExists=(.+)$", unit, flags=re.MULTILINE)
    assert {Path(path).name for path in needed} == {"gateway.toml", "directory.note"}, "the last two that are made"
    for path in needed:
        assert Path(machines.here(f" {path}").strip()).exists()
    (command,) = re.findall(r"^ExecStart=(.+)$", unit, flags=re.MULTILINE)
    log = machines.folder / "log"
    with log.open("wb") as out:
        node = subprocess.Popen(machines.here(f" {command}").split(), stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "hk serves partners" not in log.read_text():
            assert node.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait(60)
