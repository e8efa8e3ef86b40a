"""The bounds of one room that an operator may set, with their units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLimits:
    """What one room may hold and how long things may take.

    Attributes:
        mailbox_events: Events waiting before sockets stop reading.
        mailbox_bytes: The same in bytes.
        queue_seconds: An event of a client or caller that waits longer is not run any more.
        requests_per_10_seconds: The most requests and calls that one room takes in; None for
            any number.
        buffer_bytes: Finished, unconfirmed writes before sockets stop reading.
        unit_bytes: The most one event may write between commit points.
        outbox_bytes: The most that may wait in one socket before it is closed with 1013.
        connections: The most sockets of one room.
        running_events: Events of a class with `interleave` that run at once.
        event_timeout_seconds: The longest a hook may take.
        background_seconds: The longest that work given to `wait_until` may take.
        idle_seconds: Without an event for this long, the instance is dropped.
        relaxed_loss_ms: With durability `relaxed`, the oldest change that may be uncommitted
            while sends still leave at once.
        relaxed_loss_bytes: The same in bytes.
    """

    mailbox_events: int = 1_000
    mailbox_bytes: int = 32 << 20
    queue_seconds: float = 120.0
    requests_per_10_seconds: int | None = None
    buffer_bytes: int = 8 << 20
    unit_bytes: int = 64 << 20
    outbox_bytes: int = 16 << 20
    connections: int = 32_768
    running_events: int = 1_000
    event_timeout_seconds: float = 30.0
    background_seconds: float = 900.0
    idle_seconds: float = 10.0
    relaxed_loss_ms: int = 1_000
    relaxed_loss_bytes: int = 1 << 20
