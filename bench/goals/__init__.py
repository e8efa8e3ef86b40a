"""The table of goals that `python -m bench.performance` holds a run against, row by row."""

from __future__ import annotations

from bench.goals.holding import HOLDING
from bench.goals.traffic import TRAFFIC

ROWS = {row.name: row for row in (*TRAFFIC, *HOLDING)}
