#!/usr/bin/env python3
"""Writes the table of metrics into docs/metrics.md, from the registry in gateway/telemetry/metrics.py.

scripts/metrics.py            write it
scripts/metrics.py --check    exit with 1 when the page says something else
"""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.telemetry.metrics import MetricDescription, Metrics

PAGE = Path(__file__).resolve().parents[1] / "docs/metrics.md"
BEGIN, END = "<!-- scripts/metrics.py writes from here -->\n", "<!-- to here -->\n"


def row(metric: MetricDescription) -> str:
    """A metric's row."""
    labels = f"{{{','.join(metric.labels)}}}" if metric.labels else ""
    return f"| `{metric.name}{labels}` | {metric.documentation.rstrip('.')} |\n"


def table() -> str:
    """All metrics, in the order of the registry."""
    return "| name, with labels | meaning |\n|---|---|\n" + "".join(map(row, Metrics().descriptions))


def main() -> None:
    """Write or check the page."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    written = f"{before}{BEGIN}\n{table()}\n{END}{after}"
    if "--check" not in sys.argv:
        PAGE.write_text(written, "utf-8")
    elif written != page:
        raise SystemExit("docs/metrics.md: the table of metrics is old; run scripts/metrics.py")


if __name__ == "__main__":
    main()
