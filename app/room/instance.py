"""One instance of an author's class: how it is made, and which of its hooks need a task."""

import inspect
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..core.mounts import Mount
from ..sdk.durable_object import DurableObject
from .context import RoomContext
from .hooks import finish, run_hook
from .sections import Sections


@dataclass(frozen=True, slots=True)
class ClassTraits:
    """What the engine needs to know of a class, found out once.

    Attributes:
        plain_message: `on_message` is a plain function, so a room with nothing waiting runs it
            inline, with no task and no queue entry (architecture, section 5).
        hears_close: `on_close` is overridden.
        hears_error: `on_error` is overridden.
        hears_evict: `on_evict` is overridden.
        hears_alarm: `on_alarm` is overridden.
        hears_restore: `on_restore` is overridden.
        wakes_on_close: Whether a hibernated object is woken to hear how a socket ended.
    """

    plain_message: bool
    hears_close: bool
    hears_error: bool
    hears_evict: bool
    hears_alarm: bool
    hears_restore: bool
    wakes_on_close: bool

    @classmethod
    def of(cls, author_class: Any) -> "ClassTraits":
        """Look at a class; what was found is shared by all its rooms."""
        return _traits_of(author_class, author_class.wakes_on_close)


@lru_cache(maxsize=256)
def _traits_of(author_class: Any, wakes_on_close: bool) -> ClassTraits:  # noqa: FBT001 - a key
    base = DurableObject
    return ClassTraits(
        plain_message=not inspect.iscoroutinefunction(author_class.on_message),
        hears_close=author_class.on_close is not base.on_close,
        hears_error=author_class.on_error is not base.on_error,
        hears_evict=author_class.on_evict is not base.on_evict,
        hears_alarm=author_class.on_alarm is not base.on_alarm,
        hears_restore=author_class.on_restore is not base.on_restore,
        wakes_on_close=wakes_on_close,  # an attribute, which may be set later
    )


async def start_instance(
    mount: Mount, context: RoomContext, sections: Sections, *, timeout_seconds: float
) -> DurableObject:
    """Make an instance and run its `on_start`; raises what `run_hook` raises.

    What the constructor runs as critical sections is over before that, and what `on_start` does
    before it returns.
    """

    async def start() -> DurableObject:
        instance: DurableObject = mount.cls(context)
        await sections.over(sections.gate)
        await finish(instance.on_start())
        await sections.over(sections.gate)
        return instance

    started: DurableObject = await run_hook(start, timeout_seconds=timeout_seconds)
    return started
