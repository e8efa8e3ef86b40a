"""`serve --workers N`: one parent, N single-process servers on one listening socket.

The parent holds what the workers share (data directory, embedded Postgres, the listening
socket), starts them, restarts those that end, and kills those whose event loop has shown no sign
of life for half a lease, so that their sockets reset and their clients come back elsewhere. A
worker that it has reaped is dead beyond doubt: its row is buried at once and nobody waits for
its lease.

A worker that has never been ready and cannot start **before all have been ready once** ends the
whole start, with the line that it told. All others are started again, after a pause that grows:
one that has served, and is killed while its siblings still start, takes nobody with it.

SIGTERM and SIGINT stop all workers in good order, a second one ends them at once. SIGHUP replaces
them one by one. It is the same command in a container: as its first process it also reaps what
others leave behind.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from socket import socket

import structlog
import uvloop

from ..core.clock import SystemClock
from ..core.errors import StateroomError
from ..core.tasks import TaskOwner
from ..settings import Settings, child_environment
from ..wiring import Node
from .failures import ToldFailure
from .listening import base_url, bind_socket
from .orphans import reap_orphans
from .patience import RestartPause
from .server import Phase
from .worker_process import WorkerEnd, WorkerProcess, WorkerState

_log = structlog.get_logger("stateroom.supervisor")

_GRACE_SECONDS = 3.0
"""What a worker is given beyond `shutdown_seconds`, at which it ends itself by force."""
_LAST_BURIAL_SECONDS = 2.0


class Supervisor:
    """See the module.

    Args:
        settings: What was decided.
        app_dir: Put first on the workers' module path.
        debug: Whether workers show the traceback of a failure.
        announce: Called with the base URL once every worker is ready.
    """

    def __init__(
        self, settings: Settings, *, app_dir: str, debug: bool, announce: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._app_dir = app_dir
        self._debug = debug
        self._announce = announce
        self._clock = SystemClock()
        self._node = Node(settings)
        self._phase = Phase.STARTING
        self._stop_asked = asyncio.Event()
        self._roll_asked = asyncio.Event()
        self._changed = asyncio.Event()
        self._keepers = TaskOwner("workers")
        self._tasks = TaskOwner("supervisor")
        self._workers: list[WorkerProcess] = []
        self._main: asyncio.Task[None] | None = None
        self._failure: ToldFailure | None = None
        self.orderly = True

    async def run(self) -> None:
        """Serve until a signal asks to stop.

        Raises:
            StateroomError: The machine's part cannot be started.
            ToldFailure: A worker cannot be started.
        """
        self._main = asyncio.current_task()
        with (
            self._signals(),
            bind_socket(self._settings.host, self._settings.port) as listener,
            contextlib.suppress(asyncio.CancelledError),  # by a signal; the phase tells
        ):
            try:
                await self._node.start()
                await self._serve(listener)
            finally:
                await self._stop(listener)
        if self._failure is not None:
            raise self._failure

    async def _serve(self, listener: socket) -> None:
        self._tasks.start(reap_orphans(self._clock), name="orphans")
        self._start_workers(listener.fileno())
        while not all(worker.state is WorkerState.READY for worker in self._workers):
            if not await self._next_change():
                return
        self._phase = Phase.SERVING
        self._announce(base_url(listener))
        self._tasks.start(self._roll(), name="roll")
        await self._stop_asked.wait()

    def _start_workers(self, listen_fd: int) -> None:
        settings = self._settings
        place = self._node.place(0)
        environment = child_environment(settings, database_url=place.url)
        for slot in range(settings.workers):
            worker = WorkerProcess(
                slot,
                command=lambda slot, beat_fd, life_fd: self._command(
                    slot, place.node, listen_fd, beat_fd, life_fd
                ),
                environment=environment,
                listen_fd=listen_fd,
                silence_seconds=max(settings.lease_seconds / 2, 1.0),
                leave_seconds=settings.shutdown_seconds + _GRACE_SECONDS,
                clock=self._clock,
                changed=self._changed.set,
            )
            self._workers.append(worker)
            self._keepers.start(self._keep(worker), name=f"slot-{slot}")

    def _command(self, slot: int, node: str, listen: int, beat: int, life: int) -> list[str]:
        package = __package__.partition(".app.")[0] if ".app." in __package__ else "stateroom"
        return [
            *(sys.executable, "-m", package, "worker"),
            *("--slot", str(slot), "--node", node),
            *("--listen-fd", str(listen), "--beat-fd", str(beat), "--life-fd", str(life)),
            *("--app-dir", self._app_dir),
            *(["--debug"] if self._debug else []),
        ]

    # -- one slot --------------------------------------------------------------------------------

    async def _keep(self, worker: WorkerProcess) -> None:
        """Run a slot's processes, one after the other, until the stop."""
        pause = RestartPause()
        while not self._stop_asked.is_set():
            try:
                end = await worker.run_once()
            except OSError as error:
                _log.warning("worker_not_started", slot=worker.slot, reason=str(error))
                await self._sleep(pause.after(0.0))
                continue
            if self._stop_asked.is_set():
                await self._note_end(worker, end)
            elif self._phase is Phase.STARTING and not worker.has_served:
                self._fail(worker, end)
            else:
                await self._replace(worker, end, pause)

    async def _replace(self, worker: WorkerProcess, end: WorkerEnd, pause: RestartPause) -> None:
        """Bury a process that has ended, and wait until it is time for the next one."""
        await self._bury(worker)
        if end.state is WorkerState.LEAVING and end.orderly:
            _log.info("worker_left", slot=worker.slot)
            return
        _log.warning("worker_ended", slot=worker.slot, status=end.status, reason=str(end))
        await self._sleep(pause.after(end.lived_seconds))

    async def _note_end(self, worker: WorkerProcess, end: WorkerEnd) -> None:
        if not end.orderly:
            self.orderly = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_BURIAL_SECONDS):
                    await self._bury(worker)

    async def _bury(self, worker: WorkerProcess) -> None:
        # It was our child and we have reaped it: nobody needs to wait for its lease.
        try:
            await self._node.bury(worker.slot)
        except StateroomError as error:
            _log.warning("burial_failed", slot=worker.slot, code=error.code)

    def _fail(self, worker: WorkerProcess, end: WorkerEnd) -> None:
        """Give the whole start up: what keeps one worker from starting keeps every one."""
        line = end.reason or (
            f"stateroom: error [startup_failed]: Worker {worker.slot} did not start: {end}. "
            "Remedy: See what it has logged."
        )
        self._failure = self._failure or ToldFailure(line)
        self._stop_asked.set()

    # -- signals ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._roll_asked.set)
        yield

    def _on_stop(self) -> None:
        if self._phase is Phase.STARTING and not self._workers and self._main is not None:
            self._main.cancel()  # nothing is served yet: abandon the start
        elif self._stop_asked.is_set():  # somebody has lost patience
            self._phase = Phase.FORCED
            self.orderly = False
            for worker in self._workers:
                worker.kill()
        self._stop_asked.set()

    async def _stop(self, listener: socket) -> None:
        """Stop every worker in good order, then what they shared."""
        self._stop_asked.set()
        listener.close()  # or clients would be kept waiting at a door that nobody opens again
        if self._phase is not Phase.FORCED:
            self._phase = Phase.STOPPING
        for worker in self._workers:
            worker.leave()
        await self._keepers.join()  # bounded: who takes too long to leave is killed
        await self._tasks.close()
        await self._node.stop()

    async def _roll(self) -> None:
        """Replace the workers one by one whenever asked; each is ready before the next one goes."""
        while True:
            await self._roll_asked.wait()
            self._roll_asked.clear()
            _log.info("workers_roll")
            for worker in self._workers:
                starts = worker.starts
                worker.leave()
                while worker.starts == starts or worker.state is not WorkerState.READY:
                    if not await self._next_change():
                        return

    async def _next_change(self) -> bool:
        """Wait until a worker has become ready; False when it is time to stop."""
        self._changed.clear()
        waits = [
            self._tasks.start(event.wait(), name="wait")
            for event in (self._changed, self._stop_asked)
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return not self._stop_asked.is_set()

    async def _sleep(self, seconds: float) -> None:
        """Wait, but not beyond the stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop_asked.wait()


def run_supervisor(
    settings: Settings, *, app_dir: str, debug: bool, announce: Callable[[str], None]
) -> bool:
    """Serve with several workers until a signal; return whether the end was an orderly one.

    Raises:
        StateroomError: The machine's part cannot be started.
        ToldFailure: A worker cannot be started.
    """

    async def supervise() -> bool:
        supervisor = Supervisor(settings, app_dir=app_dir, debug=debug, announce=announce)
        await supervisor.run()
        return supervisor.orderly

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(supervise())
