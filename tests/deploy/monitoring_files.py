"""What the files for Prometheus and Grafana ask for, read from them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.architecture.sources import ROOT
from tests.interop.wire_json import loads

PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
RULES: Final = PROMETHEUS / "alerts.yml"
DASHBOARD: Final = ROOT / "deploy" / "grafana" / "stateroom.json"
RUNBOOK: Final = ROOT / "docs" / "operations" / "runbook.md"

_SERIES: Final = re.compile(r"\bstateroom_[a-z_]+")


class Rule(NamedTuple):
    """An alert.

    Attributes:
        name: Of it.
        expression: When it fires.
        severity: How bad it is.
        annotations: What it tells.
    """

    name: str
    expression: str
    severity: str
    annotations: dict[str, str]


def rules(file: Path = RULES) -> list[Rule]:
    """The alerts, in their order."""
    read = yaml.safe_load(file.read_text("utf-8"))
    return [
        Rule(rule["alert"], rule["expr"], rule["labels"]["severity"], rule["annotations"])
        for group in read["groups"]
        for rule in group["rules"]
    ]


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard, without the rows' titles."""
    return [panel for panel in _dashboard()["panels"] if panel["type"] != "row"]


def dashboard_expressions() -> Iterator[str]:
    """What the dashboard asks for, in panels and in choices."""
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"]
    for choice in _dashboard()["templating"]["list"]:
        if "definition" in choice:
            yield choice["definition"]


def series_in(expression: str) -> set[str]:
    """The names of our series that stand in an expression."""
    return set(_SERIES.findall(expression))


def _dashboard() -> Any:
    return loads(DASHBOARD.read_text("utf-8"))
