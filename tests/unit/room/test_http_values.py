"""Requests and responses of authors are what they say they are."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest

from app.room.http_values import checked_piece, checked_response, problem_of_request
from app.sdk import Request, Response

_LONE = "\ud800"


@pytest.mark.parametrize(
    "odd",
    [
        {"path": 7},
        {"path": _LONE},
        {"method": None},
        {"subprotocols": (1,)},
        {"headers": {"x": 1}},
        {"headers": {"x": _LONE}},
        {"headers": [("x", "y")]},
        {"body": "text"},
    ],
)
def test_a_request_that_cannot_travel_is_found(odd: dict[str, Any]) -> None:
    assert problem_of_request(Request(**odd)) is not None


def test_a_good_request_has_no_problem() -> None:
    request = Request(headers={"x": "é"}, body=b"\x00", subprotocols=("a",))
    assert problem_of_request(request) is None


@pytest.mark.parametrize(
    "odd",
    [
        {"body": None},
        {"body": _LONE},
        {"status": "200"},
        {"headers": {"x": 1}},
        {"media_type": 4},
    ],
)
def test_a_response_that_cannot_travel_is_the_fault_of_its_author(odd: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        checked_response(Response(**odd))


@pytest.mark.parametrize(
    "odd",
    [
        {"status": 101},
        {"status": 99},
        {"status": 600},
        {"status": True},
        {"headers": {"x": "a\r\nset-cookie: b"}},
        {"headers": {"x": "\x00"}},
        {"headers": {"x": "日本"}},
        {"headers": {"x y": "a"}},
        {"headers": {"": "a"}},
        {"headers": {"x\n": "a"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"media_type": "text/plain\r\nx: y"},
        {"media_type": "text/€"},
        {"body": "é", "headers": {"content-length": "1"}},
        {"body": b"abc", "headers": {"Content-Length": "5"}},
        {"headers": {"content-length": "5"}},
    ],
)
def test_a_response_that_http_cannot_carry_is_the_fault_of_its_author(odd: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"response|header|content-length"):
        checked_response(Response(**odd))


def test_the_error_names_the_header_and_not_its_value() -> None:
    with pytest.raises(ValueError, match="'x-token'") as caught:
        checked_response(Response(headers={"x-token": "secret\n"}))
    assert "secret" not in str(caught.value)


def test_an_answer_without_a_body_may_tell_its_length() -> None:
    told = Response(headers={"content-length": "5"})
    assert checked_response(told, bodiless=True) is told
    unchanged = Response(status=304, headers={"content-length": "5"})
    assert checked_response(unchanged) is unchanged


def test_a_status_may_be_one_of_the_standard_library() -> None:
    made = Response(
        status=HTTPStatus.CREATED, body="é", headers={"content-length": "2", "x": "café\t"}
    )
    assert checked_response(made) is made


def test_a_good_response_is_returned_and_what_is_none_is_not() -> None:
    response = Response(body="é", media_type=None)
    assert checked_response(response) is response
    with pytest.raises(TypeError, match="str, not a Response"):
        checked_response("text")


async def _pieces() -> AsyncIterator[bytes]:
    yield b"x"


def test_a_body_in_pieces_is_a_good_one_and_cannot_be_sent_on() -> None:
    response = Response(body=_pieces(), headers={"Content-Length": "12"})
    assert checked_response(response) is response
    assert "read the body first" in (problem_of_request(Request(pieces=_pieces())) or "")


@pytest.mark.parametrize("length", ["", "-1", "x", "1 ", "²"])
def test_the_length_of_a_body_in_pieces_is_a_number(length: str) -> None:
    with pytest.raises(ValueError, match="content-length"):
        checked_response(Response(body=_pieces(), headers={"Content-Length": length}))


def test_a_piece_is_bytes_or_text() -> None:
    assert checked_piece(b"x") == b"x"
    assert checked_piece("é") == "é".encode()
    for odd in (None, 7, _LONE, bytearray(b"x")):
        with pytest.raises(TypeError, match="piece"):
            checked_piece(odd)
