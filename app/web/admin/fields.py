"""The fields of a request, read as its operation declares them; what is wrong is told by pointer.

A problem names the field and the rule, never the value: it may be a secret.
"""

from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ...core.admin_errors import FieldFault, FieldsInvalid
from ...core.codec import JsonError, parse_json

_MOST_FIELDS = 200
_MOST_FAULTS = 50
_MOST_BRACKETS = 200_000
"""That a body may open. A million lists stop a process for a second, however small they are."""
_SEVERAL = (list, tuple, set, frozenset)


def read_query(model: type[BaseModel] | None, text: str) -> BaseModel | None:
    """Read a query string.

    Raises:
        FieldsInvalid: A field is not known, stands twice, or has a value that cannot be taken.
    """
    pairs = _pairs(text)
    if model is None:
        if pairs:
            raise FieldsInvalid([_in_query(name, "is not known here") for name, _ in pairs[:1]])
        return None
    values: dict[str, Any] = {}
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise FieldsInvalid([_in_query(name, "holds a NUL character")])
        if _takes_several(model, name):
            values.setdefault(name, []).append(value)
        elif name in values:
            raise FieldsInvalid([_in_query(name, "stands twice")])
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise FieldsInvalid(
            [
                _in_query(str(fault["loc"][0] if fault["loc"] else ""), _said(fault))
                for fault in faults
            ]
        ) from None


def read_body(model: type[BaseModel], body: bytes) -> BaseModel:
    """Read a JSON body, strictly.

    Raises:
        FieldsInvalid: It is not JSON, or a field is missing, not known or cannot be taken.
    """
    if body.count(b"[") + body.count(b"{") > _MOST_BRACKETS:
        detail = f"opens over {_MOST_BRACKETS} brackets"
        raise FieldsInvalid([FieldFault(pointer="#", detail=detail)])
    try:
        parse_json(body)  # refuses what the models' own parser lets pass: NaN, and deep nesting
        return model.model_validate_json(body, strict=True)
    except JsonError as error:
        raise FieldsInvalid([FieldFault(pointer="#", detail=f"is not JSON: {error}")]) from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise FieldsInvalid(
            [
                FieldFault(pointer=_pointer(fault["loc"]), detail=_said(fault))
                for fault in faults[:_MOST_FAULTS]
            ]
        ) from None


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except UnicodeDecodeError:
        raise FieldsInvalid([_in_query("", "is not valid UTF-8")]) from None
    except ValueError:
        raise FieldsInvalid([_in_query("", f"has over {_MOST_FIELDS} fields")]) from None


def _takes_several(model: type[BaseModel], name: str) -> bool:
    field = model.model_fields.get(name)
    if field is None:
        return False
    kinds = (field.annotation, *get_args(field.annotation))
    return any((get_origin(kind) or kind) in _SEVERAL for kind in kinds)


def _in_query(name: str, detail: str) -> FieldFault:
    return FieldFault(pointer=f"?{name[:100]}", detail=detail)


def _pointer(location: tuple[int | str, ...]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1")[:100] for part in location)
    return "#" + "".join(f"/{part}" for part in parts)


def _said(fault: ErrorDetails) -> str:
    """Pydantic's words; those of a value that could not be decoded quote it, so ours instead."""
    if fault["type"].startswith("json_"):
        return "is not JSON"
    return fault["msg"]
