"""A task that is timed behaves as one that is not."""

import asyncio
import inspect
from typing import Any

import pytest

from app.core.ids import ObjectIds
from app.core.tasks import TaskOwner
from app.core.workshop import breathe
from app.room import metered as metered_module
from app.room.meter import Meter
from app.room.metered import Metered


@pytest.fixture
def meter() -> Meter:
    return Meter(ObjectIds(b"test").from_name("test", "one"), 0)


async def run(work: Metered) -> Any:
    return await TaskOwner("test").start(work, name="work")


async def test_it_returns_what_the_work_returns_and_adds_its_time(meter: Meter) -> None:
    async def work() -> str:
        await breathe()
        sum(range(100_000))
        return "done"

    assert await run(Metered(work(), meter)) == "done"
    assert 0 < meter.cpu_ns <= meter.wall_ns


async def test_time_in_which_it_waits_is_no_cpu_time(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0
    monkeypatch.setattr(metered_module, "busy_ns", lambda: now)
    woken = asyncio.Event()

    async def work() -> None:
        nonlocal now
        now += 5
        await woken.wait()
        now += 7

    task = TaskOwner("test").start(Metered(work(), meter), name="work")
    await breathe()
    now += 1_000
    woken.set()
    await task
    assert (meter.cpu_ns, meter.wall_ns) == (12, 1_012)


async def test_it_raises_what_the_work_raises(meter: Meter) -> None:
    async def work() -> None:
        await breathe()
        raise KeyError("x")

    with pytest.raises(KeyError):
        await run(Metered(work(), meter))


async def test_the_work_hears_that_it_is_cancelled_and_may_clean_up(meter: Meter) -> None:
    heard: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await breathe()
            heard.append("cancelled")

    task = TaskOwner("test").start(Metered(work(), meter), name="work")
    await breathe()
    task.cancel()
    await asyncio.wait([task])
    assert heard == ["cancelled"]
    assert task.cancelled()


async def test_what_it_waits_for_may_fail_and_the_work_goes_on(meter: Meter) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            await future
        except ValueError:
            return "went on"
        return "no"

    task = TaskOwner("test").start(Metered(work(), meter), name="work")
    await breathe()
    future.set_exception(ValueError())
    assert await task == "went on"


async def test_a_deadline_inside_of_it_works(meter: Meter) -> None:
    async def work() -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await run(Metered(work(), meter))


async def test_work_that_is_never_run_to_its_end_is_closed(meter: Meter) -> None:
    closed: list[str] = []

    async def work() -> None:
        try:
            await breathe()
        finally:
            closed.append("closed")

    coroutine = Metered(work(), meter)
    coroutine.send(None)
    coroutine.close()
    assert closed == ["closed"]


async def test_a_task_that_is_cancelled_before_its_first_step_closes_the_work(meter: Meter) -> None:
    async def work() -> None:
        """Never begun; that nobody awaited it would be a warning, and warnings are errors."""

    coroutine = work()
    task = TaskOwner("test").start(Metered(coroutine, meter), name="work")
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
