"""What can be seen of a room from outside: whether it has something to do, and gets on with it."""

from typing import NamedTuple


class Vitals(NamedTuple):
    """One look at a room.

    Attributes:
        confirmed: The commit number, while writes or sends wait for a commit; None while none do.
        ended: How many queued events have ended, while one runs or waits; None while none does.
        allowed_seconds: How long the event that runs may take, with a start before it.
    """

    confirmed: int | None
    ended: int | None
    allowed_seconds: float
