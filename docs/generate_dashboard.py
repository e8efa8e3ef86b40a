"""Write deploy/grafana/stateroom.json, the dashboard, from `docs.dashboard_panels`.

`python -m docs.generate_dashboard` writes it; with `--check` it only says whether it is up to date.
"""

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import orjson

from docs.dashboard_panels import ROWS, Panel, Query
from docs.generated_page import write_or_check

PAGE: Final = Path(__file__).parent.parent / "deploy" / "grafana" / "stateroom.json"

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS: Final = 24
_GRAPH: Final = (8, 7)
_FIGURE: Final = (4, 4)
_SCHEMA: Final = 38
"""Of Grafana 10; later releases read it."""


def page() -> str:
    """Return the whole file."""
    dashboard = {
        "title": "Stateroom",
        "uid": "stateroom",
        "tags": ["stateroom"],
        "description": "docs/operations/monitoring.md; alerts: docs/operations/runbook.md",
        "schemaVersion": _SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": list(_choices())},
        "panels": list(_panels()),
    }
    return orjson.dumps(dashboard, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _choices() -> Iterator[dict[str, Any]]:
    """What whoever looks may choose: the data source, workers, namespaces."""
    yield {
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
    }  # fmt: skip
    sources = {"worker": "stateroom_worker_up", "namespace": "stateroom_rooms"}
    for label, series in sources.items():
        query = f"label_values({series}, {label})"
        yield {
            "name": label,
            "label": label.capitalize(),
            "type": "query",
            "datasource": _SOURCE,
            "definition": query,
            "query": {"query": query, "refId": label},
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }


def _panels() -> Iterator[dict[str, Any]]:
    numbers, y = count(1), 0
    for title, panels in ROWS.items():
        place = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
        yield {
            "id": next(numbers), "type": "row", "title": title, "collapsed": False, "panels": [],
            "gridPos": place,
        }  # fmt: skip
        y, x, height = y + 1, 0, 0
        for panel in panels:
            width, height = _FIGURE if panel.figure else _GRAPH
            if x + width > _COLUMNS:
                x, y = 0, y + height
            place = {"x": x, "y": y, "w": width, "h": height}
            yield {"id": next(numbers), "gridPos": place, **_panel(panel)}
            x += width
        y += height


def _panel(panel: Panel) -> dict[str, Any]:
    drawn = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
    return {
        "type": "stat" if panel.figure else "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, **({} if panel.figure else {"custom": drawn})},
            "overrides": [],
        },
        "options": {} if panel.figure else {"tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [_target(number, query) for number, query in enumerate(panel.queries)],
    }


def _target(number: int, query: Query) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + number),
        "datasource": _SOURCE,
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
    }


def main() -> int:
    """Write the file, or check it; return the status."""
    return write_or_check(PAGE, page())


if __name__ == "__main__":
    sys.exit(main())
