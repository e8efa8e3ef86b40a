"""Our service in this process, on a loop and in a thread of its own, behind a real server.

Three servers: the one of `stateroom serve` with either socket engine, and uvicorn as anybody may
start it. But for the first one sockets take the way through ASGI's queue.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Mapping
from enum import StrEnum
from typing import Any, Self

import uvicorn
import uvloop

from app.cli.listening import bind_socket, start_listening
from app.cli.server import LoopServer, socket_engine, uvicorn_config
from app.core.clock import SystemClock
from app.settings import Settings
from app.transport.engine import SocketEngine
from app.wiring import Service

START_SECONDS = 60.0


class ServerKind(StrEnum):
    """Which server carries the service."""

    DIRECT = "direct"
    SERVERS_OWN = "servers-own"
    ASGI_H11 = "asgi-h11"


class RunningService:
    """One running service; `with` starts and stops it."""

    def __init__(
        self, settings: Settings, classes: Mapping[str, type[Any]], kind: ServerKind
    ) -> None:
        self.kind = kind
        self.service = Service(settings, classes)
        self.port = 0
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._server: LoopServer | None = None
        self._thread = threading.Thread(target=self._main, name=f"service-{kind}")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(START_SECONDS), "the service did not start"
        if self._failure is not None:
            raise RuntimeError("the service did not start") from self._failure
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive(), "the service did not stop"

    async def do(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run something on the service's loop and return what it returned."""
        assert self._loop is not None
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self._loop))

    @property
    def registry(self) -> Any:
        """The rooms; to be touched in `do` only."""
        return self.service._registry

    async def client_ports(self) -> set[int]:
        """The ports of the clients whose connections the server still holds."""

        async def look() -> set[int]:
            assert self._server is not None
            connections = self._server.server_state.connections
            clients = [getattr(each, "client", None) for each in connections]
            return {client[1] for client in clients if client is not None}

        found: set[int] = await self.do(look)
        return found

    def _main(self) -> None:
        direct = self.kind is ServerKind.DIRECT
        factory = uvloop.new_event_loop if direct else asyncio.new_event_loop
        try:
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        with bind_socket("127.0.0.1", 0) as listener:
            try:
                await self.service.start()
                engine = self._engine()
                if engine is not None:
                    self.service.count_sockets("picows", lambda: engine.open_sockets)
                server = self._server = LoopServer(self._config(engine))
                start_listening(listener)
                self.port = listener.getsockname()[1]
                serving = self._loop.create_task(server.serve(sockets=[listener]))
                await server.accepting.wait()
                self._ready.set()
                await self._stop.wait()
                server.stop_accepting()
                await self.service.stop()
                server.should_exit = True
                await serving
            finally:
                with contextlib.suppress(Exception):
                    await self.service.stop()

    def _engine(self) -> SocketEngine | None:
        served = self.kind is ServerKind.DIRECT
        if not served:
            return None
        return socket_engine(self.service.gate, self._settings, SystemClock())

    def _config(self, engine: SocketEngine | None) -> uvicorn.Config:
        if self.kind is not ServerKind.ASGI_H11:
            return uvicorn_config(self.service.asgi, self._settings, engine)
        return uvicorn.Config(
            self.service.asgi,
            http="h11",
            ws="websockets-sansio",
            ws_max_size=self._settings.max_frame_bytes,
            ws_per_message_deflate=False,
            ws_ping_interval=self._settings.socket_ping_seconds,
            ws_ping_timeout=self._settings.socket_pong_seconds,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
        )
