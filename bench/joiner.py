"""A fresh client that pulls a whole room: what a real one does on its first connection.

GetContentHashes to the replica, GetTableDiff with no tables, then the answer, which holds every row
(or what the server had not sent ahead as ContentDiffs).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.client import Client, connect
from bench.dialogue import Dialogue
from bench.hashes import content_hashes
from bench.messages import GET_CONTENT_HASHES, GET_TABLE_DIFF, Cells, cells_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What one join brought: the content, the seconds from question to last byte, the bytes.

    `hashes` is what the replica told of its content before.
    """

    cells: Cells
    hashes: list[int]
    seconds: float
    size_bytes: int


class Joiner:
    """The receiver of one joining client."""

    def __init__(self) -> None:
        self._dialogue = Dialogue()

    async def join(self, port: int, path: str) -> Joined:
        """Connect, pull everything, leave.

        Raises:
            ConnectionError: the server refused or ended the connection.
            TimeoutError: it did not answer.
        """
        client = await connect(self, 0, port, path)
        try:
            begun = time.perf_counter()
            hashes = await self._dialogue.ask(client, GET_CONTENT_HASHES, "")
            if not _is_hashes(hashes.body):
                raise ConnectionError(f"no content hashes: {hashes.body!r}")
            tables = await self._dialogue.ask(client, GET_TABLE_DIFF, {})
        finally:
            client.close()
        return Joined(
            cells=self._dialogue.pushed | cells_of(tables.body[0]),
            hashes=hashes.body,
            seconds=tables.at - begun,
            size_bytes=tables.size_bytes + self._dialogue.pushed_bytes,
        )

    def chunk(self, client: Client, data: bytes) -> bool:  # noqa: ARG002 -- part of Receiver
        """Part of Receiver: nothing to take early."""
        return False

    def text(self, client: Client, payload: bytes) -> None:  # noqa: ARG002 -- part of Receiver
        """Part of Receiver: only the replica is of interest."""
        if payload.startswith(b"S\n"):
            self._dialogue.heard(payload)

    def lost(self, client: Client, reason: str) -> None:  # noqa: ARG002 -- part of Receiver
        """Part of Receiver."""
        self._dialogue.fail(reason)


def _is_hashes(body: object) -> bool:
    match body:
        case [int() | float(), int() | float()]:
            return True
        case _:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What late joiners found: cells that lack or differ, and rooms whose hashes are wrong."""

    missing: int
    wrong_hashes: int


async def look_into(port: int, expected: Sequence[tuple[str, Cells]]) -> Look:
    """Join the rooms (path, content that must be there) of a server once more and compare.

    The hashes that a replica tells are held against those of the content that it sent.
    """
    missing = wrong = 0
    for path, cells in expected:
        joined = await Joiner().join(port, path)
        missing += sum(joined.cells.get(place) != leaf for place, leaf in cells.items())
        wrong += joined.hashes != content_hashes(joined.cells)
    return Look(missing=missing, wrong_hashes=wrong)


async def missing_cells(port: int, expected: Sequence[tuple[str, Cells]]) -> int:
    """Return how many cells the rooms (path, content) of a server lack or hold differently."""
    return (await look_into(port, expected)).missing
