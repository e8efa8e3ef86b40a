"""The other end of a link, driven by hand: it proves itself, then does what a test wants."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any, Self

from app.cluster.link_frames import FrameKind
from app.cluster.link_handshake import Handshake, Role, link_key
from app.cluster.link_protocol import Event, LinkProtocol, LinkState
from app.core.ids import WorkerId
from tests.integration.cluster.workers import CLUSTER_KEY, Worker

_DEADLINE_SECONDS = 20.0


class RawPeer:
    """A worker that dials; `connect` makes one that has proven itself."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: LinkProtocol
    ) -> None:
        self.protocol = protocol
        self.heard: list[Event] = []
        self.sent = b""
        """Everything it has sent so far."""
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, owner: Worker) -> Self:
        handshake = Handshake(
            link_key(CLUSTER_KEY),
            worker_id=WorkerId(uuid.uuid4()),
            role=Role.DIALER,
            expected=owner.worker_id,
        )
        self = cls(*await dial(owner), LinkProtocol(handshake, role=Role.DIALER))
        await self.hear(lambda: self.protocol.state is LinkState.READY)
        return self

    async def hear(self, condition: Callable[[], bool]) -> None:
        """Send what is due and read until something is so."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            await self.flush()
            while not condition():
                data = await self._reader.read(1 << 16)
                assert data, "the other side has hung up"
                self.heard += self.protocol.receive(data)
                await self.flush()

    async def hung_up(self) -> None:
        """Wait until the other side has ended the link."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            try:
                while await self._reader.read(1 << 16):
                    pass
            except ConnectionError:
                return

    def open(self, name: str) -> int:
        """Ask for a socket at an object."""
        stream = self.protocol.new_stream()
        meta: dict[str, Any] = {
            "namespace": "c",
            "name": name,
            "connection": f"raw-{stream}",
            "method": "GET",
            "path": "/",
            "query": "",
            "headers": {},
            "client": "",
            "subprotocols": [],
        }
        self.protocol.tell(FrameKind.OPEN, stream, meta)
        return stream

    async def flush(self) -> None:
        await self.send(self.protocol.take())

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sent += data
        self._writer.write(data)
        await self._writer.drain()

    def cut(self) -> None:
        self._writer.transport.abort()


async def dial(owner: Worker) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to where a worker takes links."""
    host, _, port = owner.membership._identity.address.rpartition(":")
    return await asyncio.open_connection(host, int(port))
