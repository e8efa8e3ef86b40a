"""Calls of objects: what can be called, what travels, and what comes back when it fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from app.cluster.namespaces import make_mount
from app.core.errors import (
    CallRefused,
    LeaseLost,
    LinkBroken,
    MethodUnknown,
    NamespaceClassInvalid,
    ObjectFault,
    Overloaded,
    OwnershipLost,
    RoomAborted,
    StateroomError,
    StoreUnavailable,
)
from app.sdk import DurableObject
from app.testing.harness import ObjectHarness
from tests.conformance.verdicts import differs, not_offered
from tests.unit.cluster.calling import Node, reset, start


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    reset()
    async with ObjectHarness({"node": Node}) as made:
        yield made


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("nothing", "no method"),
        ("plain", "no coroutine"),
        ("on_request", "hook"),
        ("on_start", "hook"),
        ("on_whatever", "hook"),
        ("check_settings", "hook"),
        ("ctx", "no method"),
        ("log", "no coroutine"),
        ("_hidden", None),
        ("__class_getitem__", None),
    ],
)
async def test_225_what_is_no_method_for_others_is_refused_and_wakes_nobody(
    harness: ObjectHarness, method: str, reason: str | None
) -> None:
    """Public coroutine methods can be called; hooks, private names and attributes cannot."""
    stub = harness.stub("node", "a")
    with pytest.raises(AttributeError if reason is None else MethodUnknown, match=reason or method):
        getattr(stub, method)()
    assert harness.live_room("node", "a") is None
    assert await stub.add(1) == 1


@differs("a class without the base class is refused when the service starts, for HTTP too")
def test_226_a_class_without_the_base_class_is_not_mounted() -> None:
    """A class without the base class answers HTTP, and a call of it is a TypeError."""

    class Bare:
        def on_request(self) -> None: ...

    with pytest.raises(NamespaceClassInvalid, match=r"Bare.*not a subclass of .*DurableObject"):
        make_mount("bare", Bare, {})


class Shelf(DurableObject):
    """An object with the plainest of method names."""

    async def put(self, value: int) -> None:
        self.value: int | None = value

    async def get(self) -> int | None:
        return self.value

    async def delete(self) -> None:
        self.value = None


async def test_227_get_put_and_delete_are_ordinary_names() -> None:
    """Methods may be called `get`, `put` and `delete`."""
    async with ObjectHarness({"shelf": Shelf}) as harness:
        stub = harness.stub("shelf", "a", Shelf)
        await stub.put(4)
        assert await stub.get() == 4
        await stub.delete()
        assert await stub.get() is None


async def test_228_arguments_and_results_are_copies_with_their_types(
    harness: ObjectHarness,
) -> None:
    """Arguments and results are copies, in the same process too."""
    inner = [1, 2]
    value = {
        "bytes": b"\x00",
        "when": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        "set": {1, 2},
        "nested": inner,
        "no": None,
    }
    back = await harness.stub("node", "a").echo(value)
    assert back == value
    assert back["nested"] is not inner

    async def keep(node: Node) -> Any:
        stub, mine = node.other("b"), [1]
        theirs = await stub.echo(mine)
        return theirs == mine and theirs is not mine

    Node.steps = {"keep": keep}
    assert await harness.stub("node", "a").do("keep") is True


async def test_229_what_cannot_travel_is_refused_before_anything_is_sent(
    harness: ObjectHarness,
) -> None:
    """An argument that cannot travel is a TypeError at the caller, and nothing is sent."""
    with pytest.raises(TypeError, match=r"the arguments of echo cannot travel: .*object"):
        _ = harness.stub("node", "a").echo(object())
    with pytest.raises(CallRefused, match="limit"):
        _ = harness.stub("node", "a").echo(bytes(33 << 20))
    with pytest.raises(CallRefused, match="takes a Request"):
        _ = harness.stub("node", "a").fetch("/x")  # type: ignore[arg-type]  # that is the point
    assert harness.live_room("node", "a") is None


class Short(Exception):
    """An author's exception with something to say to whoever called."""

    retryable = True

    def __init__(self, missing: int, **more: Any) -> None:
        super().__init__(f"{missing} are missing")
        self.missing = missing
        self._account = "secret"
        vars(self).update(more)


async def test_230_an_exception_arrives_by_class_text_flags_and_attributes(
    harness: ObjectHarness,
) -> None:
    """An exception reaches the caller by class name, text and attributes, without its trace."""
    when = datetime(2026, 1, 2, tzinfo=UTC)

    async def run_short(_node: Node) -> None:
        raise Short(7, when=when, open={1}, strange=object(), large=bytes(1 << 20))

    Node.steps = {"short": run_short}
    stub = harness.stub("node", "a")
    with pytest.raises(ObjectFault, match="Short: 7 are missing") as caught:
        await stub.do("short")
    error = caught.value
    assert (error.class_name, error.message) == ("Short", "7 are missing")
    assert error.attributes == {"missing": 7, "when": when, "open": {1}}
    assert (error.remote, error.object_id) == (True, str(stub.id))
    assert (error.retryable, error.overloaded, error.reset) == (True, False, False)
    assert (error.__cause__, error.__context__) == (None, None)
    assert "run_short" not in repr(vars(error))
    with pytest.raises(ObjectFault) as plain:
        await harness.stub("node", "b").fail("luck")
    assert plain.value.attributes == {}
    assert not plain.value.retryable
    with pytest.raises(RoomAborted, match="told by another") as ours:
        await harness.stub("node", "c").fail("aborted")
    assert (ours.value.remote, ours.value.reset) == (True, True)


def _abort(harness: ObjectHarness) -> None:
    room = harness.live_room("node", "a")
    assert room is not None
    room.abort(RoomAborted("as told"))


@pytest.mark.parametrize(
    ("error", "flags"),
    [
        (LinkBroken, "retryable reset"),
        (StoreUnavailable, "retryable"),
        (OwnershipLost, "retryable reset"),
        (LeaseLost, "retryable reset"),
        (Overloaded, "overloaded"),
        (RoomAborted, "retryable reset"),
    ],
)
async def test_231_faults_of_the_infrastructure_say_what_they_are(
    harness: ObjectHarness, error: type[StateroomError], flags: str
) -> None:
    """A lost connection is retryable, too much is overloaded and not retryable, a reset says so."""

    async def run_into(_node: Node) -> None:
        raise error

    Node.steps = {"go": run_into}
    with pytest.raises(error) as caught:
        await harness.stub("node", "a").do("go")
    told = caught.value
    known = ("retryable", "overloaded", "reset")
    assert [flag for flag in known if getattr(told, flag)] == flags.split()


@differs("a stub stands for the object, so after a reset its next call reaches the next instance")
async def test_232_a_stub_outlives_a_reset_of_its_object(harness: ObjectHarness) -> None:
    """A stub whose call failed by a reset keeps failing with that error; a new stub works."""
    gate = harness.stub("node", "a")
    Node.gates = {"gate": asyncio.Event()}
    waiting = start(gate.wait("gate"))
    await harness.settle()
    _abort(harness)
    with pytest.raises(RoomAborted, match="as told") as caught:
        await waiting
    assert caught.value.reset
    assert await gate.add(1) == 1
    assert await harness.stub("node", "a").add(1) == 2
    Node.gates["gate"].set()
    await harness.settle()


@not_offered("attributes are read by methods: a stub's attribute is always a method")
async def test_233_an_attribute_cannot_be_awaited(harness: ObjectHarness) -> None:
    """An attribute or property of the object can be awaited."""
    attribute: Callable[[], Any] = harness.stub("node", "a").steps
    with pytest.raises(TypeError, match="await"):
        await attribute  # type: ignore[misc]  # that is the point
    with pytest.raises(MethodUnknown, match="no coroutine"):
        attribute()
    assert harness.live_room("node", "a") is None
