"""Why a peer's socket is closed: the visible refusals of the protocol (section 6).

Refusal
├── Malformed       1007 `tinybase:14`
└── Overflow        1013 `tinybase:15:<what>`
"""

from typing import Final

MALFORMED_CODE: Final = 1007
OVERFLOW_CODE: Final = 1013
MALFORMED_REASON: Final = "tinybase:14"

OVERFLOW_SOCKET: Final = "tinybase:15:socket"
OVERFLOW_FRAGMENTS: Final = "tinybase:15:fragments"
OVERFLOW_CHANNELS: Final = "tinybase:15:channels"
OVERFLOW_SERVER: Final = "tinybase:15:server"


class Refusal(Exception):
    """The socket that sent this is to be closed with `code` and `reason`; nothing is relayed."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class Malformed(Refusal):
    """The frame is none that the protocol knows."""

    def __init__(self) -> None:
        super().__init__(MALFORMED_CODE, MALFORMED_REASON)


class Overflow(Refusal):
    """A limit of the protocol is exceeded."""

    def __init__(self, reason: str) -> None:
        super().__init__(OVERFLOW_CODE, reason)
