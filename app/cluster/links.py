"""The links of this worker: one listener, and at most one live link dialled to each other worker.

A link is made when it is first needed, by the worker that needs it, and only that one opens
sockets and makes calls on it. So between two workers there are two links when each has dialled
the other, and what one of them asks never waits behind the other's. Both ends look for signs of
life; one that says nothing for about half a lease is cut, so that its sockets come back before
the lease has run out, and long before the operating system gives up. Whoever has not proven itself
in that time is cut too, whatever it says. A worker that could not be
reached is not dialled again for a moment: whoever looks for its objects must not wait for that
each time.
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
from .link_errors import NotBegun
from .link_handshake import Handshake, Role
from .link_protocol import LinkProtocol
from .link_traffic import LinkLoad, LinkTraffic

_log = structlog.get_logger("stateroom.links")

_REDIAL_SECONDS = 1.0
_PINGS = 4
"""So many are sent in the time after which a silent link is cut."""
_OPEN_SECONDS = 5.0
"""How much longer than a lease an owner may take to let a socket in."""
_LINKS = 1_000
_STRANGERS = 100
"""So many may be about to prove themselves at a time; for one more the oldest is cut."""
_UNREACHABLE = "the worker that holds the object cannot be reached"


class Links:
    """See the module.

    Args:
        key: The cluster's key for links.
        worker_id: Who we are now; a new life has a new id.
        clock: For the signs of life.
        silence_seconds: How long a link may say nothing before it is cut. A worker that is
            dialled has half of that to answer.
    """

    def __init__(
        self,
        *,
        key: bytes,
        worker_id: Callable[[], WorkerId],
        clock: Clock,
        silence_seconds: float = 1.5,
    ) -> None:
        self._key = key
        self._worker_id = worker_id
        self._host: LinkHost = _Nobody()
        self._clock = clock
        self._silence_seconds = silence_seconds
        self._protocols: dict[Link, LinkProtocol] = {}
        self._ended = LinkTraffic()
        self._all: set[Link] = set()
        self._strangers: dict[Link, None] = {}
        self._by_peer: dict[WorkerId, Link] = {}
        self._dialling: dict[WorkerId, asyncio.Task[Link | LinkBroken]] = {}
        self._not_before: dict[WorkerId, float] = {}
        self._server: asyncio.Server | None = None
        self._tasks = TaskOwner("links")

    def __len__(self) -> int:
        return len(self._all)

    def load(self) -> LinkLoad:
        """What all links have to do, and what went over them since the beginning."""
        return LinkLoad.of(self._protocols.values(), self._ended)

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
            if self._clock.monotonic() < self._not_before.get(worker_id, float("-inf")):
                raise LinkBroken(_UNREACHABLE)
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
            async with asyncio.timeout(self._silence_seconds / 2):
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: link, host.strip("[]"), int(port))
                await link.ready
        except (OSError, ValueError, TimeoutError, LinkBroken):
            self._forget(link)
            link.close()
            self._leave_alone(worker_id)
            return LinkBroken(_UNREACHABLE)
        self._by_peer[worker_id] = link
        return link

    def _leave_alone(self, worker_id: WorkerId) -> None:
        """Do not dial a worker for a moment; forget those whose moment is over."""
        now = self._clock.monotonic()
        self._not_before = {
            worker: moment for worker, moment in self._not_before.items() if moment > now
        }
        self._not_before[worker_id] = now + _REDIAL_SECONDS

    def _make(self, role: Role, expected: WorkerId | None) -> Link:
        handshake = Handshake(self._key, worker_id=self._worker_id(), role=role, expected=expected)
        protocol = LinkProtocol(handshake, role=role)
        link = Link(
            protocol,
            self,
            self._lost,
            tasks=self._tasks,
            open_seconds=2 * self._silence_seconds + _OPEN_SECONDS,
        )
        self._all.add(link)
        self._protocols[link] = protocol
        if role is Role.ACCEPTOR:
            self._take_stranger(link)
        return link

    def _take_stranger(self, link: Link) -> None:
        """Let somebody prove himself, who must not keep out those that can."""
        self._strangers[link] = None
        link.ready.add_done_callback(lambda _ready: self._strangers.pop(link, None))
        if len(self._strangers) > _STRANGERS:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.close()
        if len(self._all) - len(self._strangers) >= _LINKS:
            link.close()

    def opened(self, link: Link, stream: int, meta: Mapping[str, Any]) -> None:
        """See `LinkHost`."""
        self._host.opened(link, stream, meta)

    def called(self, link: Link, stream: int, meta: Mapping[str, Any], body: bytes) -> None:
        """See `LinkHost`."""
        self._host.called(link, stream, meta, body)

    def given_up(self, link: Link, stream: int) -> None:
        """See `LinkHost`."""
        self._host.given_up(link, stream)

    def _forget(self, link: Link) -> None:
        self._all.discard(link)
        if (protocol := self._protocols.pop(link, None)) is not None:
            self._ended.add(protocol.traffic)

    def _lost(self, link: Link) -> None:
        self._forget(link)
        if link.peer is not None and self._by_peer.get(link.peer) is link:
            del self._by_peer[link.peer]

    async def _watch(self) -> None:
        """Ping every link and cut the silent ones, for ever."""
        loop = asyncio.get_running_loop()
        ping_seconds = self._silence_seconds / _PINGS
        looked_at = loop.time()
        while True:
            await self._clock.sleep(ping_seconds)
            now = loop.time()
            # What others said while we ourselves stood still may not have been read yet.
            stood_still = now - looked_at > 2 * ping_seconds
            looked_at = now
            for link in list(self._all):
                if stood_still:
                    link.heard_at = now
                if now - link.heard_at > self._silence_seconds:
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
        link.fail(stream, NotBegun(WorkerLeaving()))  # or it would not be asked elsewhere

    def given_up(self, link: Link, stream: int) -> None:
        """Nothing was begun."""
