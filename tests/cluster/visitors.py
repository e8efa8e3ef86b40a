"""Clients of TinyBase rooms that come back whatever happens, each time as somebody new.

A visit goes to any node and lasts until its connection ends, or until the visitor has had enough.
Nobody carries anything from one visit to the next, so nobody hides a loss by sending it again.
A **replica** keeps what it is told during its visit, beginning with all that is there, and nothing
else: in the end it must have what everybody has.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from app.core.clock import SystemClock
from tests.cluster.checker import Change, History, Place
from tests.cluster.clients import GONE, Announcer, Client, Writer
from tests.cluster.frames import (
    GET_TABLES,
    GET_VALUES,
    RESPONSE,
    SERVER,
    Frame,
    Stamps,
    changes_in,
    frame,
)
from tests.interop.wire_json import Json

CONNECT_SECONDS = 6.0
CLOSE_SECONDS = 2.0
SHORTEST_VISIT_SECONDS = 2.0
LONGEST_VISIT_SECONDS = 12.0
PACING_SECONDS = 0.05
WRITE_PAUSE_SECONDS = 0.1
SLEEPY_PAUSE_SECONDS = 4.0
"""In the last of the rooms: long enough for it to hibernate, and now and then to be evicted."""

ClientT = TypeVar("ClientT", bound=Client)


class Replica(Client):
    """A watcher that keeps the room's content; `content` is complete once `full`."""

    def __init__(self, name: str, room: str, history: History, progress: asyncio.Event) -> None:
        super().__init__(name, room, history, progress)
        self.content: dict[Place, tuple[Json, str]] = {}
        self._pulled = 0

    @property
    def full(self) -> bool:
        return self._pulled == 2

    async def act(self, stop: asyncio.Event) -> None:
        await self.send(frame(SERVER, f"{self.name} tables", GET_TABLES, {}))
        await self.send(frame(SERVER, f"{self.name} values", GET_VALUES, {}))

    def learn(self, changes: Sequence[Change]) -> None:
        super().learn(changes)
        for change in changes:
            known = self.content.get(change.place)
            if known is None or known[1] < change.stamp:
                self.content[change.place] = (change.value, change.stamp)

    async def hear(self, told: Frame) -> None:
        if told.kind == RESPONSE and told.request == f"{self.name} tables":
            self.learn(list(changes_in(self.room, told.body[0], [{}])))
            self._pulled += 1
        elif told.kind == RESPONSE and told.request == f"{self.name} values":
            self.learn(list(changes_in(self.room, [{}], told.body)))
            self._pulled += 1
        else:
            await super().hear(told)


class Prober(Writer):
    """Writes once, and is content when it has the receipt."""

    def __init__(
        self, name: str, room: str, history: History, progress: asyncio.Event, stamps: Stamps
    ) -> None:
        super().__init__(name, room, history, progress, stamps)
        self.content = asyncio.Event()

    async def act(self, stop: asyncio.Event) -> None:
        await self.write()
        await self.ask()

    def answered(self) -> None:
        self.content.set()


class Visitors:
    """All that visit the rooms of one round.

    Args:
        urls: The nodes' addresses as they are now, for WebSockets.
        history: Where everything is logged.
        numbers: Gives every client of the history a number of its own.
        chance: Decides where a visit goes and how long it lasts.
    """

    def __init__(
        self,
        urls: Callable[[], Sequence[str]],
        history: History,
        numbers: Callable[[], int],
        chance: random.Random,
    ) -> None:
        self.visits = 0
        self.replicas: dict[str, Replica] = {}
        """The latest replica of each room."""
        self._urls = urls
        self._history = history
        self._numbers = numbers
        self._chance = chance
        self._progress = asyncio.Event()
        self._clock = SystemClock()
        self._sleepy = ""
        self._full = asyncio.Event()
        self._over = asyncio.Event()

    def come(self, tasks: asyncio.TaskGroup, rooms: Sequence[str]) -> list[asyncio.Task[None]]:
        """Send everybody to the rooms; returns those that write, which end by `fall_silent`."""
        writing: list[asyncio.Task[None]] = []
        self._sleepy = rooms[-1]
        for room in rooms:
            writing += [
                tasks.create_task(self._keep_visiting(room, make))
                for make in (self._writer, self._writer, self._announcer)
            ]
            tasks.create_task(self._keep_watching(room))
        return writing

    def fall_silent(self) -> None:
        """Let those that write end their visits and not come back; replicas stay."""
        self._full.set()

    def leave(self) -> None:
        """Let the replicas go too."""
        self._full.set()
        self._over.set()

    async def prove(self, room: str, url: str) -> bool:
        """Write to a room once; returns whether there was a receipt in time."""
        prober = Prober(*self._common("q", room), Stamps(self._numbers()))
        await self._visit(prober, CONNECT_SECONDS, prober.content, url)
        return prober.content.is_set()

    async def _keep_visiting(self, room: str, make: Callable[[str], Client]) -> None:
        while not self._full.is_set():
            seconds = self._chance.uniform(SHORTEST_VISIT_SECONDS, LONGEST_VISIT_SECONDS)
            await self._visit(make(room), seconds, self._full)

    async def _keep_watching(self, room: str) -> None:
        while not self._over.is_set():
            replica = self.replicas[room] = self._named(Replica, "r", room)
            # A replica stays for as long as it can: who leaves proves nothing.
            await self._visit(replica, None, self._over)

    async def _visit(
        self,
        client: Client,
        seconds: float | None,
        end: asyncio.Event,
        url: str | None = None,
    ) -> None:
        """Run a client until its connection ends, its time is over or it is told to go."""
        self.visits += 1
        client.connect_seconds, client.close_seconds = CONNECT_SECONDS, CLOSE_SECONDS
        stop = asyncio.Event()
        place = url or self._chance.choice(self._urls())
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(client.run(place, asyncio.Event(), stop))
            ended = tasks.create_task(end.wait())
            await asyncio.wait({run, ended}, timeout=seconds, return_when="FIRST_COMPLETED")
            stop.set()
            ended.cancel()
            if not run.done():
                with suppress(*GONE):
                    await client.leave()
                await asyncio.wait({run}, timeout=CLOSE_SECONDS)
                run.cancel()  # it was still connecting
        await self._clock.sleep(PACING_SECONDS)

    def _writer(self, room: str) -> Writer:
        return self._paced(Writer(*self._common("w", room), Stamps(self._numbers())))

    def _announcer(self, room: str) -> Writer:
        return self._paced(Announcer(*self._common("a", room), Stamps(self._numbers())))

    def _paced(self, writer: Writer) -> Writer:
        sleepy = writer.room == self._sleepy
        writer.pause_seconds = SLEEPY_PAUSE_SECONDS if sleepy else WRITE_PAUSE_SECONDS
        return writer

    def _named(self, make: Callable[..., ClientT], letter: str, room: str) -> ClientT:
        return make(*self._common(letter, room))

    def _common(self, letter: str, room: str) -> tuple[str, str, History, asyncio.Event]:
        return f"{letter}{self._numbers()}", room, self._history, self._progress
