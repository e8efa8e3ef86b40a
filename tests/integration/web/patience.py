"""Waiting for something that another thread or process brings about."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.01


async def until(
    condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = PATIENCE_SECONDS
) -> float:
    """Look until the condition is true; return the seconds it took. Raises AssertionError."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return loop.time() - begun
        assert loop.time() - begun < seconds, "it did not come about"
        await a_moment(_LOOK_AGAIN_SECONDS)


async def a_moment(seconds: float) -> None:
    """Let time pass: for what has no sign by which to tell that it happened."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(seconds, over.set_result, None)
    try:
        await over
    finally:
        timer.cancel()
