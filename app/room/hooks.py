"""How a hook of the author is run to its end, plain or coroutine function."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ..core.errors import EventTimedOut, ObjectFault
from .faults import as_raised

_WAITED_IN_VAIN = "what the hook waited for was cancelled"


async def run_hook(hook: Callable[[], Awaitable[Any] | Any], *, timeout_seconds: float) -> Any:
    """Run code of the author to its end; returns what it does.

    Raises:
        EventTimedOut: It took too long.
        ObjectFault: It waited for something that was cancelled, which is not the same as being
            cancelled itself.
        CancelledError: The task that runs it is cancelled.
        InstanceAborted: The instance is over.
        Exception: Whatever it raised; what is no Exception comes as an ObjectFault.
    """
    deadline = asyncio.timeout(timeout_seconds)
    try:
        async with deadline:
            return await finish(hook())
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ObjectFault(_WAITED_IN_VAIN) from error
    except Exception as error:
        if deadline.expired():
            raise EventTimedOut from error
        raise
    except BaseException as error:
        if (raised := as_raised(error)) is not error:
            raise raised from error
        raise


async def finish(result: Awaitable[Any] | Any) -> Any:
    """Await what a hook returned, if it is something to await."""
    return await result if inspect.isawaitable(result) else result
