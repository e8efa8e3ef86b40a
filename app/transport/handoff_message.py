"""What travels beside a descriptor: a head of fixed length, a namespace, a request.

    4 bytes  "SRO" and the version   2 bytes  length of the namespace
    4 bytes  length of the request   32 bytes the object's id, raw

Both sides are workers of one machine, mostly of one version; during a roll to another one the
version tells them apart, and an offer that is not understood is not taken. No I/O here.
"""

import struct
from typing import Final

from ..core.handoff import Offer

HEAD_BYTES: Final = 1 << 16
"""A longer request is not handed on; no honest client sends one."""
_MARK: Final = b"SRO\x01"
_FIXED: Final = struct.Struct("!4sHI32s")
_NAMESPACE_BYTES: Final = 255
MESSAGE_BYTES: Final = _FIXED.size + _NAMESPACE_BYTES + HEAD_BYTES
"""The longest message."""


class OfferGarbled(Exception):
    """It is no offer of this version."""


def write_offer(offer: Offer) -> bytes | None:
    """Return the message of an offer; None for one that is too large."""
    namespace = offer.namespace.encode()
    if len(offer.head) > HEAD_BYTES or len(namespace) > _NAMESPACE_BYTES:
        return None
    object_id = bytes.fromhex(offer.object_id)
    fixed = _FIXED.pack(_MARK, len(namespace), len(offer.head), object_id)
    return fixed + namespace + offer.head


class OfferReader:
    """Puts an offer together that comes in pieces."""

    def __init__(self) -> None:
        self._taken = bytearray()

    def feed(self, data: bytes) -> Offer | None:
        """Take bytes; returns the offer when it is whole.

        Raises:
            OfferGarbled: It is none, or something stands behind it.
        """
        self._taken += data
        taken = self._taken
        if len(taken) < _FIXED.size:
            if not _MARK.startswith(taken[: len(_MARK)]):
                raise OfferGarbled("another version's")
            return None
        mark, namespace_bytes, head_bytes, object_id = _FIXED.unpack_from(taken)
        if mark != _MARK or head_bytes > HEAD_BYTES or namespace_bytes > _NAMESPACE_BYTES:
            raise OfferGarbled("another version's, or too long")
        head_at = _FIXED.size + namespace_bytes
        missing = head_at + head_bytes - len(taken)
        if missing > 0:
            return None
        if missing < 0:
            raise OfferGarbled("something stands behind it")
        try:
            namespace = taken[_FIXED.size : head_at].decode()
        except UnicodeDecodeError as error:
            raise OfferGarbled("its namespace is no text") from error
        return Offer(namespace=namespace, object_id=object_id.hex(), head=bytes(taken[head_at:]))
