"""A server with several workers: which of them does what, and sockets to the one that a test means.

The workers share one listening socket, so whoever is awake takes the next client. A test that
wants a certain worker stops the others in their tracks for the moment of the handshake.
"""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import psutil

from app.core.clock import SystemClock
from tests.cluster.server import ServerProcess

WORKERS = {"STATEROOM_WORKERS": "2"}
_DEADLINE_SECONDS = 30.0
_POLL_SECONDS = 0.02
_BRIEFLY_SECONDS = 0.002


def workers_of(supervisor_pid: int) -> dict[int, psutil.Process]:
    """The worker processes of a supervisor that live now, by slot."""
    found: dict[int, psutil.Process] = {}
    for child in psutil.Process(supervisor_pid).children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            words = child.cmdline()
            if "--slot" in words:
                found[int(words[words.index("--slot") + 1])] = child
    return found


class Crew:
    """The workers of one server, which has told that it is ready.

    Args:
        pid: Their supervisor.
        url: Of the rooms.
    """

    def __init__(self, pid: int, url: str) -> None:
        self._pid = pid
        self.url = url

    @classmethod
    def of(cls, server: ServerProcess) -> "Crew":
        return cls(server.pid, server.url)

    def __len__(self) -> int:
        return len(workers_of(self._pid))

    def __getitem__(self, slot: int) -> psutil.Process:
        return workers_of(self._pid)[slot]

    def sockets(self, slot: int) -> int:
        """How many connections of clients the worker of this slot has."""
        return len(self._clients(slot))

    def connect(self, slot: int) -> socket.socket:
        """A connection that the worker of this slot has taken."""
        with self.alone(slot):
            made = socket.create_connection(self._address, _DEADLINE_SECONDS)
            wait_until(lambda: made.getsockname() in self._clients(slot))
        made.setblocking(False)  # noqa: FBT003 - a socket's own way to say it
        return made

    async def replaced(self, former: psutil.Process, slot: int) -> None:
        """Wait until another process stands in the slot of a former one."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while workers_of(self._pid).get(slot, former) == former:
                await SystemClock().sleep(_POLL_SECONDS)

    @contextlib.contextmanager
    def alone(self, slot: int) -> Iterator[None]:
        """Stop the other workers, so that this one takes whoever connects."""
        others = [worker for other, worker in workers_of(self._pid).items() if other != slot]
        try:
            for worker in others:
                worker.send_signal(signal.SIGSTOP)
                wait_until(lambda: worker.status() == psutil.STATUS_STOPPED)  # noqa: B023 - called at once
            yield
        finally:
            for worker in others:
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.send_signal(signal.SIGCONT)

    @property
    def _address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("ws://").rsplit(":", 1)
        return host, int(port)

    def _clients(self, slot: int) -> set[tuple[str, int]]:
        _, port = self._address
        return {
            each.raddr
            for each in self[slot].net_connections("tcp4")
            if each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED
        }


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait, blocking, for something that another process brings about."""
    pause = threading.Event()
    for _ in range(int(_DEADLINE_SECONDS / _BRIEFLY_SECONDS)):
        if condition():
            return
        pause.wait(_BRIEFLY_SECONDS)
    raise TimeoutError("it did not happen in time")
