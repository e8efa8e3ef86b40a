"""One thread for long computations, so that the event loop is there for everybody else.

One piece of work at a time: what waits keeps its input only, so memory stays bounded however
many objects want something long at once.

The cyclic garbage collector rests meanwhile. It is run by the number of new containers, so the
millions of a large message would set it off again and again; each run holds up every thread, and
a parser's millions are no garbage. For the same reason they are not young any more when it goes on.
"""

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

ResultT = TypeVar("ResultT")

_MANY: Final = 20_000
"""So many new containers take the collector about a millisecond."""


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
        if gc.get_count()[0] > _MANY:
            grow_old()
        gc.enable()


def grow_old() -> None:
    """Count everything there is as old, at no cost: what is young is gone through very soon.

    It is looked at again when the collector goes through everything, as it does when what has
    grown old in its own way has become a quarter more.
    """
    if gc.get_freeze_count() == 0:  # else somebody has put things away for good
        gc.freeze()
        gc.unfreeze()


async def breathe() -> None:
    """Let everything else that is ready run, once."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(_end, over)
    await over


def _end(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
