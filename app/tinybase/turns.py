"""A step aside for compiled code that goes through much.

A thread of interpreted code lets the others run every few milliseconds. Compiled code does not: a
loop over a million rows would hold up the event loop from its thread as if it ran there. So it
calls this now and then, which is left to the interpreter on purpose.
"""

from typing import Final

ROWS_A_TURN: Final = 0xFF
"""A mask: `if not count & ROWS_A_TURN`."""


def give_way() -> None:
    """Let another thread run that waits for its turn; the interpreter does that at each call."""
