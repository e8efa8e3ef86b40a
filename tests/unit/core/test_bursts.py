"""Messages that leave together, and how they are written."""

from collections.abc import Iterable

from app.core.bursts import Burst, write_frames
from app.core.frames import OutgoingMessage, PartedMessage, TextParts


class Written:
    """A transport that notes how it is written to."""

    def __init__(self) -> None:
        self.writes: list[list[bytes]] = []

    def write(self, data: bytes, /) -> None:
        self.writes.append([data])

    def writelines(self, list_of_data: Iterable[bytes], /) -> None:
        self.writes.append(list(list_of_data))


def test_messages_leave_in_one_write_and_shared_parts_are_not_copied() -> None:
    shared = b"x" * 1_000
    plain = OutgoingMessage("plain")
    parted = PartedMessage(TextParts((b"own", shared)))
    transport = Written()
    for messages in ([plain], [parted], [plain, parted], [plain, plain]):
        write_frames(transport, messages)
    together = [plain.frame, *parted.frame_parts]
    assert transport.writes == [
        [plain.frame],
        list(parted.frame_parts),
        together,
        [plain.frame * 2],
    ]
    assert all(transport.writes[at][-1] is shared for at in (1, 2))


def test_a_burst_is_joined_once_for_all_who_get_it() -> None:
    burst = Burst([OutgoingMessage("one"), OutgoingMessage(b"two")])
    transports = [Written(), Written()]
    for transport in transports:
        write_frames(transport, burst)
    (first,), (second,) = (transport.writes[0] for transport in transports)
    assert first == b"".join(message.frame for message in burst)
    assert first is second
    assert burst.size == len("one") + len(b"two")


def test_a_burst_with_parts_is_not_joined() -> None:
    shared = b"x" * 1_000
    burst = Burst([OutgoingMessage("plain"), PartedMessage(TextParts((b"own", shared)))])
    transport = Written()
    write_frames(transport, burst)
    assert transport.writes[0][-1] is shared
    assert len(transport.writes[0]) == 4
