"""The wire protocol without a wire: what is sent, and answers in whatever pieces they arrive."""

from itertools import pairwise
from struct import pack

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store.wire import Answer, Statement, prepare
from app.store.wire_values import ENCODERS

UUID_BYTES = bytes(range(16))


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + pack("!i", 4 + len(body)) + body


def row(*values: bytes | None) -> bytes:
    parts = [pack("!i", -1) if v is None else pack("!i", len(v)) + v for v in values]
    return message(b"D", pack("!h", len(values)) + b"".join(parts))


def column(name: bytes, type_: int) -> bytes:
    return name + b"\0" + pack("!ihihih", 0, 0, type_, -1, -1, 1)


def fields(**texts: str) -> bytes:
    return b"".join(key.encode() + text.encode() + b"\0" for key, text in texts.items()) + b"\0"


READY = message(b"Z", b"I")
TWO_ROWS = (
    message(b"2")
    + row(UUID_BYTES, pack("!q", 7))
    + message(b"N", fields(S="WARNING", C="01000", R="Somewhere"))
    + row(UUID_BYTES, None)
    + message(b"C", b"SELECT 2\0")
    + READY
)
DESCRIBED = (
    message(b"1")
    + message(b"t", pack("!hiii", 3, 2950, 1016, 17))
    + message(b"T", pack("!h", 2) + column(b"object_id", 2950) + column(b"epoch", 20))
    + READY
)


def described(data: bytes = DESCRIBED) -> Answer:
    answer = Answer()
    assert answer.feed(data)
    return answer


def test_a_statement_is_prepared_under_its_name_and_described() -> None:
    assert prepare("s", "select $1") == (
        message(b"P", b"s\0select $1\0\0\0") + message(b"D", b"Ss\0") + message(b"S")
    )


def test_a_call_is_bind_execute_and_sync_in_one_piece() -> None:
    statement = Statement("s", described())
    call = statement.call((asyncpg.pgproto.pgproto.UUID(UUID_BYTES), [5, -1], b"xy"))
    array = pack("!iiiii", 1, 1, 20, 2, 1) + pack("!iq", 8, 5) + pack("!iq", 8, -1)
    bind = b"\0s\0" + pack("!hhh", 1, 1, 3)
    for value in (UUID_BYTES, array, b"xy"):
        bind += pack("!i", len(value)) + value
    bind += pack("!hh", 1, 1)
    assert call == message(b"B", bind) + message(b"E", bytes(5)) + message(b"S")


@pytest.mark.parametrize(
    "arguments",
    [
        (b"not an id", [], b""),
        (asyncpg.pgproto.pgproto.UUID(UUID_BYTES), ["text"], b""),
        (asyncpg.pgproto.pgproto.UUID(UUID_BYTES), [1 << 63], b""),
        (asyncpg.pgproto.pgproto.UUID(UUID_BYTES), [], "text"),
        (asyncpg.pgproto.pgproto.UUID(UUID_BYTES), []),
    ],
    ids=["id", "text for a number", "a number too large", "text for bytes", "one too few"],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(arguments: tuple[object]) -> None:
    with pytest.raises(ValueError, match=r"fit|shorter") as caught:
        Statement("s", described()).call(arguments)
    assert caught.value.__cause__ is None


def test_a_type_that_is_not_known_is_no_guess() -> None:
    point = message(b"t", pack("!hi", 1, 600)) + message(b"n") + READY
    with pytest.raises(asyncpg.InterfaceError, match="600"):
        Statement("s", described(point))


@given(cuts=st.lists(st.integers(0, len(TWO_ROWS)), max_size=6))
def test_an_answer_may_arrive_in_any_pieces(cuts: list[int]) -> None:
    answer = Answer()
    edges = [0, *sorted(cuts), len(TWO_ROWS)]
    pieces = [TWO_ROWS[a:b] for a, b in pairwise(edges)]
    ends = [answer.feed(piece) for piece in pieces]
    assert ends.index(True) == next(i for i, end in enumerate(edges[1:]) if end == len(TWO_ROWS))
    rows = [Statement("s", described()).row(raw) for raw in answer.rows]
    assert rows == [
        {"object_id": asyncpg.pgproto.pgproto.UUID(UUID_BYTES), "epoch": 7},
        {"object_id": asyncpg.pgproto.pgproto.UUID(UUID_BYTES), "epoch": None},
    ]
    assert answer.notices == [{"S": "WARNING", "C": "01000", "R": "Somewhere"}]
    assert answer.error is None


def test_an_error_is_told_when_the_server_is_ready_again() -> None:
    answer = Answer()
    assert not answer.feed(message(b"2") + message(b"E", fields(S="ERROR", C="23514", M="no")))
    assert answer.feed(READY)
    assert answer.error == {"S": "ERROR", "C": "23514", "M": "no"}


def test_what_belongs_to_no_answer_is_passed_over() -> None:
    answer = Answer()
    notification = message(b"A", pack("!i", 1) + b"channel\0payload\0")
    assert answer.feed(message(b"S", b"TimeZone\0UTC\0") + notification + READY)
    assert (answer.rows, answer.error, answer.notices) == ([], None, [])


def test_what_no_server_says_is_an_error() -> None:
    with pytest.raises(asyncpg.ProtocolError):
        Answer().feed(message(b"G", b"copy"))


@pytest.mark.parametrize(
    ("type_", "value", "raw"),
    [
        (17, b"xy", b"xy"),
        (20, -1, pack("!q", -1)),
        (23, 7, pack("!i", 7)),
        (25, "é", "é".encode()),
        (2950, asyncpg.pgproto.pgproto.UUID(UUID_BYTES), UUID_BYTES),
    ],
    ids=["bytes", "bigint", "integer", "text", "id"],
)
def test_a_value_has_its_size_in_front_and_null_has_none(
    type_: int, value: object, raw: bytes
) -> None:
    encode = ENCODERS[type_]
    assert encode(value) == pack("!i", len(raw)) + raw
    assert encode(None) == pack("!i", -1)
