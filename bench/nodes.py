"""Two machines on one database, as far as one machine can play them: to be killed and frozen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import asyncpg

from app.store.data_directory import DataDirectory
from app.store.embedded import EmbeddedPostgres
from app.store.migration import migrate
from bench.measurement import free_port
from bench.process import ServerProcess
from bench.proxies import HaProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

    from bench.proxy import Proxy

WORKERS = 2
NODES = 2
PATIENCE_SECONDS = 60.0

_LOOK_SECONDS = 0.02
_OWNER = """
select w.node, w.slot from object o join worker w using (worker_id)
where o.name = $1 and w.state <> 'dead'
"""
_LIVE = """
select count(*) from worker where state = 'live' and lease_expires_at > clock_timestamp()
"""
_WORKERS = """
select node, slot, state, started_at, lease_expires_at, clock_timestamp() as now
from worker order by started_at
"""


class Place(NamedTuple):
    """A worker: which machine, which slot."""

    node: Node
    slot: int


class Node:
    """One machine: a supervisor and its workers, one after another on the same data and port."""

    def __init__(self, folder: Path, database_url: str, settings: dict[str, str]) -> None:
        folder.mkdir(mode=0o711)
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}"
        self._folder = folder
        self._command = [
            *(sys.executable, "-m", "stateroom", "serve", "--workers", str(WORKERS)),
            *("--port", str(self.port), "--data-dir", str(folder / "data")),
            *("--database-url", database_url),
        ]
        self._settings = settings
        self._process: ServerProcess | None = None
        self._frozen: list[int] = []

    @property
    def name(self) -> str:
        """The random id that it has in the database."""
        return (self._folder / "data" / "node_id").read_text("ascii").strip()

    async def start(self) -> None:
        """Start it, if it does not run, and wait until it serves."""
        if self._process is None:
            self._process = ServerProcess(
                self._command, port=self.port, log=self._folder / "log", env=self._settings
            )
            await self._process.ready("/readyz")

    async def stop(self) -> None:
        """End it in order."""
        self.thaw()
        if self._process is not None:
            await self._process.stop()
            self._process = None

    def supervisor(self) -> int:
        """The first of its processes."""
        return self._pids()[0]

    def worker(self, slot: int) -> int:
        """The process of a slot."""
        for pid in self._pids():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if b"--slot" in words and words[words.index(b"--slot") + 1] == str(slot).encode():
                    return pid
        raise LookupError(f"no worker at slot {slot}")

    def log(self) -> str:
        """What it has logged."""
        return (self._folder / "log").read_text(errors="replace")

    async def kill(self) -> None:
        """End every process of it at once, as a machine that loses its power supply."""
        if self._process is not None:
            await self._process.kill()
            self._process = None

    def freeze(self, pids: list[int] | None = None) -> None:
        """Stop processes in their tracks; all of them unless told."""
        for pid in self._pids() if pids is None else pids:
            os.kill(pid, signal.SIGSTOP)
            self._frozen.append(pid)

    def thaw(self) -> None:
        """Let those go on that were stopped and still live."""
        for pid in self._frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen.clear()

    def _pids(self) -> list[int]:
        assert self._process is not None  # noqa: S101 -- only asked while it runs
        return self._process.tree.pids()


class Machines:
    """Postgres, two nodes, and a proxy if there is one here; a context manager."""

    def __init__(
        self,
        folder: Path,
        *,
        lease_seconds: float,
        proxy: type[Proxy] = HaProxy,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        folder.chmod(0o711)  # an embedded Postgres may run as another user below it
        self._proxy = proxy
        self._folder = folder
        self._settings = {
            "STATEROOM_LEASE_SECONDS": str(lease_seconds),
            "STATEROOM_RENEW_SECONDS": str(lease_seconds / 3),
            "STATEROOM_LOG_LEVEL": "warning",
            **(settings or {}),
        }
        self._stack = contextlib.AsyncExitStack()
        self._session: asyncpg.Connection[asyncpg.Record] | None = None
        self.postgres: EmbeddedPostgres
        self.database_url = ""
        self.nodes: list[Node] = []
        self.proxy: Proxy | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def owner(self, room: str) -> Place:
        """Where a room lives now."""
        async with self._asking() as session:
            row = await session.fetchrow(_OWNER, room)
        if row is None:
            raise LookupError(f"nobody holds {room}")
        node = next(node for node in self.nodes if node.name == row["node"])
        return Place(node, row["slot"])

    async def whole(self) -> None:
        """Start what does not run, and wait until every worker has its lease."""
        for node in self.nodes:
            node.thaw()
            await node.start()
        deadline = time.perf_counter() + PATIENCE_SECONDS
        async with self._asking() as session:
            while await session.fetchval(_LIVE) < NODES * WORKERS:
                if time.perf_counter() > deadline:
                    rows = await session.fetch(_WORKERS)
                    raise TimeoutError(f"a worker did not come back: {[*map(dict, rows)]}")
                await asyncio.sleep(_LOOK_SECONDS)

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """The database's own word; the session is kept while the database is."""
        if self._session is None or self._session.is_closed():
            self._session = await asyncpg.connect(self.database_url)
            self._stack.push_async_callback(self._session.close)
        yield self._session

    async def _start(self) -> None:
        directory = self._stack.enter_context(DataDirectory(self._folder / "database"))
        postgres = EmbeddedPostgres(directory, settings={"max_connections": "120"})
        await self._stack.enter_async_context(postgres)
        self.postgres = postgres
        self.database_url = postgres.url
        await migrate(postgres.url)
        for number in range(NODES):
            node = Node(self._folder / f"node-{number}", postgres.url, self._settings)
            self.nodes.append(node)
            self._stack.push_async_callback(node.stop)
        await asyncio.gather(*(node.start() for node in self.nodes))
        if self._proxy.find() is not None:
            ports = [node.port for node in self.nodes]
            self.proxy = self._proxy(self._folder / "proxy", free_port(), ports)
            self._stack.push_async_callback(self.proxy.stop)
            await self.proxy.start()
