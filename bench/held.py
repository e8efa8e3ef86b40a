"""What a server of ours says it holds: rooms, instances, sockets (the admin plane's own word)."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from bench.client import HOST

TOKEN = "a-token-for-measurements-and-nothing-else"  # noqa: S105 -- of a server that lives for a minute
TOKEN_SETTING = {"STATEROOM_ADMIN_TOKEN": TOKEN}
WAIT_SECONDS = 90.0
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """All workers together."""

    rooms: int
    awake: int
    connections: int


async def held_by(port: int) -> Held:
    """Ask the server at `port`, which must have been started with `TOKEN_SETTING`."""
    workers = await asyncio.to_thread(_workers, port)
    return Held(
        rooms=sum(each["rooms"] for each in workers),
        awake=sum(each["awake"] for each in workers),
        connections=sum(each["connections"] for each in workers),
    )


async def wait_until_held(port: int, wanted: Callable[[Held], bool]) -> None:
    """Wait until it is as `wanted`.

    Raises:
        RuntimeError: It did not come to that in time.
    """
    deadline = time.perf_counter() + WAIT_SECONDS
    while not wanted(held := await held_by(port)):
        if time.perf_counter() > deadline:
            raise RuntimeError(f"it still holds {held}")
        await asyncio.sleep(_POLL_SECONDS)


def _workers(port: int) -> list[dict[str, int]]:
    request = urllib.request.Request(
        f"http://{HOST}:{port}/admin/v1/workers", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- our own address
        workers = json.load(answer)["items"]
    return [each for each in workers if each["rooms"] is not None]
