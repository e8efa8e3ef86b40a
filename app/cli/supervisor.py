"""`serve --workers N`: one parent, N single-process servers on one listening socket.

The parent holds what the workers share (data directory, embedded Postgres, the listening
socket), starts them, restarts those that end, and kills those whose event loop has shown no sign
of life for half a lease, so that their sockets reset and their clients come back elsewhere. A
worker that it has reaped is dead beyond doubt: its row is buried at once and nobody waits for
its lease. SIGTERM and SIGINT stop all workers in good order; SIGHUP replaces them one by one.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable
from socket import socket
from subprocess import Popen

import structlog
import uvloop

from ..core.clock import SystemClock
from ..core.errors import StateroomError
from ..core.tasks import TaskOwner
from ..settings import Settings, child_environment
from ..wiring import Node
from .listening import base_url, bind_socket, start_listening
from .pulse import SupervisorPulse

_log = structlog.get_logger("stateroom.supervisor")

_START_SECONDS = 60.0
_POLL_SECONDS = 0.02
_SHORT_LIFE_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0


class WorkerProcess:
    """One slot: a process after another.

    Args:
        slot: Which worker.
        command: Makes the command line, given the pulse's two descriptors.
        environment: Of the processes.
        listener: The shared listening socket.
        silence_seconds: How long without a sign of life before it is killed.
    """

    def __init__(
        self,
        slot: int,
        *,
        environment: dict[str, str],
        command: Callable[[int, int, int], list[str]],
        listener: socket,
        silence_seconds: float,
    ) -> None:
        self.slot = slot
        self.ready = asyncio.Event()
        self._environment = environment
        self._command = command
        self._listener = listener
        self._silence = silence_seconds
        self._clock = SystemClock()
        self._process: Popen[bytes] | None = None
        self._heard_at = 0.0
        self._pause = 0.0

    async def run_once(self) -> int:
        """Start the process and wait for its end; returns its exit status.

        Cancelling leaves it running; `stop` ends it.
        """
        self.ready.clear()
        if self._pause:
            await self._clock.sleep(self._pause)
        pulse = SupervisorPulse(self._heard)
        started_at = self._heard_at = self._clock.monotonic()
        fds = (self._listener.fileno(), pulse.beat_fd, pulse.life_fd)
        self._process = Popen(  # noqa: S603, ASYNC220 - ourselves; a fork takes a millisecond
            self._command(self.slot, pulse.beat_fd, pulse.life_fd),
            env=self._environment,
            pass_fds=fds,
        )
        pulse.started()
        try:
            status = await self._wait(self._process)
        finally:
            pulse.close()
        lived = self._clock.monotonic() - started_at
        self._pause = self._next_pause(lived)
        self.ready.clear()
        return status

    def signal(self, number: int) -> None:
        """Send a signal to the running process, if there is one."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    async def _wait(self, process: Popen[bytes]) -> int:
        while (status := process.poll()) is None:
            allowed = self._silence if self.ready.is_set() else _START_SECONDS
            if self._clock.monotonic() - self._heard_at > allowed:
                _log.error("worker_silent", slot=self.slot, seconds=allowed)
                process.kill()
            await self._clock.sleep(_POLL_SECONDS)
        return status

    def _heard(self, became_ready: bool) -> None:  # noqa: FBT001 - the pulse's one fact
        self._heard_at = self._clock.monotonic()
        if became_ready:
            self.ready.set()

    def _next_pause(self, lived_seconds: float) -> float:
        if lived_seconds > _SHORT_LIFE_SECONDS:
            return 0.0
        return min(max(self._pause * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)


class Supervisor:
    """See the module.

    Args:
        settings: What was decided.
        app_dir: Put first on the workers' module path.
        announce: Called with the base URL once every worker is ready.
    """

    def __init__(
        self, settings: Settings, *, app_dir: str, announce: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._app_dir = app_dir
        self._announce = announce
        self._node = Node(settings)
        self._stopping = asyncio.Event()
        self._tasks = TaskOwner("supervisor")
        self._workers: list[WorkerProcess] = []
        self.orderly = True

    async def run(self) -> None:
        """Serve until a signal asks to stop.

        Raises:
            StateroomError: The machine's part cannot be started.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_stop)
        with bind_socket(self._settings.host, self._settings.port) as listener:
            try:
                await self._node.start()
                start_listening(listener)
                self._start_workers(listener)
                loop.add_signal_handler(signal.SIGHUP, self._on_reload)
                await self._all_ready(base_url(listener))
                await self._stopping.wait()
            finally:
                await self._stop()

    def _start_workers(self, listener: socket) -> None:
        place = self._node.place(0)
        environment = child_environment(self._settings, database_url=place.url)
        for slot in range(self._settings.workers):
            worker = WorkerProcess(
                slot,
                environment=environment,
                command=lambda slot, beat, life: self._command(
                    slot, beat, life, listener.fileno(), place.node
                ),
                listener=listener,
                silence_seconds=max(self._settings.lease_seconds / 2, 1.0),
            )
            self._workers.append(worker)
            self._tasks.start(self._keep(worker), name=f"worker-{slot}")

    def _command(self, slot: int, beat: int, life: int, listen: int, node: str) -> list[str]:
        package = __package__.partition(".app.")[0] if ".app." in __package__ else "stateroom"
        return [
            *(sys.executable, "-m", package, "worker"),
            *("--slot", str(slot), "--node", node),
            *("--listen-fd", str(listen), "--beat-fd", str(beat), "--life-fd", str(life)),
            *("--app-dir", self._app_dir),
        ]

    async def _keep(self, worker: WorkerProcess) -> None:
        """Run a slot's processes, one after the other, until the stop."""
        while not self._stopping.is_set():
            status = await worker.run_once()
            if self._stopping.is_set():
                self.orderly = self.orderly and status == 0
                return
            _log.warning("worker_ended", slot=worker.slot, status=status)
            # It was our child and we have reaped it: nobody needs to wait for its lease.
            try:
                await self._node.bury(worker.slot)
            except StateroomError as error:
                _log.warning("burial_failed", slot=worker.slot, code=error.code)

    async def _all_ready(self, url: str) -> None:
        stop = self._tasks.start(self._stopping.wait(), name="stop")
        for worker in self._workers:
            ready = self._tasks.start(worker.ready.wait(), name="ready")
            await asyncio.wait({ready, stop}, return_when=asyncio.FIRST_COMPLETED)
            if self._stopping.is_set():
                return
        self._announce(url)

    async def _stop(self) -> None:
        """Stop every worker in good order, then what they shared."""
        self._stopping.set()
        for worker in self._workers:
            worker.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.shutdown_seconds):
                await self._tasks.join()
        for worker in self._workers:
            worker.signal(signal.SIGKILL)
        await self._tasks.join()
        await self._node.stop()

    def _on_stop(self) -> None:
        if self._stopping.is_set():  # a second signal: somebody has lost patience
            self.orderly = False
            for worker in self._workers:
                worker.signal(signal.SIGKILL)
        self._stopping.set()

    def _on_reload(self) -> None:
        self._tasks.start(self._reload(), name="reload")

    async def _reload(self) -> None:
        """Replace the workers one by one; each is ready again before the next one goes."""
        for worker in self._workers:
            if self._stopping.is_set():
                return
            worker.signal(signal.SIGTERM)
            while worker.ready.is_set() and not self._stopping.is_set():
                await SystemClock().sleep(_POLL_SECONDS)
            await worker.ready.wait()


def run_supervisor(settings: Settings, *, app_dir: str, announce: Callable[[str], None]) -> bool:
    """Serve with several workers until a signal; return whether the end was an orderly one.

    Raises:
        StateroomError: The service cannot start.
    """

    async def supervise() -> bool:
        supervisor = Supervisor(settings, app_dir=app_dir, announce=announce)
        await supervisor.run()
        return supervisor.orderly

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(supervise())
