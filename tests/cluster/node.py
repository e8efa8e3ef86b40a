"""A node of the chaos tests: `stateroom serve --workers 2` behind links that can be made bad.

Everything it says to Postgres goes through a proxy of its own, and so does what other workers
say to its workers. Its processes are found through its supervisor, so that a single one can be
killed or stopped; all of them are known, so that none is left behind.
"""

import asyncio
import contextlib
import random
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import psutil

from app.core.clock import SystemClock
from tests.cluster.link_proxy import LinkProxy, to_port, to_unix_socket
from tests.cluster.server import ServerProcess

WORKERS = 2
GONE_SECONDS = 60.0
_WORKER_START = Path(__file__).with_name("worker_start")
_POLL_SECONDS = 0.02
_PORTS = (15_000, 32_000)


class Node(ServerProcess):
    """See the module.

    Args:
        name: For the log of a run.
        folder: Where its data and its log lie.
        database: The link to Postgres.
        inward: The links to its workers, one a slot.
        variables: Its settings.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        database: LinkProxy,
        inward: Sequence[LinkProxy],
        internal_port: int,
        **variables: str,
    ) -> None:
        self._clocks = folder / "clocks"
        super().__init__(
            folder,
            database_url=f"postgresql://stateroom@127.0.0.1:{database.port}/postgres",
            STATEROOM_WORKERS=str(WORKERS),
            STATEROOM_INTERNAL_PORT=str(internal_port),
            STATEROOM_INTERNAL_ADDRESS=f"127.0.0.1:{inward[0].port}",
            PYTHONPATH=str(_WORKER_START),
            TESTS_CLOCKS=str(self._clocks),
            **variables,
        )
        self.name = name
        self.database = database
        self.inward = inward
        self.busy = asyncio.Lock()
        """Held by the fault that works on this node."""
        self._known: set[psutil.Process] = set()

    @property
    def supervisor(self) -> psutil.Process | None:
        """The supervising process while it runs."""
        assert self._process is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._process.pid) if self._process.returncode is None else None
        return None

    def workers(self) -> dict[int, psutil.Process]:
        """The worker processes that live now, by slot."""
        found: dict[int, psutil.Process] = {}
        supervisor = self.supervisor
        if supervisor is None:
            return found
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in supervisor.children():
                with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    words = child.cmdline()
                    if "--slot" in words:
                        found[int(words[words.index("--slot") + 1])] = child
        self._known.update(found.values())
        return found

    async def worker(self, slot: int) -> psutil.Process:
        """The worker of a slot, as soon as there is one."""
        async with asyncio.timeout(GONE_SECONDS):
            while (found := self.workers().get(slot)) is None:
                await SystemClock().sleep(_POLL_SECONDS)
        return found

    async def replaced(self, former: psutil.Process, slot: int) -> None:
        """Wait until another process stands in the slot of a former one."""
        async with asyncio.timeout(GONE_SECONDS):
            while (await self.worker(slot)) == former:
                await SystemClock().sleep(_POLL_SECONDS)

    def set_clock(self, slot: int, seconds: int) -> None:
        """Give the next processes of a slot a clock that is wrong by so much."""
        self._clocks.write_text(f"{slot} {seconds}\n", "utf-8")

    async def kill(self) -> None:
        """End every process of the node by SIGKILL, the supervisor first."""
        self.workers()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        for process in self._known:
            send(process, signal.SIGKILL)
        await self.all_gone()

    async def kill_supervisor(self) -> None:
        """End the supervisor alone; its workers notice."""
        self.workers()
        assert self._process is not None
        self._process.kill()
        # Not its `wait`: that also waits for the pipe, which its workers hold open.
        async with asyncio.timeout(GONE_SECONDS):
            while self._process.returncode is None:
                await SystemClock().sleep(_POLL_SECONDS)

    def stop_everything(self) -> None:
        """Stop the supervisor and all workers in their tracks, the supervisor first."""
        self.pause()
        for worker in self.workers().values():
            send(worker, signal.SIGSTOP)

    def continue_everything(self) -> None:
        """Let all that were stopped go on, the supervisor last."""
        self.workers()
        for worker in self._known:
            send(worker, signal.SIGCONT)
        if self.runs:
            self.go_on()

    async def all_gone(self) -> int:
        """Wait until no process of the node is left; returns the supervisor's exit status."""
        async with asyncio.timeout(GONE_SECONDS):
            status = 0 if self._process is None else await self._process.wait()
            while any(_lives(process) for process in self._known):
                await SystemClock().sleep(_POLL_SECONDS)
        self._known.clear()
        return status

    async def close(self) -> None:
        """End it in order, or by force when it hangs."""
        self.continue_everything()
        if self.runs:
            self.ask_to_stop()
            with contextlib.suppress(TimeoutError):
                await self.all_gone()
        await self.kill()


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone; psutil knows it by more than its id."""
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        process.send_signal(number)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _place_for(folder: Path) -> Path:
    folder.mkdir(mode=0o711)
    return folder


async def make_node(
    name: str,
    folder: Path,
    stack: contextlib.AsyncExitStack,
    *,
    postgres_socket: str,
    **variables: str,
) -> Node:
    """A node with its links, not yet started; the stack ends all of it."""
    database = await stack.enter_async_context(LinkProxy(to_unix_socket(postgres_socket)))
    internal_port = free_ports(WORKERS)
    advertised = free_ports(WORKERS)
    inward = [
        await stack.enter_async_context(
            LinkProxy(to_port(internal_port + slot), port=advertised + slot)
        )
        for slot in range(WORKERS)
    ]
    node = Node(
        name,
        _place_for(folder),
        database=database,
        inward=inward,
        internal_port=internal_port,
        **variables,
    )
    stack.push_async_callback(node.close)
    return node


def free_ports(count: int) -> int:
    """The first of so many free ports in a row, below those that outgoing connections take."""
    while True:
        first = random.randrange(*_PORTS)
        with contextlib.ExitStack() as stack:
            try:
                for number in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            except OSError:
                continue
            return first
