"""Answers that go on when their event is over: gates, units, back-pressure and every end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from app.core.errors import CallRefused, ObjectFault, RoomAborted, StateroomError
from app.core.pipes import PIPE_BYTES, BytePipe
from app.core.values import CommitResult
from app.sdk import DurableObject, Request, Response
from app.testing.harness import ObjectHarness
from tests.unit.cluster.calling import start


class Teller(DurableObject):
    """Answers with what the path says, piece by piece."""

    go: ClassVar[asyncio.Event]
    log: ClassVar[list[str]]

    async def on_start(self) -> None:
        self.number: int = await self.ctx.storage.get("number", 0)

    def on_request(self, request: Request) -> Response:
        tell = getattr(self, request.path.removeprefix("/"))
        return Response(status=203, headers={"x-kind": "stream"}, body=tell(), media_type=None)

    async def count(self) -> AsyncIterator[str]:
        try:
            for _ in range(3):
                self.number += 1
                self.ctx.storage.put("number", self.number)
                yield f"{self.number} "
                await self.go.wait()
        finally:
            self.log.append("closed")
            self.ctx.storage.put("closed", "yes")

    async def fail(self) -> AsyncIterator[bytes]:
        self.ctx.storage.put("number", 1)
        yield b"good"
        await self.go.wait()
        self.ctx.storage.put("number", 2)
        raise ValueError("a secret")

    async def odd(self) -> AsyncIterator[Any]:
        yield 7

    async def flood(self) -> AsyncIterator[bytes]:
        while True:
            self.number += 1
            yield bytes(100_000)

    async def stubborn(self) -> AsyncIterator[str]:
        while True:
            yield "x"
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.log.append("ignored")

    async def add(self, amount: int) -> int:
        self.number += amount
        self.ctx.storage.put("number", self.number)
        if amount < 0:
            raise ValueError
        return self.number


class Interleaving(Teller):
    """The same, with several events at once."""

    interleave: ClassVar[bool] = True


@pytest.fixture
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[ObjectHarness]:
    """A worker whose class serves one event at a time, or several."""
    Teller.go = asyncio.Event()
    Teller.log = []
    async with ObjectHarness({"teller": getattr(request, "param", Teller)}) as made:
        yield made


both_modes = pytest.mark.parametrize("harness", [Teller, Interleaving], indirect=True)


async def begin(harness: ObjectHarness, path: str, method: str = "GET") -> BytePipe:
    response = await harness.request("teller", "a", Request(path=f"/{path}", method=method))
    assert (response.status, response.headers) == (203, {"x-kind": "stream"})
    assert isinstance(response.body, BytePipe)
    return response.body


@both_modes
async def test_the_event_is_over_when_the_response_is_returned(harness: ObjectHarness) -> None:
    body = await begin(harness, "count")
    assert await anext(body) == b"1 "
    assert await harness.stub("teller", "a", Teller).add(10) == 11
    Teller.go.set()
    assert [piece async for piece in body] == [b"12 ", b"13 "]
    await harness.settle()
    assert Teller.log == ["closed"]
    assert harness.contents("teller", "a") == {"number": 13, "closed": "yes"}


@both_modes
async def test_a_piece_leaves_when_what_was_written_before_it_is_committed(
    harness: ObjectHarness,
) -> None:
    await harness.room("teller", "a")
    harness.committer.hold()
    body = await begin(harness, "count")
    first = start(anext(body))
    await harness.settle()
    assert not first.done()
    harness.committer.release()
    assert await first == b"1 "
    body.close()


async def test_steps_do_not_mix_into_the_unit_of_an_event(harness: ObjectHarness) -> None:
    """An event that raises undoes what is its own; the answer ends with the instance."""
    body = await begin(harness, "count")
    assert await anext(body) == b"1 "
    with pytest.raises(ObjectFault):
        await harness.stub("teller", "a", Teller).add(-5)
    with pytest.raises(RoomAborted, match="over"):
        await anext(body)
    await harness.settle()
    assert harness.contents("teller", "a") == {"number": 1}


async def test_what_raises_undoes_its_step_and_breaks_the_answer(harness: ObjectHarness) -> None:
    body = await begin(harness, "fail")
    assert await anext(body) == b"good"
    Teller.go.set()
    with pytest.raises(ObjectFault) as caught:
        await anext(body)
    assert caught.value.class_name == "ValueError"
    await harness.settle()
    assert harness.contents("teller", "a") == {"number": 1}
    assert harness.counted["object_faults"] == 1


@both_modes
async def test_a_piece_that_is_no_piece_is_a_fault(harness: ObjectHarness) -> None:
    with pytest.raises(ObjectFault, match="bytes or text, not int"):
        await anext(await begin(harness, "odd"))


@both_modes
async def test_an_iterator_waits_for_a_client_that_takes_nothing(harness: ObjectHarness) -> None:
    body = await begin(harness, "flood")
    await harness.settle()
    room = harness.live_room("teller", "a")
    assert room is not None
    made = room._residence.instance.number  # type: ignore[union-attr]  # it lives
    assert body.waiting_bytes < PIPE_BYTES + 200_000
    await anext(body)
    await harness.settle()
    assert room._residence.instance.number - made <= 1  # type: ignore[union-attr]  # it lives
    body.close()


@both_modes
async def test_a_client_that_is_gone_closes_the_iterator_in_a_step_of_its_own(
    harness: ObjectHarness,
) -> None:
    body = await begin(harness, "count")
    await anext(body)
    body.close()
    await harness.settle()
    assert Teller.log == ["closed"]
    assert harness.contents("teller", "a") == {"number": 1, "closed": "yes"}
    room = harness.live_room("teller", "a")
    assert room is not None
    assert room.idle


@both_modes
async def test_an_iterator_that_ignores_that_its_client_is_gone_is_asked_for_no_more(
    harness: ObjectHarness,
) -> None:
    body = await begin(harness, "stubborn")
    await anext(body)
    await harness.settle()
    body.close()
    await harness.settle()
    assert Teller.log == ["ignored"]
    assert nothing_is_sent(harness)


async def test_an_iterator_that_ignores_the_end_of_its_instance_is_asked_for_no_more(
    harness: ObjectHarness,
) -> None:
    body = await begin(harness, "stubborn")
    await anext(body)
    await harness.settle()
    with pytest.raises(ObjectFault):
        await harness.stub("teller", "a", Teller).add(-5)
    await harness.settle()
    assert Teller.log == ["ignored"]
    assert nothing_is_sent(harness)


def nothing_is_sent(harness: ObjectHarness) -> bool:
    """Whether no answer is on its way."""
    room = harness.live_room("teller", "a")
    assert room is not None
    return len(room.calls.streams) == 0


@both_modes
async def test_an_answer_keeps_its_object_awake(harness: ObjectHarness) -> None:
    body = await begin(harness, "count")
    await anext(body)
    await harness.advance(200.0)
    room = harness.live_room("teller", "a")
    assert room is not None
    assert room.awake
    body.close()
    await harness.advance(200.0)
    assert harness.live_room("teller", "a") is None


@both_modes
@pytest.mark.parametrize("end", ["abort", "commit", "drain"])
async def test_the_end_of_the_room_is_no_good_end(harness: ObjectHarness, end: str) -> None:
    body = await begin(harness, "count")
    await anext(body)
    room = harness.live_room("teller", "a")
    assert room is not None
    if end == "abort":
        room.abort(RoomAborted("as told"))
    elif end == "commit":
        harness.committer.fail_next(CommitResult.LOST)
        Teller.go.set()
    else:
        await harness.registry.drain(deadline_seconds=5)
    with pytest.raises(StateroomError):
        [_ async for _ in body]
    await harness.settle()
    assert Teller.log == ["closed"]


@both_modes
async def test_head_has_no_body(harness: ObjectHarness) -> None:
    request = Request(path="/count", method="HEAD")
    response = await harness.request("teller", "a", request)
    assert response.body == b""
    assert Teller.log == []


@both_modes
async def test_an_object_that_asks_gets_the_whole_body(harness: ObjectHarness) -> None:
    Teller.go.set()
    response = await harness.stub("teller", "a").fetch(Request(path="/count"))
    assert response.body == b"1 2 3 "
    with pytest.raises(CallRefused, match="over"):
        await harness.stub("teller", "a").fetch(Request(path="/flood"))


@both_modes
async def test_a_room_takes_only_so_many_answers_at_once(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.room.response_streams._STREAMS", 1)
    body = await begin(harness, "count")
    with pytest.raises(StateroomError, match="1 answers already"):
        await begin(harness, "count")
    body.close()
