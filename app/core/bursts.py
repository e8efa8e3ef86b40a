"""Messages that leave together for a socket, and how frames are written to it.

Apart from `frames`, which is compiled: a list of ours cannot be.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from .frames import OutgoingMessage, join_frames, size_of_all


class WritesParts(Protocol):
    """What is asked of an asyncio transport."""

    def write(self, data: bytes, /) -> None:
        """Write some bytes."""
        ...

    def writelines(self, list_of_data: Iterable[bytes], /) -> None:
        """Write all of them, in order."""
        ...


class Burst(list[OutgoingMessage]):
    """Messages that leave together for one socket or many; their frames are joined once.

    It must not be changed once it is made.

    Attributes:
        frames: All of them as frames; None where joining would copy what is large and shared.
        size: Bytes of the payloads.
    """

    __slots__ = ("frames", "size")

    def __init__(self, messages: list[OutgoingMessage]) -> None:
        super().__init__(messages)
        self.frames = join_frames(messages)
        self.size = size_of_all(messages)


def write_frames(transport: WritesParts, messages: Sequence[OutgoingMessage]) -> None:
    """Write messages to an asyncio transport at once; nothing large is copied where that can be."""
    joined = messages.frames if type(messages) is Burst else join_frames(messages)
    if joined is None:
        transport.writelines([part for message in messages for part in message.frame_parts])
    else:
        transport.write(joined)
