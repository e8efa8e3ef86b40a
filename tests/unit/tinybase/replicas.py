"""Replicas for tests, and the disk they are kept on."""

from collections.abc import Iterable
from typing import Any

from app.tinybase.clock import Clock, encode_hlc
from app.tinybase.layout import Entry
from app.tinybase.replica import Replica

NOW = 1_704_067_200_000


def replica() -> Replica:
    return Replica(Clock("-----"))


def hlc(time: int, counter: int = 0) -> str:
    """A stamp some milliseconds after NOW."""
    return encode_hlc(NOW + time, counter, "7JQY8")


def cells(table_id: str, row_id: str, leaves: dict[str, Any]) -> list[Any]:
    """MergeableChanges with some cells of one row."""
    return [[{table_id: [{row_id: [leaves]}]}], [{}], 1]


def values(leaves: dict[str, Any]) -> list[Any]:
    return [[{}], [leaves], 1]


def filled(*changes: list[Any]) -> Replica:
    made = replica()
    for each in changes:
        assert made.apply(each, NOW) is not None
    return made


class Disk:
    """What a storage would hold after the entries it was given."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def write(self, entries: Iterable[Entry]) -> None:
        for key, value in entries:
            if value is None:
                del self.content[key]
            else:
                self.content[key] = value

    def in_key_order(self) -> list[tuple[str, bytes]]:
        return sorted(self.content.items(), key=lambda entry: entry[0].encode())

    def loaded(self) -> Replica:
        made = replica()
        made.load(self.in_key_order())
        return made
