"""One instance of an author's class: how it is made, and which of its hooks need a task."""

import inspect
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from ..core.mounts import Mount
from ..sdk.durable_object import DurableObject
from .context import RoomContext


@dataclass(frozen=True, slots=True)
class ClassTraits:
    """What the engine needs to know of a class, found out once.

    Attributes:
        plain_message: `on_message` is a plain function, so a room with nothing waiting runs it
            inline, with no task and no queue entry (architecture, section 5).
        hears_close: `on_close` is overridden.
        hears_evict: `on_evict` is overridden.
        wakes_on_close: Whether a hibernated object is woken to hear of a closed socket.
    """

    plain_message: bool
    hears_close: bool
    hears_evict: bool
    wakes_on_close: bool

    @classmethod
    def of(cls, author_class: type[Any]) -> "ClassTraits":
        """Look at a class."""
        base = DurableObject
        return cls(
            plain_message=not inspect.iscoroutinefunction(author_class.on_message),
            hears_close=author_class.on_close is not base.on_close,
            hears_evict=author_class.on_evict is not base.on_evict,
            wakes_on_close=author_class.wakes_on_close,
        )


async def start_instance(mount: Mount, context: RoomContext) -> DurableObject:
    """Make an instance and run its `on_start`; what the author's code raises goes through."""
    instance: DurableObject = mount.cls(context)
    await finish(instance.on_start())
    return instance


async def finish(result: Awaitable[Any] | Any) -> Any:
    """Await what a hook returned, if it is something to await."""
    return await result if inspect.isawaitable(result) else result
