"""What `serve` does once its settings are read, and what it says when it is ready."""

import asyncio
import sys
from pathlib import Path

import typer

from .. import BUILD
from ..settings import EngineName, RoomAccess, Settings
from ..store.own_token import OWN_TOKEN_FILE, read_own_token
from ..wiring import build_service, former_workers_gone
from .server import run_server
from .supervisor import run_supervisor


def serve_rooms(settings: Settings, *, app_dir: Path, debug: bool) -> bool:
    """Serve until a signal; return whether the end was an orderly one.

    Raises:
        StateroomError: The service cannot start.
    """
    asyncio.run(former_workers_gone(settings))
    if settings.workers > 1:
        return run_supervisor(
            settings,
            app_dir=str(app_dir.resolve()),
            debug=debug,
            announce=lambda url: announce(settings, url),
        )
    return run_server(settings, build_service, lambda url: announce(settings, url))


def announce(settings: Settings, url: str) -> None:
    """Tell on standard output that clients are accepted, and where."""
    rooms = url.replace("http", "ws", 1)
    lines = [
        f"Stateroom is ready: {url}  (rooms: {rooms}/{{room}})",
        f"  health: {url}/livez {url}/readyz",
        f"  sockets: {carrier_of(settings)}; code: {BUILD.value}",
    ]
    if settings.effective_room_access() is RoomAccess.TOKEN:
        lines.append("  rooms need the token in STATEROOM_ROOM_TOKEN")
    lines.append(_admin_line(settings, url))
    typer.echo("\n".join(lines))


def _admin_line(settings: Settings, url: str) -> str:
    """How to get into the admin plane. What is not read by a person may be kept: no token then."""
    if settings.admin_token is not None:
        return f"  admin: {url}/admin/  (token: STATEROOM_ADMIN_TOKEN)"
    token = read_own_token(settings.data_dir)
    if token is not None and sys.stdout.isatty():
        return f"  admin: {url}/admin/#token={token}"
    return f"  admin: {url}/admin/  (token: in {settings.data_dir / OWN_TOKEN_FILE})"


def carrier_of(settings: Settings) -> str:
    """What carries WebSockets, in a word or two: the engine, and compression if it is offered."""
    if settings.socket_deflate:
        return f"{EngineName.UVICORN.value} with permessage-deflate"
    return settings.socket_engine.value
