"""How sockets end, and what their object hears of it (M, 187 to 193, 200, 201, 210)."""

from collections.abc import AsyncIterator

import pytest

from app.core.sockets import NO_GOODBYE
from app.sdk import Connection, ConnectionClosed, ProtocolViolated, Request, RoomAborted
from app.testing.harness import ObjectHarness
from tests.conformance import hall
from tests.conformance.hall import Hall, closed, told
from tests.conformance.verdicts import differs
from tests.unit.room.benches import Notes, a_connection


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    hall.reset()
    async with ObjectHarness({"hall": Hall}) as made:
        yield made


async def test_187_a_close_of_the_client_is_heard_once(harness: ObjectHarness) -> None:
    """A close by the client is heard once, with its code and reason, as a clean one."""
    alice = await harness.connect("hall", "a")
    alice.leave(4001, "bye")
    alice.leave(4002, "again")
    await harness.settle()
    assert told("close") == [(4001, "bye", True)]
    assert told("error") == []


async def test_188_a_client_that_vanishes_is_heard_of_once(harness: ObjectHarness) -> None:
    """A client that went away without a close frame is heard of once: 1006, not clean."""
    alice = await harness.connect("hall", "a")
    alice.vanish()
    alice.leave()
    await harness.settle()
    assert told("close") == [(1006, "the client went away without a close frame", False)]
    assert told("close") == [tuple(NO_GOODBYE)]
    assert told("error") == []


@differs("every accepted socket has exactly one close event, so `on_close` follows `on_error`")
@pytest.mark.parametrize("raises", [False, True], ids=["heard", "raising"])
@pytest.mark.parametrize("sleeps", [False, True], ids=["awake", "asleep"])
async def test_189_a_breach_of_the_protocol_is_heard_and_then_the_end(
    harness: ObjectHarness, sleeps: bool, raises: bool
) -> None:
    """A client that breaks the protocol is heard of by `on_error` and not by `on_close`."""

    def error(_self: Hall, _connection: Connection, _error: ProtocolViolated) -> None:
        if raises:
            raise RuntimeError("as asked")

    alice = await harness.connect("hall", "a")
    if sleeps:
        await harness.rest("hall", "a")
    Hall.hooks["error"] = error
    alice.leave(1007, "invalid start byte", clean=False)
    await harness.settle()
    ((heard,),) = told("error")
    assert (heard.close_code, str(heard), heard.code) == (
        1007,
        "invalid start byte",
        "protocol_violated",
    )
    assert told("close") == [(1007, "invalid start byte", False)]
    names = [name for name, *_ in Hall.told]
    assert names.index("error") < names.index("close")


async def test_190_a_socket_that_ended_is_not_listed_even_if_its_end_could_not_be_heard(
    harness: ObjectHarness,
) -> None:
    """A socket that ended is not listed any more, also if `on_close` raised."""
    seen: list[list[str]] = []

    def close(self: Hall, _connection: Connection, *_how: object) -> None:
        seen.append([each.id for each in self.ctx.connections()])
        raise RuntimeError("as asked")

    alice = await harness.connect("hall", "a")
    await harness.connect("hall", "a")
    Hall.hooks["close"] = close
    Hall.hooks["request"] = lambda self: seen.append([each.id for each in self.ctx.connections()])
    alice.leave()
    await harness.settle()
    await harness.request("hall", "a", Request())
    assert seen == [["connection-2"], ["connection-2"]]


async def test_191_closing_a_closed_connection_is_harmless(harness: ObjectHarness) -> None:
    """The server answers a close by itself; closing again in `on_close` does nothing."""

    def close(_self: Hall, connection: Connection, *_how: object) -> None:
        connection.close(4000, "as well")
        connection.send("nobody hears this")

    Hall.hooks["close"] = close
    alice = await harness.connect("hall", "a")
    alice.leave(1000)
    await harness.settle()
    assert told("close") == [(1000, "", True)]
    assert (closed(alice), alice.take()) == (None, [])


@differs("a reason may stand without a code: the code is 1000 unless another is given")
def test_192_only_what_may_stand_in_a_close_frame_is_accepted() -> None:
    """Codes that nobody may send, reasons over 123 bytes and reasons without a code raise."""
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000):
        connection = a_connection()
        with pytest.raises(ValueError, match=str(code)):
            connection.close(code)
        assert connection.open
    connection = a_connection()
    with pytest.raises(ValueError, match="at most 123"):
        connection.close(4000, "é" * 62)
    connection.close(4000, "x" * 123)
    assert not connection.open
    plain = a_connection()
    plain.close(reason="no code")
    assert isinstance(plain._host, Notes)
    assert plain._host.staged == [(1000, "no code")]


async def test_193_a_send_after_the_objects_own_close_raises(harness: ObjectHarness) -> None:
    """Sending on a connection that the object has closed raises."""
    refused: list[bool] = []

    def message(self: Hall, connection: Connection, _text: str) -> None:
        connection.send("last words")
        connection.close(4000, "enough")
        with pytest.raises(ConnectionClosed):
            connection.send("too late")
        self.ctx.broadcast("to the others")
        refused.append(True)

    Hall.hooks["message"] = message
    alice, bob = await harness.connect("hall", "a"), await harness.connect("hall", "a")
    alice.say("x")
    await harness.settle()
    assert refused == [True]
    assert (alice.take(), closed(alice)) == (["last words"], (4000, "enough"))
    assert bob.take() == ["to the others"]


async def test_a_send_to_a_client_that_vanished_is_no_error(harness: ObjectHarness) -> None:
    kept: list[Connection] = []

    def message(self: Hall, _connection: Connection, _text: str) -> None:
        for each in kept:
            each.send("hello")
        self.ctx.broadcast("all")

    Hall.hooks["connect"] = lambda _self, connection: kept.append(connection)
    Hall.hooks["message"] = message
    alice, bob = await harness.connect("hall", "a"), await harness.connect("hall", "a")
    bob.vanish()
    alice.say("x")
    await harness.settle()
    assert alice.take() == ["hello", "all"]


async def test_a_close_that_is_undone_leaves_the_connection_to_be_sent_to(
    harness: ObjectHarness,
) -> None:
    def request(self: Hall) -> None:
        (connection,) = self.ctx.connections()
        connection.close()
        raise RuntimeError("as asked")

    kept: list[Connection] = []
    Hall.hooks["request"] = request
    Hall.hooks["connect"] = lambda _self, connection: kept.append(connection)
    Hall.hooks["message"] = lambda _self, *_rest: kept[0].send("still here")
    alice = await harness.connect("hall", "a")
    with pytest.raises(Exception, match="as asked"):
        await harness.request("hall", "a", Request())
    await harness.settle()
    alice.say("x")
    await harness.settle()
    assert (alice.take(), closed(alice)) == (["still here"], None)
    alice.vanish()
    bob = await harness.connect("hall", "a")
    bob.say("x")
    await harness.settle()
    assert closed(bob) is None, "a send to one that vanished raised"


@pytest.mark.parametrize("sleeps", [False, True], ids=["awake", "asleep"])
async def test_200_an_abort_closes_every_socket(harness: ObjectHarness, sleeps: bool) -> None:
    """Aborting an object closes all of its sockets, also while it sleeps."""
    alice, bob = await harness.connect("hall", "a"), await harness.connect("hall", "a")
    if sleeps:
        await harness.rest("hall", "a")
        room = harness.live_room("hall", "a")
        assert room is not None
        room.abort(RoomAborted())
    else:
        Hall.hooks["message"] = lambda self, *_rest: self.ctx.abort("as asked")
        alice.say("abort")
        await harness.settle()
    assert closed(alice) == closed(bob) == (1012, "room_aborted")


async def test_201_after_a_restart_clients_come_back_and_find_what_is_stored(
    harness: ObjectHarness,
) -> None:
    """When a worker stops all sockets are closed; a client that comes back finds its data."""

    async def message(self: Hall, connection: Connection, text: str) -> None:
        if text == "put":
            self.ctx.storage.put("key", "stored")
        connection.send(str(await self.ctx.storage.get("key")))

    Hall.hooks["message"] = message
    alice = await harness.connect("hall", "a")
    alice.say("put")
    await harness.settle()
    await (await harness.room("hall", "a")).leave(draining=True)
    assert closed(alice) == (1012, "service restart")
    again = await harness.connect("hall", "a")
    again.say("get")
    await harness.settle()
    assert (alice.take(), again.take()) == (["stored"], ["stored"])


@differs("the handshake is answered before `on_connect` runs, so the socket opens and is closed")
async def test_210_raising_as_a_client_comes_closes_its_socket(harness: ObjectHarness) -> None:
    """Raising while a client is let in refuses the handshake."""
    bob = await harness.connect("hall", "a")

    def connect(_self: Hall, connection: Connection) -> None:
        connection.send("never seen")
        raise RuntimeError("a secret that is for the log only")

    Hall.hooks["connect"] = connect
    alice = await harness.connect("hall", "a")
    assert (alice.take(), closed(alice)) == ([], (1011, "object_fault"))
    assert closed(bob) is None
    alice.leave(1011)
    await harness.settle()
    assert told("close") == [(1011, "", True)]
