"""Requests and responses of authors are what they say they are."""

from typing import Any

import pytest

from app.room.http_values import checked_response, problem_of_request
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


def test_a_good_response_is_returned_and_what_is_none_is_not() -> None:
    response = Response(body="é", media_type=None)
    assert checked_response(response) is response
    with pytest.raises(TypeError, match="str, not a Response"):
        checked_response("text")
