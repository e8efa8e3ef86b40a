"""What travels beside a descriptor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.handoff import Offer
from app.transport.handoff_message import (
    HEAD_BYTES,
    MESSAGE_BYTES,
    OfferGarbled,
    OfferReader,
    write_offer,
)

OBJECT_ID = "0123456789abcdef" * 4


def offer(head: bytes = b"GET / HTTP/1.1\r\n\r\n", namespace: str = "tinybase") -> Offer:
    return Offer(namespace=namespace, object_id=OBJECT_ID, head=head)


def message(head: bytes = b"GET / HTTP/1.1\r\n\r\n") -> bytes:
    written = write_offer(offer(head))
    assert written is not None
    return written


@given(head=st.binary(max_size=300), namespace=st.text(max_size=40), cut=st.integers(1, 60))
def test_an_offer_is_read_as_it_was_written_in_whatever_pieces(
    head: bytes, namespace: str, cut: int
) -> None:
    written = write_offer(offer(head, namespace))
    assert written is not None
    reader = OfferReader()
    pieces = [written[at : at + cut] for at in range(0, len(written), cut)]
    found = [reader.feed(piece) for piece in pieces]
    assert found[:-1] == [None] * (len(pieces) - 1)
    assert found[-1] == offer(head, namespace)


def test_the_longest_request_fits_and_one_byte_more_is_not_handed_on() -> None:
    longest = message(HEAD_BYTES * b"x")
    assert len(longest) <= MESSAGE_BYTES
    assert OfferReader().feed(longest) == offer(HEAD_BYTES * b"x")
    assert write_offer(offer((HEAD_BYTES + 1) * b"x")) is None
    assert write_offer(offer(namespace=256 * "n")) is None


@pytest.mark.parametrize(
    "garbled",
    [
        b"GET / HTTP/1.1\r\n",
        b"SRO\x02" + message()[4:],
        message() + b"!",
        message()[:6] + b"\xff\xff\xff\xff" + message()[10:],
        message().replace(b"tinybase", b"tiny\xff\xfe\xfd\xfc"),
    ],
    ids=["no offer", "another version", "something behind it", "too long", "no text"],
)
def test_what_is_no_offer_is_refused(garbled: bytes) -> None:
    with pytest.raises(OfferGarbled):
        OfferReader().feed(garbled)


def test_another_version_is_told_by_its_first_bytes() -> None:
    with pytest.raises(OfferGarbled):
        OfferReader().feed(b"SRO\x02")
    assert OfferReader().feed(b"SR") is None
