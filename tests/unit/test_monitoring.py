"""Rules and panels of deploy/monitoring name metrics and labels that exist, and pages that say what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.telemetry.metrics import MetricKind, Metrics
from tests.support.monitoring import (
    MONITORING,
    Expression,
    panel_expressions,
    rule_expressions,
    rules,
)

pytestmark = pytest.mark.drift

ROOT = Path(__file__).parents[2]
OF_PROMETHEUS = {"instance", "job", "le"}
OF_THE_PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Series that prometheus-client makes, without labels."""

KNOWN = {series: metric for metric in Metrics().descriptions for series in metric.series}
ALL = [*panel_expressions(), *rule_expressions()]


@pytest.mark.parametrize("expression", ALL, ids=lambda expression: expression.where)
def test_an_expression_names_metrics_and_labels_that_exist(expression: Expression) -> None:
    labels = set(OF_PROMETHEUS)
    names = list(expression.series())
    assert names or expression.text.startswith("up")
    for name, selected in names:
        if name in OF_THE_PROCESS:
            assert selected <= OF_PROMETHEUS
            continue
        metric = KNOWN[name]
        labels |= set(metric.labels)
        assert selected <= {*OF_PROMETHEUS, *metric.labels}, name
        if metric.kind is not MetricKind.GAUGE:
            counted = re.search(rf"(rate|increase)\({name}\b", expression.text)
            assert counted, f"{name} only grows: use its rate"
    assert expression.grouping() <= labels


def test_a_wrong_name_or_label_is_found() -> None:
    wrong = Expression("x", 'sum by (colour) (rate(gateway_cals_total{shape="round", port=~"a|b{2}"}[5m]))')
    assert list(wrong.series()) == [("gateway_cals_total", {"shape", "port"})]
    assert wrong.grouping() == {"colour"}
    assert "gateway_cals_total" not in KNOWN


def test_every_metric_is_in_a_panel_or_a_rule_or_known_to_be_in_none() -> None:
    shown = {name for expression in ALL for name, _ in expression.series()}
    unseen = {metric.name for metric in Metrics().descriptions if shown.isdisjoint(metric.series)}
    assert unseen <= {
        "gateway_build_info",  # the dashboard's list of nodes
        "gateway_start_time_seconds",
        "gateway_directory_version",
        "gateway_trace_spans_total",
    }


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_rule_leads_to_what_to_do() -> None:
    for rule in rules():
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert not anchor or anchor in anchors(ROOT / page), rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        labels = {label for name, _ in Expression("", rule["expr"]).series() for label in KNOWN[name].labels}
        assert named <= labels | OF_PROMETHEUS, rule["alert"]


def test_the_dashboard_is_made_from_its_table() -> None:
    subprocess.run([sys.executable, ROOT / "scripts/dashboard.py", "--check"], check=True)


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool isn't installed (Debian's package prometheus): the rules' syntax wasn't checked")
    files = [str(file) for file in sorted((MONITORING / "rules").glob("*.yml"))]
    checked = subprocess.run([promtool, "check", "rules", *files], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
