"""What a write returns: it took effect in the call; awaiting it is optional."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final


class Done:
    """An awaitable that costs nothing when it is not awaited.

    Args:
        work: What awaiting it does and returns.
    """

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[], Coroutine[Any, Any, Any]] | None = None) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, None, Any]:
        if self._work is not None:
            return (yield from self._work().__await__())
        return None


DONE: Final = Done()
