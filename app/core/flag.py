"""A flag that can be waited for, and that costs next to nothing while nobody does."""

import asyncio


class Flag:
    """What `asyncio.Event` is, in a tenth of the memory: the event is made when somebody waits.

    There are several in each of a hundred thousand objects, and hardly any is ever waited for.

    Args:
        up: Whether it is set at first.
    """

    __slots__ = ("_event", "_up")

    def __init__(self, *, up: bool = False) -> None:
        self._up = up
        self._event: asyncio.Event | None = None

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._up

    def set(self) -> None:
        """Set it: all who wait go on, also if it is cleared before they come to that."""
        self._up = True
        if self._event is not None:
            self._event.set()
            self._event = None

    def clear(self) -> None:
        """Let whoever waits from now on wait."""
        self._up = False

    async def wait(self) -> None:
        """Wait until it is set. Cancelling is safe."""
        if not self._up:
            if self._event is None:
                self._event = asyncio.Event()
            await self._event.wait()
