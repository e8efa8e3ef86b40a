"""Questions to a server's replica, and what it says of its own accord.

Frames from the replica come under the address `S`: Responses to our questions, its own questions
(we do not answer: the original asks before anybody can), its hashes, and ContentDiffs, which a
server may send ahead of a large answer. The last are kept: they are part of what a joiner gets.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from bench.hlc import digits
from bench.messages import CONTENT_DIFF, RESPONSE, Cells, cells_of, question

if TYPE_CHECKING:
    from bench.client import Client

ANSWER_TIMEOUT_SECONDS = 60.0
"""The reference server lets the first client of a room wait one second; large answers take more."""


class Answer(NamedTuple):
    """The body of a Response, its size on the wire, and when it had arrived (before parsing)."""

    body: Any
    size_bytes: int
    at: float


class Dialogue:
    """The questions in flight of any number of clients."""

    def __init__(self) -> None:
        self.pushed: Cells = {}
        self.pushed_bytes = 0
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._ids = itertools.count()

    async def ask(self, client: Client, kind: int, body: Any) -> Answer:
        """Return the replica's answer; raises TimeoutError, or ConnectionError after `fail`."""
        number = next(self._ids)
        request_id = f"{digits(number, 11)}.{digits(number, 4)}"
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = waiting
        try:
            client.send(question(request_id, kind, body))
            async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                return await waiting
        finally:
            del self._waiting[request_id]

    def heard(self, payload: bytes) -> None:
        """Take a payload whose address is `S`."""
        at = time.perf_counter()
        try:
            request_id, kind, body = orjson.loads(payload[2:])
        except ValueError:
            self.fail(f"not a message: {payload[:120]!r}")
            return
        if kind == RESPONSE and request_id in self._waiting:
            waiting = self._waiting[request_id]
            if not waiting.done():
                waiting.set_result(Answer(body, len(payload), at))
        elif kind == CONTENT_DIFF:
            self.pushed |= cells_of(body[0])
            self.pushed_bytes += len(payload)

    def fail(self, reason: str) -> None:
        """End every wait: the connection is gone."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError(reason))
