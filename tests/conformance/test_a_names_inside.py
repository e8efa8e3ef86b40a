"""An object knows its name wherever its code runs (A, 11, 13 and 14)."""

from collections.abc import AsyncIterator, Iterator
from typing import ClassVar

import pytest
import structlog
from structlog.testing import LogCapture

from app.sdk import AlarmInfo, Connection, Context, DurableObject, Request, Response
from app.testing.harness import ObjectHarness


class Named(DurableObject):
    """Writes down the name it sees in each of its hooks."""

    seen: ClassVar[list[tuple[str, str | None]]] = []

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.note("constructor")

    def note(self, where: str) -> None:
        Named.seen.append((where, self.ctx.id.name))

    def on_start(self) -> None:
        self.note("start")

    def on_connect(self, connection: Connection, request: Request) -> None:
        self.note("connect")

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.note("message")

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        self.note("close")

    async def on_request(self, request: Request) -> Response:
        self.note("request")
        return Response()

    async def on_alarm(self, info: AlarmInfo) -> None:
        self.note("alarm")
        self.ctx.log("rang")

    def on_evict(self, reason: str) -> None:
        self.note("evict")

    async def wake_in(self, seconds: int) -> None:
        self.note("method")
        self.ctx.storage.set_alarm(self.ctx.now() + 1000 * seconds)


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Named.seen = []
    async with ObjectHarness({"named": Named}) as made:
        yield made


@pytest.fixture
def log() -> Iterator[LogCapture]:
    capture = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[capture])
    yield capture
    structlog.configure(processors=before)


async def _rest_of_the_day(harness: ObjectHarness) -> None:
    """Until the alarm: the object leaves its worker long before it rings."""
    await harness.advance(90)
    assert harness.live_room("named", "räum") is None
    Named.seen = []
    await harness.advance(40)


async def test_011_an_object_reached_by_name_sees_its_name_everywhere(
    harness: ObjectHarness,
) -> None:
    """`ctx.id.name` is the name it was reached by, in the constructor, every hook and method."""
    client = await harness.connect("named", "räum")
    client.say("hello")
    await harness.request("named", "räum", Request())
    await harness.stub("named", "räum").wake_in(2)
    await harness.advance(5)
    client.leave()
    await harness.advance(20)
    assert {where for where, _ in Named.seen} == {
        *("constructor", "start", "connect", "message", "request", "method", "alarm"),
        *("close", "evict"),
    }
    assert {name for _, name in Named.seen} == {"räum"}


async def test_013_an_alarm_that_wakes_an_object_nobody_holds_finds_its_name(
    harness: ObjectHarness, log: LogCapture
) -> None:
    """An object that an alarm wakes on a worker that did not hold it sees its name, and logs it."""
    await harness.stub("named", "räum").wake_in(120)
    await _rest_of_the_day(harness)
    assert Named.seen[:3] == [("constructor", "räum"), ("start", "räum"), ("alarm", "räum")]
    rang = [entry for entry in log.entries if entry["event"] == "rang"]
    assert [entry["object"] for entry in rang] == ["räum"]


async def test_014_an_alarm_set_by_somebody_who_knows_no_name_keeps_the_name(
    harness: ObjectHarness,
) -> None:
    """An alarm that is set when the object was reached by its id leaves the stored name alone."""
    namespace = harness.stubs.namespace("named")
    await namespace.get_by_name("räum").wake_in(1000)
    await harness.advance(70)
    nameless = namespace.get(namespace.id_from_string(str(namespace.id_from_name("räum"))))
    await nameless.wake_in(120)
    await _rest_of_the_day(harness)
    assert ("alarm", "räum") in Named.seen
