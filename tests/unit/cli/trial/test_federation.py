import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.cli.trial.federation import AUTHORITIES, SYSTEMS, is_complete, make_federation, on_one_host
from gateway.cli.trial.processes import TrialNode
from gateway.errors import OptionError
from gateway.node.directory_store import DirectoryStore, KeptVersions
from gateway.node.settings import load_settings
from gateway.trust.service.directory_versions import RootOfTrust

ROOT = Path(__file__).parents[4]
NOW = datetime(2026, 1, 15, tzinfo=UTC)


def make(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["trial", "--no-start", *map(str, arguments)])


def test_each_folder_has_all_that_its_node_needs_wherever_it_is_moved(tmp_path: Path) -> None:
    make_federation(tmp_path / "made", on_one_host(), now=NOW)
    for node in AUTHORITIES:
        moved = (tmp_path / "made" / node).rename(tmp_path / node)
        settings = load_settings(moved / "gateway.toml")
        assert settings.node == node
        assert set(settings.systems) == set(SYSTEMS)
        for path in (settings.tls.certificate, settings.tls.key, settings.tls.ca):
            assert path.is_relative_to(moved)
            assert path.exists()
        anchors = RootOfTrust.from_vkeys(
            settings.directory.anchors, federation=settings.federation, threshold=settings.directory.threshold
        )
        store = DirectoryStore(settings.directory.file, kept=KeptVersions(tmp_path / node), anchors=anchors, now=NOW)
        assert set(store.directory().nodes) == set(AUTHORITIES)
        assert store.directory().node(node).endpoints == (settings.peer_bind,)


def test_no_folder_has_keys_of_another_node_or_of_an_authority(tmp_path: Path) -> None:
    make_federation(tmp_path, on_one_host(), now=NOW)
    keys = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]
    assert len(keys) == len(set(keys)) == len(AUTHORITIES) * (3 + len(SYSTEMS) + 2)


def test_a_second_run_of_the_program_leaves_everything_as_it_is(tmp_path: Path) -> None:
    assert not is_complete(tmp_path)
    first = make(tmp_path, "--bind", "127.0.0.9", "--place", "hk=hk.example:7443:7444")
    assert first.exit_code == 0, first.stderr
    assert is_complete(tmp_path)
    assert load_settings(tmp_path / "hk" / "gateway.toml").peer_bind == "127.0.0.9:7443"
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = make(tmp_path)
    assert again.exit_code == 0
    assert "Making" not in again.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_half_a_federation_is_not_mixed_with_new_keys(tmp_path: Path) -> None:
    make_federation(tmp_path, on_one_host(), now=NOW)
    (tmp_path / "mo" / "gateway.toml").unlink()
    refused = make(tmp_path)
    assert refused.exit_code == 2
    assert "Error: " in refused.stderr
    with pytest.raises(OptionError):
        make_federation(tmp_path, on_one_host(), now=NOW)


@pytest.mark.parametrize("place", ["hk", "hk=host", "hk=host:1", "hk=host:a:b", "xx=host:1:2"])
def test_a_wrong_place_is_named(tmp_path: Path, place: str) -> None:
    refused = make(tmp_path, "--place", place)
    assert refused.exit_code == 2
    said = " ".join(refused.stderr.split())
    assert f"--place {place}: it must read NODE=HOST:PEER_PORT:LOCAL_PORT" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.drift
def test_the_containers_are_the_federations_nodes() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"--place=(\w+)=\1:7443:74[456]4", compose)) == set(AUTHORITIES)
    assert set(re.findall(r"volumes: \[\"(\w+):/var/lib/gateway\"\]", compose)) == set(AUTHORITIES)


@pytest.mark.drift
def test_images_begin_with_a_digest() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    named = {"build", "runtime", "federation", "gateway"}
    assert re.search(r"^ARG PYTHON_IMAGE=\S+@sha256:[0-9a-f]{64}$", dockerfile, flags=re.MULTILINE)
    for base in re.findall(r"^FROM (\S+)", dockerfile, flags=re.MULTILINE):
        assert base in {"${PYTHON_IMAGE}", *named}, base


def test_a_node_that_doesnt_serve_is_told_with_the_last_line_of_its_log(tmp_path: Path) -> None:
    """One line: control characters in a sentence would be printed as codes."""
    make_federation(tmp_path, on_one_host(), now=NOW)
    node = TrialNode(tmp_path / "cn")
    node.log.write_text(
        'serving\n  | Traceback (most recent call last):\n  |   File "x.py"\n  | ValueError: no port\n\n'
    )
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(OptionError) as raised:
        node.wait_until_serving(ended)
    assert raised.value.message == f"cn doesn't serve; see {node.log}, which ends with: ValueError: no port"
