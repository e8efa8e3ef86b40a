"""Which methods of a class can be called by others, and how one call of them runs.

Public coroutine methods that the author's class adds are callable. Hooks are not (`on_...` and
whatever `DurableObject` itself has), nor is anything that begins with an underscore. Arguments
and results travel in the form of stored values, so they are copies wherever the caller is.
"""

import inspect
from collections.abc import Coroutine, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from ..core.errors import CallRefused, MethodUnknown, StorageRefused
from ..core.limits import CALL_BYTES
from ..core.storage_codec import decode_value, encode_value
from ..sdk.durable_object import DurableObject

_HOOK_PREFIX = "on_"
_KNOWN_METHODS = 4096


def check_method(cls: type[Any], name: str) -> None:
    """Raise MethodUnknown, with the reason, if the method cannot be called."""
    problem = _problem(cast("Hashable", cls), name)
    if problem is not None:
        raise MethodUnknown(problem)


@lru_cache(_KNOWN_METHODS)
def _problem(cls: Hashable, name: str) -> str | None:
    assert isinstance(cls, type) and issubclass(cls, DurableObject)  # noqa: S101, PT018 - says so to mypy, for which a class is not hashable
    called = f"{cls.__name__}.{name}"
    if name.startswith("_"):
        return f"{called} is private"
    if name.startswith(_HOOK_PREFIX) or hasattr(DurableObject, name) or name in cls.hook_names:
        return f"{called} is a hook and not a method to be called"
    found = inspect.getattr_static(cls, name, None)
    if found is None or name == "ctx":
        return f"{cls.__name__} has no method {name!r}"
    if not inspect.iscoroutinefunction(getattr(cls, name, None)):
        return f"{called} is no coroutine method (async def)"
    return None


def encode_arguments(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    """The arguments of a call as they travel.

    Raises:
        CallRefused: They are of types that do not travel, or too large.
    """
    return _encode(f"the arguments of {name}", [list(args), dict(kwargs)])


def decode_result(stored: bytes) -> Any:
    """What a method returned."""
    return decode_value(stored)


def encode_result(name: str, result: Any) -> bytes:
    """What a method returned, as it travels.

    Raises:
        CallRefused: It is of a type that does not travel, or too large.
    """
    return _encode(f"the result of {name}", result)


def bind_method(instance: Any, name: str, arguments: bytes) -> Coroutine[Any, Any, Any]:
    """A method with its arguments, to be awaited; none of its code has run.

    Raises:
        MethodUnknown: It cannot be called.
        CallRefused: It does not take these arguments.
    """
    check_method(type(instance), name)
    args, kwargs = decode_value(arguments)
    try:
        # A coroutine function only binds its arguments here; its body runs when it is awaited.
        bound: Coroutine[Any, Any, Any] = getattr(instance, name)(*args, **kwargs)
    except TypeError as error:
        raise CallRefused(str(error)) from None
    return bound


def _encode(what: str, value: Any) -> bytes:
    try:
        stored = encode_value(value)
    except StorageRefused as error:
        raise CallRefused(f"{what} cannot travel: {error}") from None
    if len(stored) > CALL_BYTES:
        raise CallRefused(f"{what} take {len(stored)} bytes, the limit is {CALL_BYTES}")
    return stored
