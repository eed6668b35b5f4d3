"""Alert rules and panels of deploy/monitoring as expressions, and what these ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MONITORING = Path(__file__).parents[2] / "deploy/monitoring"
_SELECTOR = re.compile(r"\b((?:gateway|process)_[a-z_]+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"')
_BY = re.compile(r"\bby \(([^)]*)\)")


@dataclass(frozen=True)
class Expression:
    """An expression, and the panel or rule that it is of."""

    where: str
    text: str

    def series(self) -> Iterator[tuple[str, set[str]]]:
        """Names of series, each with the labels by which it is selected."""
        for name, selector in _SELECTOR.findall(re.sub(r'"[^"]*"', '""', self.text)):
            yield name, set(_LABEL.findall(selector))

    def grouping(self) -> set[str]:
        """Labels by which it aggregates."""
        return {label.strip() for labels in _BY.findall(self.text) for label in labels.split(",")}


def rules() -> list[dict[str, Any]]:
    """Every alert rule."""
    files = sorted((MONITORING / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def panel_expressions() -> list[Expression]:
    """Every expression of every panel."""
    files = sorted((MONITORING / "dashboards").glob("*.json"))
    panels = [panel for file in files for panel in json.loads(file.read_text("utf-8"))["panels"]]
    return [Expression(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", ())]


def rule_expressions() -> list[Expression]:
    """The expression of every alert rule."""
    return [Expression(rule["alert"], rule["expr"]) for rule in rules()]
