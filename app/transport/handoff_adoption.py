"""Serves a socket that another worker of this machine has accepted and read a little of.

The protocol object is the one that this worker's own sockets get. It is given what was read
before it reads anything itself, in the very step in which the connection is made: what the client
has sent since stands behind it.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import cast

from ..core.tasks import TaskOwner


class Adoption:
    """See the module; `adopt` is what `HandedSockets.serve` wants.

    Args:
        make: Makes a protocol object for a socket.
        tasks: Owner of the beginnings.
    """

    def __init__(self, make: Callable[[], asyncio.Protocol], tasks: TaskOwner) -> None:
        self._make = make
        self._tasks = tasks

    def adopt(self, client: socket.socket, head: bytes) -> None:
        """Serve a socket of which `head` was read; it may have ended by now."""
        beginning = self._tasks.start(self._begin(client, head), name="adoption")
        # Not in the task itself: cancelled before its first step, it never runs.
        beginning.add_done_callback(lambda done: _close_unless_begun(client, done))

    async def _begin(self, client: socket.socket, head: bytes) -> bool:
        """Returns whether the socket is the connection's now; else it had ended before."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(lambda: _Replay(self._make(), head), client)
            return True
        return False


def _close_unless_begun(client: socket.socket, done: "asyncio.Task[bool]") -> None:
    if done.cancelled() or done.exception() is not None or not done.result():
        client.close()


class _Replay(asyncio.Protocol):
    """Begins a connection in another protocol object's place, which then has it."""

    def __init__(self, protocol: asyncio.Protocol, head: bytes) -> None:
        self._protocol = protocol
        self._head = head

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        protocol = self._protocol
        made = cast("asyncio.Transport", transport)  # uvloop's is none by its type
        made.set_protocol(protocol)
        protocol.connection_made(made)
        protocol.data_received(self._head)
