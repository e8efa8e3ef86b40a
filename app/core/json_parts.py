"""Large JSON texts, parsed in parts: what `codec.parse_json` says, and nobody is held up for long.

The parser takes a text in one go and holds the interpreter for as long, so a thread of its own is
no help to the event loop. Here it is given runs of some hundred members at a time, found by one
look at the text that knows strings and brackets and no more. A text of another shape than large
contents have, or with a fault in it, is given to the parser as a whole: it has the last word.

Use it beside the event loop: it takes longer in all.
"""

import re
from typing import Any, Final

from .codec import JsonError, parse_json

_MEMBERS: Final = 200
"""So many members are parsed at once, at most."""
_INNER: Final = 200
"""So much stands in a member that holds containers; one that holds more is taken apart itself."""
_LEVELS: Final = 8

_TEXT = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PLAIN = r'[^"\[\]{},:]++'
_FLAT = rf'(?:{_TEXT}|[^"\[\]{{}}]++)*+'
_ONE = rf"(?:\[{_FLAT}\]|\{{{_FLAT}\}})"
_IN_TWO = rf'(?:{_TEXT}|[^"\[\]{{}}]++|{_ONE}){{0,{_INNER}}}+'
_TWO = rf"(?:\[{_IN_TWO}\]|\{{{_IN_TWO}\}})"
_IN_THREE = rf'(?:[^"\[\]{{}}]++|{_TEXT}|{_TWO}){{0,8}}+'
_VALUE = rf"(?:{_TEXT}|{_PLAIN}|{_ONE}|{_TWO}|\[{_IN_THREE}\])\s*+"
_NAMED = rf"\s*+{_TEXT}\s*+:\s*+{_VALUE}"

_run_of_named: Final = re.compile(
    rf"{_NAMED}(?:,{_NAMED}){{0,{_MEMBERS - 1}}}+(?=[,}}])", re.DOTALL
).match
_run_of_items: Final = re.compile(
    rf"\s*+{_VALUE}(?:,\s*+{_VALUE}){{0,{_MEMBERS - 1}}}+(?=[,\]])", re.DOTALL
).match
_name: Final = re.compile(rf"\s*+({_TEXT})\s*+:", re.DOTALL).match
_opening: Final = re.compile(r"\s*+([\[{])\s*+([\]}]?)").match
_next: Final = re.compile(r"\s*+([,\]}])").match
_rest: Final = re.compile(r"\s*+\Z").match


class _OtherShapeError(Exception):
    """The text is not one that is parsed in parts."""


def parse_json_in_parts(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        JsonError: As `parse_json`.
    """
    try:
        value, at = _container(text, 0, _LEVELS)
    except (_OtherShapeError, JsonError):
        return parse_json(text)
    return value if _rest(text, at) else parse_json(text)


def _container(text: str, at: int, levels: int) -> tuple[Any, int]:
    """The object or array that begins at a place, and the place behind it."""
    opening = _opening(text, at)
    if opening is None or not levels:
        raise _OtherShapeError
    named = opening[1] == "{"
    close = "}" if named else "]"
    if opening[2]:
        if opening[2] != close:
            raise _OtherShapeError
        return ({} if named else []), opening.end()
    members: Any = {} if named else []
    take = _take_named if named else _take_items
    at = opening.end(1)
    while True:
        following = _next(text, take(text, at, members, levels))
        if following is None or following[1] not in {",", close}:
            raise _OtherShapeError
        at = following.end()
        if following[1] == close:
            return members, at


def _take_named(text: str, at: int, members: dict[str, Any], levels: int) -> int:
    """Parse the next members of an object; return the place behind them."""
    run = _run_of_named(text, at)
    if run is not None:
        members.update(parse_json(f"{{{run[0]}}}"))
        return run.end()
    name = _name(text, at)
    if name is None:
        raise _OtherShapeError
    key = parse_json(name[1])
    members[key], at = _container(text, name.end(), levels - 1)
    return at


def _take_items(text: str, at: int, members: list[Any], levels: int) -> int:
    """Parse the next items of an array; return the place behind them."""
    run = _run_of_items(text, at)
    if run is not None:
        members.extend(parse_json(f"[{run[0]}]"))
        return run.end()
    item, at = _container(text, at, levels - 1)
    members.append(item)
    return at
