"""What a running node's processes show to others and take from them: environment, modules of a folder, files."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from gateway.node.checks.findings import Finding, Result, guarded
from gateway.node.checks.node_checks import NodeChecks
from gateway.node.host.file_modes import path_problems
from gateway.tls.private_keys import load_private_key, private_key_pem
from gateway.tls.secret_files import write_secret
from tests.support.federation import Federation, eventually, with_logs
from tests.support.history_calls import calling
from tests.support.node_processes import still_running
from tests.support.shipments import shipment

PASSPHRASE = "eleven-pale-herons-cross"
PLANTED = (
    "gateway",
    "grpc",
    "google",
    "logging",
    "json",
    "structlog",
    "sqlalchemy",
    "numpy",
    "sitecustomize",
    "socket",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with modules that leave a mark when they are imported."""
    made = tmp_path_factory.mktemp("planted")
    for name in PLANTED:
        (made / f"{name}.py").write_text(f"open({str(made / 'imported')!r}, 'a').write({name!r})\nraise ImportError\n")
    return made


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Federation]:
    """cn runs in that folder, with encrypted keys whose passphrase is in its environment, under a lenient umask."""
    before = os.umask(0o022)
    try:
        for made in with_logs(tmp_path_factory.mktemp("process")):
            for path in (made["cn"].folder.log_key, made["cn"].folder.receipts_key):
                encrypted = private_key_pem(load_private_key(path, None), PASSPHRASE.encode())
                path.unlink()
                write_secret(path, encrypted)
            start(made, folder)
            yield made
    finally:
        os.umask(before)


def start(nodes: Federation, folder: Path) -> None:
    url = f"sqlite:///{nodes['cn'].database}"
    nodes["cn"].start_command(cwd=folder, GATEWAY_PASSPHRASE=PASSPHRASE, GATEWAY_DATABASE_URL=url)


def started(nodes: Federation) -> list[int]:
    """The node and its workers, among them the one that indexes a record which this makes."""

    async def run() -> list[int]:
        async with calling(nodes, "cn", "publisher") as publisher, nodes.client("cn", "operator") as operator:
            recorded = await publisher.record(shipment(f"R-{uuid.uuid4().hex[:8]}"))
            assert recorded

            async def working() -> list[int]:
                node = psutil.Process(nodes["cn"].pid)
                history = (await operator.node.status()).history
                assert history.findable == history.recorded
                return [node.pid, *(child.pid for child in node.children(recursive=True))]

            return await eventually(working, what="the index of what was recorded")

    node, *workers = nodes.run(run())
    assert workers
    return [node, *workers]


def environment(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")


def test_no_process_shows_the_passphrase(nodes: Federation) -> None:
    node, *workers = started(nodes)
    shown = "\n".join(environment(node))
    assert PASSPHRASE not in shown
    assert "sqlite:" not in shown
    assert "PATH=" in shown  # the rest is as it was
    for pid in workers:
        assert [line for line in environment(pid) if line.startswith("GATEWAY_")] == []
        assert PASSPHRASE not in "".join(environment(pid))


def test_no_worker_outlives_a_node_that_is_killed(nodes: Federation, folder: Path) -> None:
    """Whoever takes a killed node's folder away, restores it or starts anew has it alone."""
    node, *workers = map(psutil.Process, started(nodes))
    node.kill()
    assert still_running(workers, 10.0) == []
    nodes["cn"].kill()  # ended already: the federation takes note
    start(nodes, folder)


def test_no_process_imports_from_its_folder(nodes: Federation, folder: Path) -> None:
    started(nodes)
    assert not (folder / "imported").exists()


def test_what_the_node_made_is_its_users_alone(nodes: Federation) -> None:
    started(nodes)
    made = [path for path in nodes["cn"].data.rglob("*") if path.name != "log.txt"]
    assert {path.name for path in made} >= {"gateway.sqlite3", "gateway.sqlite3-wal", "audit.head", "000001.note"}
    for path in [nodes["cn"].data, *made]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_files_that_others_may_read_or_change_are_told(nodes: Federation) -> None:
    node = nodes["cn"]
    node.config.chmod(0o600)
    assert list(path_problems(node.settings, node.config)) == []
    log_key, certificate = node.settings.keys.log, node.settings.tls.certificate
    for path, mode, result, way_out in (
        (node.data, 0o755, Result.WARN, "go-rwx"),
        (node.data, 0o711, Result.WARN, "go-rwx"),
        (node.data, 0o730, Result.FAIL, "go-rwx"),
        (node.database, 0o640, Result.FAIL, "go-rwx"),
        (node.database.with_name("gateway.sqlite3-wal"), 0o604, Result.FAIL, "go-rwx"),
        (node.config, 0o660, Result.FAIL, "go-rwx"),
        (node.config, 0o602, Result.FAIL, "go-rwx"),
        (node.config, 0o640, Result.WARN, "go-rwx"),
        (log_key, 0o640, Result.FAIL, "go-rwx"),
        (node.settings.tls.ca, 0o646, Result.FAIL, "go-w"),
        (certificate, 0o646, Result.FAIL, "go-w"),
        (node.settings.directory.file, 0o606, Result.FAIL, "go-w"),
        (log_key.parent, 0o777, Result.FAIL, "go-w"),
    ):
        before = path.stat().st_mode
        path.chmod(mode)
        checks = NodeChecks(node.settings, config=node.config, now=datetime.now(UTC))
        (finding,) = checks._file_modes("File permissions")
        assert (finding.result, str(path) in finding.detail) == (result, True), (path, mode)
        assert finding.way_out == f"Run `chmod {way_out} {path}`."
        path.chmod(before)
    with_password = node.settings.model_copy(update={"database_url": "postgresql://gateway:crane-9@db.example/gateway"})
    text = node.config.read_text()
    node.config.write_text(text + "# crane-9\n")
    node.config.chmod(0o640)
    (secret,) = path_problems(with_password, node.config)
    assert secret.severe
    node.config.write_text(text)
    node.config.chmod(0o600)
    certificate.chmod(0o644)  # everybody may read what isn't secret
    log_key.parent.chmod(0o1777)  # and nobody may replace others' files in a folder like /tmp
    assert list(path_problems(node.settings, node.config)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_somebody_else_are_told(nodes: Federation) -> None:
    node = nodes["cn"]
    node.config.chmod(0o600)
    os.chown(node.settings.tls.ca, 12345, -1)
    (problem,) = path_problems(node.settings, node.config)
    os.chown(node.settings.tls.ca, 0, -1)
    assert (problem.severe, problem.what) == (
        True,
        f"{node.settings.tls.ca} belongs to user 12345, who may change it",
    )


def test_doctor_reads_the_directory_as_the_node_does(nodes: Federation) -> None:
    node, file = nodes["cn"], nodes.folder.directory
    started(nodes)

    def found(now: datetime) -> list[Finding]:
        checks = NodeChecks(node.settings, config=node.config, now=now)
        return list(guarded("Directory", checks._directory))

    (sound,) = found(datetime.now(UTC))
    assert sound.result is Result.OK
    (over,) = found(nodes.directory.grace_ends_at)
    assert (over.result, "partners are refused" in over.detail) == (Result.FAIL, True)
    aside = file.rename(file.with_suffix(".aside"))
    (gone,) = found(datetime.now(UTC))
    aside.rename(file)
    assert (gone.result, "is gone; version 1, accepted before" in gone.detail) == (Result.WARN, True)
