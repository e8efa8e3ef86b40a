"""An object full of people: it notes what each hook is told, and does what a test wants of it."""

from collections.abc import Callable
from typing import Any, ClassVar

from app.sdk import Connection, DurableObject, ProtocolViolated, Request, Response
from app.testing.harness import ObjectHarness
from app.testing.sockets import MemorySocket

Hook = Callable[..., Any]


class Hall(DurableObject):
    """Runs what a test put in `hooks` under the name of a hook, if anything."""

    hooks: ClassVar[dict[str, Hook]] = {}
    told: ClassVar[list[tuple[Any, ...]]] = []

    def on_start(self) -> Any:
        return self._run("start")

    def on_connect(self, connection: Connection, request: Request) -> Any:
        return self._run("connect", connection)

    def on_message(self, connection: Connection, message: str | bytes) -> Any:
        return self._run("message", connection, message)

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> Any:
        return self._run("close", connection, code, reason, clean)

    def on_error(self, connection: Connection, error: ProtocolViolated) -> Any:
        return self._run("error", connection, error)

    async def on_request(self, request: Request) -> Response:
        result = self._run("request")
        if result is not None:
            await result
        return Response()

    def _run(self, name: str, connection: Connection | None = None, *arguments: Any) -> Any:
        self.told.append((name, *arguments))
        hook = self.hooks.get(name)
        if hook is None:
            return None
        return hook(self, *(() if connection is None else (connection,)), *arguments)


class WaitingHall(Hall):
    """The same with a coroutine for messages, which can wait."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        result = self._run("message", connection, message)
        if result is not None:
            await result


def reset() -> None:
    """Forget what earlier tests have said."""
    Hall.hooks = {}
    Hall.told = []


def told(name: str) -> list[tuple[Any, ...]]:
    """What the hook of that name was told, each time it ran."""
    return [each[1:] for each in Hall.told if each[0] == name]


def closed(socket: MemorySocket) -> tuple[int, str] | None:
    """How the server closed a socket; mypy forgets the answer of a function."""
    return socket.closed


def asleep(harness: ObjectHarness, name: str = "a") -> bool:
    """Whether the object is in memory without an instance."""
    room = harness.live_room("hall", name)
    return room is not None and not room.awake
