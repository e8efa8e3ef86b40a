"""A program for tests: the command's server around a tiny service whose steps are printed.

Arguments: port, then words that change the service (`slow-start`, `failing-start`, `slow-stop`,
`stubborn`).
"""

import asyncio
import contextlib
import sys
from typing import Any

from app.cli.failures import one_line_failures
from app.cli.server import run_server
from app.core.errors import DatabaseUnreachable
from app.settings import Settings, load_settings


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        say("socket closed")
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


class TinyService:
    asgi = staticmethod(application)
    gate = None
    handoff = None

    def __init__(self, words: list[str]) -> None:
        self._words = words

    async def start(self) -> None:
        say("starting")
        if "slow-start" in self._words:
            await asyncio.Event().wait()
        if "failing-start" in self._words:
            raise DatabaseUnreachable("no answer\nfrom the database")
        if "stubborn" in self._words:
            self._task = asyncio.ensure_future(never_end())  # noqa: TID251 - the test's own
        if "faulty-start" in self._words:
            raise RuntimeError("a fault\nof ours")

    async def stop(self) -> None:
        say("stopping")
        if "slow-stop" in self._words:
            await asyncio.Event().wait()
        say("stopped")


async def never_end() -> None:
    """As code of an author may do that catches whatever comes."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


def build(_settings: Settings) -> TinyService:
    return TinyService(sys.argv[2:])


if __name__ == "__main__":
    with one_line_failures(debug="--debug" in sys.argv):
        chosen = load_settings(port=int(sys.argv[1]), shutdown_seconds=60.0)
        orderly = run_server(chosen, build, lambda url: say(f"ready {url}"))
        sys.exit(0 if orderly else 1)
