"""JSON for authors who speak a wire format: exact parsing, printing and JavaScript's own text."""

from ..core.codec import (
    MAX_JSON_DEPTH,
    JsonError,
    dump_json,
    dump_json_ascii,
    parse_json,
    parse_json_exact,
)
from ..core.json_parts import parse_json_in_parts
from ..core.json_text import MAX_SAFE_INTEGER, UNDEFINED, js_number, js_stringify

__all__ = [
    "MAX_JSON_DEPTH",
    "MAX_SAFE_INTEGER",
    "UNDEFINED",
    "JsonError",
    "dump_json",
    "dump_json_ascii",
    "js_number",
    "js_stringify",
    "parse_json",
    "parse_json_exact",
    "parse_json_in_parts",
]
