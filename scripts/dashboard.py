#!/usr/bin/env python3
"""Writes deploy/monitoring/dashboards/gateway.json, a Grafana dashboard, from the table of panels in this file.

scripts/dashboard.py            write it
scripts/dashboard.py --check    exit with 1 when the file says something else
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "deploy/monitoring/dashboards/gateway.json"
I = 'instance=~"$instance"'  # noqa: E741  in every selector below
R = "[$__rate_interval]"
PUBLISH = 'method="/gateway.v1.AlertService/PublishAlert"'


@dataclass(frozen=True)
class Panel:
    """A panel: its title, expressions with their legends, and Grafana's unit."""

    title: str
    targets: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8


ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": (
        Panel("Ready", ((f"gateway_ready{{{I}}}", "{{instance}} {{dependency}}"),), kind="stat"),
        Panel(
            "Alarms",
            ((f"sum by (instance, code) (gateway_alarms{{{I}}}) or vector(0)", "{{instance}} {{code}}"),),
            kind="stat",
        ),
        Panel(
            "Partner unreachable",
            ((f"gateway_partner_unreachable_seconds{{{I}}}", "{{instance}} → {{partner}}"),),
            "s",
            "stat",
        ),
        Panel(
            "Oldest alert without a receipt",
            ((f"gateway_oldest_unreceipted_alert_seconds{{{I}}}", "{{instance}} → {{partner}}"),),
            "s",
            "stat",
        ),
        Panel(
            "Feeds that stand still",
            ((f'sum by (instance, state) (gateway_feed_state{{{I}, state!="active"}})', "{{instance}} {{state}}"),),
            kind="stat",
        ),
        Panel(
            "Days left",
            ((f"min by (instance, kind) (gateway_days_left{{{I}}})", "{{instance}} {{kind}}"),),
            "d",
            "stat",
        ),
    ),
    "People": (
        Panel(
            "Alerts with a deadline that has passed",
            ((f"sum by (deadline, direction) (gateway_alerts_overdue{{{I}}})", "{{deadline}} {{direction}}"),),
            kind="stat",
        ),
        Panel(
            "Notifications",
            (
                (f"sum by (kind) (rate(gateway_notifications_total{{{I}}}{R}))", "{{kind}}"),
                (
                    f"sum by (way, result) (rate(gateway_notification_deliveries_total{{{I}}}{R}))",
                    "{{way}} {{result}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "Waiting to go out",
            (
                (f"sum by (way) (gateway_notification_deliveries_waiting{{{I}}})", "{{way}}"),
                (f"max by (instance) (gateway_outbox_lag_entries{{{I}}})", "outbox {{instance}}"),
                (f"sum(rate(gateway_outbox_messages_total{{{I}}}{R}))", "outbox taken/s"),
            ),
        ),
        Panel(
            "Hardware tokens",
            ((f"sum by (token, state) (gateway_signing_token_state{{{I}}}) or vector(0)", "{{token}} {{state}}"),),
        ),
        Panel(
            "Oldest receipt that a witness fails to cosign",
            ((f"max by (instance) (gateway_witness_lag_seconds{{{I}}})", "{{instance}}"),),
            "s",
        ),
        Panel(
            "Oldest receipt due for a time stamp",
            ((f"max by (instance) (gateway_time_stamp_lag_seconds{{{I}}})", "{{instance}}"),),
            "s",
        ),
    ),
    "Calls": (
        Panel("Calls by method", ((f"sum by (method) (rate(gateway_calls_total{{{I}}}{R}))", "{{method}}"),), "reqps"),
        Panel(
            "Calls by code",
            ((f"sum by (port, code) (rate(gateway_calls_total{{{I}}}{R}))", "{{port}} {{code}}"),),
            "reqps",
        ),
        Panel(
            "Latency of PublishAlert",
            tuple(
                (
                    f"histogram_quantile({q}, sum by (le) (rate(gateway_call_seconds_bucket{{{I}, {PUBLISH}}}{R})))",
                    f"p{int(q * 100)}",
                )
                for q in (0.5, 0.95, 0.99)
            ),
            "s",
        ),
        Panel("Publishes", ((f"sum by (result) (rate(gateway_publishes_total{{{I}}}{R}))", "{{result}}"),), "ops"),
        Panel("Watchers", ((f"sum by (method) (gateway_watchers{{{I}}})", "{{method}}"),)),
        Panel("Running calls", ((f"sum by (port) (gateway_running_calls{{{I}}})", "{{port}}"),)),
    ),
    "Feeds and links": (
        Panel(
            "Entries committed",
            (
                (
                    f"sum by (partner, channel, direction) (rate(gateway_feed_entries_total{{{I}}}{R}))",
                    "{{direction}} {{partner}} {{channel}}",
                ),
            ),
            "ops",
        ),
        Panel(
            "Lag in entries",
            ((f"gateway_link_lag_entries{{{I}}}", "{{instance}} {{direction}} {{partner}} {{channel}}"),),
        ),
        Panel(
            "Lag in seconds",
            ((f"gateway_link_lag_seconds{{{I}}}", "{{instance}} {{direction}} {{partner}} {{channel}}"),),
            "s",
        ),
        Panel(
            "Receipts",
            ((f"sum by (partner, direction) (rate(gateway_receipts_total{{{I}}}{R}))", "{{direction}} {{partner}}"),),
            "ops",
        ),
        Panel(
            "Links up",
            (
                (
                    f"min by (instance, partner, direction) (gateway_link_up{{{I}}})",
                    "{{instance}} {{direction}} {{partner}}",
                ),
            ),
        ),
        Panel(
            "Failures, refusals, quarantines",
            (
                (
                    f"sum by (partner, reason) (rate(gateway_link_failures_total{{{I}}}{R})) or vector(0)",
                    "link {{partner}} {{reason}}",
                ),
                (
                    f"sum by (partner, reason) (rate(gateway_batches_refused_total{{{I}}}{R})) or vector(0)",
                    "refused {{partner}} {{reason}}",
                ),
                (
                    f"sum by (partner, reason) (increase(gateway_quarantines_total{{{I}}}[1h])) or vector(0)",
                    "quarantine {{partner}} {{reason}}",
                ),
            ),
        ),
        Panel(
            "Partners' clocks ahead",
            ((f"gateway_partner_clock_ahead_seconds{{{I}}}", "{{instance}}: {{partner}}"),),
            "s",
        ),
        Panel(
            "Entries of feeds",
            ((f"gateway_feed_size_entries{{{I}}}", "{{instance}} {{direction}} {{partner}} {{channel}}"),),
        ),
    ),
    "Writer and database": (
        Panel(
            "Commits",
            ((f"sum by (kind, result) (rate(gateway_commits_total{{{I}}}{R}))", "{{kind}} {{result}}"),),
            "ops",
        ),
        Panel(
            "Time of a commit, p99",
            (
                (
                    f"histogram_quantile(0.99, sum by (kind, le) (rate(gateway_commit_seconds_bucket{{{I}}}{R})))",
                    "{{kind}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Items in a commit",
            (
                (
                    f"rate(gateway_commit_items_sum{{{I}}}{R}) / rate(gateway_commit_items_count{{{I}}}{R})",
                    "{{instance}}",
                ),
            ),
        ),
        Panel("Signatures", ((f"sum by (key) (rate(gateway_signatures_total{{{I}}}{R}))", "{{key}}"),), "ops"),
        Panel(
            "Waiting for the writer",
            (
                (f"gateway_writer_queue_items{{{I}}}", "{{instance}} items"),
                (f"gateway_audit_queue_events{{{I}}}", "{{instance}} audit events"),
            ),
        ),
        Panel("Answer of the database", ((f"gateway_database_answer_seconds{{{I}}}", "{{instance}}"),), "s"),
        Panel("Size of the database", ((f"gateway_database_size_bytes{{{I}}}", "{{instance}}"),), "bytes"),
        Panel(
            "Free disk",
            ((f"gateway_disk_free_bytes{{{I}}} / gateway_disk_size_bytes{{{I}}}", "{{instance}}"),),
            "percentunit",
        ),
    ),
    "Projections and history": (
        Panel("Projection lag", ((f"gateway_projection_lag_entries{{{I}}}", "{{instance}}"),)),
        Panel(
            "Index and evaluation lag",
            (
                (f"gateway_index_lag_records{{{I}}}", "{{instance}} indexed"),
                (f"gateway_evaluation_lag_records{{{I}}}", "{{instance}} evaluated"),
            ),
        ),
        Panel("Findable behind", ((f"gateway_findable_behind_seconds{{{I}}}", "{{instance}}"),), "s"),
    ),
    "Process and limits": (
        Panel(
            "Memory",
            (
                (f"process_resident_memory_bytes{{{I}}}", "{{instance}} node"),
                (f"gateway_worker_resident_memory_bytes{{{I}}}", "{{instance}} {{worker}}"),
            ),
            "bytes",
        ),
        Panel("Processor", ((f"rate(process_cpu_seconds_total{{{I}}}{R})", "{{instance}}"),), "percentunit"),
        Panel("Worker processes", ((f"gateway_worker_up{{{I}}}", "{{instance}} {{worker}}"),)),
        Panel(
            "Descriptors and connections",
            ((f"gateway_resource_used{{{I}}} / gateway_resource_limit{{{I}}}", "{{instance}} {{resource}}"),),
            "percentunit",
        ),
        Panel(
            "Quotas of partners",
            (
                (
                    f"max by (instance, partner, kind) (gateway_quota_used{{{I}}} / gateway_quota_limit{{{I}}})",
                    "{{instance}} {{partner}} {{kind}}",
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Refused at a limit",
            (
                (
                    f"sum by (caller, limit) (rate(gateway_limit_refusals_total{{{I}}}{R})) or vector(0)",
                    "{{caller}} {{limit}}",
                ),
            ),
            "reqps",
        ),
        Panel("Defects", ((f"gateway_defects{{{I}}}", "{{instance}}"),), kind="stat"),
    ),
}


def panels() -> list[dict[str, Any]]:
    """Rows of panels, three in a line of Grafana's 24 columns."""
    made: list[dict[str, Any]] = []
    x = y = 0
    for title, row in ROWS.items():
        y += 8 if x else 0
        made.append(
            {
                "id": len(made) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": {"h": 1, "w": 24, "x": 0, "y": y},
                "panels": [],
            }
        )
        x, y = 0, y + 1
        for panel in row:
            if x + panel.width > 24:
                x, y = 0, y + 8
            made.append(_panel(len(made) + 1, panel, x, y))
            x += panel.width
    return made


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "gridPos": {"h": 8, "w": panel.width, "x": x, "y": y},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0} if panel.unit == "percentunit" else {"unit": panel.unit},
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + at), "expr": expression, "legendFormat": legend}
            for at, (expression, legend) in enumerate(panel.targets)
        ],
    }


def dashboard() -> str:
    """The whole file."""
    return (
        json.dumps(
            {
                "uid": "customs-gateway",
                "title": "Customs gateway",
                "schemaVersion": 39,
                "refresh": "30s",
                "time": {"from": "now-6h", "to": "now"},
                "templating": {
                    "list": [
                        {
                            "name": "instance",
                            "label": "Node",
                            "type": "query",
                            "datasource": {"type": "prometheus", "uid": "prometheus"},
                            "query": "label_values(gateway_build_info, instance)",
                            "refresh": 2,
                            "includeAll": True,
                            "multi": True,
                            "allValue": ".*",
                            "current": {"text": "All", "value": "$__all"},
                        }
                    ]
                },
                "panels": panels(),
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )


def main() -> None:
    """Write or check the file."""
    if "--check" not in sys.argv:
        FILE.write_text(dashboard(), "utf-8")
    elif FILE.read_text("utf-8") != dashboard():
        raise SystemExit(f"{FILE.name} is old; run scripts/dashboard.py")


if __name__ == "__main__":
    main()
