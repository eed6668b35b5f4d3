"""What an operator deploys (compose file, chart, units) fits the settings, the commands and Kubernetes' schemas."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from typer.main import get_command

from gateway.cli.main import app
from gateway.cli.trial.consoles import CONSOLE_PORT_STEP
from gateway.console.settings import load_console_settings
from gateway.node.settings import Settings, load_settings, unknown_variables

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/chart/customs-gateway"
RENDERED = ROOT / "deploy/chart/rendered"
EXAMPLES = ("sqlite", "postgresql")
KUBERNETES = ("1.29", "1.33")
"""Versions whose schemas the manifests must fit: an old one that is still met, and a new one."""

OF_OTHERS = {"ServiceMonitor"}
"""Kinds that Kubernetes' own schemas don't have."""

CONFINED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}


def manifests(example: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all((RENDERED / f"{example}.yaml").read_text("utf-8")) if each]


def pods(example: str) -> Iterator[dict[str, Any]]:
    for manifest in manifests(example):
        if manifest["kind"] in ("StatefulSet", "Deployment"):
            yield manifest["spec"]["template"]["spec"]


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return document


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("example", EXAMPLES)
def test_manifests_fit_kubernetes_schemas(example: str, version: str) -> None:
    for manifest in manifests(example):
        if manifest["kind"] not in OF_OTHERS:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_a_manifest_that_does_not_fit_is_seen() -> None:
    broken = next(each for each in manifests("sqlite") if each["kind"] == "StatefulSet")
    broken["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES[-1], strict=True)


def test_each_database_has_its_kind_of_workload() -> None:
    kinds = {example: {each["kind"] for each in manifests(example)} for example in EXAMPLES}
    common = {"ConfigMap", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "Service"}
    assert kinds == {
        "sqlite": common | {"StatefulSet"},
        "postgresql": common | {"Deployment", "ServiceMonitor"},
    }


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_pod_may_do_nothing_that_it_need_not(example: str) -> None:
    names = []
    for pod in pods(example):
        names += [container["name"] for container in pod["containers"]]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        for container in (*pod["initContainers"], *pod["containers"]):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
    assert sorted(names) == {"sqlite": ["gateway"], "postgresql": ["console", "gateway"]}[example]


def test_the_console_of_the_chart_reaches_its_gateway_and_has_no_key_of_it(tmp_path: Path) -> None:
    documents = {(each["kind"], each["metadata"]["name"]): each for each in manifests("postgresql")}
    name = "hk-customs-gateway"
    file = tmp_path / "console.toml"
    file.write_text(documents["ConfigMap", f"{name}-console"]["data"]["console.toml"], encoding="utf-8")
    settings = load_console_settings(file)
    service, _, port = settings.gateway.address.partition(":")
    (local,) = documents["Service", service]["spec"]["ports"]
    assert local["port"] == int(port)
    deployment = documents["Deployment", f"{name}-console"]["spec"]["template"]
    secrets = [volume["secret"]["secretName"] for volume in deployment["spec"]["volumes"] if "secret" in volume]
    assert secrets == ["hk-console"]
    for other in ("peer", "local", "metrics"):
        chosen = documents["Service", f"{name}-{other}"]["spec"]["selector"]
        assert not chosen.items() <= deployment["metadata"]["labels"].items()
    (console,) = deployment["spec"]["containers"]
    assert settings.port == console["ports"][0]["containerPort"]
    mounted = [mount["mountPath"] for mount in console["volumeMounts"]]
    for path in (settings.gateway.ca, settings.gateway.certificate, settings.gateway.key):
        assert any(str(path).startswith(f"{place}/") for place in mounted), path


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_settings_in_it_are_settings(example: str, tmp_path: Path) -> None:
    config = next(each for each in manifests(example) if each["kind"] == "ConfigMap")
    file = tmp_path / "gateway.toml"
    file.write_text(config["data"]["gateway.toml"])
    settings = load_settings(file)
    (gateway,) = (each for pod in pods(example) for each in pod["containers"] if each["name"] == "gateway")
    assert not unknown_variables([variable["name"] for variable in gateway["env"]], [])
    mounted = [mount["mountPath"] for mount in gateway["volumeMounts"]]
    for path in (settings.tls.key, settings.tls.ca, settings.keys.log, settings.directory.file, settings.data_dir):
        assert any(str(path).startswith(f"{place}/") or str(path) == place for place in mounted), path
    ports = {port["name"]: port["containerPort"] for port in gateway["ports"]}
    binds = {each["name"]: each["value"] for each in gateway["env"] if each["name"].endswith("_BIND")}
    assert {name: int(binds[f"GATEWAY_{name.upper()}_BIND"].rpartition(":")[2]) for name in ports} == ports


@pytest.mark.parametrize("values", ["ci/sqlite", "ci/postgresql"])
def test_the_values_fit_their_schema(values: str) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    given = merged(
        *(yaml.safe_load((CHART / f"{name}.yaml").read_text("utf-8")) for name in ("values", "ci/sqlite", values))
    )
    jsonschema.validate(given, schema)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"database": {"kind": "postgresql"}}, "secret"),
        ({"database": {"kind": "mysql"}}, "mysql"),
        ({"replica": 3}, "replica"),
        ({"image": {"digest": "latest"}}, "latest"),
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, Any], said: str) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    given = merged(yaml.safe_load((CHART / "ci/sqlite.yaml").read_text("utf-8")), wrong)
    with pytest.raises(jsonschema.ValidationError, match=said):
        jsonschema.validate(given, schema)


@pytest.mark.drift
def test_every_value_has_a_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    assert set(schema["properties"]) - {"global"} == set(values)
    for name, value in values.items():
        if "properties" in schema["properties"][name]:
            assert set(schema["properties"][name]["properties"]) == set(value), name


@pytest.mark.drift
def test_the_rendered_examples_are_the_charts(tmp_path: Path) -> None:
    sprig = Path("/usr/share/gocode/src/github.com/Masterminds/sprig")
    if shutil.which("go") is None or not sprig.exists():
        pytest.skip("golang-go and golang-github-masterminds-sprig-dev, which render the chart, aren't installed")
    subprocess.run([ROOT / "tests/conformance/chart/render", tmp_path], check=True, env=go_environment())
    for example in EXAMPLES:
        assert (tmp_path / f"{example}.yaml").read_text("utf-8") == (RENDERED / f"{example}.yaml").read_text("utf-8")


def go_environment() -> dict[str, str]:
    cache = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "go-build"
    return {**os.environ, "GOCACHE": os.environ.get("GOCACHE", str(cache))}


def test_each_service_is_confined_and_bounded() -> None:
    document = compose()
    for name, service in document["services"].items():
        assert {key: service.get(key) for key in CONFINED} == CONFINED, name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        allowed = {"federation": {"CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"}}
        if name.endswith("-database"):
            allowed[name] = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
        assert set(service.get("cap_add", [])) == allowed.get(name, set()), name


def test_no_gateway_mounts_what_is_anothers() -> None:
    """The offline keys are in memory alone; a node's volume and password are seen by it and its database."""
    document = compose()
    federation = document["services"]["federation"]
    assert federation["network_mode"] == "none"
    assert any(mount.startswith("/federation:") for mount in federation["tmpfs"])
    for node in ("cn", "hk", "mo"):
        assert document["services"][node]["volumes"] == [f"{node}:/var/lib/gateway"]
        volumes = document["services"][f"{node}-database"]["volumes"]
        assert {volume.partition(":")[0] for volume in volumes} == {f"{node}-database", f"{node}-password"}
        assert set(document["services"][f"{node}-database"]["networks"]) == {node}
        assert document["networks"][node] == {"internal": True}


def test_a_console_mounts_its_own_volume_alone_and_reaches_one_gateway() -> None:
    document = compose()
    for node in ("cn", "hk", "mo"):
        console = document["services"][f"{node}-console"]
        assert console["profiles"] == ["console"]
        assert console["volumes"] == [f"{node}-console:/var/lib/gateway"]
        assert set(console["networks"]) == {"browsers", node}
        (published,) = console["ports"]
        host, outside, inside = published.split(":")
        assert (host, outside) == ("127.0.0.1", inside)  # its origin has this port
        (place,) = (each for each in document["services"]["federation"]["command"] if f"place={node}=" in each)
        assert int(inside) == int(place.rpartition(":")[2]) + CONSOLE_PORT_STEP


def test_compose_sets_what_are_settings() -> None:
    for name in ("cn", "hk", "mo"):
        variables = compose()["services"][name]["environment"]
        assert not unknown_variables(variables, []), name


def test_the_image_is_pinned_and_runs_as_nobody() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert re.search(r"^ARG PYTHON_IMAGE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)
    gateway = next(stage for stage in stages if stage.startswith("runtime AS gateway"))
    runtime = next(stage for stage in stages if " AS runtime" in stage.splitlines()[0])
    assert "USER" not in gateway
    assert "USER 10001:10001" in runtime
    assert "HEALTHCHECK" in gateway


UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_a_unit_starts_a_command_that_exists(unit: Path) -> None:
    line = re.search(r"^ExecStart=(.*)$", unit.read_text("utf-8"), re.MULTILINE)
    assert line is not None
    words = shlex.split(line[1].replace("/bin/sh -c ", "").strip("'"))
    command = words[[Path(word).name for word in words].index("gateway") + 1]
    assert command in get_command(app).commands  # type: ignore[attr-defined]
    assert "--config" in words


@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_a_unit_is_hardened(unit: Path) -> None:
    text = unit.read_text("utf-8")
    for line in (
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "SystemCallFilter=@system-service",
    ):
        assert f"\n{line}\n" in text, line
    if shutil.which("systemd-analyze") is None:
        return
    analyzed = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert analyzed.returncode == 0, analyzed.stdout[-200:] + analyzed.stderr


def test_a_unit_stops_later_than_the_node_does() -> None:
    grace = Settings.model_fields["stop_grace"].default
    unit = re.search(
        r"^TimeoutStopSec=(\d+)$", (ROOT / "deploy/systemd/gateway.service").read_text("utf-8"), re.MULTILINE
    )
    assert unit is not None
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    stops = [
        int(unit[1]),
        values["stopGraceSeconds"],
        int(compose()["services"]["cn"]["stop_grace_period"].rstrip("s")),
    ]
    assert min(stops) > grace


def merged(*given: dict[str, Any]) -> dict[str, Any]:
    """Values over values, as Helm lays them."""
    result: dict[str, Any] = {}
    for values in given:
        for key, value in values.items():
            below = result.get(key)
            result[key] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def test_grafana_finds_its_data_source_and_dashboards() -> None:
    provisioning = ROOT / "deploy/monitoring/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards/gateway.yml").read_text("utf-8"))["providers"]
    mounts = dict(volume.split(":")[:2] for volume in compose()["services"]["grafana"]["volumes"])
    assert source["url"] == "http://prometheus:9090"
    assert provider["options"]["path"] in mounts.values()
    for dashboard in (ROOT / "deploy/monitoring/dashboards").glob("*.json"):
        panels = json.loads(dashboard.read_text("utf-8"))["panels"]
        sources = {panel["datasource"]["uid"] for panel in panels if isinstance(panel.get("datasource"), dict)}
        assert sources <= {source["uid"], "${datasource}"}


def test_prometheus_scrapes_the_port_where_metrics_are() -> None:
    (job,) = yaml.safe_load((ROOT / "deploy/monitoring/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    (static,) = job["static_configs"]
    port = compose()["services"]["cn"]["environment"]["GATEWAY_METRICS_BIND"].rpartition(":")[2]
    assert static["targets"] == [f"{node}:{port}" for node in ("cn", "hk", "mo")]
