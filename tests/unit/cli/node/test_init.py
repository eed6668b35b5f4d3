"""gateway init: one node's settings and folders, asked for nothing; and how commands find their gateway."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.connection import reachable
from gateway.cli.main import app
from gateway.cli.values import instant, own, reference, value_of
from gateway.contract.enum_words import word_of, words
from gateway.errors import ConfigurationError, OptionError
from gateway.feed.service.continuity.mark_files import peek
from gateway.node.defaults import MARKS_FILE, LinkMode
from gateway.node.marks import has_run, open_marks
from gateway.node.settings import load_settings
from gateway.trust.rules.permissions import Role
from gateway.trust.service.trial_federation import FEDERATION, MemberSpec, create_federation
from gateway.v1.alert_pb2 import FLAG_REASON_NOT_FOUND, FlagReason

ALERT = "019bbf30-0000-7000-8000-000000000000"


def run(*arguments: object, **environment: str) -> Result:
    runner = CliRunner(env={"COLUMNS": "200", "GATEWAY_CONFIG": "", "GATEWAY_SYSTEM": "", **environment})
    return runner.invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: object, **environment: str) -> str:
    result = run(*arguments, **environment)
    assert result.exit_code == 2, result.output
    assert "Error: " in result.stderr
    assert "Way out: " in result.stderr
    return result.stderr


NODE = ("--node", "cn", "--federation", FEDERATION)


def test_what_init_makes_is_its_users_alone(tmp_path: Path) -> None:
    node = tmp_path / "node"
    (node / "data").mkdir(parents=True, mode=0o755)
    assert run("init", *NODE, "--out", node).exit_code == 0
    assert stat.S_IMODE((node / "gateway.toml").stat().st_mode) == 0o600
    for folder in ("data", "pki/keys", "pki/systems"):
        assert stat.S_IMODE((node / folder).stat().st_mode) == 0o700, folder


def test_init_leaves_the_folders_identity_for_this_node_alone(tmp_path: Path) -> None:
    assert run("init", *NODE, "--out", tmp_path).exit_code == 0
    settings = load_settings(tmp_path / "gateway.toml")
    left = peek(settings.data_dir / MARKS_FILE)
    assert left is not None
    assert (left.feeds, left.alive_at) == ({}, 0)
    assert not has_run(settings)
    open_marks(settings).close()
    with pytest.raises(ConfigurationError, match=f"belongs to {FEDERATION}/cn, not to {FEDERATION}/hk"):
        open_marks(settings.model_copy(update={"node": "hk"}))


def test_init_writes_settings_that_say_what_was_asked_for(tmp_path: Path) -> None:
    made = create_federation(tmp_path / "f", [MemberSpec("cn"), MemberSpec("hk")], now=datetime.now(UTC))
    anchors = [part for name in ("cn", "hk") for part in ("--anchor", tmp_path / f"f/offline/{name}/directory.vkey")]
    result = run(
        *("init", *NODE, "--out", tmp_path / "node", *anchors, "--threshold", 1),
        *("--system", "risk-engine=publisher", "--system", "desk=officer,supervisor"),
        *("--link", "hk=pull,hk.example:7443", "--peer-bind", "0.0.0.0:17443", "--json"),
    )
    assert result.exit_code == 0, result.output
    config = tmp_path / "node" / "gateway.toml"
    assert json.loads(result.stdout)["settings"] == str(config)
    settings = load_settings(config)
    assert (settings.node, settings.federation, settings.peer_bind) == ("cn", FEDERATION, "0.0.0.0:17443")
    assert settings.systems == {"risk-engine": (Role.PUBLISHER,), "desk": (Role.OFFICER, Role.SUPERVISOR)}
    assert (settings.links["hk"].mode, settings.links["hk"].endpoint) == (LinkMode.PULL, "hk.example:7443")
    assert settings.directory.anchors == made.anchor_vkeys
    assert settings.directory.threshold == 1
    assert settings.tls.key == tmp_path / "node" / "pki" / "gateway.key"
    assert stat.S_IMODE((tmp_path / "node" / "pki" / "keys").stat().st_mode) == 0o700


def test_a_node_can_be_told_to_open_all_connections_to_a_partner(tmp_path: Path) -> None:
    fetching = ("--fetch", "hk", "--fetch", "mo", "--link", "mo=pull,mo.example:7443")
    assert run("init", *NODE, "--out", tmp_path, *fetching).exit_code == 0
    links = load_settings(tmp_path / "gateway.toml").links
    assert (links["hk"].mode, links["hk"].fetch, links["hk"].endpoint) == (LinkMode.PUSH, True, "")
    assert (links["mo"].mode, links["mo"].fetch, links["mo"].endpoint) == (LinkMode.PULL, True, "mo.example:7443")


def test_init_tells_the_next_steps_and_never_overwrites(tmp_path: Path) -> None:
    first = run("init", *NODE, "--out", tmp_path)
    assert first.exit_code == 0
    for command in ("pki signing-keys", "pki request", "directory card", "doctor", "serve"):
        assert f"gateway {command}" in first.stderr
    before = (tmp_path / "gateway.toml").read_bytes()
    assert "exists already" in refused("init", *NODE, "--out", tmp_path)
    assert (tmp_path / "gateway.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--system", "desk", "NAME=ROLE"),
        ("--system", "desk=king", "unknown role 'king'"),
        ("--system", "Desk=officer", "system name"),
        ("--link", "hk=carrier-pigeon", "NODE=push or NODE=pull"),
        ("--fetch", "HK", "--fetch 'HK'"),
        ("--node", "CN", "node 'CN'"),
    ],
)
def test_init_names_the_option_that_isnt_right(tmp_path: Path, option: str, value: str, said: str) -> None:
    node = NODE[2:] if option == "--node" else NODE
    assert said in refused("init", *node, "--out", tmp_path / "n", option, value)
    assert not (tmp_path / "n" / "gateway.toml").exists()


def test_without_settings_commands_say_how_a_gateway_is_named(tmp_path: Path) -> None:
    told = refused("alert", "list", "--config", tmp_path / "gateway.toml")
    assert "GATEWAY_CONFIG" in told
    assert "--address" in told


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("node")
    systems = {"desk": ("officer",), "ops": ("operator",)}
    create_federation(root, [MemberSpec("cn", systems=systems), MemberSpec("hk")], now=datetime.now(UTC))
    roles = [part for name, (role,) in systems.items() for part in ("--system", f"{name}={role}")]
    assert run("init", *NODE, "--out", root / "cn", "--local-bind", "127.0.0.1:1", *roles).exit_code == 0
    return root / "cn"


def test_which_system_speaks_must_be_clear(node: Path) -> None:
    told = refused("status", "--config", node / "gateway.toml")
    assert "desk (officer), ops (operator)" in told


def test_a_system_without_a_certificate_is_named_with_its_file(node: Path) -> None:
    said = refused("status", "--config", node / "gateway.toml", "--system", "nobody")
    assert "no certificate of system 'nobody'" in said


def test_a_gateways_own_certificate_isnt_for_the_local_port(node: Path) -> None:
    options = ("--cert", node / "pki/gateway.pem", "--key", node / "pki/gateway.key")
    assert "is the certificate of the gateway itself" in refused("status", "--config", node / "gateway.toml", *options)


def test_a_gateway_that_isnt_there_is_a_sentence_and_exit_code_1(node: Path) -> None:
    result = run("status", "--config", node / "gateway.toml", "--system", "ops", "--json")
    assert result.exit_code == 1
    error = json.loads(result.stderr)["error"]
    assert error["reason"] == "UNAVAILABLE"
    assert "127.0.0.1:1" in error["message"]


def test_elsewhere_address_and_files_are_enough(node: Path, tmp_path: Path) -> None:
    options = [f"--{name}={value}" for name, value in (
        ("address", "127.0.0.1:1"),
        ("ca", node / "pki/ca.pem"),
        ("cert", node / "pki/systems/ops.pem"),
        ("key", node / "pki/systems/ops.key"),
    )]  # fmt: skip
    result = run("status", *options, "--config", tmp_path / "none.toml")
    assert result.exit_code == 1
    assert "nobody listens at 127.0.0.1:1" in result.stderr


@pytest.mark.parametrize(
    ("bind", "dialled"),
    [
        ("0.0.0.0:7444", "127.0.0.1:7444"),
        ("[::]:7444", "[::1]:7444"),
        (":7444", "127.0.0.1:7444"),
        ("10.0.0.7:7444", "10.0.0.7:7444"),
    ],
)
def test_the_local_port_is_reached_where_it_is_bound(bind: str, dialled: str) -> None:
    assert reachable(bind) == dialled


def test_times_are_given_with_zone_or_as_a_span() -> None:
    assert instant("2026-01-15T08:00:00+08:00", "--x") == datetime(2026, 1, 15, tzinfo=UTC)
    assert abs(instant("12h", "--x") - datetime.now(UTC) - timedelta(hours=12)) < timedelta(seconds=5)
    for wrong in ("2026-01-15T08:00:00", "tomorrow", "12", "0d", "-3h"):
        with pytest.raises(OptionError, match="--x"):
            instant(wrong, "--x")


def test_alerts_are_named_by_publisher_and_id_or_by_id_alone() -> None:
    assert reference(ALERT, "cn").publisher == "cn"
    assert reference(f"hk/{ALERT}", "cn").publisher == "hk"
    assert own(reference(ALERT, "cn"), "cn") == ALERT
    for wrong in ("", "hk/", "hk/1", f"HK/{ALERT}", f"a/b/{ALERT}"):
        with pytest.raises(OptionError):
            reference(wrong, "cn")
    with pytest.raises(OptionError, match="only its publisher"):
        own(reference(f"hk/{ALERT}", "cn"), "cn")


def test_enums_are_words() -> None:
    assert value_of(FlagReason, "not-found", "--reason") == FLAG_REASON_NOT_FOUND
    assert word_of(FlagReason, FLAG_REASON_NOT_FOUND) == "not_found"
    assert (word_of(FlagReason, 0), word_of(FlagReason, 999)) == ("—", "—")
    assert "unspecified" not in words(FlagReason)
    with pytest.raises(OptionError, match="already_left, not_found"):
        value_of(FlagReason, "unspecified", "--reason")
