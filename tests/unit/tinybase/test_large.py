"""Content that is loaded bit by bit."""

from collections.abc import AsyncIterator
from typing import cast

import pytest

from app.sdk.context import Context
from app.tinybase.large import load_bit_by_bit
from app.tinybase.replica import Replica
from tests.unit.tinybase.replicas import Disk, cells, filled, hlc, replica, values


class Breaths:
    """The one thing of a context that loading needs: it counts how often others could run."""

    def __init__(self) -> None:
        self.count = 0

    async def breathe(self) -> None:
        self.count += 1


async def stored(disk: Disk) -> AsyncIterator[tuple[str, bytes]]:
    for entry in disk.in_key_order():
        yield entry


async def loaded(content: Replica) -> tuple[Replica, int]:
    disk, made, breaths = Disk(), replica(), Breaths()
    disk.write(content.stored())
    assert await load_bit_by_bit(cast("Context", breaths), made, stored(disk))
    return made, breaths.count


def many(rows: int) -> Replica:
    members = {f"r{number:05}": [{"c": [number, hlc(number)]}] for number in range(rows)}
    return filled([[{"t": [members]}], [{}], 1], values({"v": [1, hlc(1)]}))


async def test_others_run_while_many_rows_are_loaded() -> None:
    content = many(5_000)
    made, breaths = await loaded(content)
    assert made.content_hashes() == content.content_hashes()
    assert breaths >= 9


async def test_others_run_while_large_rows_are_loaded() -> None:
    content = filled(*(cells("t", f"r{at}", {"c": ["x" * 600_000, hlc(at)]}) for at in range(10)))
    made, breaths = await loaded(content)
    assert made.content_hashes() == content.content_hashes()
    assert breaths >= 4


@pytest.mark.parametrize("before", range(495, 503))
async def test_the_pieces_of_one_payload_are_never_apart(before: int) -> None:
    content = many(before)
    content.merge(cells("t", "r99999", {"c": ["y" * 3_500_000, hlc(1)]}))
    content.merge(cells("u", "r", {"c": ["behind", hlc(1)]}))
    made, _ = await loaded(content)
    assert made.content_hashes() == content.content_hashes()


async def test_nothing_stored_is_told() -> None:
    breaths = Breaths()
    assert not await load_bit_by_bit(cast("Context", breaths), replica(), stored(Disk()))
    assert breaths.count == 0
