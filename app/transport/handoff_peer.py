"""Who is at the other end of a Unix socket: the same user, or nobody to deal with."""

import os
import socket
import struct
from typing import Final

_LINUX: Final = struct.Struct("3i")  # ucred: process, user, group
_DARWIN: Final = struct.Struct("2I")  # the beginning of xucred: version, user
_SOL_LOCAL: Final = 0
_LOCAL_PEERCRED: Final = 1


def is_own_user(peer: socket.socket) -> bool:
    """Whether the process at the other end runs as this one's user, by the kernel's word."""
    try:
        if hasattr(socket, "SO_PEERCRED"):
            told = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _LINUX.size)
            user = _LINUX.unpack(told)[1]
        else:
            told = peer.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 128)
            user = _DARWIN.unpack_from(told)[1]
    except (OSError, struct.error):
        return False
    return bool(user == os.geteuid())
