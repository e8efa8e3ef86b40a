"""Bytes from one producer to one consumer."""

import asyncio

import pytest

from app.core.errors import LinkBroken
from app.core.pipes import PIPE_BYTES, BytePipe
from tests.unit.cluster.calling import start


async def rest(pipe: BytePipe) -> list[bytes]:
    return [piece async for piece in pipe]


async def turn() -> None:
    """Let what is ready run."""
    for _ in range(3):
        await asyncio.sleep(0)  # noqa: TID251 - no time passes


async def test_pieces_come_in_order_and_then_the_end() -> None:
    pipe = BytePipe()
    pipe.push(b"a")
    pipe.push(b"")
    pipe.push(b"b")
    pipe.finish()
    pipe.push(b"never")
    assert await rest(pipe) == [b"a", b"b"]
    assert await rest(pipe) == []


async def test_the_consumer_waits_for_the_next_piece() -> None:
    pipe = BytePipe()
    waiting = start(anext(pipe))
    await turn()
    assert not waiting.done()
    pipe.push(b"a")
    assert await waiting == b"a"


async def test_an_end_that_is_no_good_end_comes_after_what_was_sent() -> None:
    pipe = BytePipe()
    pipe.push(b"a")
    pipe.fail(LinkBroken())
    pipe.finish()
    assert await anext(pipe) == b"a"
    for _ in range(2):
        with pytest.raises(LinkBroken):
            await anext(pipe)


async def test_what_may_not_be_told_any_more_is_dropped_even_behind_a_good_end() -> None:
    pipe = BytePipe()
    pipe.push(b"secret")
    pipe.finish()
    pipe.fail(LinkBroken(), at_once=True)
    assert pipe.waiting_bytes == 0
    with pytest.raises(LinkBroken):
        await anext(pipe)


async def test_the_producer_waits_while_too_much_was_not_taken() -> None:
    taken: list[int] = []
    pipe = BytePipe(taken=taken.append)
    await pipe.has_room()
    pipe.push(bytes(PIPE_BYTES - 1))
    await pipe.has_room()
    pipe.push(b"x")
    waiting = start(pipe.has_room())
    await turn()
    assert not waiting.done()
    await anext(pipe)
    await waiting
    assert taken == [PIPE_BYTES - 1]


@pytest.mark.parametrize("way", ["finish", "fail", "close"])
async def test_nobody_waits_after_the_end(way: str) -> None:
    pipe = BytePipe()
    pipe.push(bytes(PIPE_BYTES))
    waiting = start(pipe.has_room())
    await turn()
    if way == "fail":
        pipe.fail(LinkBroken())
    else:
        getattr(pipe, way)()
    await waiting


async def test_a_consumer_that_leaves_is_told_to_the_producer_once() -> None:
    left: list[str] = []
    pipe = BytePipe(left=lambda: left.append("left"))
    pipe.push(b"a")
    pipe.close()
    await pipe.aclose()
    pipe.push(b"b")
    assert pipe.over
    assert pipe.waiting_bytes == 0
    assert left == ["left"]
    assert await rest(pipe) == []


async def test_a_consumer_that_waits_hears_that_nothing_more_is_wanted() -> None:
    pipe = BytePipe()
    waiting = start(rest(pipe))
    await turn()
    pipe.close()
    assert await waiting == []


async def test_leaving_after_the_end_is_nothing_to_tell() -> None:
    left: list[str] = []
    pipe = BytePipe(left=lambda: left.append("left"))
    pipe.finish()
    pipe.close()
    assert left == []
