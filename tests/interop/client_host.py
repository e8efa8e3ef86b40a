"""Drives real TinyBase clients that live in a Node process.

`ClientHost` owns the process and matches answers to commands; `SyncedStore` is one MergeableStore
with its synchronizer in it. Every wait happens inside the host, on events, and has a deadline
there; the deadline here is a little later and only catches a host that hangs.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, cast

from .node_toolchain import NODE_FOLDER, node_executable
from .wire_json import Json, dumps, loads

CURRENT_VERSION: Final = "10.0.1"
OLD_VERSIONS: Final = ("5.4.9", "6.7.5", "7.3.5", "8.5.0", "9.2.0")
DEADLINE_SECONDS: Final = 20.0
HANG_MARGIN_SECONDS: Final = 5.0


class HostError(Exception):
    """A command failed in the host; the text is its error, or what it saw when a wait ran out."""


class _HostProtocol(asyncio.SubprocessProtocol):
    def __init__(self) -> None:
        self.answers: dict[int, asyncio.Future[Json]] = {}
        self.exited = asyncio.get_running_loop().create_future()
        self._stdout = bytearray()
        self._stderr = bytearray()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != 1:
            self._stderr += data
            return
        self._stdout += data
        *lines, rest = self._stdout.split(b"\n")
        self._stdout = bytearray(rest)
        for line in lines:
            answer = loads(bytes(line))
            future = self.answers.pop(answer["id"])
            if future.done():
                continue
            if "error" in answer:
                future.set_exception(HostError(answer["error"]))
            else:
                future.set_result(answer["result"])

    def process_exited(self) -> None:
        for future in self.answers.values():
            future.set_exception(HostError(f"the host ended: {self._stderr.decode()}"))
        self.answers.clear()
        self.exited.set_result(None)


class ClientHost:
    """A Node process full of clients. Made by `running_host` only."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: _HostProtocol) -> None:
        self._stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
        self._protocol = protocol
        self._numbers = itertools.count(1)

    async def command(
        self, do: str, *, deadline_seconds: float = DEADLINE_SECONDS, **arguments: Json
    ) -> Json:
        """Run one command and return its result.

        Raises HostError if the command fails or its condition does not come true before the
        deadline. Cancelling abandons the answer; the command itself goes on in the host.
        """
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._protocol.answers[number] = answer
        line = {"id": number, "do": do, "deadlineMs": int(deadline_seconds * 1000), **arguments}
        self._stdin.write(dumps(line).encode() + b"\n")
        async with asyncio.timeout(deadline_seconds + HANG_MARGIN_SECONDS):
            return await answer

    async def store(
        self, store_id: str | None = None, *, version: str = CURRENT_VERSION
    ) -> "SyncedStore":
        """Make an empty MergeableStore of that TinyBase version; not connected yet."""
        name = f"store-{next(self._numbers)}"
        await self.command("store", store=name, version=version, storeId=store_id or name)
        return SyncedStore(host=self, name=name)

    async def joined(self, url: str, *, version: str = CURRENT_VERSION) -> "SyncedStore":
        """Make an empty store and connect it to the room at `url`."""
        store = await self.store(version=version)
        await store.join(url)
        return store

    async def until_equal(
        self, *stores: "SyncedStore", deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        """Wait until all stores have the same visible content and the same hashes."""
        names = [store.name for store in stores]
        await self.command("wait-equal", stores=names, deadline_seconds=deadline_seconds)

    async def raw(self, url: str, *, protocols: list[str] | None = None) -> "RawSocket":
        """Open a WebSocket that only sends what it is told and records what it gets."""
        name = f"raw-{next(self._numbers)}"
        opened = await self.command("open", socket=name, url=url, protocols=protocols or [])
        return RawSocket(host=self, name=name, protocol=opened["protocol"])


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedStore:
    """A real MergeableStore in the host. `call` reaches its JavaScript methods by name."""

    host: ClientHost
    name: str

    async def join(
        self,
        url: str,
        *,
        socket: str | None = None,
        channel: str | None = None,
        reconnecting: bool = False,
        fragment_size: int | None = None,
    ) -> None:
        """Connect and start to synchronize; a synchronizer that the store had is destroyed first.

        With `channel` the socket is multiplexed; stores that name the same `socket` share it. With
        `reconnecting` the socket comes back by itself and loads and saves on each `open`, as
        TinyBase's own template does.
        """
        options: dict[str, Json] = {"reconnecting": reconnecting, "url": url}
        if channel is not None:
            options |= {"channel": channel, "protocols": ["tinybase"]}
        if fragment_size is not None:
            options["fragmentSize"] = fragment_size
        await self.host.command("join", store=self.name, socket=socket or self.name, **options)

    async def leave(self) -> None:
        """Destroy the synchronizer; its socket is closed unless another channel still uses it."""
        await self.host.command("leave", store=self.name)

    async def cut(self, *, keep_synchronizer: bool = False) -> None:
        """Drop the TCP connection. A reconnecting socket then stays away until `resume`."""
        await self.host.command("cut", store=self.name, keepSynchronizer=keep_synchronizer)

    async def resume(self, *, times_opened: int = 2) -> None:
        """Let a reconnecting socket come back; wait until it has opened that often in all."""
        await self.host.command("resume", store=self.name)
        await self.host.command("wait-opened", store=self.name, times=times_opened)

    async def closes(self) -> list[Json]:
        """Return code and reason of every close of its socket so far."""
        return list(await self.host.command("closes", store=self.name))

    async def call(self, method: str, *arguments: Json) -> Json:
        """Call a method of the store; a method that returns the store itself gives None."""
        return await self.host.command("call", store=self.name, method=method, args=list(arguments))

    async def transaction(self, *calls: tuple[Json, ...]) -> None:
        """Make several calls, each `(method, *arguments)`, in one transaction."""
        await self.host.command(
            "transaction", store=self.name, calls=[list(call) for call in calls]
        )

    async def merge(self, changes: Json) -> None:
        """Apply MergeableChanges in their wire form, as if another replica had sent them."""
        await self.host.command("merge", store=self.name, changes=changes)

    async def announce(self) -> None:
        """Let the synchronizer say its content hashes, so that others ask for what they lack."""
        await self.host.command("announce", store=self.name)

    async def content(self) -> Json:
        """Return `[tables, values]` as an application sees them."""
        return await self.call("getContent")

    async def watch(self, table: str, cell: str) -> None:
        """Write down from now on what the cells of that name in a table become."""
        await self.host.command("watch", store=self.name, table=table, cell=cell)

    async def seen(self) -> list[Json]:
        """Return everything that the watched cells have become."""
        return list(await self.host.command("seen", store=self.name))

    async def hashes(self) -> Json:
        """Return the two content hashes."""
        return await self.host.command("hashes", store=self.name)

    async def until_content(
        self, tables: Json, values: Json = None, *, deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        """Wait until the visible content is exactly this."""
        await self.host.command(
            "wait-content",
            store=self.name,
            content=[tables, values or {}],
            deadline_seconds=deadline_seconds,
        )

    async def until_tables(self, tables: Json) -> None:
        """Wait until the visible tables are exactly these, whatever the values."""
        await self.host.command("wait-tables", store=self.name, tables=tables)

    async def until_hashes(
        self, hashes: Json, *, deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        """Wait until the content hashes are exactly these."""
        await self.host.command(
            "wait-hashes", store=self.name, hashes=hashes, deadline_seconds=deadline_seconds
        )

    async def receipt(self, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until the replica answers, on this store's own socket, with this store's hashes."""
        await self.host.command("receipt", store=self.name, deadline_seconds=deadline_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSocket:
    """A WebSocket without a store: frames as texts, close as code and reason."""

    host: ClientHost
    name: str
    protocol: str

    async def send(self, text: str) -> None:
        """Send one text frame."""
        await self.host.command("send", socket=self.name, text=text)

    async def frames_of_peers(self, count: int) -> list[str]:
        """Wait for `count` frames that are not the replica's own; return all of those so far."""
        frames = await self.host.command("frames-of-peers", socket=self.name, count=count)
        return [str(frame) for frame in frames]

    async def closed(self) -> tuple[int, str]:
        """Wait until the server has closed the socket; return code and reason."""
        code, reason = await self.host.command("closed", socket=self.name)
        return int(code), str(reason)

    async def close(self) -> None:
        """Close the socket from this side."""
        await self.host.command("close", socket=self.name)


@asynccontextmanager
async def running_host() -> AsyncIterator[ClientHost]:
    """Start a host and end it, with all its clients, at the end of the block."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        _HostProtocol, str(node_executable()), str(NODE_FOLDER / "client_host.mjs")
    )
    try:
        yield ClientHost(transport, protocol)
    finally:
        transport.kill()
        await protocol.exited
        transport.close()
