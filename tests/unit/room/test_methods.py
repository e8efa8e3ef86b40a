"""Which methods can be called."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.core.errors import CallRefused, MethodUnknown
from app.room.methods import bind_method, check_method, decode_result, encode_arguments
from app.room.methods import encode_result as encoded
from app.sdk import DurableObject


def traced(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def run(*args: Any, **kwargs: Any) -> Any:
        return await method(*args, **kwargs)

    return run


class Parent(DurableObject):
    async def inherited(self) -> int:
        return 1


class Child(Parent):
    hook_names = frozenset({"prepare"})
    attribute = 1

    async def prepare(self) -> None: ...

    @traced
    async def decorated(self, value: int) -> int:
        return value

    @staticmethod
    async def static(value: int) -> int:
        return value

    @property
    def shown(self) -> int:
        raise AssertionError("a property must not be run to be looked at")

    async def on_anything(self) -> None: ...

    def plain(self) -> None: ...


@pytest.mark.parametrize("name", ["inherited", "decorated", "static"])
def test_public_coroutine_methods_can_be_called(name: str) -> None:
    check_method(Child, name)


@pytest.mark.parametrize(
    "name",
    [
        "attribute",
        "shown",
        "on_anything",
        "prepare",
        "plain",
        "missing",
        "__init__",
        "_x",
        "on_request",
        "",
    ],
)
def test_nothing_else_can(name: str) -> None:
    with pytest.raises(MethodUnknown):
        check_method(Child, name)


async def test_arguments_are_bound_before_any_code_runs() -> None:
    child = Child(None)  # type: ignore[arg-type]  # its context is not used
    assert await bind_method(child, "static", encode_arguments("static", [3], {})) == 3
    with pytest.raises(CallRefused, match="unexpected"):
        _ = bind_method(child, "inherited", encode_arguments("inherited", [], {"unexpected": 1}))
    with pytest.raises(MethodUnknown):
        _ = bind_method(child, "plain", encode_arguments("plain", [], {}))


def test_results_come_back_with_their_types() -> None:
    assert decode_result(encoded("x", (1, {2}, b"3"))) == (1, {2}, b"3")
