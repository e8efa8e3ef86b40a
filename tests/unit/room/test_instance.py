"""What the engine finds out about an author's class, and how it runs its code."""

import asyncio

import pytest

from app.core.errors import EventTimedOut, ObjectFault
from app.core.tasks import TaskOwner
from app.room.hooks import finish, run_hook
from app.room.instance import ClassTraits
from app.sdk import DurableObject
from tests.unit.room.objects import Counter, PlainCounter, Probe, Script

_tasks = TaskOwner("test")


def test_which_hooks_a_class_has_is_found_out_once() -> None:
    assert ClassTraits.of(DurableObject) == ClassTraits(
        plain_message=True,
        hears_close=False,
        hears_error=False,
        hears_evict=False,
        hears_alarm=False,
        hears_restore=False,
        wakes_on_close=True,
    )
    assert ClassTraits.of(Counter).plain_message is False
    assert ClassTraits.of(PlainCounter).plain_message is True
    assert ClassTraits.of(Script).hears_close is True
    assert ClassTraits.of(Probe).hears_evict is True


def test_a_class_says_whether_it_is_woken_for_a_closed_socket() -> None:
    class Sleepy(DurableObject):
        wakes_on_close = False

    assert ClassTraits.of(Sleepy).wakes_on_close is False


async def test_a_hook_gives_a_value_or_something_to_await() -> None:
    async def later() -> int:
        return 2

    assert [await finish(1), await finish(later())] == [1, 2]


async def test_a_hook_that_takes_too_long_is_cut_off() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(EventTimedOut):
        await run_hook(lambda: future, timeout_seconds=0.0)


async def test_a_hook_that_waits_for_something_cancelled_has_failed() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    with pytest.raises(ObjectFault, match="was cancelled"):
        await run_hook(lambda: future, timeout_seconds=5.0)


async def test_whoever_runs_a_hook_may_be_cancelled() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = _tasks.start(run_hook(lambda: future, timeout_seconds=5.0), name="hook")
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_a_hook_raises_goes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_hook(lambda: 1 / 0, timeout_seconds=5.0)
