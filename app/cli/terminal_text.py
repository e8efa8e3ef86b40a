r"""Text of others, made safe to show: it can neither move the cursor nor hide what stands around.

Names, values and messages come from whoever may write to a room. Control characters, marks that
turn the direction of writing, line separators and halves of surrogate pairs are written as
`\uXXXX`, in JSON too, where that means the same character.
"""

import re
from typing import Any, Final

from ..core.codec import dump_json

_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
    "|[\U000e0000-\U000e007f]"
)
_IN_LINES: Final = re.compile(f"(?!\n)(?:{_UNSAFE.pattern})")


def one_line(text: str) -> str:
    """Return the text in one line that is safe to show."""
    return _UNSAFE.sub(_escaped, text)


def lines(text: str) -> str:
    """Do the same, but leave its line ends."""
    return _IN_LINES.sub(_escaped, text)


def json_line(value: Any) -> str:
    """Return a value as JSON in one line that is safe to show."""
    return one_line(dump_json(value).decode())


def json_text(value: Any) -> str:
    """Return a value as JSON for people, over several lines."""
    return _indented(value, "")


def _indented(value: Any, indent: str) -> str:
    if isinstance(value, dict) and value:
        inner = f"{indent}  "
        members = (f"{inner}{json_line(k)}: {_indented(v, inner)}" for k, v in value.items())
        return "{\n" + ",\n".join(members) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        inner = f"{indent}  "
        return "[\n" + ",\n".join(inner + _indented(v, inner) for v in value) + f"\n{indent}]"
    return json_line(value)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 1 << 16:
        return f"\\u{number:04x}"
    number -= 1 << 16
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
