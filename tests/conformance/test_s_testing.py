"""What tests of one's own objects can do with them (S, 262 to 266)."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import OwnedElsewhere, OwnershipLost, StateroomError
from app.sdk import Context
from app.testing.driving import Harness
from app.testing.pytest_plugin import HarnessMaker
from tests.conformance.held import Held, begin, let_go, reset
from tests.conformance.jotter import Jotter
from tests.conformance.verdicts import differs


@pytest.fixture
async def harness(object_harness: HarnessMaker) -> AsyncIterator[Harness]:
    async with object_harness({"jotter": Jotter, "held": Held}) as made:
        yield made


async def test_262_code_runs_inside_a_live_object(harness: Harness) -> None:
    """`run_in_room` gives the live instance and its state; what it raises arrives as it is."""
    stub = harness.stub("jotter", "a")
    alice = await harness.connect("jotter", "a")
    alice.say("hello")

    async def look(instance: Jotter, ctx: Context) -> list[str]:
        ctx.storage.put("seen", len(instance.words))
        return instance.words

    assert await harness.run_in_room(stub, look) == ["hello"]
    assert harness.contents("jotter", "a") == {"seen": 1}

    def fail(_instance: Jotter, ctx: Context) -> None:
        ctx.storage.put("seen", "too much")
        raise LookupError("nothing of the kind")

    with pytest.raises(LookupError, match="nothing of the kind"):
        await harness.run_in_room(stub.id, fail)
    assert harness.contents("jotter", "a") == {"seen": 1}, "it is undone like any event"


async def test_a_stub_with_a_type_tells_which_object(harness: Harness) -> None:
    stub = harness.stub("jotter", "a", Jotter)
    await stub.wake_in(3600)
    assert await harness.run_alarm_now(stub)
    assert await harness.run_in_room(stub, lambda jotter, _ctx: type(jotter)) is Jotter
    await harness.evict(stub)
    with pytest.raises(TypeError, match="by its stub or id, not by a str"):
        await harness.evict("jotter")  # type: ignore[arg-type]  # the point


async def test_263_an_alarm_runs_when_the_test_says_so(harness: Harness) -> None:
    """`run_alarm_now` runs an alarm once and is true; without one it is false."""
    stub = harness.stub("jotter", "a")
    assert not await harness.run_alarm_now(stub)
    await stub.wake_in(3600)
    assert await harness.run_alarm_now(stub)
    assert harness.contents("jotter", "a") == {"rang": "alarm"}
    assert harness.alarm("jotter", "a") is None
    assert not await harness.run_alarm_now(stub)


async def test_a_named_alarm_runs_alone(harness: Harness) -> None:
    stub = harness.stub("jotter", "a")
    await stub.wake_in(60)
    await stub.wake_in(3600, "tea")
    assert await harness.run_alarm_now(stub, "tea")
    assert harness.contents("jotter", "a") == {"rang": "tea"}
    assert harness.alarm("jotter", "a") is not None
    assert not await harness.run_alarm_now(stub, "coffee")


async def test_an_alarm_that_fails_says_how_and_stands(harness: Harness) -> None:
    stub = harness.stub("jotter", "a")
    await stub.keep("refuse", value=True)
    await stub.wake_in(60)
    with pytest.raises(RuntimeError, match="LookupError: not today"):
        await harness.run_alarm_now(stub)
    await stub.keep("refuse", value=False)
    await harness.advance(3)
    assert harness.contents("jotter", "a") == {"refuse": False, "rang": "alarm"}


async def test_an_alarm_rings_when_the_time_of_the_test_has_come(harness: Harness) -> None:
    await harness.stub("jotter", "a").wake_in(60)
    await harness.evict(harness.stub("jotter", "a"), close_sockets=True)
    await harness.advance(59)
    assert harness.contents("jotter", "a") == {}
    await harness.advance(2)
    assert harness.contents("jotter", "a") == {"rang": "alarm"}


async def test_commits_are_held_back_and_let_go(harness: Harness) -> None:
    harness.committer.hold()
    keeping = begin(harness.stub("jotter", "a").keep("key", 1))
    await harness.settle()
    assert not keeping.done()
    assert harness.contents("jotter", "a") == {}
    harness.committer.release()
    await keeping
    assert harness.contents("jotter", "a") == {"key": 1}


async def test_one_commit_fails_and_the_next_does_not(harness: Harness) -> None:
    stub = harness.stub("jotter", "a")
    harness.fail_next_commit()
    with pytest.raises(OwnershipLost):
        await stub.keep("key", 1)
    await stub.keep("other", 2)
    assert harness.contents("jotter", "a") == {"other": 2}


async def test_two_harnesses_on_one_database_are_two_workers(object_harness: HarnessMaker) -> None:
    async with object_harness({"jotter": Jotter}) as one:
        await one.stub("jotter", "a").keep("key", 1)
        two = object_harness({"jotter": Jotter}, database=one.database, node="another")
        async with two:
            assert two.contents("jotter", "a") == {"key": 1}
            with pytest.raises(OwnedElsewhere):
                await two.room("jotter", "a")
            await one.evict(one.object_id("jotter", "a"), close_sockets=True)
            await two.stub("jotter", "a").keep("key", 2)
        assert one.contents("jotter", "a") == {"key": 2}


async def test_264_the_list_of_rooms_has_those_that_stored_something(
    harness: Harness,
) -> None:
    """`list_rooms` lists the objects that have stored something, and no others."""
    await harness.room("jotter", "idle")
    await harness.stub("jotter", "b").keep("key", 1)
    await harness.stub("jotter", "a").wake_in(60)
    assert [object_id.name for object_id in harness.list_rooms("jotter")] == ["a", "b"]
    assert harness.list_rooms("held") == []


async def test_265_an_object_is_evicted_when_its_work_is_done(harness: Harness) -> None:
    """`evict` waits for what is under way, keeps sockets unless told not to, and needs a room."""
    alice = await harness.connect("jotter", "a")
    alice.say("hello")
    await harness.evict(harness.object_id("jotter", "a"))
    alice.say("again")
    await harness.settle()
    assert alice.take() == ["hello", "again"], "the instance is another, the socket is the same"
    await harness.evict(harness.stub("jotter", "a"), close_sockets=True)
    assert alice.closed is not None
    with pytest.raises(RuntimeError, match="not running"):
        await harness.evict(harness.stub("jotter", "a"))


async def test_eviction_waits_for_the_event_under_way(harness: Harness) -> None:
    reset()
    working = begin(harness.stub("held", "a").hold("work"))
    await harness.settle()
    evicting = begin(harness.evict(harness.object_id("held", "a")))
    await harness.settle()
    assert not evicting.done()
    let_go("work")
    await evicting
    assert await working == "work"


@differs("a stub is an address: it leads to the object's next instance")
async def test_266_all_objects_are_aborted_or_reset(harness: Harness) -> None:
    """`abort_all` keeps what is stored, `reset` deletes it and the alarms; both break old stubs."""
    stub = harness.stub("jotter", "a")
    await stub.keep("key", 1)
    await stub.wake_in(60)
    before = await harness.room("jotter", "a")
    alice = await harness.connect("jotter", "a")
    await harness.abort_all()
    assert (before.open, alice.closed is not None) == (False, True)
    with pytest.raises(StateroomError):
        before.life.check()
    assert harness.contents("jotter", "a") == {"key": 1}
    between = await harness.room("jotter", "a")
    await harness.reset()
    assert not between.open
    assert (harness.contents("jotter", "a"), harness.alarm("jotter", "a")) == ({}, None)
    assert harness.list_rooms("jotter") == []
    await stub.keep("key", 2)
    assert harness.contents("jotter", "a") == {"key": 2}
