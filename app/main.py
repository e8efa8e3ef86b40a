"""The ASGI target `app.main:app`, and `create_app` for people who embed us.

    from stateroom.asgi import create_app
    app = create_app(namespaces={"counter": Counter})

`stateroom serve` does not go through here: it starts and stops the service itself. Any ASGI
server with lifespan support can serve this; one process only, for rooms are pinned to it.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, overload

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from .core.errors import WorkerLeaving
from .logs import hand_to_standard_library
from .sdk.namespace import ObjectT, Stub
from .settings import Settings, load_settings
from .web.problems import problem_of
from .wiring import Service

_COME_BACK_LATER = 1013


class EmbeddedService:
    """An ASGI application that starts the service in its lifespan.

    Before that, and where nobody runs its lifespan, it refuses everything as not available.

    Args:
        service: What is served.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._starter = Starlette(lifespan=self.lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._starter(scope, receive, send)
        elif self._service.asgi is None:
            await _refuse(scope, receive, send)
        else:
            await self._service.asgi(scope, receive, send)

    @overload
    def stub(self, namespace: str, name: str) -> Stub: ...

    @overload
    def stub(self, namespace: str, name: str, cls: type[ObjectT]) -> ObjectT: ...

    def stub(self, namespace: str, name: str, cls: type[Any] | None = None) -> Any:
        """An object, to be called while the application runs; see `sdk.Stub`.

        Raises:
            NamespaceUnknown, IdInvalid: There can be none.
            TypeError: Another class is mounted.
            WorkerLeaving: The application does not run.
        """
        outside = self._service.outside
        return outside.stub(namespace, name, cls)  # type: ignore[arg-type]  # None is no class

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """Start the service, and stop it in order at the end.

        A server that is given this application does so by itself. Where it is mounted in another
        application, whose framework hands no lifespans on, this is the lifespan of that one, or
        entered in it.

        Raises:
            StartupError: It cannot start.
        """
        try:
            await self._service.start()
            yield
        finally:
            await self._service.stop()


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": _COME_BACK_LATER, "reason": ""})
    else:
        remedy = "Run the application's lifespan, also where it is mounted in another one."
        error = WorkerLeaving("the service does not run", remedy=remedy)
        await problem_of(error)(scope, receive, send)


def create_app(
    settings: Settings | None = None, namespaces: Mapping[str, type[Any]] | None = None
) -> EmbeddedService:
    """Make the ASGI application. It logs to the standard library's `logging`, a JSON object a line.

    Args:
        settings: What is decided; read from the environment when not given.
        namespaces: Name to class, beside those that the settings mount.

    Raises:
        StartupError: A setting or a mount is wrong.
    """
    hand_to_standard_library()
    return EmbeddedService(Service(settings or load_settings(), namespaces))


def __getattr__(name: str) -> EmbeddedService:
    """Make `app.main:app` on demand, so that importing this module reads no environment."""
    if name == "app":
        return create_app()
    raise AttributeError(name)
