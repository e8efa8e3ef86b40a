"""Passing the input gate of a room for something that is no event of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .input_gate import InputGate


@asynccontextmanager
async def passage(gate: InputGate) -> AsyncIterator[None]:
    """Wait for a turn at the gate, and keep it closed while the block runs.

    Nothing else of the object runs meanwhile: no event, no step of one, nothing beside them.
    Cancelling is safe: a turn that came in that very moment is given back.

    Raises:
        Exception: The gate is broken, this is why.
    """
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def refused(error: Exception) -> None:
        if not turn.done():
            turn.set_exception(error)

    def admitted() -> None:
        if turn.done():  # nobody waits any more
            gate.unlock()
        else:
            turn.set_result(None)

    ticket = gate.enter(admitted, refused)
    try:
        await turn
    except asyncio.CancelledError:
        if ticket is not None:
            ticket.cancel()
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            gate.unlock()
        raise
    try:
        yield
    finally:
        gate.unlock()
