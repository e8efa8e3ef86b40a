"""Who waits for an answer over a link, by stream."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from ..core.errors import LinkBroken

Answer = tuple[Mapping[str, Any], bytes]
"""What describes it, and what it carries."""


class PendingAnswers:
    """See the module.

    Args:
        given_up: Told of a stream whose answer nobody waits for any more.
    """

    def __init__(self, given_up: Callable[[int], None]) -> None:
        self._given_up = given_up
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    def expect(self, stream: int) -> "asyncio.Future[Answer]":
        """What the answer of this stream will be; cancelling it gives the stream up."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[stream] = answer
        answer.add_done_callback(lambda _: self._over(stream, answer))
        return answer

    def answered(self, stream: int, meta: Mapping[str, Any], body: bytes) -> None:
        """The answer has come."""
        answer = self._waiting.get(stream)
        if answer is not None and not answer.done():
            answer.set_result((meta, body))

    def failed(self, stream: int, error: Exception) -> None:
        """An error has come in its place."""
        answer = self._waiting.get(stream)
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def break_all(self) -> None:
        """No answer will come any more."""
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(LinkBroken())
                answer.exception()

    def _over(self, stream: int, answer: "asyncio.Future[Answer]") -> None:
        self._waiting.pop(stream, None)
        if answer.cancelled():
            self._given_up(stream)
