"""The conditions a run was made under; figures without them say nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import orjson

from bench.servers import PEERS, find_node, node_version


def conditions() -> dict[str, str]:
    """Return what the report prints: machine, versions, time."""
    found = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "generator": f"uvloop {importlib.metadata.version('uvloop')}, one process",
    }
    try:
        found["stateroom"] = importlib.metadata.version("stateroom")
    except importlib.metadata.PackageNotFoundError:
        found["stateroom"] = "not installed"
    node = find_node()
    if node is not None:
        found["node"] = node_version(node)
    for package in ("tinybase", "ws", "miniflare", "workerd"):
        manifest = PEERS / "node_modules" / package / "package.json"
        if manifest.is_file():
            found[package] = str(orjson.loads(manifest.read_bytes())["version"])
    return found


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
