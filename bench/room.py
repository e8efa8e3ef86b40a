"""One room under load: its clients, a closed loop of messages, and the ledger that judges it.

Closed loop: a fixed number of messages is in flight; as soon as the last recipient has one, the
next is sent. Senders take turns. The latency of a message runs from its write until its last
recipient has it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bench.client import Client, connect
from bench.dialogue import Dialogue
from bench.frames import whole_texts
from bench.hlc import digits
from bench.ledger import Ledger, Message
from bench.messages import GET_CONTENT_HASHES, Change, broadcast, many_rows, one_cell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.hlc import HlcClock

DRAIN_TIMEOUT_SECONDS = 20.0
SEED_ROWS_A_MESSAGE = 2_500
_REMEMBERED_CHUNKS = 1024


class Room:
    """The room `path` with `clients` members and a table of `rows` rows."""

    def __init__(self, path: str, *, clients: int, rows: int, clock: HlcClock) -> None:
        self.path = path
        self.ledger = Ledger(clients)
        self.latencies: list[float] = []
        self.finished_at = 0.0
        self._rows = rows
        self._clock = clock
        self._clients: list[Client] = []
        self._dialogue = Dialogue()
        self._known: dict[bytes, tuple[Message, ...]] = {}
        self._number = 0
        self._senders = clients
        self._sending = False
        self._drained: asyncio.Future[None] | None = None

    async def open(self, port: int, *, replica: bool) -> None:
        """Connect everybody; with a replica, wait until it answers each of them."""
        for index in range(self.ledger.clients):
            self._clients.append(await connect(self, index, port, self.path))
        if replica:
            asks = [self._dialogue.ask(c, GET_CONTENT_HASHES, "") for c in self._clients]
            await asyncio.gather(*asks)

    async def seed(self, rest: Callable[[], Awaitable[object]] | None = None) -> None:
        """Let the first client fill all rows and wait until everybody has them.

        `rest` is awaited after each message: rows that come faster than they are saved get lost in
        the reference server, whose file watcher loads the file of a moment ago over newer content.
        """
        for first in range(0, self._rows, SEED_ROWS_A_MESSAGE):
            count = min(SEED_ROWS_A_MESSAGE, self._rows - first)
            self._send(0, many_rows(first, count, digits(0, 5), self._clock))
            await self._drain()
            if rest is not None:
                await rest()

    async def run(self, *, window: int, senders: int, seconds: float) -> None:
        """Keep `window` messages in flight for `seconds`, then wait for the last delivery.

        `messages`, latencies and `finished_at` count from here; faults and cells from the start.
        """
        self.latencies = []
        self._senders = senders
        self._sending = True
        asyncio.get_running_loop().call_later(seconds, self._stop)
        for _ in range(window):
            self._send_next()
        await self._drain(seconds)

    def close(self) -> None:
        """Let all clients leave."""
        for client in self._clients:
            client.close()

    def chunk(self, client: Client, data: bytes) -> bool:
        """Part of Receiver: everybody in a room gets the same bytes, so they are parsed once."""
        messages = self._known.get(data)
        if messages is None:
            messages = self._recognise(data)
            if messages is None:
                return False
            if len(self._known) >= _REMEMBERED_CHUNKS:
                self._known.clear()
            self._known[data] = messages
        for message in messages:
            self._deliver(client, message)
        return True

    def text(self, client: Client, payload: bytes) -> None:
        """Part of Receiver."""
        if payload.startswith(b"S\n"):
            self._dialogue.heard(payload)
            return
        message = self.ledger.recognise(payload)
        if message is not None:
            self._deliver(client, message)

    def lost(self, client: Client, reason: str) -> None:
        """Part of Receiver: a client that loses its connection ends the run with a fault."""
        self.ledger.fault(f"client {client.index}: {reason}")
        self._dialogue.fail(reason)
        self._sending = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _recognise(self, data: bytes) -> tuple[Message, ...] | None:
        texts = whole_texts(data)
        if texts is None or any(text.startswith(b"S\n") for text in texts):
            return None
        found = [self.ledger.recognise(text) for text in texts]
        return tuple(message for message in found if message is not None)

    def _deliver(self, client: Client, message: Message) -> None:
        if not self.ledger.delivered(client.index, message):
            return
        now = time.perf_counter()
        self.finished_at = now
        self.latencies.append(now - message.sent_at)
        if self._sending:
            self._send_next()
        elif not self.ledger.in_flight and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _send_next(self) -> None:
        sender = self._number % self._senders
        change = one_cell(self._number, self._rows, digits(sender + 1, 5), self._clock)
        self._number += 1
        self._send(sender, change)

    def _send(self, sender: int, change: Change) -> None:
        self.ledger.sent(change, sender, time.perf_counter())
        self._clients[sender].send(broadcast(change.remainder))

    def _stop(self) -> None:
        self._sending = False

    async def _drain(self, extra_seconds: float = 0.0) -> None:
        self._drained = asyncio.get_running_loop().create_future()
        if not self.ledger.in_flight:
            return
        try:
            async with asyncio.timeout(extra_seconds + DRAIN_TIMEOUT_SECONDS):
                await self._drained
        except TimeoutError:
            self._sending = False
            missing = sum(message.owed for message in self.ledger.in_flight.values())
            self.ledger.fault(f"{missing} deliveries never arrived")
