"""Addresses of operations: split first, decoded once, fixed segments before parameters."""

import pytest

from app.core.admin import Role
from app.core.admin_errors import MethodNotAllowed, PathInvalid, PathUnknown
from app.web.admin.operation import AdminCall, Operation
from app.web.admin.routing import Routes


async def nothing(_call: AdminCall) -> None:
    """Is never called here."""


def operation(method: str, path: str) -> Operation:
    return Operation(
        name=f"{method} {path}",
        method=method,
        path=path,
        role=Role.VIEWER,
        tag="tests",
        summary="None",
        handle=nothing,
    )


OBJECT = "/namespaces/{namespace}/objects/{object}"
ROUTES = Routes(
    [
        operation("GET", "/me"),
        operation("GET", OBJECT),
        operation("DELETE", OBJECT),
        operation("GET", f"{OBJECT}/alarms/dead-letters"),
        operation("PUT", f"{OBJECT}/alarms/{{name}}"),
        operation("GET", f"{OBJECT}/alarms/{{name}}/tries"),
    ]
)


def found(method: str, path: str) -> tuple[str, dict[str, str]]:
    operation, parameters = ROUTES.find(method, path)
    return operation.path, dict(parameters)


@pytest.mark.parametrize(
    ("segment", "name"),
    [
        ("a", "a"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("a+b", "a+b"),
        ("", ""),
        ("%C3%BC", "ü"),
        ("%", "%"),
        ("id:00", "id:00"),
        ("objects", "objects"),
    ],
)
def test_a_parameter_is_one_segment_decoded_once(segment: str, name: str) -> None:
    path = f"/namespaces/n/objects/{segment}"
    assert found("GET", path) == (OBJECT, {"namespace": "n", "object": name})


def test_a_fixed_segment_goes_before_a_parameter() -> None:
    assert found("GET", "/namespaces/n/objects/o/alarms/dead-letters")[0].endswith("dead-letters")
    path, parameters = found("GET", "/namespaces/n/objects/o/alarms/dead-letters/tries")
    assert path.endswith("{name}/tries")
    assert parameters["name"] == "dead-letters"


@pytest.mark.parametrize("path", ["", "/", "/m", "/me/", "//me", "/namespaces", f"{OBJECT}/x"])
def test_what_is_nowhere_is_told_as_such(path: str) -> None:
    with pytest.raises(PathUnknown):
        ROUTES.find("GET", path)


def test_an_address_names_the_methods_it_takes() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTES.find("PATCH", "/namespaces/n/objects/o")
    assert caught.value.allowed == ("DELETE", "GET", "HEAD")
    assert ROUTES.find("HEAD", "/me")[0].method == "GET"


def test_a_segment_that_is_no_text_is_refused() -> None:
    with pytest.raises(PathInvalid):
        ROUTES.find("GET", "/namespaces/n/objects/%FF")


def test_two_operations_at_one_address_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two operations"):
        Routes([operation("GET", "/a/{b}"), operation("GET", "/a/{c}")])
