"""Parts of a room, joined as the room joins them, without the rest of it."""

from collections.abc import Callable, Sequence

from app.core.errors import StateroomError
from app.core.frames import OutgoingMessage
from app.core.ids import ObjectIds
from app.core.mounts import Durability
from app.core.values import Claim
from app.room.commits import CommitLane
from app.room.connections import RoomConnection
from app.room.limits import RoomLimits
from app.room.meter import Meter
from app.room.outputs import Output, Release
from app.room.unit import RunningUnit
from app.testing.clock import FakeClock
from app.testing.memory import MemoryCommitter, MemoryDatabase, MemoryObjectStore
from app.testing.sockets import MemorySocket

_ID = ObjectIds(b"key of a cluster").from_name("bench", "x")


class LaneBench:
    """A commit lane on the twins, its committer held; outputs are texts.

    Attributes:
        said: What was delivered.
        broken: The error the lane failed with.
        progress: How often it told of progress.
    """

    def __init__(
        self,
        *,
        durability: Durability = Durability.COMMIT,
        limits: RoomLimits | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.database = MemoryDatabase(self.clock)
        self.store = MemoryObjectStore(self.database)
        self.worker_id = self.database.add_worker()
        self.committer = MemoryCommitter(self.database, self.worker_id)
        self.committer.hold()
        self.durability = durability
        self.limits = limits or RoomLimits()
        self.said: list[str] = []
        self.broken: StateroomError | None = None
        self.progress = 0
        self.alarms_set: list[int] = []
        self.in_event = False
        self.alive = True

    async def open(self) -> "LaneBench":
        """Claim the object."""
        self.claim: Claim = await self.store.claim(_ID, self.worker_id)
        self.lane = CommitLane(
            claim=self.claim,
            committer=self.committer,
            durability=self.durability,
            limits=self.limits,
            clock=self.clock,
            deliver=self._deliver,
            failed=self._fail,
            alarm_set=self.alarms_set.append,
            meter=Meter(_ID, 0),
        )
        self.lane.progress = self._progress
        self.unit = RunningUnit(self.lane, events=self, alive=lambda: self.alive)
        return self

    @property
    def running(self) -> bool:
        """Whether an event runs, for the unit."""
        return self.in_event

    @property
    def rows(self) -> dict[bytes, bytes]:
        """What is committed."""
        return self.database.objects[_ID.uuid].rows

    def put(self, key: str, value: str = "v", *, confirmed: bool = True) -> None:
        """Write in the running unit."""
        top = self.lane.buffer.top
        top.set(key.encode(), value.encode())
        top.confirmed = top.confirmed or confirmed

    def say(self, text: str) -> Output:
        """An output."""
        return Release(lambda: self.said.append(text))

    def end_unit(self, *texts: str) -> None:
        """End the unit with these outputs."""
        self.lane.seal([self.say(text) for text in texts])

    def _deliver(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if isinstance(output, Release):
                output.run()

    def _fail(self, error: StateroomError) -> None:
        self.broken = error
        self.lane.break_(error)

    def _progress(self) -> None:
        self.progress += 1


class Notes:
    """A room that only writes down what it is told."""

    def __init__(self) -> None:
        self.staged: list[object] = []
        self.heard: list[str | bytes] = []
        self.ends: list[tuple[int, str, bool]] = []
        self.former: list[Callable[[], None]] = []
        self.held_bytes = 0

    def stage_send(self, connection: RoomConnection, message: OutgoingMessage) -> None:
        self.staged.append(message.payload)

    def stage_close(self, connection: RoomConnection, code: int, reason: str) -> None:
        self.staged.append((code, reason))

    def take_message(self, connection: RoomConnection, message: str | bytes) -> None:
        self.heard.append(message)

    def take_end(self, connection: RoomConnection, code: int, reason: str, *, clean: bool) -> None:
        self.ends.append((code, reason, clean))

    def remember(self, what: object, put_back: Callable[[], None]) -> None:
        self.former.append(put_back)


def a_connection() -> RoomConnection:
    """A connection of a room that only writes down what it is told."""
    return RoomConnection(Notes(), connection_id="a", serial=1, transport=MemorySocket())
