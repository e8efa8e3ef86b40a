"""From an error to what a client is told."""

import inspect
from typing import Any

import pytest

import app.core.errors
from app.core.errors import (
    BodyBroken,
    BodyTooLarge,
    BodyTooSlow,
    CallDeadlock,
    CallRefused,
    CallTimedOut,
    EventTimedOut,
    IdInvalid,
    LeaseLost,
    LinkBroken,
    MethodUnknown,
    NamespaceUnknown,
    ObjectFault,
    Overloaded,
    OwnedElsewhere,
    OwnershipLost,
    QueuedTooLong,
    QueueFull,
    QueueTooLarge,
    RoomAborted,
    StateroomError,
    StorageRefused,
    StoreUnavailable,
    TooManyRequests,
    Unsupported,
    WorkerLeaving,
)
from app.sdk.json import parse_json
from app.web.problems import problem, problem_of, status_of

_ALL = [
    cls
    for _, cls in inspect.getmembers(app.core.errors, inspect.isclass)
    if issubclass(cls, StateroomError)
]


def _body(error: StateroomError) -> dict[str, Any]:
    body: dict[str, Any] = parse_json(bytes(problem_of(error).body))
    return body


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (IdInvalid(), 400),
        (NamespaceUnknown(), 404),
        (Unsupported(), 409),
        (ObjectFault(), 500),
        (StorageRefused(), 500),
        (StateroomError(), 500),
        (EventTimedOut(), 504),
        (Overloaded(), 503),
        (QueueFull(), 503),
        (QueueTooLarge(), 503),
        (QueuedTooLong(), 503),
        (TooManyRequests(), 429),
        (BodyBroken(), 400),
        (BodyTooSlow(), 408),
        (BodyTooLarge(), 413),
        (CallTimedOut(), 503),
        (CallDeadlock(), 500),
        (CallRefused(), 500),
        (MethodUnknown(), 500),
        (LinkBroken(), 503),
        (StoreUnavailable(), 503),
        (OwnedElsewhere(), 503),
        (OwnershipLost(), 503),
        (LeaseLost(), 503),
        (RoomAborted(), 503),
        (WorkerLeaving(), 503),
    ],
)
def test_every_error_has_its_status(error: StateroomError, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.parametrize("cls", _ALL, ids=[cls.__name__ for cls in _ALL])
def test_a_problem_names_its_code_and_never_what_an_authors_code_said(
    cls: type[StateroomError],
) -> None:
    response = problem_of(cls())
    body = _body(cls())
    assert response.headers["content-type"] == "application/problem+json"
    assert body["code"] == cls.code
    assert body["status"] == response.status_code == status_of(cls())
    assert body["type"] == f"urn:stateroom:problem:{cls.code}"
    if issubclass(cls, ObjectFault):
        assert "secret" not in str(_body(cls("secret")))


def test_who_should_come_back_is_told_when() -> None:
    assert problem_of(RoomAborted()).headers["retry-after"] == "1"
    assert problem_of(TooManyRequests()).headers["retry-after"] == "1"
    assert "retry-after" not in problem_of(ObjectFault()).headers


def test_a_detail_stands_only_when_there_is_one() -> None:
    assert "detail" not in parse_json(bytes(problem(status=404, code="x", title="X").body))
    assert _body(StoreUnavailable())["detail"]


def test_what_may_still_come_of_a_slow_body_is_not_taken_for_another_request() -> None:
    assert problem_of(BodyTooSlow()).headers["connection"] == "close"
    assert "connection" not in problem_of(BodyTooLarge()).headers
