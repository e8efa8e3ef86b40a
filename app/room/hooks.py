"""How a hook of the author is run to its end, plain or coroutine function."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ..core.errors import EventTimedOut, ObjectFault

_WAITED_IN_VAIN = "what the hook waited for was cancelled"


async def run_hook(hook: Callable[[], Awaitable[Any] | Any], *, timeout_seconds: float) -> None:
    """Run code of the author to its end.

    Raises:
        EventTimedOut: It took too long.
        ObjectFault: It waited for something that was cancelled, which is not the same as being
            cancelled itself.
        CancelledError: The task that runs it is cancelled.
        BaseException: Whatever it raised.
    """
    deadline = asyncio.timeout(timeout_seconds)
    try:
        async with deadline:
            await finish(hook())
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ObjectFault(_WAITED_IN_VAIN) from error
    except Exception as error:
        if deadline.expired():
            raise EventTimedOut from error
        raise


async def finish(result: Awaitable[Any] | Any) -> Any:
    """Await what a hook returned, if it is something to await."""
    return await result if inspect.isawaitable(result) else result
