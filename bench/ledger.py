"""The account of one room: which message is owed to whom, and every fault that was seen.

A run counts only if its ledger is clean: each message reached each other client of its room exactly
once, byte for byte as sent, in the order of its sender, under one sender address, and nobody got
his own message back. `cells` is the state that a replica must hold afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.messages import Cells, Change

MAX_FAULTS = 20


@dataclass(slots=True, eq=False)
class Message:
    """One broadcast in flight."""

    remainder: bytes
    sender: int
    turn: int
    """How many messages this sender had sent before."""
    sent_at: float
    owed: int
    """Recipients that have not got it yet."""


@dataclass(slots=True)
class Ledger:
    """Expectations and faults of a room with `clients` members, numbered from 0."""

    clients: int
    cells: Cells = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    in_flight: dict[bytes, Message] = field(default_factory=dict)
    _turns: list[int] = field(init=False)
    _next_turn: list[list[int]] = field(init=False)
    _addresses: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._turns = [0] * self.clients
        self._next_turn = [[0] * self.clients for _ in range(self.clients)]

    def sent(self, change: Change, sender: int, at: float) -> None:
        """Note that `sender` broadcasts `change` now, at the clock reading `at` in seconds."""
        self.in_flight[change.remainder] = Message(
            change.remainder, sender, self._turns[sender], at, self.clients - 1
        )
        self._turns[sender] += 1
        self.cells.update(change.cells)

    def recognise(self, payload: bytes) -> Message | None:
        """Return the message that a received payload carries; a stranger is noted as a fault."""
        address, _, remainder = payload.partition(b"\n")
        message = self.in_flight.get(remainder)
        if message is None:
            self.fault(f"unexpected frame {payload[:120]!r}")
            return None
        if self._addresses.setdefault(address, message.sender) != message.sender:
            self.fault(f"two senders under the address {address!r}")
        return message

    def delivered(self, recipient: int, message: Message) -> bool:
        """Note one delivery; True if it was the last one owed of this message."""
        turns = self._next_turn[recipient]
        if turns[message.sender] != message.turn or recipient == message.sender:
            self.fault(
                f"client {recipient} got message {message.turn} of client {message.sender}, "
                f"expected {turns[message.sender]}"
            )
        turns[message.sender] = message.turn + 1
        message.owed -= 1
        if message.owed:
            return False
        del self.in_flight[message.remainder]
        return True

    def fault(self, text: str) -> None:
        """Note a fault; after the first few only their existence matters."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(text)

    def missing_from(self, held: Cells) -> int:
        """Return how many cells `held` (a replica's state) lacks or holds with another stamp."""
        return sum(held.get(cell) != leaf for cell, leaf in self.cells.items())
