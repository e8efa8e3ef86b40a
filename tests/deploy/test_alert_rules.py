"""The alert rules and the dashboard: valid, explained, and about what there is."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from app.core.metric_catalogue import METRICS
from app.core.metrics import Kind
from app.wiring.metrics import codes
from tests.deploy.alert_cases import CASES, Case, Series
from tests.deploy.monitoring_files import (
    PROMETHEUS,
    RULES,
    RUNBOOK,
    dashboard_expressions,
    panels,
    rules,
    series_in,
)
from tests.interop.wire_json import dumps

# Of Prometheus itself, and of the buckets of a histogram.
EVERYWHERE = {"worker", "instance", "job", "le"}
SELECTED = re.compile(r"\b(stateroom_[a-z_]+)\{([^}]*)\}")
GROUPED = re.compile(r"\bby \(([^)]*)\)")

EXPRESSIONS = [*(rule.expression for rule in rules()), *dashboard_expressions()]


def promtool(program: str, *words: str | Path) -> None:
    tool = Path(program).with_name("promtool")
    ran = subprocess.run([tool, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_prometheus_takes_the_shipped_files(prometheus: str, tmp_path: Path) -> None:
    for file in PROMETHEUS.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "stateroom-token").write_text("a token")
    promtool(prometheus, "check", "config", tmp_path / "prometheus.yml")


def outcome(case: Case, series: Series, *, fires: bool) -> dict[str, Any]:
    """A test in promtool's words: how many alerts of the name fire."""
    firing = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    return {
        "name": f"{case.alert} {'fires' if fires else 'is quiet'}",
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f"count({firing}) or vector(0)",
                "eval_time": case.at,
                "exp_samples": [{"labels": "{}", "value": int(fires)}],
            }
        ],
    }


def test_each_alert_fires_when_it_should_and_not_when_it_should_not(
    prometheus: str, tmp_path: Path
) -> None:
    tests = [
        outcome(case, series, fires=fires)
        for case in CASES
        for series, fires in ((case.fires, True), (case.quiet, False))
    ]
    told = {"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": tests}
    (tmp_path / "tests.yml").write_text(dumps(told))
    promtool(prometheus, "test", "rules", tmp_path / "tests.yml")


def test_no_alert_is_without_a_case() -> None:
    assert [case.alert for case in CASES] == [rule.name for rule in rules()]


def test_each_alert_has_its_section_in_the_runbook_and_no_section_is_left_over() -> None:
    text = RUNBOOK.read_text("utf-8")
    sections = re.findall(r"^## (\w+)\n\n\*(\w+)\.\*", text, re.MULTILINE)
    assert sections == [(rule.name, rule.severity) for rule in rules()]
    for rule in rules():
        url = f"docs/operations/runbook.md#{rule.name.lower()}"
        assert rule.annotations["runbook_url"] == url
        assert rule.annotations["summary"]
    for part in ("**Look:**", "**Do:**"):
        assert text.count(part) == len(sections)


def series_of_the_catalogue() -> dict[str, set[str]]:
    """The labels of every series, by its name."""
    found = {}
    for metric in METRICS.values():
        labels = {*metric.labels} if metric.of_worker else {*metric.labels} - {"worker"}
        endings = ("_bucket", "_count", "_sum") if metric.kind is Kind.HISTOGRAM else ("",)
        found.update({metric.full_name + ending: labels for ending in endings})
    return found


def test_rules_dashboard_and_runbook_name_series_and_labels_that_there_are() -> None:
    known = series_of_the_catalogue()
    for expression in EXPRESSIONS:
        named = series_in(expression)
        assert named <= known.keys(), expression
        labels = EVERYWHERE.union(*(known[name] for name in named))
        for name, selectors in SELECTED.findall(expression):
            chosen = {word.partition("=")[0].rstrip("!") for word in selectors.split(",") if word}
            assert chosen <= known[name] | EVERYWHERE, expression
        for grouped in GROUPED.findall(expression):
            assert set(grouped.replace(" ", "").split(",")) <= labels, expression
    families = {metric.full_name for metric in METRICS.values()}
    assert series_in(RUNBOOK.read_text("utf-8")) <= families


def test_the_codes_that_rules_name_are_ours() -> None:
    named = [
        set(found.split("|"))
        for rule in rules()
        for found in re.findall(r'code=~"([^"]+)"', rule.expression)
    ]
    assert named
    assert set().union(*named) <= codes()


def test_the_dashboard_shows_every_metric_and_each_panel_has_a_place_of_its_own() -> None:
    shown = set().union(*(series_in(expression) for expression in dashboard_expressions()))
    for metric in METRICS.values():
        assert {metric.full_name, metric.full_name + "_bucket"} & shown, metric.name
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_a_worker_that_is_told_of_twice_counts_once() -> None:
    once = re.compile(r"max without \(instance\)|^(max|min)\b|^label_values\b|^up\{")
    assert [each for each in EXPRESSIONS if not once.search(each)] == []
