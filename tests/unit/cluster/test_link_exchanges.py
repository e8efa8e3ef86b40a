"""The two ends of a request in pieces, on links that the test moves by hand."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from app.cluster.link_errors import NotBegun, failure_meta
from app.cluster.link_exchanges import RemoteExchange, ServedExchange
from app.cluster.link_frames import FrameKind
from app.cluster.link_protocol import WINDOW_BYTES
from app.core.errors import (
    BodyBroken,
    BodyTooSlow,
    LinkBroken,
    RoomAborted,
    StateroomError,
    WorkerLeaving,
)
from app.core.pipes import BytePipe
from app.core.tasks import TaskOwner
from tests.unit.cluster.calling import start

STREAM = 3
_tasks = TaskOwner("bodies")


class Ledger:
    """A link that writes down what is asked of it; nothing is taken until the test says so."""

    def __init__(self) -> None:
        self.told: list[tuple[FrameKind, Mapping[str, Any], int]] = []
        self.credit = 0
        self.waiting = 0
        self.over: list[str] = []

    def tell(
        self, kind: FrameKind, stream: int, meta: Mapping[str, Any] | None = None, body: bytes = b""
    ) -> None:
        assert stream == STREAM
        self.told.append((kind, meta or {}, len(body)))
        self.waiting += len(body)

    def hurry(self, stream: int) -> None:
        del stream
        self.waiting = 0

    def returned(self, stream: int, count: int) -> None:
        assert stream == STREAM
        self.credit += count

    def waiting_bytes(self, stream: int) -> int:
        assert stream == STREAM
        return self.waiting

    def forget(self, stream: int) -> None:
        assert stream == STREAM
        self.over.append("forgotten")

    def give_up(self, stream: int) -> None:
        assert stream == STREAM
        self.over.append("given up")

    def fail(self, stream: int, error: StateroomError | NotBegun) -> None:
        self.tell(FrameKind.FAIL, stream, failure_meta(error))

    @property
    def kinds(self) -> list[FrameKind]:
        return [kind for kind, _, _ in self.told]


async def turn() -> None:
    """Let what is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)  # noqa: TID251 - no time passes


async def body(size: int, error: StateroomError | None = None) -> AsyncIterator[bytes]:
    yield bytes(size)
    if error is not None:
        raise error


def remote(link: Ledger, pieces: AsyncIterator[bytes] | None = None) -> RemoteExchange:
    return RemoteExchange(link, STREAM, pieces, _tasks)


async def test_a_whole_answer_ends_the_exchange() -> None:
    link = Ledger()
    exchange = remote(link)
    exchange.told(FrameKind.ANSWER, {"status": 200}, b"whole")
    assert await exchange.answer == ({"status": 200}, b"whole")
    exchange.give_up()
    assert link.over == ["forgotten"]


async def test_an_answer_in_pieces_gives_credit_as_it_is_taken() -> None:
    link = Ledger()
    exchange = remote(link)
    exchange.told(FrameKind.HEAD, {"status": 200}, b"")
    _, pipe = await exchange.answer
    assert isinstance(pipe, BytePipe)
    for piece in (b"12", b"345"):
        exchange.told(FrameKind.BINARY, {}, piece)
    assert link.credit == 0
    assert await anext(pipe) == b"12"
    assert link.credit == 2
    exchange.told(FrameKind.ANSWER, {}, b"")
    assert [piece async for piece in pipe] == [b"345"]


async def test_the_body_waits_to_be_asked_for_and_then_for_credit() -> None:
    link = Ledger()
    exchange = remote(link, body(2 * WINDOW_BYTES))
    await turn()
    assert link.told == []
    exchange.told(FrameKind.ACCEPT, {}, b"")
    exchange.told(FrameKind.ACCEPT, {}, b"")  # once is enough
    await turn()
    assert link.waiting == WINDOW_BYTES
    link.waiting = 0
    exchange.taken()
    await turn()
    assert sum(size for _, _, size in link.told) == 2 * WINDOW_BYTES
    link.waiting = 0
    exchange.taken()
    await turn()
    assert link.told[-1] == (FrameKind.BODY_END, {}, 0)


async def test_why_a_body_breaks_off_is_said() -> None:
    link = Ledger()
    exchange = remote(link, body(1, BodyTooSlow()))
    exchange.told(FrameKind.ACCEPT, {}, b"")
    await turn()
    kind, meta, _ = link.told[-1]
    assert (kind, meta["code"]) == (FrameKind.BODY_END, "body_too_slow")


async def test_an_answer_stops_the_body() -> None:
    link = Ledger()
    exchange = remote(link, body(4 * WINDOW_BYTES))
    exchange.told(FrameKind.ACCEPT, {}, b"")
    await turn()
    exchange.told(FrameKind.ANSWER, {"status": 200}, b"enough")
    sent = len(link.told)
    link.waiting = 0
    await turn()
    assert len(link.told) == sent


@pytest.mark.parametrize("begun", [True, False])
async def test_a_failure_in_place_of_an_answer(begun: bool) -> None:
    exchange = remote(Ledger())
    error = RoomAborted() if begun else NotBegun(WorkerLeaving())
    exchange.told(FrameKind.FAIL, failure_meta(error), b"")
    with pytest.raises(RoomAborted if begun else NotBegun):
        await exchange.answer


async def test_a_link_that_breaks_in_the_middle_of_an_answer_is_no_end_of_it() -> None:
    link = Ledger()
    exchange = remote(link)
    exchange.told(FrameKind.HEAD, {"status": 200}, b"")
    exchange.broken()
    _, pipe = await exchange.answer
    assert isinstance(pipe, BytePipe)
    with pytest.raises(LinkBroken):
        await anext(pipe)


async def test_a_client_that_leaves_gives_the_exchange_up() -> None:
    link = Ledger()
    exchange = remote(link)
    exchange.told(FrameKind.HEAD, {"status": 200}, b"")
    _, pipe = await exchange.answer
    assert isinstance(pipe, BytePipe)
    pipe.close()
    assert link.over == ["forgotten", "given up"]


async def test_the_object_asks_for_the_body_with_its_first_read() -> None:
    link = Ledger()
    served = ServedExchange(link, STREAM)
    reading = start(anext(served))
    await turn()
    assert link.kinds == [FrameKind.ACCEPT]
    served.told(FrameKind.BINARY, {}, b"123")
    assert await reading == b"123"
    assert link.credit == 3
    served.told(FrameKind.BODY_END, {}, b"")
    assert [piece async for piece in served] == []
    assert link.kinds == [FrameKind.ACCEPT]


async def test_the_object_waits_for_a_client_that_takes_nothing() -> None:
    link, pipe = Ledger(), BytePipe()
    served = ServedExchange(link, STREAM)
    sending = start(served.stream({"status": 200}, pipe))
    pipe.push(bytes(WINDOW_BYTES))
    pipe.push(b"more")
    await turn()
    assert link.kinds[0] is FrameKind.HEAD
    assert link.waiting == WINDOW_BYTES
    link.waiting = 0
    served.taken()
    pipe.finish()
    await sending
    assert link.told[-2:] == [(FrameKind.BINARY, {}, 4), (FrameKind.ANSWER, {}, 0)]


async def test_an_answer_that_breaks_off_overtakes_what_waits() -> None:
    link, pipe = Ledger(), BytePipe()
    served = ServedExchange(link, STREAM)
    sending = start(served.stream({"status": 200}, pipe))
    pipe.push(b"never taken")
    await turn()
    pipe.fail(RoomAborted())
    await sending
    assert link.waiting == 0
    assert link.kinds == [FrameKind.HEAD, FrameKind.BINARY, FrameKind.FAIL]


async def test_a_client_that_is_gone_ends_both_directions() -> None:
    link, pipe = Ledger(), BytePipe()
    served = ServedExchange(link, STREAM)
    sending = start(served.stream({"status": 200}, pipe))
    await turn()
    served.broken()
    await sending
    assert pipe.over
    with pytest.raises(BodyBroken, match="gone"):
        await anext(served)
