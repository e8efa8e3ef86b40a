"""One run of the service: start it, serve it by uvicorn in our own event loop, stop it in order.

Order of a start: bind the port, start the service, listen, tell that it is ready. Order of a stop
(SIGTERM or SIGINT): accept no more, let the service end its rooms while their sockets are still
open, then close what is left. A signal during the start abandons it; a second signal, or a stop
that takes longer than `shutdown_seconds`, forces the end.

uvicorn would set signal handlers and a loop of its own; the subclass here only serves.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from enum import Enum, auto
from functools import partial
from socket import socket
from typing import Any, Protocol, runtime_checkable

import structlog
import uvicorn
import uvloop

from ..core.clock import Clock, SystemClock
from ..core.handshakes import HandshakeGate
from ..core.tasks import TaskOwner
from ..settings import EngineName, Settings
from ..transport.engine import SocketEngine
from ..transport.handoff_adoption import Adoption
from ..transport.head_watch import HeadWatch
from ..transport.http_connection import HttpConnection
from ..transport.servers_socket import ServersSocket
from ..wiring import Handoff
from .allocator import give_memory_back
from .listening import BACKLOG, base_url, bind_socket, start_listening

LEFTOVER_SECONDS = 5
_STUBBORN_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class Runnable(Protocol):
    """What is served. `stop` is called once, also after a `start` that failed or was cancelled."""

    @property
    def asgi(self) -> Any:
        """The ASGI application, usable between `start` and `stop`."""
        ...

    @property
    def gate(self) -> HandshakeGate | None:
        """Who decides about WebSockets, between `start` and `stop`."""
        ...

    @property
    def handoff(self) -> Handoff | None:
        """What brings sockets that other workers of this machine have accepted, likewise."""
        ...

    async def start(self) -> None:
        """Make everything ready. Raises StartupError with the remedy."""
        ...

    async def stop(self) -> None:
        """End rooms and connections in order; called while sockets are still open."""
        ...


@runtime_checkable
class CountsSockets(Protocol):
    """A service that tells how many sockets there are."""

    def count_sockets(self, engine: str, count: Callable[[], int]) -> None:
        """Let an engine tell how many it serves."""
        ...


class Phase(Enum):
    """Where a run stands. It moves down this list, by signals and by its own progress."""

    STARTING = auto()
    SERVING = auto()
    STOPPING = auto()
    FORCED = auto()


class LoopServer(uvicorn.Server):
    """uvicorn without signal handlers, which tells when it accepts and can stop accepting."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the run."""
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        self.accepting.set()

    def stop_accepting(self) -> None:
        """Refuse new connections; those that are open stay open."""
        for server in self.servers:
            server.close()


class ServerRun:
    """One run, from the start to the end of the process.

    Args:
        settings: What was decided.
        build: Makes the service from the settings.
        announce: Called with the base URL once clients are accepted.
        listener: The socket to listen on, if somebody else has bound it.
        supervised: Whether a supervisor looks after this process. It alone loses patience then
            (by SIGKILL): a stop may be asked for by the terminal, by the service manager and by
            the supervisor, all at once.
    """

    def __init__(
        self,
        settings: Settings,
        build: Callable[[Settings], Runnable],
        announce: Callable[[str], None],
        listener: socket | None = None,
        *,
        supervised: bool = False,
    ) -> None:
        self._settings = settings
        self._build = build
        self._announce = announce
        self._listener = listener
        self._supervised = supervised
        self._phase = Phase.STARTING
        self._stop_asked = asyncio.Event()
        self._tasks = TaskOwner("server")
        self._main: asyncio.Task[Any] | None = None
        self._stop_called = False

    @property
    def forced(self) -> bool:
        """Whether the end was forced, so that something may have been left unfinished."""
        return self._phase is Phase.FORCED

    async def run(self) -> None:
        """Serve until a signal asks to stop.

        Raises:
            StartupError: The service cannot start.
        """
        self._main = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        with (
            self._listener or bind_socket(self._settings.host, self._settings.port) as listener,
            contextlib.suppress(asyncio.CancelledError),  # by a signal; the phase tells
        ):
            service = self._build(self._settings)
            try:
                await service.start()
                await self._serve(service, listener)
            finally:
                await self._stop(service)
        await self._tasks.close()

    async def _serve(self, service: Runnable, listener: socket) -> None:
        engine = socket_engine(service.gate, self._settings, SystemClock())
        server = LoopServer(uvicorn_config(service.asgi, self._settings, engine))
        if engine is not None:
            engine.serve_for(server.server_state)
            if isinstance(service, CountsSockets):
                service.count_sockets(EngineName.PICOWS, lambda: engine.open_sockets)
            if service.handoff is not None:
                service.handoff.serve(Adoption(engine.adopted, self._tasks).adopt)
        start_listening(listener)
        serving = self._tasks.start(server.serve(sockets=[listener]), name="uvicorn")
        try:
            await self._first_of(serving, server.accepting)
            self._phase = Phase.SERVING
            self._announce(base_url(listener))
            await self._first_of(serving, self._stop_asked)
            server.stop_accepting()
            await self._stop(service)
        finally:
            server.should_exit = True
            server.force_exit = self.forced
        await serving
        if engine is not None:
            await engine.close()

    async def _first_of(self, serving: asyncio.Task[Any], event: asyncio.Event) -> None:
        """Wait for the event, but not longer than the server runs."""
        waiting = self._tasks.start(event.wait(), name="wait")
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serving.done():
            await serving

    async def _stop(self, service: Runnable) -> None:
        """Stop the service, once, within the time that a stop may take."""
        if self._stop_called:
            return
        self._stop_called = True
        if self._phase is not Phase.FORCED:
            self._phase = Phase.STOPPING
        try:
            async with asyncio.timeout(self._settings.shutdown_seconds):
                await service.stop()
        except TimeoutError:
            self._phase = Phase.FORCED
            _log.error("stop_forced", after_seconds=self._settings.shutdown_seconds)

    def _on_signal(self) -> None:
        if self._phase is Phase.SERVING:
            self._phase = Phase.STOPPING
            self._stop_asked.set()
            return
        if self._supervised and self._phase is not Phase.STARTING:
            return
        # Nothing is served yet (abandon the start), or somebody has lost patience.
        self._phase = Phase.STOPPING if self._phase is Phase.STARTING else Phase.FORCED
        if self._main is not None:
            self._main.cancel()


def socket_engine(
    gate: HandshakeGate | None, settings: Settings, clock: Clock
) -> SocketEngine | None:
    """Return our WebSocket engine, or None where the server's own is wanted."""
    if gate is None or settings.socket_deflate or settings.socket_engine is EngineName.UVICORN:
        return None
    return SocketEngine(
        gate,
        clock=clock,
        max_frame_bytes=settings.max_frame_bytes,
        ping_seconds=settings.socket_ping_seconds,
        pong_seconds=settings.socket_pong_seconds,
    )


def uvicorn_config(asgi: Any, settings: Settings, engine: SocketEngine | None) -> uvicorn.Config:
    """Return how uvicorn serves us: no loop, log, lifespan or proxy headers of its own."""
    sockets: Any = ServersSocket if engine is None else engine.protocol
    heads = HeadWatch(SystemClock(), seconds=settings.head_seconds)
    connections: Any = partial(HttpConnection, heads=heads, head_bytes=settings.head_bytes)
    return uvicorn.Config(
        asgi,
        http=connections,
        ws=sockets,
        ws_max_size=settings.max_frame_bytes,
        ws_per_message_deflate=settings.socket_deflate,
        ws_ping_interval=settings.socket_ping_seconds,
        ws_ping_timeout=settings.socket_pong_seconds,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=LEFTOVER_SECONDS,
    )


def run_server(
    settings: Settings,
    build: Callable[[Settings], Runnable],
    announce: Callable[[str], None],
    listener: socket | None = None,
    *,
    supervised: bool = False,
) -> bool:
    """Serve in a new event loop until a signal; return whether the end was an orderly one.

    Raises:
        StartupError: The service cannot start.
    """
    give_memory_back()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = ServerRun(settings, build, announce, listener, supervised=supervised)
        runner.run(run.run())
        _leave_the_stubborn(runner.get_loop())
        return not run.forced


def _leave_the_stubborn(loop: asyncio.AbstractEventLoop) -> None:
    """End the process if code of an object does not heed its end: the loop would wait for ever.

    Its rooms are gone and everything else is stopped by now, so nothing is lost by it.
    """
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        _, pending = loop.run_until_complete(asyncio.wait(pending, timeout=_STUBBORN_SECONDS))
    if pending:
        _log.error("tasks_do_not_end", tasks=sorted(task.get_name() for task in pending))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
