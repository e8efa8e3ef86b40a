"""One thread for long computations, so that the event loop is there for everybody else.

One piece of work at a time: what waits keeps its input only, so memory stays bounded however
many objects want something long at once.

The cyclic garbage collector rests meanwhile. It is run by the number of new containers, so the
millions of a large message would set it off again and again; each run holds up every thread, and
a parser's millions are no garbage.
"""

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

ResultT = TypeVar("ResultT")


class Workshop:
    """See the module. The thread is made at the first use."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="workshop")

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        """Run `work` in its turn and return its result, or raise what it raised.

        Cancelling gives up waiting; work that has begun goes on to its end.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, _undisturbed, work)


def _undisturbed(work: Callable[[], ResultT]) -> ResultT:
    if not gc.isenabled():
        return work()
    gc.disable()
    try:
        return work()
    finally:
        gc.enable()


async def breathe() -> None:
    """Let everything else that is ready run, once."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(_end, over)
    await over


def _end(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
