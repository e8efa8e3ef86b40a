"""A client with many channels on one multiplexed socket, which writes on all of them.

Each channel has a writer that keeps what it wrote, as a TinyBase store does, and gives all of it
to a server that asks. It sends nothing a second time of its own accord and never reconnects.
"""

import asyncio
import contextlib
import socket as sockets
from collections.abc import Callable, Sequence
from typing import Self

from websockets.asyncio.client import ClientConnection, connect

from tests.cluster.checker import Change, History
from tests.cluster.clients import DEADLINE_SECONDS, GONE, body_of
from tests.cluster.frames import (
    DIFF,
    EVERYBODY,
    GET_HASHES,
    GET_TABLES,
    GET_VALUES,
    RESPONSE,
    SERVER,
    Frame,
    Stamps,
    changes_in,
    frame,
    parse,
    stamps_of,
)
from tests.interop.wire_json import dumps

_UNANSWERED = 4
"""So many questions of a channel may be open."""


class ChannelWriter:
    """One channel.

    Args:
        number: Its own, among all of the history.
        room: The room that the channel leads to.
        history: Where everything is logged.
    """

    def __init__(self, number: int, room: str, history: History) -> None:
        self.name = f"c{number}"
        self.answers = 0
        self._room = room
        self._history = history
        self._stamps = Stamps(number)
        self._changes: list[Change] = []
        self._asked = self._answered = 0

    @property
    def waits(self) -> bool:
        """Whether it has to hear something before it writes on."""
        return self._asked - self._answered >= _UNANSWERED

    @property
    def settled(self) -> bool:
        """Whether its latest question is answered, and so all that it wrote."""
        return self._answered == self._asked

    def write(self) -> list[str]:
        """A change, and a question whose answer is a receipt."""
        count = len(self._changes)
        change = Change(
            (self._room, "log", f"{self.name}-{count}", "n"), self._stamps.next(), count
        )
        self._changes.append(change)
        self._history.wrote(self.name, [change])
        return [frame(EVERYBODY, f"{self.name}-{count}", DIFF, body_of([change])), self.ask()]

    def ask(self) -> str:
        self._asked += 1
        question = f"{self.name}.{self._asked}"
        self._history.asked(self.name, question)
        return frame(SERVER, question, GET_HASHES, "")

    def hear(self, told: Frame) -> list[str]:
        """Take a frame; return what to say to it."""
        if told.kind == DIFF:
            tables, values, _ = told.body
            self._history.saw(self.name, changes_in(self._room, tables, values))
        elif told.kind == RESPONSE and (told.request or "").startswith(f"{self.name}."):
            assert told.request is not None
            self.answers += 1
            self._answered = int(told.request.partition(".")[2])
            self._history.answered(self.name, told.request)
        elif told.sender == SERVER and told.kind in (GET_HASHES, GET_TABLES, GET_VALUES):
            answer = frame(SERVER, told.request, RESPONSE, self._answer(told.kind))
            # A room that asks is another one than before, and what that was asked is lost with it.
            return [answer, self.ask()] if told.kind == GET_HASHES else [answer]
        return []

    def _answer(self, kind: int) -> object:
        tables, values = stamps_of(self._changes)
        if kind == GET_HASHES:  # any hashes but the server's will do
            return [len(self._changes), 0]
        return values if kind == GET_VALUES else [tables, {}]


class ChannelClient:
    """See the module; `async with` connects it.

    Args:
        url: Of the rooms.
        base: The path of the socket.
        channels: Below it.
        numbers: Gives each writer a number of its own.
        history: Where everything is logged.
        sock: A connection to use; else one is made.
    """

    def __init__(
        self,
        url: str,
        base: str,
        channels: Sequence[str],
        *,
        numbers: Callable[[], int],
        history: History,
        sock: sockets.socket | None = None,
    ) -> None:
        self.writers = {
            channel: ChannelWriter(numbers(), f"{base}/{channel}", history) for channel in channels
        }
        self.subscribed: set[str] = set()
        self.over = asyncio.Event()
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._address = f"{url}/{base}"
        self._sock = sock
        self._socket: ClientConnection | None = None
        self._stack = contextlib.AsyncExitStack()
        self._progress = asyncio.Event()

    async def __aenter__(self) -> Self:
        socket: ClientConnection = await self._stack.enter_async_context(
            connect(
                self._address,
                sock=self._sock,
                subprotocols=["tinybase"],  # type: ignore[list-item]  # a NewType of its own
                compression=None,
                max_size=None,
                max_queue=None,
                ping_interval=None,
                proxy=None,
            )
        )
        self._socket = socket
        tasks = await self._stack.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(self._listen(socket))
        self._stack.push_async_callback(socket.close)
        await self._control("hello", 0, 1)
        for channel in self.writers:
            await self._control(channel, 1, channel)
        await self.until(lambda: len(self.subscribed) == len(self.writers))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def work(self, stop: asyncio.Event) -> None:
        """Write on every channel in turn until `stop` or the end."""
        with contextlib.suppress(*GONE):
            while not (stop.is_set() or self.over.is_set()):
                for channel, writer in self.writers.items():
                    if not writer.waits:
                        for text in writer.write():
                            await self._say(channel, text)
                await asyncio.sleep(0.005)  # noqa: TID251 - others have their turn

    async def receipts(self) -> None:
        """Wait until every channel has answered a question that is asked now."""
        for channel, writer in self.writers.items():
            await self._say(channel, writer.ask())
        await self.until(lambda: all(writer.settled for writer in self.writers.values()))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that it hears."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not condition():
                    assert not self.over.is_set(), f"closed: {self.close_code} {self.close_reason}"
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            quiet = [name for name, writer in self.writers.items() if writer.waits]
            raise TimeoutError(f"subscribed {len(self.subscribed)}, waiting: {quiet}") from None

    async def _control(self, request: str, control: int, body: object) -> None:
        assert self._socket is not None
        await self._socket.send(f"S\n{dumps([request, -1, [control, body]])}")

    async def _say(self, channel: str, text: str) -> None:
        assert self._socket is not None
        await self._socket.send(f"M\n{channel}\n{text}")

    async def _listen(self, socket: ClientConnection) -> None:
        with contextlib.suppress(*GONE):
            async for text in socket:
                await self._hear(str(text))
                self._progress.set()
        self.close_code, self.close_reason = socket.close_code, socket.close_reason
        self.over.set()
        self._progress.set()

    async def _hear(self, text: str) -> None:
        if text.startswith("S\n"):
            request = parse(text).request
            if request in self.writers:
                self.subscribed.add(str(request))
            return
        _, channel, payload = text.split("\n", 2)
        for answer in self.writers[channel].hear(parse(payload)):
            await self._say(channel, answer)
