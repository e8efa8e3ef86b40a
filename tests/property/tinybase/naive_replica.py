"""The merge rule written down as the protocol states it: eagerly, with every hash kept in place.

Slow and plain on purpose; the real replica is compared with it. (reference: tinybase-sync, 5.2)
"""

from typing import Any

from app.tinybase.hashing import leaf_hash, member_hash, text_hash


class Node:
    """A container: `[children, hlc, hash]`."""

    def __init__(self) -> None:
        self.children: dict[str, Any] = {}
        self.hlc = ""
        self.hash = 0

    def take_hlc(self, stamp: list[Any]) -> None:
        hlc = stamp[1] if len(stamp) > 1 else ""
        if hlc > self.hlc:
            self.hash ^= (text_hash(self.hlc) if self.hlc else 0) ^ text_hash(hlc)
            self.hlc = hlc


class NaiveReplica:
    def __init__(self) -> None:
        self.tables = Node()
        self.values = Node()

    def apply(self, changes: list[Any]) -> None:
        for table_id, table_stamp in changes[0][0].items():
            table = self.tables.children.setdefault(table_id, Node())
            old_table_hash = table.hash
            for row_id, row_stamp in table_stamp[0].items():
                row = table.children.setdefault(row_id, Node())
                old_row_hash = row.hash
                merge_leaves(row, row_stamp)
                table.hash ^= exchanged(row_id, old_row_hash, row.hash)
            table.take_hlc(table_stamp)
            self.tables.hash ^= exchanged(table_id, old_table_hash, table.hash)
        self.tables.take_hlc(changes[0])
        merge_leaves(self.values, changes[1])

    def content(self) -> list[Any]:
        tables = {
            table_id: [
                {
                    row_id: [row.children, row.hlc, row.hash]
                    for row_id, row in table.children.items()
                },
                table.hlc,
                table.hash,
            ]
            for table_id, table in self.tables.children.items()
        }
        return [
            [tables, self.tables.hlc, self.tables.hash],
            [self.values.children, self.values.hlc, self.values.hash],
        ]


def merge_leaves(node: Node, stamp: list[Any]) -> None:
    for leaf_id, leaf in stamp[0].items():
        stored = node.children.setdefault(leaf_id, ["\ufffc", "", 0])
        hlc = leaf[1] if len(leaf) > 1 else ""
        if not stored[1] or hlc > stored[1]:
            new_hash = leaf_hash(leaf[0], hlc)
            node.hash ^= member_hash(leaf_id, stored[2]) ^ member_hash(leaf_id, new_hash)
            stored[:] = [leaf[0], max(hlc, stored[1]), new_hash]
    node.take_hlc(stamp)


def exchanged(child_id: str, old: int, new: int) -> int:
    return (member_hash(child_id, old) if old else 0) ^ member_hash(child_id, new)
