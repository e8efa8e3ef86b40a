"""What a caller gets for a call: to be awaited, made a task of, or left alone.

It is a coroutine by its face, because `create_task` takes nothing else, but the call that it
stands for goes its way whether it is awaited or not, and it may be awaited more than once.
"""

from abc import abstractmethod
from collections.abc import Coroutine, Generator
from typing import Any


class CallResult(Coroutine[Any, Any, Any]):
    """See the module."""

    def __init__(self) -> None:
        self._waiting: Coroutine[Any, Any, Any] | None = None

    @abstractmethod
    async def _wait(self) -> Any:
        """Wait for the result and return it."""

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    def send(self, value: Any) -> Any:
        """See `Coroutine`."""
        return self._running().send(value)

    def throw(self, *error: Any) -> Any:
        """See `Coroutine`."""
        return self._running().throw(*error)

    def close(self) -> None:
        """See `Coroutine`."""
        if self._waiting is not None:
            self._waiting.close()

    def _running(self) -> Coroutine[Any, Any, Any]:
        if self._waiting is None:
            self._waiting = self._wait()
        return self._waiting
