"""Lines are told while their work goes on, kept while nobody reads them, and end with the work."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.errors import StoreUnavailable
from app.core.tasks import TaskOwner
from app.web.admin.line_spool import Tell, told_lines

LINE = {"n": "x" * 100}


@pytest.fixture
async def tasks() -> AsyncIterator[TaskOwner]:
    owner = TaskOwner("spool")
    yield owner
    assert not len(owner), "work goes on that nobody waits for"
    await owner.close()


async def test_a_line_can_be_read_while_the_work_goes_on(tasks: TaskOwner) -> None:
    go_on = asyncio.Event()

    async def work(tell: Tell) -> None:
        tell({"n": 1})
        await go_on.wait()
        tell({"n": 2})

    lines = told_lines(work, tasks)
    async with asyncio.timeout(10):
        assert await anext(lines) == b'{"n":1}\n'
        go_on.set()
        assert [piece async for piece in lines] == [b'{"n":2}\n']


async def test_the_work_does_not_wait_for_its_reader(tasks: TaskOwner) -> None:
    over = asyncio.Event()

    async def work(tell: Tell) -> None:
        for _ in range(30_000):  # beyond what is kept in memory
            tell(LINE)
        over.set()

    lines = told_lines(work, tasks)
    async with asyncio.timeout(20):
        first = await anext(lines)
        await over.wait()
        rest = [piece async for piece in lines]
    assert b"".join([first, *rest]).count(b"\n") == 30_000


async def test_what_the_work_raises_comes_after_all_that_it_told(tasks: TaskOwner) -> None:
    async def work(tell: Tell) -> None:
        tell({"n": 1})
        raise StoreUnavailable

    lines = told_lines(work, tasks)
    assert await anext(lines) == b'{"n":1}\n'
    with pytest.raises(StoreUnavailable):
        await anext(lines)


async def test_closing_the_lines_ends_the_work(tasks: TaskOwner) -> None:
    ended = asyncio.Event()

    async def work(tell: Tell) -> None:
        tell({"n": 1})
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    lines = told_lines(work, tasks)
    await anext(lines)
    await lines.aclose()
    assert ended.is_set()
