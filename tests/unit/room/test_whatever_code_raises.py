"""Code of an author may raise anything: its event fails, and everything else goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.errors import ObjectFault, StateroomError
from app.core.workshop import breathe
from app.room.faults import as_fault
from app.room.response_streams import collect
from app.sdk import Request, Response
from tests.conformance.gate_stage import Call, Stage, StageHarness

pytestmark = pytest.mark.parametrize("kind", ["plain", "free"])


class Odd(BaseException):
    """No Exception, like what leaves code that wants to end the program."""


WHATEVER = pytest.mark.parametrize("raised", [Odd, GeneratorExit, KeyboardInterrupt, SystemExit])


@pytest.fixture
async def harness() -> AsyncIterator[StageHarness]:
    async with StageHarness() as made:
        yield made


async def _read(self: Stage) -> Any:
    return await self.storage.get("written")


async def _fault_of(harness: StageHarness, call: Call) -> StateroomError:
    await harness.settle()
    error = call.exception()
    assert isinstance(error, StateroomError)
    return error


@WHATEVER
@pytest.mark.parametrize("later", [False, True])
async def test_an_event_that_raises_no_exception_fails_like_any_other(
    harness: StageHarness, kind: str, raised: type[BaseException], *, later: bool
) -> None:
    async def fail(self: Stage) -> None:
        self.storage.put("written", 1)
        if later:
            await breathe()
        raise raised("why")

    Stage.steps = {"fail": fail, "read": _read}
    await harness.ready(kind)
    fault = await _fault_of(harness, harness.run(kind, "fail"))
    assert isinstance(fault, ObjectFault)
    assert (fault.class_name, fault.message) == (raised.__name__, "why")
    assert await harness.run(kind, "read") == (None if kind == "plain" else 1)


@WHATEVER
async def test_a_plain_message_hook_may_raise_anything(
    harness: StageHarness, kind: str, raised: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: Stage, _connection: Any, _message: Any) -> None:
        raise raised("why")

    monkeypatch.setattr(Stage, "on_message", fail)
    Stage.steps = {"read": _read}
    alice = await harness.connect(kind, "a")
    alice.say("x")
    await harness.settle()
    assert alice.closed is not None
    assert alice.closed[0] == 1011
    assert await harness.run(kind, "read") is None


@WHATEVER
async def test_a_constructor_may_raise_anything(
    harness: StageHarness, kind: str, raised: type[BaseException]
) -> None:
    def fail(_self: Stage) -> None:
        raise raised("why")

    Stage.steps = {"init": fail, "read": _read}
    await _fault_of(harness, harness.run(kind, "read"))
    del Stage.steps["init"]
    reading = harness.run(kind, "read")
    await harness.settle()
    harness.clock.advance(60)  # the pause after a fault
    assert await reading is None


@WHATEVER
async def test_work_beside_the_events_may_raise_anything(
    harness: StageHarness, kind: str, raised: type[BaseException]
) -> None:
    async def work() -> None:
        await breathe()
        raise raised("why")

    async def begin(self: Stage) -> None:
        self.ctx.wait_until(work())

    Stage.steps = {"begin": begin, "read": _read}
    await harness.ready(kind)
    await harness.run(kind, "begin")
    await harness.settle()
    assert Stage.starts == 1
    assert await harness.run(kind, "read") is None


@WHATEVER
async def test_a_section_that_raises_anything_resets_its_object(
    harness: StageHarness, kind: str, raised: type[BaseException]
) -> None:
    async def section() -> None:
        await breathe()
        raise raised("why")

    async def begin(self: Stage) -> None:
        await self.ctx.block_concurrency_while(section)

    Stage.steps = {"begin": begin, "read": _read}
    await harness.ready(kind)
    assert (await _fault_of(harness, harness.run(kind, "begin"))).reset
    assert await harness.run(kind, "read") is None


@WHATEVER
async def test_a_streamed_answer_may_raise_anything(
    harness: StageHarness, kind: str, raised: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"piece"
        raise raised("why")

    async def answer(_self: Stage, _request: Request) -> Response:
        return Response(body=pieces())

    monkeypatch.setattr(Stage, "on_request", answer)
    Stage.steps = {"read": _read}
    room = await harness.room(kind, "a")
    response, _ = await room.request(Request(method="GET", path="/"))
    assert not isinstance(response.body, bytes | str)
    with pytest.raises(ObjectFault):
        await collect(response.body, limit_bytes=100)
    assert await harness.run(kind, "read") is None


async def test_a_group_of_tasks_in_which_the_object_aborts_itself_aborts_it(
    harness: StageHarness, kind: str
) -> None:
    async def give_up(self: Stage) -> None:
        self.ctx.abort("enough")

    async def begin(self: Stage) -> None:
        self.storage.put("written", 1)
        async with asyncio.TaskGroup() as group:
            group.create_task(give_up(self))

    Stage.steps = {"begin": begin, "read": _read}
    await harness.ready(kind)
    assert (await _fault_of(harness, harness.run(kind, "begin"))).code == "room_aborted"
    assert await harness.run(kind, "read") is None


class _NoNotes(Exception):
    def __getattr__(self, name: str) -> Any:
        raise ValueError(name)


class _NoFlag(Exception):
    @property
    def retryable(self) -> bool:
        raise ValueError


class _NoText(Exception):
    def __str__(self) -> str:
        raise SystemExit


class _NoAttributes(Exception):
    @property
    def __dict__(self) -> Any:  # type: ignore[override]  # that is the point
        raise ValueError


class _OddNames(Exception):
    def __init__(self) -> None:
        names: dict[Any, Any] = self.__dict__
        names[5] = names["\udc00"] = 1
        self.kept = 1


class _Unreadable(dict[str, int]):
    def __iter__(self) -> Any:
        raise ValueError

    items = __iter__


class _OddValues(Exception):
    def __init__(self) -> None:
        self.unreadable = _Unreadable(a=1)
        self.circle: list[Any] = []
        self.circle.append(self.circle)
        self.large = "x" * 10_000_000
        self.kept = 1


HOSTILE = (_NoNotes, _NoFlag, _NoText, _NoAttributes, _OddNames, _OddValues)


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_an_exception_that_cannot_be_asked_anything_fails_its_event_all_the_same(
    harness: StageHarness, kind: str, hostile: type[Exception]
) -> None:
    async def fail(_self: Stage) -> None:
        raise hostile

    Stage.steps = {"fail": fail, "read": _read}
    await harness.ready(kind)
    fault = await _fault_of(harness, harness.run(kind, "fail"))
    assert isinstance(fault, ObjectFault)
    assert fault.class_name == hostile.__name__
    assert await harness.run(kind, "read") is None


@pytest.mark.parametrize("hostile", [_OddNames, _OddValues])
async def test_attributes_that_can_travel_do_so_beside_others_that_cannot(
    kind: str, hostile: type[Exception]
) -> None:
    del kind
    fault = as_fault(hostile())
    assert isinstance(fault, ObjectFault)
    assert fault.attributes["kept"] == 1


class _LongCode(StateroomError):
    """An author's own."""

    code = "é" * 1_000


class _NoCode(StateroomError):
    """An author's own."""

    code = None  # type: ignore[assignment]  # that is the point


class _FlagThatRaises(StateroomError):
    """An author's own."""

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # that is the point
        raise ValueError


@pytest.mark.parametrize("own", [_LongCode, _NoCode, _FlagThatRaises])
async def test_an_error_derived_from_ours_closes_the_socket_with_a_reason_of_ours(
    harness: StageHarness, kind: str, own: type[StateroomError]
) -> None:
    async def fail(_self: Stage, _connection: Any) -> None:
        raise own

    Stage.steps = {"fail": fail}
    alice = await harness.connect(kind, "a")
    alice.say("fail")
    await harness.settle()
    assert alice.closed == (1011, "object_fault")
