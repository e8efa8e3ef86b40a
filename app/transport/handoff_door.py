"""The taking side: a worker's door for sockets that other workers of this machine have accepted.

A Unix socket that only this user can reach, in a folder that only this user can enter, and the
kernel is asked besides who is there. Each connection brings one offer and one descriptor. It is
answered in the step in which it is whole, and **the answer is given before anything is done with
the socket**: where it cannot be given the offer was withdrawn, and the descriptor is closed.
Whatever is no offer is closed without a word.
"""

import array
import asyncio
import errno
import os
import socket
from typing import Final

import structlog

from ..core.clock import Clock, Timer
from ..core.handoff import HandoffAnswer, Offer, SocketTaker
from ..core.ids import WorkerId
from .handoff_folder import HandoffFolder
from .handoff_message import MESSAGE_BYTES, OfferGarbled, OfferReader
from .handoff_peer import is_own_user

_log = structlog.get_logger("stateroom.handoff")

_BACKLOG: Final = 1_024
_AT_A_TIME: Final = 32
"""So many are let in before other sockets of this worker have their turn."""
_ARRIVING: Final = 256
_ARRIVAL_SECONDS: Final = 2.0
"""How long an offer may take to be whole; it is sent in one piece."""
_NO_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})
_PAUSE_SECONDS: Final = 0.1
_CLOSED_ON_EXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_CUT: Final = socket.MSG_TRUNC | socket.MSG_CTRUNC
_FEW_DESCRIPTORS: Final = socket.CMSG_SPACE(4 * array.array("i").itemsize)


class HandoffDoor:
    """See the module.

    Args:
        folder: Where the doors of this machine are.
        slot: Which of the machine's workers this is; no other process is it.
        taker: Who takes the sockets.
        clock: For deadlines.
    """

    def __init__(
        self, folder: HandoffFolder, *, slot: int, taker: SocketTaker, clock: Clock
    ) -> None:
        self._folder = folder
        self._slot = slot
        self._taker = taker
        self._clock = clock
        self._listener: socket.socket | None = None
        self._arriving: set[_Arrival] = set()
        self._pause: Timer | None = None

    def open(self, worker_id: WorkerId) -> None:
        """Take offers from now on, under this id; under a new one after a new life has begun.

        Raises:
            OSError: The system refuses it.
        """
        self.close()
        self._folder.make()
        self._folder.clear(self._slot)
        door = self._folder.door(self._slot, worker_id)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)  # noqa: FBT003 - a socket's own way to say it
            listener.bind(str(door))
            door.chmod(0o600)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        self._accept_again()

    def close(self) -> None:
        """Take no more offers; those that are not whole yet are closed. Harmless twice."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener.fileno())
            listener.close()
            self._folder.clear(self._slot)
            self._folder.leave()
        for arrival in list(self._arriving):
            arrival.end()

    def _accept_again(self) -> None:
        self._pause = None
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_A_TIME):
            if self._listener is None:
                return
            try:
                peer, _ = self._listener.accept()
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._rest(error)
                return
            if len(self._arriving) >= _ARRIVING or not is_own_user(peer):
                peer.close()
                continue
            peer.setblocking(False)  # noqa: FBT003 - a socket's own way to say it
            _Arrival(peer, self._taker, self._arriving).begin(self._clock)

    def _rest(self, error: OSError) -> None:
        """This process has as many descriptors as it may: who offers meanwhile uses a link."""
        _log.warning("handoff_without_descriptors", reason=error.strerror)
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._pause = self._clock.call_later(_PAUSE_SECONDS, self._accept_again)


class _Arrival:
    """One connection, until its offer is whole and answered."""

    def __init__(self, peer: socket.socket, taker: SocketTaker, arriving: "set[_Arrival]") -> None:
        self._peer = peer
        self._taker = taker
        self._arriving = arriving
        self._reader = OfferReader()
        self._descriptors: list[int] = []
        self._deadline: Timer | None = None

    def begin(self, clock: Clock) -> None:
        """Read what is there, which mostly is all."""
        self._arriving.add(self)
        self._deadline = clock.call_later(_ARRIVAL_SECONDS, self.end)
        self._read()
        if self in self._arriving:
            asyncio.get_running_loop().add_reader(self._peer.fileno(), self._read)

    def end(self) -> None:
        """Close the connection, and what came with it that nobody has taken. Harmless twice."""
        if self in self._arriving:
            self._arriving.discard(self)
            asyncio.get_running_loop().remove_reader(self._peer.fileno())
            self._peer.close()
            for each in self._descriptors:
                os.close(each)
            self._descriptors.clear()
            if self._deadline is not None:
                self._deadline.cancel()

    def _read(self) -> None:
        try:
            data, ancillary, flags, _ = self._peer.recvmsg(
                MESSAGE_BYTES, _FEW_DESCRIPTORS, _CLOSED_ON_EXEC
            )
            self._keep(ancillary)
            if not data or flags & _CUT:
                self.end()
                return
            offer = self._reader.feed(data)
        except BlockingIOError:
            return
        except OfferGarbled as error:
            _log.warning("handoff_garbled", reason=str(error))
            self.end()
            return
        except OSError:
            self.end()
            return
        if offer is not None:
            self._decide(offer)
            self.end()

    def _keep(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                found = array.array("i")
                found.frombytes(data[: len(data) - len(data) % found.itemsize])
                for each in found:
                    os.set_inheritable(each, False)  # noqa: FBT003 - it takes it in no other way
                    self._descriptors.append(each)

    def _decide(self, offer: Offer) -> None:
        if len(self._descriptors) != 1:
            return
        try:
            client = socket.socket(fileno=self._descriptors[0])
        except OSError:
            return  # no socket
        self._descriptors.clear()
        answer = self._taker.answer(offer)
        try:
            told = self._peer.send(answer.value)
        except OSError:
            told = 0  # withdrawn: the other side has it still
        if told and answer is HandoffAnswer.TAKEN:
            client.setblocking(False)  # noqa: FBT003 - a socket's own way to say it
            self._taker.adopt(client, offer)
        else:
            client.close()
