"""Read by the type checker alone: what an author may write, in every way the hooks allow."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar, assert_type

from app.cluster.stubs import OutsideStubs
from app.main import EmbeddedService
from app.testing.harness import ObjectHarness
from stateroom import (
    CallDeadlock,
    Connection,
    ConnectionClosed,
    Context,
    DurableObject,
    Namespace,
    ObjectFault,
    ProtocolViolated,
    Receipt,
    Request,
    Response,
    Stub,
    Timer,
    TypedNamespace,
    as_stub,
)
from stateroom.tinybase import TinyBaseRoom


class AllCoroutines(DurableObject):
    """Every hook a coroutine function."""

    idle_seconds: ClassVar[float | None] = 5.0

    async def on_start(self) -> None:
        self.count: int = await self.ctx.storage.get("count", 0)

    async def on_connect(self, connection: Connection, request: Request) -> None:
        connection.tag(request.path)
        connection.attachment = {"from": request.client}

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send(message)
        async with self.ctx.storage.transaction() as transaction:
            await self.ctx.storage.put("count", self.count)
            existed: bool = await self.ctx.storage.delete("old")
            if existed:
                transaction.rollback()
        receipt: Receipt = await self.ctx.storage.sync()
        connection.close(4000, str(receipt))

    async def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        self.ctx.log("closed", code=code, reason=reason, clean=clean, connection=connection.id)

    async def on_request(self, request: Request) -> Response:
        rows: dict[str, Any] = await self.ctx.storage.list(prefix=request.path, limit=10)
        async for key, value in self.ctx.storage.stream(prefix="user:"):
            self.ctx.log(key, value=value)
        return Response.json(rows, status=201)

    async def on_error(self, connection: Connection, error: ProtocolViolated) -> None:
        self.ctx.log("broken", connection=connection.id, code=error.close_code)

    async def on_evict(self, reason: str) -> None:
        self.ctx.log(reason)


class AllPlain(DurableObject):
    """Every hook a plain function."""

    @classmethod
    def check_settings(cls, settings: Mapping[str, str]) -> str | None:
        return None if "colour" in settings else "say which colour"

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.timer: Timer | None = None

    def on_start(self) -> None:
        self.timer = self.ctx.call_later(1.0, self.tick)
        self.ctx.set_auto_response("ping", "pong")
        assert_type(self.ctx.get_auto_response(), tuple[str, str] | None)

    def on_connect(self, connection: Connection, request: Request) -> None:
        self.ctx.broadcast(f"{connection.id} asked for {request.query}", exclude=connection)

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.ctx.storage.put("last", message, allow_unconfirmed=True)
        for each in self.ctx.connections(all_of={"a", "b"}, any_of=["c"]):
            try:
                each.send(message)
            except ConnectionClosed:
                self.ctx.log("closed before", answered_at=each.auto_responded_at)

    def on_error(self, connection: Connection, error: ProtocolViolated) -> None:
        self.ctx.log("broken", connection=connection.id, code=error.close_code)

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def on_request(self, request: Request) -> Response:
        return Response(status=204)

    def on_evict(self, reason: str) -> None:
        del reason

    async def tick(self) -> None:
        self.ctx.broadcast(str(self.ctx.now()))


class Room(TinyBaseRoom):
    """A TinyBase room with all hooks of its own."""

    async def seed(self) -> None:
        with self.transaction():
            self.set_row("pets", "fido", {"species": "dog"})

    def on_path_id(self, path_id: str, change: int) -> None:
        self.ctx.log("path", path_id=path_id, change=change)

    def on_client_id(self, path_id: str, client_id: str, change: int) -> None:
        self.ctx.log("client", path_id=path_id, client_id=client_id, change=change)

    def on_sync_message(self, from_client_id: str, to_client_id: str, remainder: str) -> None:
        self.set_value("latest", f"{from_client_id} {to_client_id} {len(remainder)}")


class Caller(DurableObject):
    """Calls of other objects."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        rooms: Namespace = self.ctx.namespace("room")
        stub: Stub = rooms.get(rooms.id_from_string(str(rooms.new_unique_id())))
        by_name: Stub = rooms.get_by_name("a", deadline_seconds=2.5)
        total: int = await stub.add(1, twice=True)
        response: Response = await by_name.fetch(Request(path="/"))
        first, second = await asyncio.gather(stub.add(total), by_name.note(response.status))
        async with asyncio.TaskGroup() as group:
            group.create_task(stub.note(f"{first} {second}"))
        _ = stub.note(stub.name)
        try:
            await stub.note(str(stub.id))
        except CallDeadlock as error:
            self.ctx.log("deadlock", ring=error.ring)
        except ObjectFault as error:
            self.ctx.log(error.class_name, text=error.message, there=error.object_id)


class Tally(DurableObject):
    """What typed stubs are of."""

    async def add(self, amount: int, *, twice: bool = False) -> int:
        return amount * (2 if twice else 1)

    async def names(self) -> list[str]:
        return []


class TypedCaller(DurableObject):
    """Calls by stubs that have the type of their class."""

    async def on_start(self) -> None:
        tallies = self.ctx.namespace("tally", Tally)
        assert_type(tallies, TypedNamespace[Tally])
        tally = tallies.get_by_name("a", deadline_seconds=2.5)
        assert_type(tally, Tally)
        assert_type(await tally.add(1, twice=True), int)
        total, names = await asyncio.gather(tally.add(1), tally.names())
        assert_type(total, int)
        assert_type(names, list[str])
        assert_type(tallies.get(tallies.new_unique_id()), Tally)
        assert_type(self.ctx.namespace("tally"), Namespace)
        assert_type(self.ctx.namespace("tally").get_by_name("a"), Stub)
        assert_type((await as_stub(tally).fetch(Request())).status, int)
        _ = tally.add(1)
        tally.incremnt(1)  # type: ignore[attr-defined]  # no such method
        await tally.add("1")  # type: ignore[arg-type]  # an amount is a number
        await tally.add(1, thrice=True)  # type: ignore[call-arg]  # no such argument
        await tally.add()  # type: ignore[call-arg]  # the amount is missing
        text: str = await tally.add(1)  # type: ignore[assignment]  # a number comes back
        self.ctx.log(text)


async def from_outside(
    application: EmbeddedService, harness: ObjectHarness, stubs: OutsideStubs
) -> None:
    """The stubs of callers that are no objects."""
    for tally in (
        application.stub("tally", "a", Tally),
        harness.stub("tally", "a", Tally),
        stubs.stub("tally", "a", Tally),
        stubs.namespace("tally", Tally).get_by_name("a"),
    ):
        assert_type(tally, Tally)
        assert_type(await tally.add(1), int)
        await tally.add(None)  # type: ignore[arg-type]  # None is no amount
    for stub in (application.stub("tally", "a"), harness.stub("tally", "a")):
        assert_type(stub, Stub)
        await stub.anything_at_all(None)


async def in_tests(harness: ObjectHarness) -> None:
    """The harness takes stubs of either kind, and knows the class of a live object."""
    tally, untyped = harness.stub("tally", "a", Tally), harness.stub("tally", "a")
    for target in (tally, untyped, untyped.id):
        assert_type(await harness.run_alarm_now(target, "bill"), bool)
        await harness.evict(target)

    async def add(live: Tally, _ctx: Context) -> int:
        return await live.add(1)

    assert_type(await harness.run_in_room(tally, add), int)
    await harness.run_in_room(tally, lambda live, _ctx: live.nothing())  # type: ignore[attr-defined]  # no such method
    await harness.run_in_room(untyped, lambda live, _ctx: live.anything_at_all())
    await harness.evict("tally")  # type: ignore[arg-type]  # a name alone is no object


class Wrong(DurableObject):
    """What the type checker must refuse: the line says so, or mypy says that it is not needed."""

    def on_message(self, connection: Connection, message: str) -> None:  # type: ignore[override]  # bytes come too
        self.ctx.storage.put(7, message)  # type: ignore[arg-type]  # a key is text
        connection.send(7)  # type: ignore[arg-type]  # a message is text or bytes
        self.ctx.namespace("a").get("a")  # type: ignore[arg-type]  # an id is no text
        self.ctx.namespace("a").get_by_name("a").note()  # type: ignore[unused-coroutine]  # say `_ =`
        self.ctx.abort("now")
        self.ctx.log("never reached")  # type: ignore[unreachable]  # abort does not return

    def on_request(self, request: Request) -> str:  # type: ignore[override]  # not a Response
        return request.path
