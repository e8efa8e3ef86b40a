"""Which ends of a room let its sockets go, so that channels come back, and which close them."""

import pytest

from app.core.errors import (
    LeaseLost,
    ObjectFault,
    OwnershipLost,
    StateroomError,
    StoreUnavailable,
    WorkerLeaving,
)
from app.core.values import CommitResult
from app.room.limits import RoomLimits
from app.sdk import Connection, DurableObject
from app.testing.harness import ObjectHarness


class Speaker(DurableObject):
    """Does what it is told."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "close":
            connection.close(1012, "service restart")
        elif message == "fail":
            raise RuntimeError("as asked")
        elif message == "abort":
            self.ctx.storage.put("key", 1)
        else:
            self.ctx.broadcast(str(message))


@pytest.mark.parametrize(
    "error", [OwnershipLost(), LeaseLost(), WorkerLeaving(), StoreUnavailable()], ids=repr
)
async def test_a_room_that_is_thrown_away_for_what_passes_lets_its_sockets_go(
    error: StateroomError,
) -> None:
    async with ObjectHarness({"o": Speaker}) as harness:
        socket = await harness.connect("o", "x")
        (await harness.room("o", "x")).abort(error)
        assert socket.closed is not None
        assert socket.let_go_by_object


async def test_a_room_that_is_thrown_away_for_a_fault_of_its_code_closes_them() -> None:
    async with ObjectHarness({"o": Speaker}) as harness:
        socket = await harness.connect("o", "x")
        (await harness.room("o", "x")).abort(ObjectFault())
        assert socket.closed == (1011, "object_fault")
        assert not socket.let_go_by_object


async def test_a_room_that_drains_lets_its_sockets_go() -> None:
    async with ObjectHarness({"o": Speaker}) as harness:
        socket = await harness.connect("o", "x")
        await (await harness.room("o", "x")).leave(draining=True)
        assert socket.closed == (1012, "service restart")
        assert socket.let_go_by_object


async def test_a_refused_commit_lets_the_sockets_go() -> None:
    async with ObjectHarness({"o": Speaker}) as harness:
        socket = await harness.connect("o", "x")
        harness.committer.fail_next(CommitResult.LOST)
        socket.say("abort")
        await harness.settle()
        assert socket.closed == (1012, "ownership_lost")
        assert socket.let_go_by_object


@pytest.mark.parametrize("said", ["close", "fail"])
async def test_what_the_author_did_closes_the_socket_whatever_the_code(said: str) -> None:
    async with ObjectHarness({"o": Speaker}) as harness:
        socket = await harness.connect("o", "x")
        socket.say(said)
        await harness.settle()
        assert socket.closed is not None
        assert not socket.let_go_by_object


async def test_a_client_that_reads_too_slowly_is_closed() -> None:
    async with ObjectHarness({"o": Speaker}, limits=RoomLimits(outbox_bytes=100)) as harness:
        socket = await harness.connect("o", "x")
        socket.stall()
        for _ in range(3):
            socket.say("x" * 60)
            await harness.settle()
        assert socket.closed == (1013, "overloaded")
        assert not socket.let_go_by_object
