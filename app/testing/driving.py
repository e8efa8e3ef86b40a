"""What a test does with a worker: reach its objects, let time pass, look at what is stored.

`Harness` is the same on every store; `harness` stands it on the twins, `postgres_harness` on a
real database.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, TypeVar, overload

from ..cluster.ringing import ring_here
from ..core.errors import RoomAborted, StateroomError
from ..core.ids import ObjectId
from ..core.ports import ObjectStore
from ..core.storage_codec import decode_value
from ..core.values import CommitResult, DueAlarm, LiveWorker, RingOutcome
from ..room.hooks import finish
from ..room.room import Room
from ..sdk.context import Context
from ..sdk.durable_object import DurableObject
from ..sdk.messages import Request, Response
from ..sdk.namespace import ObjectT, Stub
from .sockets import MemorySocket
from .worker import DrivenCommitter, HarnessWorker

ResultT = TypeVar("ResultT")
RoomT = TypeVar("RoomT", bound=DurableObject)

Target: TypeAlias = Stub | ObjectId | DurableObject
"""Which object: a stub of it, which may have the type of its class, or its id."""

SETTLE_TURNS: Final = 50


class Harness(HarnessWorker):
    """See the module.

    Attributes:
        committer: Holds commits back (`hold`, `release`) and makes them fail (`fail_next`).
        database: Where everything is stored; give it to another harness for another worker.
        store: The port that objects read through.
    """

    committer: DrivenCommitter
    database: Any
    store: ObjectStore
    _connection_number = 0

    def object_id(self, namespace: str, name: str) -> ObjectId:
        """The id of an object."""
        return self.registry.ids.from_name(namespace, name)

    @overload
    def stub(self, namespace: str, name: str) -> Stub: ...

    @overload
    def stub(self, namespace: str, name: str, cls: type[ObjectT]) -> ObjectT: ...

    def stub(self, namespace: str, name: str, cls: type[Any] | None = None) -> Any:
        """A stub of an object, as other objects have it; its calls leave when they are made.

        With the class, it has the class's type.
        """
        return self.stubs.stub(namespace, name, cls)  # type: ignore[arg-type]  # None is no class

    async def room(self, namespace: str, name: str) -> Room:
        """The live room of an object, started if it was not."""
        return await self.registry.room(self.object_id(namespace, name))

    def live_room(self, namespace: str, name: str) -> Room | None:
        """The live room of an object, if it is in memory; nothing is started."""
        return self._live(self.object_id(namespace, name))

    async def connect(
        self, namespace: str, name: str, *, request: Request | None = None
    ) -> MemorySocket:
        """Open a socket to an object."""
        self._connection_number += 1
        socket = MemorySocket()
        sink = await self.registry.connect(
            self.object_id(namespace, name),
            request or Request(),
            socket,
            f"connection-{self._connection_number}",
        )
        socket.attach(sink)
        await self.settle()
        return socket

    async def request(self, namespace: str, name: str, request: Request) -> Response:
        """Send an HTTP request to an object."""
        room = await self.room(namespace, name)
        response, _ = await room.request(request)
        return response

    @overload
    async def run_in_room(
        self, target: Stub | ObjectId, work: Callable[[Any, Context], Awaitable[ResultT]]
    ) -> ResultT: ...

    @overload
    async def run_in_room(
        self, target: Stub | ObjectId, work: Callable[[Any, Context], ResultT]
    ) -> ResultT: ...

    @overload
    async def run_in_room(
        self, target: RoomT, work: Callable[[RoomT, Context], Awaitable[ResultT]]
    ) -> ResultT: ...

    @overload
    async def run_in_room(
        self, target: RoomT, work: Callable[[RoomT, Context], ResultT]
    ) -> ResultT: ...

    async def run_in_room(self, target: Target, work: Callable[[Any, Context], Any]) -> Any:
        """Run `work(instance, ctx)` as an event of an object, started if it was not.

        It may look at the instance and use its storage. It is an event like any other: the only
        one that runs, all or nothing, and its result comes when what it wrote is committed.

        Raises:
            Exception: What `work` raised; the event is undone.
            StateroomError: The object could not be started, or the event was not committed.
        """
        raised: list[Exception] = []

        async def hook(instance: Any) -> Any:
            try:
                return await finish(work(instance, instance.ctx))
            except Exception as error:
                raised.append(error)
                raise

        room = await self.registry.room(_id_of(target))
        try:
            return await room.asking.ask(hook)
        except StateroomError:
            if raised:
                raise raised[0] from None
            raise

    async def run_alarm_now(self, target: Target, name: str = "") -> bool:
        """Run an alarm of an object now, whenever it is due; True if there was one.

        An alarm that ran well is gone, unless its run has set it again.

        Raises:
            RuntimeError: `on_alarm` raised; the alarm stands, to be tried again.
        """
        await self.settle()
        object_id = _id_of(target)
        alarm = await self._ports.store.alarm(object_id, name)
        if alarm is None or alarm.next_attempt_ms is None:
            return False
        due = DueAlarm(
            object_id=object_id, name=name, due_ms=alarm.due_ms, attempt_ms=alarm.next_attempt_ms
        )
        outcome = await ring_here(self.registry, due, early=True)
        if outcome is RingOutcome.FAILED:
            standing = await self._ports.store.alarm(object_id, name)
            failure = standing.failure if standing is not None else None
            what = (
                f"{failure.error_class}: {failure.error_text}"
                if failure is not None
                else "it failed"
            )
            raise RuntimeError(f"on_alarm raised {what}")
        return outcome is RingOutcome.DONE

    @abstractmethod
    def list_rooms(self, namespace: str) -> list[ObjectId]:
        """The objects of a namespace that have stored something, in the order of their names."""

    async def evict(self, target: Target, *, close_sockets: bool = False) -> None:
        """Drop the instance of an object once what is under way has ended.

        What it kept in memory is lost, timers included; its sockets stay, and their next message
        makes another instance.

        Args:
            target: Which object.
            close_sockets: Whether its sockets are closed as well, as by a worker that drains.

        Raises:
            RuntimeError: It has no instance.
        """
        room = self._live(_id_of(target))
        if room is None or not room.awake:
            raise RuntimeError("the object is not running")
        if close_sockets:
            await self.registry.hand_over(room.object_id, _to_nobody)
        else:
            await room.life.evict()

    async def abort_all(self) -> None:
        """Throw every live object away; their sockets are closed, what is stored stays."""
        self.registry.abort_all(RoomAborted("the test aborted every object"))
        await self.settle()

    async def reset(self) -> None:
        """Throw every live object away, and everything that is stored, alarms included."""
        await self.abort_all()
        self._empty()

    async def settle(self) -> None:
        """Let everything that can run now run: events, commits, deliveries. No time passes."""
        for _ in range(SETTLE_TURNS):
            await turn()

    async def advance(self, seconds: float) -> None:
        """Let time pass in steps of at most half a second.

        So leases are renewed, and alarms rung, as they fall due.
        """
        left = seconds
        while left > 0:
            step = min(0.5, left)
            self.clock.advance(step)
            left -= step
            await self.settle()

    def fail_next_commit(self) -> None:
        """Let the next commit fail, as when another worker has taken the object over."""
        self._ports.committer.fail_next(CommitResult.LOST)

    async def rest(self, namespace: str, name: str) -> None:
        """Let an object rest, as it does when it is idle: the instance goes, its sockets stay.

        Raises:
            RuntimeError: It still has something to do: an event, a timer, a commit.
        """
        room = await self.room(namespace, name)
        await self.settle()
        await room.hibernate()
        if room.awake:
            raise RuntimeError("the object is not idle")

    def contents(self, namespace: str, name: str) -> dict[str, Any]:
        """What an object has committed, key by key in byte order."""
        rows = sorted(self.stored(namespace, name).items())
        return {key.decode(): decode_value(value) for key, value in rows}

    @abstractmethod
    def alarm(self, namespace: str, name: str) -> int | None:
        """When an object's alarm is set for, as committed, in milliseconds since 1970."""

    @abstractmethod
    def stored(self, namespace: str, name: str) -> dict[bytes, bytes]:
        """The committed rows of an object as bytes."""

    @abstractmethod
    def _empty(self) -> None:
        """Delete every object, while none is live."""

    def _live(self, object_id: ObjectId) -> Room | None:
        rooms = self.registry.rooms
        return next((room for room in rooms if room.object_id == object_id), None)


def _id_of(target: Target) -> ObjectId:
    """Raises TypeError when the target is neither a stub nor an id."""
    if isinstance(target, Stub):
        return target.id
    if isinstance(target, ObjectId):
        return target
    raise TypeError(f"an object is told by its stub or id, not by a {type(target).__name__}")


async def _to_nobody() -> LiveWorker | None:
    """An evicted object is taken by whoever asks for it next."""
    return None


async def turn() -> None:
    """Let the event loop go round once."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, None)
    await future
