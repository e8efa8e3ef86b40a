"""The conditions a run was made under; figures without them say nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import orjson

from app import BUILD
from app.native import LIST_NAME, Build
from bench.servers import PEERS, find_node, node_version

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/reference/performance.md"


def conditions() -> dict[str, str]:
    """Return what the report prints: machine, versions, time."""
    found = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "commit": _commit(),
        "modules": _modules(),
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


def _commit() -> str:
    """The commit of this checkout, and whether it was changed since."""
    told = [_git("rev-parse", "--short=12", "HEAD"), _git("log", "-1", "--format=%cs")]
    if None in told:
        return "unknown"
    # The page that a run writes is no change of what it measured.
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", f":!{PAGE}")
    return f"{told[0]} of {told[1]}{', with changes' if changed else ''}"


def _git(*arguments: str) -> str | None:
    ended = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return ended.stdout.strip() if ended.returncode == 0 else None


def _modules() -> str:
    """Whether the modules that every message goes through are compiled in this checkout."""
    listed = ROOT / "app" / LIST_NAME
    count = len(listed.read_text("utf-8").splitlines()) if listed.is_file() else 0
    return f"{BUILD.value} ({count} modules)" if BUILD is Build.NATIVE else BUILD.value


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
