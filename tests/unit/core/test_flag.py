"""The flag behaves as `asyncio.Event` does."""

import asyncio

from app.core.flag import Flag
from app.core.tasks import TaskOwner
from app.core.workshop import breathe

tasks = TaskOwner("test")


async def test_who_comes_while_it_is_set_does_not_wait() -> None:
    await Flag(up=True).wait()


async def test_all_who_wait_go_on_when_it_is_set() -> None:
    flag = Flag()
    waiting = [tasks.start(flag.wait(), name="waiting") for _ in range(3)]
    await breathe()
    assert not any(each.done() for each in waiting)
    flag.set()
    await asyncio.gather(*waiting)
    assert flag.is_set()


async def test_who_waited_goes_on_though_it_is_cleared_at_once_and_who_comes_then_waits() -> None:
    flag = Flag()
    early = tasks.start(flag.wait(), name="early")
    await breathe()
    flag.set()
    flag.clear()
    late = tasks.start(flag.wait(), name="late")
    await early
    await breathe()
    assert not late.done()
    flag.set()
    await late


async def test_one_that_gives_up_takes_nobody_else_with_it() -> None:
    flag = Flag()
    one, other = (tasks.start(flag.wait(), name="waiting") for _ in range(2))
    await breathe()
    one.cancel()
    await asyncio.wait([one])
    flag.set()
    await other
