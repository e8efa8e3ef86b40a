"""What an object hears when one of its sockets has ended.

Once for every accepted socket `on_close`, and before it `on_error` when the client broke the
protocol: each an event of its own, so that one that raises takes nothing from the other. After
the last of them nothing is left of the connection, whoever still holds it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..core.errors import ProtocolViolated
from ..core.sockets import VANISHED
from .connections import RoomConnection
from .hooks import finish
from .instance import ClassTraits

Hook = Callable[[Any], Awaitable[Any] | Any]


class Submit(Protocol):
    """Queues an event; see `Admission.submit`."""

    def __call__(
        self, hook: Hook, *, fail: Callable[[Exception], None], always: bool = False
    ) -> None:
        """Queue it."""
        ...


class Endings:
    """See the module.

    Args:
        traits: Which hooks the class has.
        submit: Queues an event of the room.
    """

    __slots__ = ("_submit", "_traits")

    def __init__(self, traits: ClassTraits, submit: Submit) -> None:
        self._traits = traits
        self._submit = submit

    def tell(self, connection: RoomConnection, code: int, reason: str, *, clean: bool) -> None:
        """The socket has ended; the connection is no member any more."""
        hooks: list[Hook] = []
        if self._traits.hears_error and not clean and code != VANISHED:
            error = ProtocolViolated(reason or None, close_code=code)
            hooks.append(lambda instance: instance.on_error(connection, error))
        if self._traits.hears_close:
            hooks.append(lambda instance: instance.on_close(connection, code, reason, clean))
        for hook in hooks[:-1]:
            self._submit(hook, fail=_ignore, always=True)
        if hooks:
            self._submit(
                _last(hooks[-1], connection), fail=lambda _: connection.forget(), always=True
            )
        else:
            connection.forget()


def _last(hook: Hook, connection: RoomConnection) -> Hook:
    async def run(instance: Any) -> None:
        await finish(hook(instance))
        connection.forget()

    return run


def _ignore(_error: Exception) -> None:
    """The engine has logged it; nobody waits for this event."""
