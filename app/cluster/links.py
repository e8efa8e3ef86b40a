"""The links of this worker: one listener, and at most one live link to each other worker.

A link is made when it is first needed and used in both directions. Both ends look for signs of
life; one that says nothing for three seconds is cut, so that its sockets come back at once and
not when the operating system gives up.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from ..core.clock import Clock
from ..core.errors import LinkBroken, WorkerLeaving
from ..core.ids import WorkerId
from ..core.tasks import TaskOwner
from .link import Link, LinkHost
from .link_handshake import Handshake, Role
from .link_protocol import LinkProtocol

_log = structlog.get_logger("stateroom.links")

_DIAL_SECONDS = 2.0
_PING_SECONDS = 1.0
_SILENCE_SECONDS = 3.0
_LINKS = 1_000


class Links:
    """See the module.

    Args:
        key: The cluster's key for links.
        worker_id: Who we are now; a new life has a new id.
        clock: For the signs of life.
    """

    def __init__(self, *, key: bytes, worker_id: Callable[[], WorkerId], clock: Clock) -> None:
        self._key = key
        self._worker_id = worker_id
        self._host: LinkHost = _Nobody()
        self._clock = clock
        self._all: set[Link] = set()
        self._by_peer: dict[WorkerId, Link] = {}
        self._dialling: dict[WorkerId, asyncio.Task[Link | LinkBroken]] = {}
        self._server: asyncio.Server | None = None
        self._tasks = TaskOwner("links")

    def __len__(self) -> int:
        return len(self._all)

    def serve(self, host: LinkHost) -> None:
        """Give what others open to this host; until then they are told that we are leaving."""
        self._host = host

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Accept links; returns the address, with the port that was found if `port` is 0.

        Raises:
            OSError: The address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self._make(Role.ACCEPTOR, None), host, port)
        self._tasks.start(self._watch(), name="signs-of-life")
        bound = self._server.sockets[0].getsockname()
        return bound[0], bound[1]

    def at_hand(self, worker_id: WorkerId) -> Link | None:
        """The live link to a worker, if there is one."""
        link = self._by_peer.get(worker_id)
        return link if link is not None and link.alive else None

    async def to(self, worker_id: WorkerId, address: str) -> Link:
        """Return a live link to a worker, made now if there is none.

        Raises:
            LinkBroken: The worker cannot be reached there.
        """
        link = self._by_peer.get(worker_id)
        if link is not None and link.alive:
            return link
        dialling = self._dialling.get(worker_id)
        if dialling is None:
            dialling = self._tasks.start(self._dial(worker_id, address), name="dial")
            self._dialling[worker_id] = dialling
            dialling.add_done_callback(lambda _task: self._dialling.pop(worker_id, None))
        await asyncio.wait([dialling])
        if dialling.cancelled():
            raise LinkBroken
        dialled = dialling.result()
        if isinstance(dialled, LinkBroken):
            raise dialled
        return dialled

    async def close(self) -> None:
        """Stop listening and end every link."""
        if self._server is not None:
            self._server.close()
        for link in list(self._all):
            link.close()
        await self._tasks.close()

    async def _dial(self, worker_id: WorkerId, address: str) -> Link | LinkBroken:
        """Make a link. That it cannot be made is for those who wait; it is no fault of ours."""
        host, _, port = address.rpartition(":")
        link = self._make(Role.DIALER, worker_id)
        try:
            async with asyncio.timeout(_DIAL_SECONDS):
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: link, host.strip("[]"), int(port))
                await link.ready
        except (OSError, ValueError, TimeoutError, LinkBroken):
            self._all.discard(link)
            link.close()
            return LinkBroken("the worker that holds the object cannot be reached")
        self._by_peer[worker_id] = link
        return link

    def _make(self, role: Role, expected: WorkerId | None) -> Link:
        handshake = Handshake(self._key, worker_id=self._worker_id(), role=role, expected=expected)
        link = Link(LinkProtocol(handshake, role=role), self, self._lost)
        self._all.add(link)
        if len(self._all) > _LINKS:
            asyncio.get_running_loop().call_soon(link.close)
        return link

    def opened(self, link: Link, stream: int, meta: Mapping[str, Any]) -> None:
        """See `LinkHost`."""
        self._host.opened(link, stream, meta)

    def called(self, link: Link, stream: int, meta: Mapping[str, Any], body: bytes) -> None:
        """See `LinkHost`."""
        self._host.called(link, stream, meta, body)

    def _lost(self, link: Link) -> None:
        self._all.discard(link)
        if link.peer is not None and self._by_peer.get(link.peer) is link:
            del self._by_peer[link.peer]

    async def _watch(self) -> None:
        """Ping every link and cut the silent ones, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._clock.sleep(_PING_SECONDS)
            for link in list(self._all):
                if loop.time() - link.heard_at > _SILENCE_SECONDS:
                    _log.warning("link_silent", peer=str(link.peer))
                    link.close()
                else:
                    link.ping()


class _Nobody:
    """The host of a worker that is not ready to serve."""

    def opened(self, link: Link, stream: int, meta: Mapping[str, Any]) -> None:
        del meta
        link.refuse(stream, WorkerLeaving())

    def called(self, link: Link, stream: int, meta: Mapping[str, Any], body: bytes) -> None:
        del meta, body
        link.fail(stream, WorkerLeaving())
