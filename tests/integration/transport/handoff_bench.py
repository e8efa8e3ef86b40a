"""Both sides of a hand-off in one process: the channel, a door, and sockets to give."""

import socket
from pathlib import Path
from uuid import uuid4

from app.core.clock import SystemClock
from app.core.handoff import GivableSocket, HandoffAnswer, Lent, Offer
from app.core.ids import ObjectId, ObjectIds, WorkerId
from app.transport.handoff_channel import HandoffChannel
from app.transport.handoff_door import HandoffDoor
from app.transport.handoff_folder import HandoffFolder

HEAD = b"GET /room HTTP/1.1\r\nhost: a\r\n\r\n"


def new_worker() -> WorkerId:
    return WorkerId(uuid4())


def object_id() -> ObjectId:
    return ObjectIds(b"k" * 32).from_name("tinybase", "room")


def descriptors() -> int:
    """How many this process has open, the one that looks aside."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1


class Client(GivableSocket):
    """A client and the end of its socket that a worker has accepted."""

    def __init__(self, head: bytes = HEAD) -> None:
        self.client, self._accepted = socket.socketpair()
        self.client.setblocking(False)  # noqa: FBT003 - a socket's own way to say it
        self._head = head
        self.lends = True
        self.was_given = 0

    def lend(self) -> Lent | None:
        return Lent(self._accepted.fileno(), self._head) if self.lends else None

    def given(self) -> None:
        self.was_given += 1
        self._accepted.close()

    def says(self, text: bytes) -> None:
        self.client.send(text)

    def hears(self) -> bytes:
        return self.client.recv(100)

    def heard_here(self) -> bytes:
        """What the worker that accepted it can still read."""
        return self._accepted.recv(100)

    def close(self) -> None:
        self.client.close()
        self._accepted.close()


class Taker:
    """What a worker does with offers: what the test says."""

    def __init__(self, answer: HandoffAnswer = HandoffAnswer.TAKEN) -> None:
        self.says = answer
        self.offers: list[Offer] = []
        self.taken: list[socket.socket] = []

    def answer(self, offer: Offer) -> HandoffAnswer:
        self.offers.append(offer)
        return self.says

    def adopt(self, client: socket.socket, offer: Offer) -> None:
        assert offer is self.offers[-1]
        self.taken.append(client)

    def close(self) -> None:
        for each in self.taken:
            each.close()
        self.taken.clear()


class Bench:
    """A folder, the giver, and the door of one other worker."""

    def __init__(self, data_dir: Path, *, answer_seconds: float = 30.0) -> None:
        self.folder = HandoffFolder(data_dir)
        self.folder.make()
        self.channel = HandoffChannel(self.folder, answer_seconds=answer_seconds)
        self.taker = Taker()
        self.holder = new_worker()
        self.door = HandoffDoor(self.folder, slot=1, taker=self.taker, clock=SystemClock())

    def open(self) -> "Bench":
        self.door.open(self.holder)
        return self

    async def give(self, client: Client) -> HandoffAnswer:
        return await self.channel.give(self.holder, object_id(), client)

    def close(self) -> None:
        self.door.close()
        self.taker.close()

    def raw_door(self) -> socket.socket:
        """A door of the holder that answers as the test says, or not at all."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.folder.door(1, self.holder)))
        listener.listen(10)
        listener.setblocking(False)  # noqa: FBT003 - a socket's own way to say it
        return listener

    def raw_offer(self, data: bytes, descriptors: list[int]) -> socket.socket:
        """A connection to the door that says something of its own."""
        path = self.folder.find(self.holder)
        assert path is not None
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.connect(str(path))
        peer.setblocking(False)  # noqa: FBT003 - a socket's own way to say it
        socket.send_fds(peer, [data], descriptors)
        return peer
