"""An event loop that a test drives to a standstill, and that may act before any of its steps.

A step is one callback of the loop: what runs between two awaits. `watch` is called before each, so
a test can let something happen at the n-th await of whatever runs, for every n.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

_STEPS = 20_000


class SteppingLoop(asyncio.SelectorEventLoop):
    """See the module."""

    _ready: deque[asyncio.Handle]

    def __init__(self) -> None:
        super().__init__()
        self.watch: Callable[[], None] | None = None

    def call_soon(  # type: ignore[override]  # the same at run time, without the type variables
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Count the step when its time has come."""
        return super().call_soon(self._step, callback, *args, context=context)

    def run_until_quiet(self) -> None:
        """Run until nothing is left that could run without time passing."""
        for _ in range(_STEPS):
            if not self._ready:
                return
            super().call_soon(self.stop)
            self.run_forever()
        raise AssertionError("it never comes to rest")

    def _step(self, callback: Callable[..., object], *args: Any) -> None:
        if self.watch is not None:
            self.watch()
        callback(*args)


async def turn() -> None:
    """Let everything else run once."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, None)
    await future
