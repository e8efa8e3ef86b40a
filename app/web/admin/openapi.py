"""The description of the admin plane, OpenAPI 3.1, made from the operations themselves.

Nothing is written by hand that an operation says: addresses, parameters, bodies, answers and
errors all follow from its declaration and its models.
"""

from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ...core.admin import Role
from ...core.admin_errors import (
    AdminTokenRequired,
    FieldsInvalid,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    MediaTypeUnknown,
    RequestOutcomeUnknown,
    RequestUnderWay,
    RoleTooLow,
    TooManyGuesses,
)
from ...core.errors import BodyTooLarge, IdInvalid, NamespaceUnknown, StateroomError
from .endpoint import OPERATIONS
from .models import Told
from .operation import Operation
from .statuses import admin_status

_SCHEMAS: Final = "#/components/schemas/"
_PROBLEM: Final = "application/problem+json"
_JSON: Final = "application/json"
_PARAMETERS: Final = {
    "namespace": "A mounted class and all its objects",
    "object": "The object's name, percent-encoded as one segment, or `id:` and 64 hex digits",
    "token": "The public part of a token: 16 hex digits",
}
_ABOUT: Final = (
    "Everything that can be read of the rooms and objects of a Stateroom cluster and done to them. "
    "Names in paths are one percent-encoded segment each (a slash is `%2F`). Instants are RFC 3339 "
    "in UTC, sizes are bytes. Lists come in pages: pass `next_cursor` on as `cursor`. Errors are "
    "problem documents (RFC 9457) with a stable `code`. Every answer names its request in "
    "`Stateroom-Request-Id`, and changes are kept in the audit under that id."
)
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key gets the same answer; kept for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}

_Mode = Literal["validation", "serialization"]


class FieldProblem(Told):
    """What is wrong with one field."""

    pointer: str
    """Where: a JSON pointer into the body (`#/name`), or `?name` in the query."""
    detail: str
    """What."""


class Problem(Told):
    """Why a request was not answered as it wished."""

    type: str
    """A URN made of the code."""
    title: str
    """What went wrong, for people."""
    status: int
    """The HTTP status."""
    code: str
    """What went wrong, for programs; it does not change between releases."""
    detail: str = ""
    """More of it."""
    remedy: str = ""
    """What can be done about it."""
    request_id: str = ""
    """Names the request in the server's log and in the audit."""
    errors: tuple[FieldProblem, ...] = ()
    """The fields that are wrong."""


def description_of(operations: Collection[Operation]) -> dict[str, Any]:
    """Return the whole description, as JSON values."""
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        item = paths.setdefault(OPERATIONS + operation.path, {})
        item[operation.method.lower()] = _described(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stateroom admin API", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in operations)],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas.components,
        },
    }


class _Schemas:
    """The JSON schemas of all models."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted: list[tuple[type[BaseModel], _Mode]] = [(Problem, "serialization")]
        queries: list[tuple[type[BaseModel], _Mode]] = []
        for operation in operations:
            if operation.body is not None:
                wanted.append((operation.body, "validation"))
            if operation.answer is not None:
                wanted.append((operation.answer, "serialization"))
            if operation.query is not None:
                queries.append((operation.query, "validation"))
        models = list(dict.fromkeys([*wanted, *queries]))
        self._refs, made = models_json_schema(models, ref_template=_SCHEMAS + "{model}")
        self._all: dict[str, Any] = made["$defs"]
        only_queries = {self._name(each) for each in queries} - {
            self._name(each) for each in wanted
        }
        self.components = {
            name: schema for name, schema in sorted(self._all.items()) if name not in only_queries
        }

    def ref(self, model: type[BaseModel], mode: _Mode) -> dict[str, Any]:
        """Return the reference to a model's schema."""
        return dict(self._refs[model, mode])

    def fields(self, model: type[BaseModel]) -> tuple[dict[str, Any], list[str]]:
        """Return the properties of a query, and the names of those that must be given."""
        schema = self._all[self._name((model, "validation"))]
        return schema["properties"], schema.get("required", [])

    def _name(self, key: tuple[type[BaseModel], _Mode]) -> str:
        return str(self._refs[key]["$ref"]).removeprefix(_SCHEMAS)


def _described(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    needs = f"Needs the role {operation.role}."
    said: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.description} {needs}".strip(),
        "x-role": operation.role.value,
        "responses": _responses(operation, schemas),
    }
    parameters = [*map(_in_path, operation.parameters), *_in_query(operation, schemas)]
    if operation.creates:
        parameters.append(_KEY)
    if parameters:
        said["parameters"] = parameters
    if operation.body is not None:
        schema = schemas.ref(operation.body, "validation")
        said["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
    elif operation.takes is not None:
        content = {operation.takes: {"schema": _raw(operation.takes)}}
        said["requestBody"] = {"required": True, "content": content}
    return said


def _in_path(name: str) -> dict[str, Any]:
    said = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    return said | ({"description": _PARAMETERS[name]} if name in _PARAMETERS else {})


def _in_query(operation: Operation, schemas: _Schemas) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    properties, required = schemas.fields(operation.query)
    return [_query_field(name, dict(schema), required) for name, schema in properties.items()]


def _query_field(name: str, schema: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """A field that may be absent says so by `required`: in a query there is no null."""
    schema.pop("title", None)
    description = schema.pop("description", "")
    choices = [each for each in schema.pop("anyOf", []) if each != {"type": "null"}]
    if len(choices) == 1:
        schema |= choices[0]
    elif choices:
        schema["anyOf"] = choices
    if schema.get("default", ...) is None:
        del schema["default"]
    return {
        "name": name,
        "in": "query",
        "required": name in required,
        "description": description,
        "schema": schema,
    }


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done"}
    if operation.answer is not None:
        schema = schemas.ref(operation.answer, "serialization")
        good["content"] = {_JSON: {"schema": schema}}
    elif operation.gives is not None:
        good["content"] = {operation.gives: {"schema": _raw(operation.gives)}}
    problem = {_PROBLEM: {"schema": schemas.ref(Problem, "serialization")}}
    by_status: dict[int, list[str]] = {}
    for kind in dict.fromkeys(chain(_common_errors(operation), operation.errors)):
        by_status.setdefault(admin_status(kind), []).append(f"`{kind.code}`")
    return {
        str(operation.good_status): good,
        **{
            str(status): {"description": ", ".join(codes), "content": problem}
            for status, codes in sorted(by_status.items())
        },
        "default": {"description": "Another error", "content": problem},
    }


def _common_errors(operation: Operation) -> list[type[StateroomError]]:
    """What an operation may raise by what it declares."""
    kinds: list[type[StateroomError]] = [AdminTokenRequired, TooManyGuesses, FieldsInvalid]
    if operation.role is not Role.VIEWER:
        kinds.append(RoleTooLow)
    if operation.body is not None or operation.takes is not None:
        kinds += [BodyTooLarge, MediaTypeUnknown]
    if operation.creates:
        kinds += [RequestUnderWay, RequestOutcomeUnknown]
        kinds += [IdempotencyKeyInvalid, IdempotencyKeyReused]
    if "namespace" in operation.parameters:
        kinds.append(NamespaceUnknown)
    if "object" in operation.parameters:
        kinds.append(IdInvalid)
    return kinds


def _raw(media_type: str) -> dict[str, Any]:
    """The schema of a raw body: any JSON value, or bytes."""
    return {} if media_type.endswith("json") and "nd" not in media_type else {"type": "string"}
