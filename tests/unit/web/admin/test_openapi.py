"""The description follows from the operations, and what is checked in equals the code."""

from typing import Any

import pytest

from app.core.codec import parse_json
from app.web.admin.openapi import description_of
from app.web.admin.operation import Operation
from app.wiring.admin import described_operations
from docs import generate_admin_api

OPERATIONS = described_operations()
DESCRIPTION = description_of(OPERATIONS)


def named(operation: Operation) -> str:
    return operation.name


def said_of(operation: Operation) -> dict[str, Any]:
    said: dict[str, Any] = DESCRIPTION["paths"][f"/admin/v1{operation.path}"][
        operation.method.lower()
    ]
    return said


def test_the_description_that_is_checked_in_equals_the_code() -> None:
    text = generate_admin_api.DESCRIPTION.read_text("utf-8")
    assert text == generate_admin_api.description(), "run `make docs`"


def test_the_table_of_operations_and_roles_equals_the_code() -> None:
    page = generate_admin_api.PAGE.read_text("utf-8")
    assert page == generate_admin_api.page(), "run `make docs`"
    assert page.count("\n| `") == len(OPERATIONS)


def test_no_two_operations_have_one_name() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_an_operation_declares_what_fits_together(operation: Operation) -> None:
    assert operation.method in {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert operation.path.startswith("/")
    assert not operation.path.endswith("/")
    assert operation.answer is None or operation.gives is None
    assert operation.body is None or operation.takes is None
    if operation.method == "GET":
        assert operation.body is None
        assert operation.takes is None
    if operation.creates:
        assert operation.changes
        assert operation.answer is not None, "an answer that is kept is a model"
    assert operation.summary
    assert not operation.summary.endswith(".")
    for segment in operation.path.split("/")[1:]:
        assert segment.count("{") == segment.startswith("{"), "a parameter is a whole segment"


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_every_part_of_an_operation_is_described(operation: Operation) -> None:
    said = said_of(operation)
    assert said["operationId"] == operation.name
    assert said["x-role"] == operation.role
    parameters = {(each["in"], each["name"]): each for each in said.get("parameters", [])}
    assert {name for place, name in parameters if place == "path"} == set(operation.parameters)
    if operation.query is not None:
        fields = {name for place, name in parameters if place == "query"}
        assert fields == set(operation.query.model_fields)
        undescribed = [
            name
            for place, name in parameters
            if place == "query" and not parameters[place, name]["description"]
        ]
        assert not undescribed
    assert str(operation.good_status) in said["responses"]
    assert "401" in said["responses"]


def test_every_reference_leads_to_a_schema() -> None:
    found = parse_json(generate_admin_api.description())
    missing = [
        ref
        for ref in references(found)
        if ref.removeprefix("#/components/schemas/") not in found["components"]["schemas"]
    ]
    assert not missing


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for child in value.values() for ref in references(child)]
    if isinstance(value, list):
        return [ref for child in value for ref in references(child)]
    return []
