"""What is measured: the shapes of traffic.

A *message* changes one cell; a *delivery* is its arrival at one other client. In `join` a message
is one complete join and a delivery one row of it, so that both share their figures and tables.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fanout:
    """`rooms` rooms of `clients` clients with `window` messages in flight in each."""

    name: str
    about: str
    rooms: int
    clients: int
    window: int
    senders: int
    rows: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A fresh client pulls everything from a room of `rows` rows, again and again."""

    name: str
    about: str
    rows: int


Scenario = Fanout | Join

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Fanout(
            name="pair",
            about="1 room, 2 clients, 1 message in flight",
            rooms=1,
            clients=2,
            window=1,
            senders=1,
        ),
        Fanout(
            name="rooms",
            about="10 rooms of 5 clients, 4 messages in flight in each",
            rooms=10,
            clients=5,
            window=4,
            senders=5,
        ),
        Fanout(
            name="crowd",
            about="1 room of 100 clients, 4 messages in flight",
            rooms=1,
            clients=100,
            window=4,
            senders=100,
        ),
        Fanout(
            name="throng",
            about="1 room of 1,000 clients, 4 messages in flight",
            rooms=1,
            clients=1_000,
            window=4,
            senders=1_000,
        ),
        Fanout(
            name="many",
            about="100 rooms of 2 clients, 4 messages in flight in each",
            rooms=100,
            clients=2,
            window=4,
            senders=2,
        ),
        Join(
            name="join",
            about="a fresh client pulls a room of 20,000 rows of 4 cells",
            rows=20_000,
        ),
    )
}
