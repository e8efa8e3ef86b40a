"""Objects become what they were: by their rows, or as their class wants it."""

import asyncio

import pytest

from app.cluster.namespaces import make_mount
from app.cluster.restoring import Restored, Restoring
from app.core.errors import BookmarkExpired, BookmarkUnknown, ConfigurationInvalid, Unsupported
from app.core.history import HistoryRule
from app.sdk import AlarmInfo, DurableObject, Past, Request, Response
from app.testing.clock import FakeClock
from app.testing.driving import turn
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryDatabase

KEPT = HistoryRule(seconds=86_400, size_bytes=1 << 30, without=frozenset({"bare"}))


class Notes(DurableObject):
    """Keeps what it is told, and in memory how much that is."""

    async def on_start(self) -> None:
        self.notes = len(await self.ctx.storage.list())
        self.ctx.broadcast(f"started with {self.notes}")

    async def on_request(self, request: Request) -> Response:
        name, _, text = request.path.strip("/").partition("=")
        if name == "wipe":
            await self.ctx.storage.delete_all()
        elif name == "alarm":
            self.ctx.storage.set_alarm(self.ctx.now() + 60_000)
        elif name == "soon":
            self.ctx.storage.put("soon", 1, expires_at=self.ctx.now() + 1_000)
        elif text:
            self.ctx.storage.put(name, text)
        self.notes = len(await self.ctx.storage.list())
        return Response(body=str(self.notes))

    def on_alarm(self, info: AlarmInfo) -> None:
        self.ctx.log("rung", name=info.name)


class Interleaved(Notes):
    interleave = True


class Merging(Notes):
    """Writes the past as new rows, beside what came later."""

    async def on_restore(self, past: Past) -> None:
        for key, value in (await past.list()).items():
            self.ctx.storage.put(f"again {key}", value)
        assert await past.get("a") == "1"
        assert await past.get("b", "none") == "none"
        assert [entry async for entry in past.stream(prefix="a")] == [("a", "1")]
        assert list(await past.list(reverse=True, limit=1)) == ["a"]
        self.ctx.broadcast(f"restored {past.bookmark}")


class Failing(Notes):
    async def on_restore(self, past: Past) -> None:
        self.ctx.storage.put("half", past.bookmark)
        raise RuntimeError("no")


class Stage:
    """One object in a harness that keeps history."""

    def __init__(self, harness: ObjectHarness, namespace: str) -> None:
        self.harness = harness
        self.namespace = namespace
        self.object_id = harness.object_id(namespace, "a")
        self.restoring = Restoring(harness.steering, harness.registry.namespaces)
        self.history = harness._ports.history

    async def say(self, text: str) -> None:
        await self.harness.request(self.namespace, "a", Request(path=f"/{text}"))

    async def bookmark(self) -> str:
        stand = await self.history.stand(self.object_id)
        assert stand is not None
        return stand.bookmark(stand.commit_seq)

    async def restore(self, bookmark: str) -> Restored:
        return await self.restoring.restore(self.object_id, bookmark=bookmark)

    def rows(self) -> list[bytes]:
        return sorted(self.harness.stored(self.namespace, "a"))


CLASSES = {"notes": Notes, "interleaved": Interleaved, "merging": Merging, "failing": Failing}


@pytest.fixture
def stages() -> ObjectHarness:
    clock = FakeClock()
    bare = make_mount("bare", Notes, {"history": "off"})
    fleeting = make_mount("fleeting", Notes, {"durability": "none"})
    return ObjectHarness(
        CLASSES | {"bare": bare, "fleeting": fleeting},
        database=MemoryDatabase(clock, history=KEPT),
        clock=clock,
    )


@pytest.mark.parametrize("namespace", ["notes", "interleaved"])
async def test_rows_are_put_back_sockets_stay_and_another_instance_starts(
    stages: ObjectHarness, namespace: str
) -> None:
    async with stages as harness:
        stage = Stage(harness, namespace)
        await stage.say("a=1")
        client = await harness.connect(namespace, "a")
        first = await stage.bookmark()
        await stage.say("b=2")
        await stage.say("a=later")
        restored = await stage.restore(first)
        await harness.settle()
        assert stage.rows() == [b"a"]
        assert client.received[-1] == "started with 1"
        assert client.closed is None
        assert restored.restored == first < restored.undo < restored.bookmark
        assert restored.bookmark == await stage.bookmark()
        await stage.restore(restored.undo)
        await harness.settle()
        assert stage.rows() == [b"a", b"b"]
        assert client.received[-1] == "started with 2"
        await stage.say("c=3")
        assert stage.rows() == [b"a", b"b", b"c"]


async def test_an_object_that_sleeps_is_restored_and_sleeps_on(stages: ObjectHarness) -> None:
    async with stages as harness:
        stage = Stage(harness, "notes")
        await stage.say("a=1")
        first = await stage.bookmark()
        await stage.say("wipe")
        room = await harness.room("notes", "a")
        await harness.settle()
        await room.hibernate()
        await stage.restore(first)
        assert not room.awake
        assert stage.rows() == [b"a"]


async def test_a_class_of_its_own_mind_writes_what_it_wants(stages: ObjectHarness) -> None:
    async with stages as harness:
        stage = Stage(harness, "merging")
        await stage.say("a=1")
        first = await stage.bookmark()
        await stage.say("b=2")
        client = await harness.connect("merging", "a")
        restored = await stage.restore(first)
        await harness.settle()
        assert stage.rows() == [b"a", b"again a", b"b"]
        assert client.received[-1] == f"restored {first}"
        assert restored.undo < restored.bookmark


async def test_a_restoration_that_raises_is_undone_as_a_whole(stages: ObjectHarness) -> None:
    async with stages as harness:
        stage = Stage(harness, "failing")
        await stage.say("a=1")
        with pytest.raises(Exception, match="no"):
            await stage.restore(await stage.bookmark())
        assert stage.rows() == [b"a"]


async def test_a_time_will_do(stages: ObjectHarness) -> None:
    async with stages as harness:
        stage = Stage(harness, "notes")
        for number in range(4):
            await stage.say(f"n{number}=1")
            await harness.advance(10.0)
        at_ms = harness.database.now_ms() - 25_000
        await stage.restoring.restore(stage.object_id, at_ms=at_ms)
        assert stage.rows() == [b"n0", b"n1"]
        with pytest.raises(BookmarkExpired):
            await stage.restoring.restore(stage.object_id, at_ms=at_ms - 100_000)


async def test_alarms_stay_as_they_are(stages: ObjectHarness) -> None:
    async with stages as harness:
        stage = Stage(harness, "notes")
        await stage.say("a=1")
        first = await stage.bookmark()
        await stage.say("alarm")
        due = harness.alarm("notes", "a")
        await stage.restore(first)
        assert harness.alarm("notes", "a") == due is not None


async def test_rows_that_come_back_expire_again(stages: ObjectHarness) -> None:
    async with stages as harness:
        stage = Stage(harness, "notes")
        await stage.say("soon")
        first = await stage.bookmark()
        await stage.say("wipe")
        await stage.restore(first)
        assert stage.rows() == [b"soon"]
        await harness.advance(700.0)
        await harness.settle()
        assert stage.rows() == []


async def test_what_cannot_be_told_changes_nothing(stages: ObjectHarness) -> None:
    async with stages as harness:
        stage = Stage(harness, "notes")
        await stage.say("a=1")
        room = await harness.room("notes", "a")
        for wrong in ("", "0000000000000001-00000000", "f" * 16 + (await stage.bookmark())[16:]):
            with pytest.raises(BookmarkUnknown):
                await stage.restore(wrong)
        assert room.awake
        bare = Stage(harness, "bare")
        await bare.say("a=1")
        before = await bare.bookmark()
        await bare.say("a=2")
        with pytest.raises(BookmarkExpired):
            await bare.restore(before)
        fleeting = Stage(harness, "fleeting")
        with pytest.raises(Unsupported):
            await fleeting.restore(before)


async def test_what_was_written_just_before_is_in_the_bookmark_that_undoes(
    stages: ObjectHarness,
) -> None:
    async with stages as harness:
        stage = Stage(harness, "notes")
        await stage.say("a=1")
        first = await stage.bookmark()
        harness.committer.hold()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stage.say("b=2"))
            asked = tasks.create_task(stage.restore(first))
            for _ in range(50):
                await turn()
            assert stage.rows() == [b"a"]
            harness.committer.release()
        restored = asked.result()
        assert stage.rows() == [b"a"]
        await stage.restore(restored.undo)
        assert stage.rows() == [b"a", b"b"]


def test_the_option_is_on_or_off() -> None:
    assert make_mount("notes", Notes, {}).history
    assert make_mount("notes", Notes, {"history": "on"}).history
    assert not make_mount("notes", Notes, {"history": "off"}).history
    with pytest.raises(ConfigurationInvalid, match="neither on nor off"):
        make_mount("notes", Notes, {"history": "maybe"})
