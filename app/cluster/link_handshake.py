"""How two workers prove to each other that they belong to one cluster. Pure.

Both know the cluster's key (it lies in the database that both serve). Each side sends a random
number and who it is; each then sends a keyed hash over both numbers, both ids and its role. Roles
differ, so a proof cannot be sent back to its maker; numbers are fresh, so none can be used twice.
The link itself is not encrypted: it belongs into a network of its own (docs/operations).
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from uuid import UUID

from ..core.codec import JsonError, dump_json, parse_json
from ..core.errors import LinkRefused
from ..core.ids import WorkerId
from .link_frames import Frame, FrameKind, encode_frame

VERSION = 1
_NONCE_BYTES = 16


class Role(Enum):
    """Who dialled."""

    DIALER = "dialer"
    ACCEPTOR = "acceptor"


class HandshakeState(Enum):
    """GREETING until the other's hello, PROVING until its proof, then DONE."""

    GREETING = auto()
    PROVING = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True)
class _Hello:
    worker_id: UUID
    nonce: bytes


class Handshake:
    """One side of the handshake.

    Args:
        key: The cluster's key for links.
        worker_id: Who we are.
        role: Which side.
        expected: Whom the dialler meant to reach; a worker that was replaced meanwhile under the
            same address is refused.
    """

    def __init__(
        self, key: bytes, *, worker_id: WorkerId, role: Role, expected: WorkerId | None = None
    ) -> None:
        self._key = key
        self._role = role
        self._expected = expected
        self._mine = _Hello(worker_id, secrets.token_bytes(_NONCE_BYTES))
        self._theirs: _Hello | None = None
        self.state = HandshakeState.GREETING

    @property
    def peer(self) -> WorkerId:
        """Who is at the other end; proven once DONE."""
        if self._theirs is None:
            raise LinkRefused("no hello yet")
        return WorkerId(self._theirs.worker_id)

    def hello(self) -> bytes:
        """The first frame, sent by both sides at once."""
        body = {
            "version": VERSION,
            "worker": str(self._mine.worker_id),
            "nonce": self._mine.nonce.hex(),
        }
        return encode_frame(FrameKind.HELLO, 0, dump_json(body))

    def receive(self, frame: Frame) -> bytes:
        """Take a frame of the other side; return what to send.

        Raises:
            LinkRefused: It is not the frame that is due, or proves nothing.
        """
        if self.state is HandshakeState.GREETING and frame.kind is FrameKind.HELLO:
            self._theirs = _read_hello(frame.payload)
            if self._expected is not None and self.peer != self._expected:
                raise LinkRefused("another worker answers at that address")
            self.state = HandshakeState.PROVING
            return encode_frame(FrameKind.PROOF, 0, self._proof(self._role))
        if self.state is HandshakeState.PROVING and frame.kind is FrameKind.PROOF:
            other = Role.ACCEPTOR if self._role is Role.DIALER else Role.DIALER
            if not hmac.compare_digest(frame.payload, self._proof(other)):
                raise LinkRefused
            self.state = HandshakeState.DONE
            return b""
        raise LinkRefused("a frame out of its turn")

    def _proof(self, role: Role) -> bytes:
        assert self._theirs is not None  # noqa: S101 - both hellos are there in PROVING
        pair = (self._mine, self._theirs)
        dialer, acceptor = pair if self._role is Role.DIALER else pair[::-1]
        message = b"|".join(
            (
                role.value.encode(),
                dialer.worker_id.bytes,
                dialer.nonce,
                acceptor.worker_id.bytes,
                acceptor.nonce,
            )
        )
        return hmac.digest(self._key, message, hashlib.sha256)


def link_key(cluster_key: bytes) -> bytes:
    """The key of links, derived from the cluster's."""
    return hmac.digest(cluster_key, b"stateroom link", hashlib.sha256)


def _read_hello(payload: bytes) -> _Hello:
    try:
        body: Any = parse_json(payload)
        if body["version"] != VERSION:
            raise LinkRefused(f"the other worker speaks version {body['version']} of links")
        hello = _Hello(UUID(body["worker"]), bytes.fromhex(body["nonce"]))
    except (JsonError, KeyError, TypeError, ValueError, AttributeError):
        raise LinkRefused("a hello that cannot be read") from None
    if len(hello.nonce) != _NONCE_BYTES:
        raise LinkRefused("a hello that cannot be read")
    return hello
