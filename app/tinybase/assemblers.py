"""The messages in pieces of all clients of a room: one assembler each, only while it is needed."""

from functools import partial

from ..sdk.context import Context
from .fragments import Assembled, Assembler
from .timetable import Timetable
from .wire import Fragment


class Assemblers:
    """See the module.

    Args:
        timetable: For forgetting what is not complete in time.
        timeout_seconds: How long a message may take from its first fragment.
    """

    __slots__ = ("_by_client", "_timeout", "_timetable")

    def __init__(self, timetable: Timetable, *, timeout_seconds: float) -> None:
        self._timetable = timetable
        self._timeout = timeout_seconds
        self._by_client: dict[str, Assembler] = {}

    def add(self, client: str, fragment: Fragment, now: float) -> Assembled | None:
        """Take a fragment; return its message when it was the last one missing.

        Raises:
            Malformed, Overflow: As `Assembler.add`.
        """
        assembler = self._of(client)
        assembled = assembler.add(fragment, now)
        self._look_after(client, assembler)
        return assembled

    async def add_beside(self, ctx: Context, client: str, fragment: Fragment) -> Assembled | None:
        """Do what `add` does, beside the event loop: the message may be large."""
        now = ctx.monotonic()
        assembler = self._of(client)
        assembled = await ctx.offload(partial(assembler.add, fragment, now))
        self._look_after(client, assembler)
        return assembled

    def retained_bytes(self, client: str) -> int:
        """How much of a client's messages under way is kept."""
        assembler = self._by_client.get(client)
        return 0 if assembler is None else assembler.retained_bytes

    def forget(self, client: str) -> None:
        """The client is gone."""
        self._by_client.pop(client, None)

    def _of(self, client: str) -> Assembler:
        assembler = self._by_client.get(client)
        if assembler is None:
            assembler = self._by_client[client] = Assembler(timeout_seconds=self._timeout)
        return assembler

    def _expire(self) -> None:
        now = self._timetable.now()
        for client, assembler in list(self._by_client.items()):
            assembler.expire(now)
            self._look_after(client, assembler)

    def _look_after(self, client: str, assembler: Assembler) -> None:
        deadline = assembler.next_deadline()
        if deadline is None:
            self._by_client.pop(client, None)
        else:
            self._timetable.wake_at(deadline, self._expire)
