"""The giving side: offers a socket to the worker that holds its object, and waits for an answer.

Each offer has a connection of its own to the other worker's door: message and descriptor go out
in one call, one byte comes back. So no offer waits behind another, a worker that was restarted
is no special case, and what becomes of an offer is always known:

* an answer says so;
* a connection that ends without one: the other side is gone and had not begun;
* no answer in time: the offer is withdrawn. The connection is shut for reading first, which makes
  the other side's answer fail, and an answer that was there before is still read. Where the
  system throws that one away (it does outside Linux) it cannot be known who has the socket:
  then nobody here touches it any more, and the client sees it end when the other one has not.

The kernel duplicates the descriptor, and forgets a duplicate that nobody takes.
"""

import asyncio
import socket
import sys
from pathlib import Path
from typing import Final

import structlog

from ..core.handoff import GivableSocket, HandoffAnswer, Offer
from ..core.ids import ObjectId, WorkerId
from .handoff_folder import HandoffFolder
from .handoff_message import MESSAGE_BYTES, write_offer
from .handoff_peer import is_own_user

_log = structlog.get_logger("stateroom.handoff")

ANSWER_SECONDS: Final = 1.0
"""How long an offer may take in all; a link is there in the end."""
_UNDER_WAY: Final = 128
_WAITING: Final = 2_000
_BUFFER_BYTES: Final = 2 * MESSAGE_BYTES
_ANSWERS_SURVIVE: Final = sys.platform == "linux"


class HandoffChannel:
    """See the module; it is a `SocketGiver`.

    Args:
        folder: Where the doors of the others are.
        answer_seconds: How long an offer may take in all.
    """

    def __init__(self, folder: HandoffFolder, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._folder = folder
        self._answer_seconds = answer_seconds
        self._turns = asyncio.Semaphore(_UNDER_WAY)
        self._waiting = 0

    async def give(
        self, holder: WorkerId, object_id: ObjectId, offered: GivableSocket
    ) -> HandoffAnswer:
        """See `SocketGiver.give`."""
        if self._waiting >= _WAITING or (path := self._folder.find(holder)) is None:
            return HandoffAnswer.NOT_NOW
        giving = _Giving(object_id, offered)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._answer_seconds), self._turns:
                if giving.begin(path):
                    await giving.answered()
        except TimeoutError:
            _log.warning("handoff_unanswered", worker_id=str(holder))
        finally:
            self._waiting -= 1
            giving.end()
        if giving.deserted:
            self._folder.forget(holder)
        return giving.outcome


class _Giving:
    """One offer, from its connection to its end.

    Attributes:
        outcome: What became of it; final after `end`.
        deserted: Whether nobody listens at that door.
    """

    def __init__(self, object_id: ObjectId, offered: GivableSocket) -> None:
        self.outcome = HandoffAnswer.NOT_NOW
        self.deserted = False
        self._object_id = object_id
        self._offered = offered
        self._peer: socket.socket | None = None
        self._answered: asyncio.Future[None] | None = None

    def begin(self, path: Path) -> bool:
        """Send the offer, in one step, for what is lent may end; False when it cannot be."""
        lent = self._offered.lend()
        if lent is None:
            return False
        offer = Offer(
            namespace=self._object_id.namespace, object_id=str(self._object_id), head=lent.head
        )
        message = write_offer(offer)
        if message is None:
            return False
        self._peer = peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.setblocking(False)  # noqa: FBT003 - a socket's own way to say it
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        try:
            peer.connect(str(path))
            # A message that does not go out whole is none: its rest never comes.
            sent = is_own_user(peer) and socket.send_fds(peer, [message], [lent.fileno])
        except BlockingIOError:  # a queue is full
            return False
        except OSError:
            self.deserted = True
            return False
        if sent != len(message):
            return False
        loop = asyncio.get_running_loop()
        self._answered = loop.create_future()
        loop.add_reader(peer.fileno(), self._read)
        return True

    async def answered(self) -> None:
        """Wait for the answer, or for the other side's end."""
        assert self._answered is not None  # noqa: S101 - it has begun
        await self._answered

    def end(self) -> None:
        """Take the offer back unless it was answered; give the socket up if it was taken."""
        peer, self._peer = self._peer, None
        if peer is None:
            return
        if self._answered is not None:
            asyncio.get_running_loop().remove_reader(peer.fileno())
            if not self._answered.done() or self._answered.cancelled():
                self._withdraw(peer)
        peer.close()
        if self.outcome is HandoffAnswer.TAKEN:
            self._offered.given()

    def _read(self) -> None:
        assert self._peer is not None  # noqa: S101 - it is read until `end`
        assert self._answered is not None  # noqa: S101 - the same
        try:
            told = self._peer.recv(1)
        except BlockingIOError:
            return
        except OSError:
            told = b""
        asyncio.get_running_loop().remove_reader(self._peer.fileno())
        self._learn(told)
        if not self._answered.done():
            self._answered.set_result(None)

    def _withdraw(self, peer: socket.socket) -> None:
        try:
            peer.shutdown(socket.SHUT_RD)
            told = peer.recv(1)
        except OSError:
            told = b""
        if not told and not _ANSWERS_SURVIVE:
            told = HandoffAnswer.TAKEN.value
        self._learn(told)

    def _learn(self, told: bytes) -> None:
        if told in {answer.value for answer in HandoffAnswer}:
            self.outcome = HandoffAnswer(told)
