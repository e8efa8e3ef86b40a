"""Clients that hold nothing back: they write without pause, log what they are told, and never
send anything a second time.

* a **writer** sends changes, and every few changes a question to the server, whose answer is a
  receipt; only a window of unanswered questions holds it back;
* an **announcer** makes changes too, but lets the server pull them;
* a **watcher** only listens. Writers and announcers listen as well.

A client ends when its connection does, or when its fleet is told to stop. What had reached this
machine by then is read to its end, so that nothing that anybody was told goes unnoticed.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.cluster.checker import Change, History
from tests.cluster.frames import (
    DELETED,
    DIFF,
    EVERYBODY,
    GET_HASHES,
    GET_TABLES,
    GET_VALUES,
    HASHES,
    RESPONSE,
    SERVER,
    Frame,
    Stamps,
    changes_in,
    frame,
    parse,
    stamps_of,
)
from tests.interop.wire_json import Json

DEADLINE_SECONDS = 60.0
GONE = (OSError, EOFError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError)
"""How a connection to a server ends that is killed, stopped or not there."""

_CHANGES_TO_A_QUESTION = 3
_SHARED_CELLS = 5


class Client:
    """One connection to one room; a watcher as it is."""

    def __init__(self, name: str, room: str, history: History, progress: asyncio.Event) -> None:
        self.name = name
        self.room = room
        self.heard: list[Frame] = []
        """Everything it was told, in order; kept only by those who ask for it."""
        self.keeps = False
        self.close_code: int | None = None
        self.over = asyncio.Event()
        self.connect_seconds = DEADLINE_SECONDS
        self.close_seconds = DEADLINE_SECONDS / 6
        self._history = history
        self._progress = progress
        self._socket: ClientConnection | None = None
        self._questions = 0
        self._answers = 0

    async def run(self, url: str, joined: asyncio.Event, stop: asyncio.Event) -> None:
        """Connect, do one's part until `stop`, and listen until the connection ends."""
        try:
            await self._run(url, joined, stop)
        finally:
            self.over.set()
            self._progress.set()

    async def _run(self, url: str, joined: asyncio.Event, stop: asyncio.Event) -> None:
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self.connect_seconds):
                    opening = connection(f"{url}/{self.room}", close_seconds=self.close_seconds)
                    socket = await stack.enter_async_context(opening)
            except GONE:
                return
            finally:
                joined.set()
            self._socket = socket
            async with asyncio.TaskGroup() as tasks:
                acting = tasks.create_task(self._act_until_gone(stop))
                await self._listen(socket)
                acting.cancel()
            self.close_code = socket.close_code

    async def act(self, stop: asyncio.Event) -> None:
        """What it does beside listening."""

    async def leave(self) -> None:
        """Close the connection from this side."""
        if self._socket is not None:
            with contextlib.suppress(*GONE):
                await self._socket.close()

    async def send(self, text: str) -> None:
        """Send a frame. Raises one of GONE."""
        assert self._socket is not None
        await self._socket.send(text)

    async def ask(self) -> None:
        """Ask a question whose answer is a receipt."""
        self._questions += 1
        question = f"{self.name}.{self._questions}"
        self._history.asked(self.name, question)
        await self.send(frame(SERVER, question, GET_HASHES, ""))

    async def settled(self) -> None:
        """Wait until what was under way has been answered, and all that was said is heard."""
        await self.ask()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while self._answers < self._questions:
                self._progress.clear()
                await self._progress.wait()

    def learn(self, changes: Sequence[Change]) -> None:
        """Take changes that it was sent."""
        self._history.saw(self.name, changes)

    async def hear(self, told: Frame) -> None:
        """Take a frame that is no change of somebody else."""
        mine = told.request is not None and told.request.startswith(f"{self.name}.")
        if mine and told.kind == RESPONSE and told.sender == SERVER:
            assert told.request is not None
            self._answers += 1
            self._history.answered(self.name, told.request)
            self.answered()

    def answered(self) -> None:
        """An answer has come."""

    async def _act_until_gone(self, stop: asyncio.Event) -> None:
        with contextlib.suppress(*GONE):
            await self.act(stop)

    async def _listen(self, socket: ClientConnection) -> None:
        with contextlib.suppress(*GONE):
            async for text in socket:
                assert isinstance(text, str)
                told = parse(text)
                if self.keeps:
                    self.heard.append(told)
                if told.kind == DIFF:
                    tables, values, _ = told.body
                    self.learn(list(changes_in(self.room, tables, values)))
                else:
                    await self.hear(told)
                self._progress.set()


class Writer(Client):
    """Sends changes and asks for receipts."""

    window = 12
    """How many questions may be unanswered before it pauses."""
    pause_seconds = 0.0
    """How long it does nothing after each question."""

    def __init__(
        self, name: str, room: str, history: History, progress: asyncio.Event, stamps: Stamps
    ) -> None:
        super().__init__(name, room, history, progress)
        self._stamps = stamps
        self._count = 0
        self._changes: list[Change] = []
        self._free = asyncio.Semaphore(self.window)

    async def act(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._free.acquire()
            for _ in range(_CHANGES_TO_A_QUESTION):
                await self.write()
            await self.ask()
            await self.rest(stop)

    async def rest(self, stop: asyncio.Event) -> None:
        """Pause, if it is one that pauses."""
        if self.pause_seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.pause_seconds):
                    await stop.wait()

    async def write(self) -> None:
        """Send one diff of several changes."""
        changes = self._next_changes()
        self._history.wrote(self.name, changes)
        await self.send(frame(EVERYBODY, f"{self.name}-{self._count}", DIFF, body_of(changes)))

    def answered(self) -> None:
        self._free.release()

    def _next_changes(self) -> list[Change]:
        """A row of its own, a cell that everybody writes, and now and then something special."""
        self._count = count = self._count + 1
        row, stamp = f"{self.name}-{count}", self._stamps.next
        changes = [
            Change((self.room, "log", row, "count"), stamp(), count),
            Change((self.room, "shared", "row", f"c{count % _SHARED_CELLS}"), stamp(), row),
        ]
        if count % 3 == 0:
            changes.append(Change((self.room, f"latest {self.name}"), stamp(), row))
        if count % 4 == 0:
            earlier = f"{self.name}-{count - 2}"
            changes.append(Change((self.room, "log", earlier, "count"), stamp(), DELETED))
        return changes


class Announcer(Writer):
    """Tells its hashes, and lets the server fetch the changes; the proof is who sees them."""

    window = 1  # newer hashes would end the pull that is under way

    async def act(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._free.acquire()
            self._changes = self._next_changes()
            hashes = self._hashes()
            await self.send(frame(EVERYBODY, f"{self.name}-{self._count}", HASHES, hashes))
            await self.rest(stop)

    async def hear(self, told: Frame) -> None:
        if told.sender == SERVER and told.kind in (GET_HASHES, GET_TABLES, GET_VALUES):
            with contextlib.suppress(*GONE):
                await self._give(told)
        else:
            await super().hear(told)

    def answered(self) -> None:
        # A pull that timed out on a slow machine is made again, and so is its receipt.
        if self._free.locked():
            self._free.release()

    async def settled(self) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._free.acquire()
        await super().settled()

    def _hashes(self) -> list[int]:
        """Any hashes but the server's will do."""
        return [self._count, self._count]

    async def _give(self, told: Frame) -> None:
        if told.kind == GET_HASHES:
            await self.send(frame(SERVER, told.request, RESPONSE, self._hashes()))
            return
        tables, values = stamps_of(self._changes)
        if told.kind == GET_TABLES:
            await self.send(frame(SERVER, told.request, RESPONSE, [tables, {}]))
            return
        # No answer is a receipt for these: the server may have given the pull up before.
        self._history.wrote(f"pulled from {self.name}", self._changes)
        await self.send(frame(SERVER, told.request, RESPONSE, values))
        await self.ask()


class Fleet:
    """All clients of one round.

    Args:
        url: Base of the rooms' addresses.
        history: Where everything is logged.
        numbers: Gives every client of the history a number of its own.
    """

    def __init__(self, url: str, history: History, numbers: Callable[[], int]) -> None:
        self.clients: list[Client] = []
        self._url = url
        self._history = history
        self._numbers = numbers
        self._progress = asyncio.Event()
        self._stop = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._joined: list[asyncio.Event] = []

    def man(self, rooms: Sequence[str], *, writers: int = 2, announcers: int = 1) -> None:
        """Put writers, announcers and a watcher into each room."""
        for room in rooms:
            for _ in range(writers):
                self.clients.append(Writer(*self._common(room, "w"), self._stamps()))
            for _ in range(announcers):
                self.clients.append(Announcer(*self._common(room, "a"), self._stamps()))
            self.clients.append(Client(*self._common(room, "p")))

    async def proofs(self, count: int) -> None:
        """Wait for that many more proofs.

        Raises:
            ConnectionError: Everybody's connection has ended before.
            TimeoutError: There is no more progress.
        """
        wanted = self._history.proofs + count
        async with asyncio.timeout(DEADLINE_SECONDS):
            while self._history.proofs < wanted:
                if all(client.over.is_set() for client in self.clients):
                    raise ConnectionError("every client is gone")
                self._progress.clear()
                await self._progress.wait()

    async def joined(self) -> None:
        """Wait until every client is connected, or has failed to."""
        for event in self._joined:
            await event.wait()

    async def over(self) -> None:
        """Wait until every client's connection has ended."""
        for client in self.clients:
            await client.over.wait()

    def stop_writing(self) -> None:
        """Let the writers write no more."""
        self._stop.set()

    async def fall_silent(self) -> None:
        """Stop writing, and wait until everybody has heard everything."""
        self.stop_writing()
        await self.joined()
        for _ in range(2):  # what the first ones ask may still make the last ones hear something
            for client in self.clients:
                await client.settled()

    async def leave(self) -> None:
        """Close every connection, after what the server still says."""
        self.stop_writing()
        await self.joined()
        await asyncio.gather(*(client.leave() for client in self.clients))

    def start(self, tasks: asyncio.TaskGroup) -> None:
        for client in self.clients:
            joined = asyncio.Event()
            self._joined.append(joined)
            tasks.create_task(client.run(self._url, joined, self._stop))

    def _common(self, room: str, letter: str) -> tuple[str, str, History, asyncio.Event]:
        return f"{letter}{self._numbers()}", room, self._history, self._progress

    def _stamps(self) -> Stamps:
        return Stamps(self._numbers())


@asynccontextmanager
async def at_work(fleet: Fleet) -> AsyncIterator[Fleet]:
    """Run a fleet; at the end of the block every client must be, or come, to its end."""
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as tasks:
        fleet.start(tasks)
        yield fleet
        fleet.stop_writing()


def body_of(changes: Sequence[Change]) -> Json:
    tables, values = stamps_of(changes)
    return [tables, values, 1]


def connection(url: str, *, close_seconds: float = 10.0) -> connect:
    """A connection to be entered, without limits, pings or a proxy."""
    return connect(
        url,
        compression=None,
        max_size=None,
        max_queue=None,
        ping_interval=None,
        proxy=None,
        close_timeout=close_seconds,
    )


def moments(seed: int, count: int) -> list[int]:
    """At which proof each round ends: anywhere, and now and then at once."""
    chance = random.Random(seed)
    return [0 if chance.random() < 0.1 else chance.randint(1, 1500) for _ in range(count)]
