"""What the rest of a room asks of its events, whichever way they run.

One at a time (`events`), or several at once between the awaits of each other (`interleaving`).
"""

from collections.abc import Callable
from typing import Any, Protocol

from .connections import RoomConnection
from .mailbox import Event


class RoomEvents(Protocol):
    """See the module.

    Attributes:
        current: The one event that runs now, if it came through the mailbox; None where there
            may be several.
        message_timeout_seconds: How long the event of a socket's message may take, where that is
            not as long as any.
    """

    current: Event | None
    message_timeout_seconds: float | None

    count: int
    """How many events have begun by now, or ended: a figure for people."""

    @property
    def free(self) -> bool:
        """Whether an event could run inline now."""
        ...

    @property
    def quiet(self) -> bool:
        """Whether no event runs or waits."""
        ...

    @property
    def running(self) -> bool:
        """Whether an event runs whose end will end the unit."""
        ...

    @property
    def mark(self) -> int | None:
        """A number that changes as the events get on; None while there are none."""
        ...

    @property
    def allowed_seconds(self) -> float:
        """How long the number may stay as it is."""
        ...

    def limit_messages(self, seconds: float | None) -> None:
        """Let the messages that come from now on take so long; None as long as any event."""
        ...

    async def join(self) -> None:
        """Wait until no event runs or waits, or they are stopped and nobody waits for them."""
        ...

    def submit(self, event: Event, *, always: bool = False, uncounted: bool = False) -> None:
        """Queue an event; see `Mailbox.put`.

        Raises:
            QueueFull, QueueTooLarge: The mailbox is full.
            RoomAborted: No more events are taken.
        """
        ...

    def run_inline(
        self,
        hook: Callable[[RoomConnection, str | bytes], Any],
        connection: RoomConnection,
        message: str | bytes,
    ) -> bool:
        """Run a plain message hook now, if `free`; returns whether it was run.

        Raises nothing of the author's.
        """
        ...

    def step_failed(self, error: Exception) -> None:
        """Code beside the events has raised in its own step, which ends as an event would."""
        ...

    def close(self, farewell: Event | None) -> None:
        """Take no more events; those that wait are still run, and the farewell as the last."""
        ...

    def stop(self, error: Exception) -> None:
        """Fail every waiting event and take no more."""
        ...
