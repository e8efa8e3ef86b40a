"""Clients of a TinyBase room in memory: one that says what a test tells it, one that thinks."""

from itertools import count
from typing import Any, NamedTuple

from app.cluster.namespaces import make_mount
from app.core.mounts import Mount
from app.sdk.json import dump_json, parse_json
from app.testing.harness import ObjectHarness
from app.testing.sockets import MemorySocket
from app.tinybase.parted import remainder_text
from app.tinybase.replica import Replica
from app.tinybase.room import TinyBaseRoom
from app.tinybase.routing import SyncMode
from app.tinybase.synchronizer import Outcome, Synchronizer
from app.tinybase.wire import parse_message
from tests.unit.tinybase.replicas import NOW, replica

ROOM = "room"
"""The namespace that the peers below are in."""

_NOW_MS = NOW + 1_000_000
"""What the harness says at first."""


def mounted(cls: type[TinyBaseRoom] = TinyBaseRoom, **options: str) -> dict[str, Mount]:
    """A namespace with options as they stand behind the class in a mount."""
    return {ROOM: make_mount(ROOM, cls, options)}


class Frame(NamedTuple):
    """What a client received."""

    sender: str
    id: str | None
    kind: int
    body: Any


class Peer:
    """A client whose frames a test writes."""

    def __init__(self, socket: MemorySocket, client_id: str) -> None:
        self.socket = socket
        self.id = client_id

    @classmethod
    async def join(cls, harness: ObjectHarness, name: str = "a") -> "Peer":
        socket = await harness.connect(ROOM, name)
        sink = socket._sink
        assert sink is not None
        return cls(socket, sink.id)  # type: ignore[attr-defined]  # a RoomConnection

    def tell(self, kind: int, body: Any, *, to: str = "", request_id: str | None = "T") -> None:
        """Send one message."""
        self.socket.say(f"{to}\n{dump_json([request_id, kind, body]).decode()}")

    def take(self) -> list[Frame]:
        """What came since the last take."""
        frames = []
        for text in self.socket.take():
            sender, _, remainder = str(text).partition("\n")
            frames.append(Frame(sender, *parse_json(remainder)))
        return frames

    def kinds(self) -> list[tuple[str, int]]:
        """Of what came since the last take, who sent which kind of message."""
        return [(frame.sender, frame.kind) for frame in self.take()]


class ThinkingPeer:
    """A client with a replica of its own, which does what TinyBase's client does."""

    def __init__(self, socket: MemorySocket, content: Replica | None = None) -> None:
        numbers = count()
        self.socket = socket
        self.replica = content or replica()
        self.heard: list[tuple[str, int]] = []
        self._sync = Synchronizer(
            self.replica,
            mode=SyncMode.RELAY,
            random=lambda length: f"{next(numbers):0{length}d}",
            request_timeout_seconds=1_000.0,
        )

    @classmethod
    async def join(
        cls, harness: ObjectHarness, content: Replica | None = None, name: str = "a"
    ) -> "ThinkingPeer":
        """Connect, and begin to synchronise."""
        self = cls(await harness.connect(ROOM, name), content)
        self._carry_out(self._sync.start(0.0))
        return self

    def change(self, changes: list[Any]) -> None:
        """Make a change and tell it."""
        assert self.replica.apply(changes, _NOW_MS) is not None
        self._carry_out(Outcome(sends=[self._sync.changed(dump_json(changes))]))

    def think(self) -> bool:
        """Handle what has come; returns whether anything had."""
        frames = self.socket.take()
        for text in frames:
            sender, _, remainder = str(text).partition("\n")
            message = parse_message("", remainder)
            self.heard.append((sender, message.kind))
            self._carry_out(self._sync.handle(sender, message, now_ms=_NOW_MS, now=0.0))
        return bool(frames)

    def _carry_out(self, outcome: Outcome) -> None:
        for send in outcome.sends:
            self.socket.say(f"{send.recipient}\n{remainder_text(send.remainder)}")
        for paced in outcome.paced:
            for remainder in (*paced.pieces, paced.answer, paced.announcement()):
                self.socket.say(f"{paced.recipient}\n{remainder_text(remainder)}")


async def talk(harness: ObjectHarness, *peers: ThinkingPeer) -> None:
    """Let the peers and the room talk until nobody has anything more to say."""
    await harness.settle()
    while sum(peer.think() for peer in peers):
        await harness.settle()
