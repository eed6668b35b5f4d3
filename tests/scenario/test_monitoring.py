"""Every panel shows something of a running federation: by the samples it asks for, and by a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc.aio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.contract.channel_options import channel_options
from gateway.contract.messages import to_timestamp
from gateway.errors import GatewayError
from gateway.node.assembly.node import system_clock_ms
from gateway.telemetry.metrics import Metrics
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1.notification_service_pb2 import NotificationAudience, NotificationKind, NotificationRule
from tests.support.federation import Federation, alert, eventually, free_port, with_logs
from tests.support.history_calls import calling
from tests.support.monitoring import panel_expressions
from tests.support.receivers import SECRET, WebReceiver, web_receiver
from tests.support.shipments import shipment
from tests.support.time_stamps import Authority, StampServer

RATE_S = 15
"""Window of rates, in seconds; a dashboard's is minutes."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Federation, dict[str, int]]]:
    """cn and hk, which serve metrics, notify, have receipts stamped and traffic of every kind; mo isn't there."""
    root = tmp_path_factory.mktemp("monitoring")
    authority = Authority(root / "tsa")
    with web_receiver() as receiver, StampServer(authority).running() as stamps:
        stamped = f'[time_stamps]\nurl = "{stamps.url}"\ncertificates = "{authority.trusted}"\n'
        yield from observed(root / "nodes", notifying(receiver, root) + stamped)


def notifying(receiver: WebReceiver, folder: Path) -> str:
    """Settings by which a node tells a webhook of alerts, and another one of every change."""
    secret = folder / "webhook.secret"
    secret.touch(mode=0o600)
    secret.write_text(f"whsec_{SECRET}\n", encoding="ascii")
    webhooks = "".join(
        f'[notifications.webhooks.{name}]\nurl = "{receiver.url}"\nsecret_file = "{secret}"\n'
        for name in ("case-system", "changes")
    )
    return f'[notifications]\nenabled = true\noutbox = {{ webhook = "changes" }}\n{webhooks}'


def observed(root: Path, settings: str) -> Iterator[tuple[Federation, dict[str, int]]]:
    """The federation, and the port of each node's metrics."""
    for federation in with_logs(root, settings=settings):
        ports = {name: free_port() for name in ("cn", "hk")}
        for name, port in ports.items():
            config = federation[name].config
            config.write_text(f'metrics_bind = "{port}"\n{config.read_text("utf-8")}', "utf-8")
        federation.start("cn", "hk")
        federation.run(traffic(federation))
        yield federation, ports


async def traffic(federation: Federation) -> None:
    """Alerts both ways, some of them soon overdue, a refused one, a recorded shipment, an unknown method."""
    for name in ("cn", "hk"):
        await notify_of_alerts(federation, name)
    async with (
        federation.client("cn", "publisher") as cn,
        federation.client("hk", "publisher") as hk,
        calling(federation, "cn", "publisher") as at_cn,
        calling(federation, "hk", "publisher") as at_hk,
    ):
        for _ in range(3):
            soon = to_timestamp(system_clock_ms() + 3_000)
            await cn.publish(alert(reply_by=soon), ["hk"])
            await hk.publish(alert(reply_by=soon), ["cn"])
        with suppress(GatewayError):
            await cn.publish(alert(purpose="nobody_agreed"), ["hk"])
        await at_cn.record(shipment(f"R-{uuid.uuid4().hex[:8]}"))
        await at_hk.record(shipment(f"R-{uuid.uuid4().hex[:8]}"))
    node = federation["cn"]
    options = channel_options(server_name=f"cn.{FEDERATION}")
    address = f"127.0.0.1:{node.local_port}"
    async with grpc.aio.secure_channel(address, node.credentials("operator"), options=options) as channel:
        for number in range(5):
            with suppress(grpc.aio.AioRpcError):
                await channel.unary_unary(f"/gateway.v1.AlertService/Guess{number}")(b"", timeout=20)
    await federation.converged(("cn", "hk"), ("hk", "cn"))


async def notify_of_alerts(federation: Federation, node: str) -> None:
    kinds = [NotificationKind.NOTIFICATION_KIND_NEW_ALERT, NotificationKind.NOTIFICATION_KIND_DEADLINE_PASSED]
    audience = NotificationAudience(webhook="case-system")
    async with federation.client(node, "supervisor") as supervisor:
        await supervisor.notifications.set_shared_rules([NotificationRule(kinds=kinds, audience=audience)])


def fetch(port: int, page: str) -> tuple[int, str]:
    """Status and text of a page; 0 without an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def samples(port: int) -> dict[str, list[dict[str, str]]]:
    """Labels of every sample, by name."""
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(fetch(port, "metrics")[1]):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


NOT_IN_CALM = {
    "gateway_batches_refused_total",
    "gateway_quarantines_total",
    "gateway_limit_refusals_total",
    "gateway_alarms",
    "gateway_signing_token_state",
}
"""Without a sample while nothing is wrong, or without hardware tokens: panels of these say `or vector(0)`."""


def test_every_metric_of_a_panel_has_samples_with_its_labels(watched: tuple[Federation, dict[str, int]]) -> None:
    federation, ports = watched
    labels = {series: set(metric.labels) for metric in Metrics().descriptions for series in metric.series}
    wanted = {name for expression in panel_expressions() for name, _ in expression.series()} - NOT_IN_CALM

    async def complete() -> bool:
        for port in ports.values():
            seen = await asyncio.to_thread(samples, port)
            assert wanted - seen.keys() == set()
        return True

    federation.run(eventually(complete, every_s=0.5, what="a sample of every metric"))
    seen = samples(ports["cn"])
    for name in seen.keys() & labels.keys():
        assert all(sample.keys() - {"le"} == labels[name] for sample in seen[name]), name
    assert [name for name in seen if name.endswith("_created")] == []
    calls = {(sample["method"], sample["code"]) for sample in seen["gateway_calls_total"]}
    assert ("(unknown)", "UNIMPLEMENTED") in calls
    published = {code for method, code in calls if method.endswith("/PublishAlert")}
    assert len(published - {"OK"}) == 1, "the refused one has a code of its own"
    methods = {method for method, _ in calls}
    assert not any("Guess" in method for method in methods), "what a caller writes is no label"


def test_health_is_on_the_same_port(watched: tuple[Federation, dict[str, int]]) -> None:
    _, ports = watched
    assert fetch(ports["cn"], "livez") == (200, "event loop: ok\nwriter: ok\n")
    assert fetch(ports["cn"], "readyz") == (200, "database: ok\nwriter: ok\ndisk: ok\nmarks: ok\ndirectory: ok\n")
    assert fetch(ports["cn"], "elsewhere")[0] == 404


def test_every_panel_shows_data_of_a_real_prometheus(
    watched: tuple[Federation, dict[str, int]], tmp_path: Path
) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus isn't installed (Debian's package): panels were checked by names and labels alone")
    federation, ports = watched
    web = free_port()
    targets = json.dumps([f"127.0.0.1:{port}" for port in ports.values()])
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: gateway, static_configs: [{{targets: {targets}}}]}}]\n"
    )
    options = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [program, *options, f"--web.listen-address=127.0.0.1:{web}"], stdout=log, stderr=log, cwd=tmp_path
        )
    try:
        federation.run(all_shown(federation, web))
    finally:
        process.terminate()
        process.wait(60)


async def all_shown(federation: Federation, web: int) -> None:
    missing = {f"{each.where}: {each.text}" for each in panel_expressions()}

    async def shown() -> bool:
        async with federation.client("cn", "publisher") as cn:
            await cn.publish(alert(), ["hk"])
        for each in panel_expressions():
            text = each.text.replace("$__rate_interval", f"{RATE_S}s").replace("$instance", ".*")
            if await asyncio.to_thread(has_data, web, text):
                missing.discard(f"{each.where}: {each.text}")
        assert not missing
        return True

    await eventually(shown, every_s=1.0, what="data for each panel")


def has_data(web: int, expression: str) -> bool:
    """Whether Prometheus answers with at least one number."""
    query = urllib.parse.urlencode({"query": expression, "time": time.time()})
    status, text = fetch(web, f"api/v1/query?{query}")
    if status != 200:
        return False
    results = json.loads(text)["data"]["result"]
    return any(result["value"][1] != "NaN" for result in results)
