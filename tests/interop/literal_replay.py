"""Replays a session of scripted clients: says what they said, demands the recorded answers.

Frames are compared socket by socket in their order, as JSON. Two of the replica's own broadcasts at
the start of a room (its question for hashes, its announcement) may come or not, since a server need
not copy that wait. At the end, every room is made to speak once more, so that a frame too many is
seen too.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from .raw_peer import DEADLINE_SECONDS, MULTIPLEXED, RawPeer, raw_peer
from .transcript import (
    CONTENT_HASHES,
    CONTENT_HASHES_QUESTION,
    Bindings,
    Frame,
    RoomNames,
)
from .wire_json import Json

REVEAL = '\n["who am I",0,[0,0]]'
END = '\n["end of replay",0,[0,0]]'
RECEIPT = 'S\n["receipt-end",1,""]'
HELLO_AT_END = 'S\n["end of replay",-1,[0,1]]'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Socket:
    peer: RawPeer
    path: str
    multiplexed: bool
    at_root: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteralReplay:
    """One run of one literal transcript. `receipts` tells whether the rooms have a replica."""

    url: str
    receipts: bool
    names: RoomNames
    stack: AsyncExitStack
    bindings: Bindings = field(default_factory=Bindings)
    sockets: dict[str, _Socket] = field(default_factory=dict)

    async def run(self, events: list[Json]) -> None:
        """Go through the events in their order. Raises AssertionError at the first difference."""
        said: list[str] = ["", ""]
        for event in events:
            match event.get("dir"):
                case "open":
                    await self._open(event)
                case ">":
                    said.append(event["text"])
                    await self._say(self.sockets[event["c"]], event["text"])
                case "<":
                    handed_over, question = said[-2:]
                    may_repeat = _is_response(handed_over) and _is_question_for_hashes(question)
                    await self._hear(
                        self.sockets[event["c"]], event["text"], question if may_repeat else None
                    )
                case "close":
                    break  # the scripts close everything at their end
        await self._expect_silence()

    async def _open(self, event: Json) -> None:
        multiplexed = event["protocol"] == MULTIPLEXED
        path = self.names.url_path(event["path"], multiplexed=multiplexed)
        peer = await self.stack.enter_async_context(
            raw_peer(f"{self.url}/{path}", protocols=[MULTIPLEXED] if multiplexed else [])
        )
        assert peer.protocol == event["protocol"]
        self.sockets[event["c"]] = _Socket(
            peer=peer, path=path.partition("?")[0], multiplexed=multiplexed, at_root=not path
        )

    async def _say(self, socket: _Socket, text: str) -> None:
        for name in self.bindings.unbound(text):
            await self._learn_id_of(name)
        text = self.bindings.fill(text)
        await socket.peer.send(self.names.move_channels(text) if socket.at_root else text)

    async def _hear(self, socket: _Socket, text: str, question: str | None) -> None:
        """Take the next frame and compare it.

        With a `question` the answer may still be the one from before a pull that was handed over
        but is not merged yet (the recording paused there): then ask again.
        """
        expected = self._parse(socket, text, move=True)
        if _is_startup(expected):
            return
        async with asyncio.timeout(DEADLINE_SECONDS):
            heard = await self._next(socket)
            while not self.bindings.same_frame(expected, self._parse(socket, heard)):
                assert question, f"expected {text!r} with {self.bindings.values}\nheard {heard!r}"
                await socket.peer.send(question)
                heard = await self._next(socket)

    async def _next(self, socket: _Socket) -> str:
        return await socket.peer.take(lambda frame: not self._may_be_ignored(socket, frame))

    async def _learn_id_of(self, name: str) -> None:
        """Let the socket `name` say something harmless to a room mate and look who said it."""
        speaker = self.sockets[name]
        listener = next(
            socket
            for socket in self.sockets.values()
            if socket is not speaker and socket.path == speaker.path and not socket.multiplexed
        )
        await speaker.peer.send(REVEAL)
        heard = await listener.peer.take(lambda frame: frame.endswith(REVEAL))
        self.bindings.values[name] = heard.removesuffix(REVEAL)

    async def _expect_silence(self) -> None:
        for path in {s.path for s in self.sockets.values() if not s.multiplexed}:
            observer = await self.stack.enter_async_context(raw_peer(f"{self.url}/{path}"))
            await observer.send(END)
            if self.receipts:
                await observer.send(RECEIPT)
                await observer.take(lambda frame: "receipt-end" in frame)
        for name, socket in self.sockets.items():
            if socket.multiplexed:
                await socket.peer.send(HELLO_AT_END)
            wanted: Callable[[str], bool] = (
                HELLO_AT_END.__eq__ if socket.multiplexed else lambda frame: frame.endswith(END)
            )
            await socket.peer.take(wanted)
            left_over = [
                frame
                for frame in socket.peer.left_over()
                if not frame.endswith(END) and not self._may_be_ignored(socket, frame)
            ]
            assert left_over == [], f"{name} heard more than was recorded"

    def _may_be_ignored(self, socket: _Socket, frame: str) -> bool:
        return frame.endswith(REVEAL) or _is_startup(self._parse(socket, frame))

    def _parse(self, socket: _Socket, text: str, *, move: bool = False) -> Frame:
        if move and socket.at_root:
            text = self.names.move_channels(text)
        return Frame.parse(text, multiplexed=socket.multiplexed)


def _is_response(text: str) -> bool:
    return bool(re.match(r'S\n\["[^"]+",0,', text))


def _is_question_for_hashes(text: str) -> bool:
    return bool(re.match(r'S\n\["[^"]+",1,', text))


def _is_startup(frame: Frame) -> bool:
    startup_types = (CONTENT_HASHES_QUESTION, CONTENT_HASHES)
    return frame.address == "S" and frame.message[1] in startup_types
