"""The way of one stub's calls to their object: in order, and each made once.

A call is handed over when it stands in the mailbox of the object's room here, or was written to
the link to its holder. While the holder is known and nothing waits, that happens in the very step
in which the call is sent. Otherwise calls wait in line, and only the first one looks for the
object.

A call that comes back because it had not begun takes its place in the line again, before all that
were made after it. Of those, some may be under way already on the same link; the holder refuses
them too, until it sees the one that comes again (`calls`), so none overtakes.
"""

import asyncio
import heapq
from typing import Protocol

from ..core.errors import Overloaded, OwnedElsewhere, RoomAborted, StateroomError, WorkerLeaving
from ..core.ids import ObjectId
from ..core.limits import CALLS_WAITING, CALLS_WAITING_BYTES
from ..core.tasks import TaskOwner
from ..room.outgoing import OutgoingCall, size_of
from ..room.room import Room
from .finder import OwnerFinder
from .link import Link
from .registry import RoomRegistry

LOOK_AGAIN = (OwnedElsewhere, WorkerLeaving, RoomAborted)
"""What a call that had not begun may be made again for: the object is elsewhere, or will be."""


class HandOver(Protocol):
    """Brings a call to its object; how it ends is told to the lane."""

    def to_room(self, lane: "StubLane", call: OutgoingCall, room: Room) -> None:
        """Queue it in a room here."""
        ...

    def to_link(self, lane: "StubLane", call: OutgoingCall, link: Link, *, again: bool) -> None:
        """Write it to a link. `again`: an earlier one of the lane came back.

        Raises:
            LinkBroken: Nothing was written.
        """
        ...


class StubLane:
    """See the module. It is a `room.exchange.CallLane`.

    Args:
        lane_id: Its name in the cluster.
        target: The called object.
        registry: The rooms of this worker.
        finder: Where other objects are.
        hand_over: How calls reach them.
        tasks: Owner of the search.
    """

    def __init__(
        self,
        *,
        lane_id: str,
        target: ObjectId,
        registry: RoomRegistry,
        finder: OwnerFinder,
        hand_over: HandOver,
        tasks: TaskOwner,
    ) -> None:
        self.id = lane_id
        self.target = target
        self._registry = registry
        self._finder = finder
        self._hand_over = hand_over
        self._tasks = tasks
        self._made = 0
        self._bytes = 0
        self._line: list[tuple[int, OutgoingCall]] = []
        self._under_way: dict[int, OutgoingCall] = {}
        self._refused: dict[int, StateroomError] = {}
        self._changed = asyncio.Event()
        self._searching = False
        self._again = False

    def send(self, call: OutgoingCall) -> None:
        """See `CallLane.send`."""
        self._made += 1
        call.number = self._made
        if len(self._line) + len(self._under_way) >= CALLS_WAITING:
            call.fail(Overloaded("too many calls of this stub have no answer yet"))
            return
        if self._bytes + size_of(call.body) > CALLS_WAITING_BYTES:
            call.fail(Overloaded("too much was sent on this stub that has no answer yet"))
            return
        self._bytes += size_of(call.body)
        try:
            if self._searching or not self._hand_over_now(call):
                self._wait_in_line(call)
        except StateroomError as error:
            self.failed(call, error)

    def resolved(self, call: OutgoingCall, result: object) -> None:
        """The object has answered."""
        self._settle(call)
        self._bytes -= size_of(call.body)
        call.resolve(result)

    def failed(self, call: OutgoingCall, error: StateroomError) -> None:
        """The call has ended without a result, and is not to be made again."""
        self._settle(call)
        self._bytes -= size_of(call.body)
        call.fail(error)

    def not_begun(self, call: OutgoingCall, error: StateroomError) -> None:
        """The call came back. It is made again if the object may be elsewhere."""
        if not isinstance(error, LOOK_AGAIN) or call.over:
            self.failed(call, error)
            return
        self._settle(call)
        self._again = True
        if not self._refused:  # of several the first one knows best; the others followed it
            self._refused[call.number] = error
        self._wait_in_line(call)

    def _settle(self, call: OutgoingCall) -> None:
        self._under_way.pop(call.number, None)
        self._changed.set()

    def _wait_in_line(self, call: OutgoingCall) -> None:
        heapq.heappush(self._line, (call.number, call))
        if not self._searching:
            self._searching = True
            self._tasks.start(self._search(), name="calls")

    def _hand_over_now(self, call: OutgoingCall) -> bool:
        """Hand a call over in this step, if it is known where to."""
        room = self._registry.at_hand(self.target)
        if room is not None:
            self._to_room(call, room)
            return True
        link = self._finder.at_hand(self.target)
        if link is not None:
            self._to_link(call, link)
            return True
        return False

    def _to_room(self, call: OutgoingCall, room: Room) -> None:
        call.place = room
        self._again = False
        self._under_way[call.number] = call
        self._hand_over.to_room(self, call, room)

    def _to_link(self, call: OutgoingCall, link: Link) -> None:
        self._hand_over.to_link(self, call, link, again=self._again)
        call.place = link
        self._again = False
        self._under_way[call.number] = call

    async def _search(self) -> None:
        """Hand over what stands in line, one after the other."""
        try:
            while self._line:
                number, call = self._line[0]
                if self._followed(number):
                    await self._changed.wait()
                    continue
                heapq.heappop(self._line)
                if call.over:
                    self._drop(call)
                else:
                    await self._find(call)
        finally:
            self._searching = False

    def _followed(self, number: int) -> bool:
        """Whether a later call is under way, which may come back too; then wait for a change."""
        later = [call for made, call in self._under_way.items() if made > number and not call.over]
        self._changed.clear()
        for call in later:
            call.answer.add_done_callback(lambda _answer: self._changed.set())
        return bool(later)

    def _drop(self, call: OutgoingCall) -> None:
        """Nobody waits for it any more, and it was not handed over."""
        self._refused.pop(call.number, None)
        self._bytes -= size_of(call.body)

    async def _find(self, call: OutgoingCall) -> None:
        """Look for the object and hand one call over; the finder learns from what refused it."""
        refused_by = call.place if call.number in self._refused else None
        refusal = self._refused.pop(call.number, None)

        def take_refusal(link: Link | None) -> None:
            """Tell the finder, once, if it leads to the very place that has refused the call."""
            nonlocal refusal
            if refusal is not None:
                error, refusal = refusal, None
                if link is refused_by or (link is None and isinstance(refused_by, Room)):
                    raise error

        def hand_over(place: Room | Link) -> None:
            if call.over:
                self._drop(call)
            elif isinstance(place, Link):
                self._to_link(call, place)
            else:
                self._to_room(call, place)

        async def here() -> None:
            take_refusal(None)
            room = await self._registry.find(self.target)
            hand_over(room)

        async def there(link: Link) -> None:
            take_refusal(link)
            hand_over(link)

        try:
            if refusal is not None or not self._hand_over_now(call):
                await self._finder.reach(self.target, here, there)
        except StateroomError as error:
            self.failed(call, error)
