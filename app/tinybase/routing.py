"""Who gets a client's frame (section 7), as a hub or as the reference's relay.

Where a replica exists a room is a hub: the questions that a joining client broadcasts
(GetContentHashes, ContentHashes) are answered by the replica alone, so that a join costs the
same in a room of 2 and of 2,000. A relay passes them to everybody, as the reference does; a room
without a replica always does.
"""

from enum import Enum
from typing import Final, NamedTuple

from .bodies import CONTENT_HASHES, GET_CONTENT_HASHES
from .wire import EVERYBODY, SERVER


class SyncMode(Enum):
    """How a room with a replica treats broadcast questions: the namespace setting `sync`."""

    HUB = "hub"
    RELAY = "relay"


class Recipients(Enum):
    """Which clients a frame is passed on to."""

    NOBODY = "nobody"
    OTHERS = "others"
    ONE = "one"
    """The client whose id is the address, also the sender itself; nobody if it is not there."""


class Route(NamedTuple):
    """Where a frame goes: to the replica first, then to clients."""

    replica: bool
    recipients: Recipients


_TO_OTHERS: Final = Route(replica=False, recipients=Recipients.OTHERS)
_TO_ONE: Final = Route(replica=False, recipients=Recipients.ONE)
_TO_NOBODY: Final = Route(replica=False, recipients=Recipients.NOBODY)
_TO_REPLICA: Final = Route(replica=True, recipients=Recipients.NOBODY)
_TO_ALL: Final = Route(replica=True, recipients=Recipients.OTHERS)
_HUB_ANSWERS: Final = frozenset({GET_CONTENT_HASHES, CONTENT_HASHES})


def route(mode: SyncMode | None, address: str, kind: int) -> Route:
    """Return where a client's message goes; `mode` is None in a room without a replica."""
    if address == EVERYBODY:
        if mode is None:
            return _TO_OTHERS
        if mode is SyncMode.HUB and kind in _HUB_ANSWERS:
            return _TO_REPLICA
        return _TO_ALL
    if address == SERVER:
        return _TO_NOBODY if mode is None else _TO_REPLICA
    return _TO_ONE
