"""The commands and the page of README.md, taken from the text itself.

Whatever a newcomer is told to type or to save is found by its heading and its fence, so that the
text and what is tried cannot drift apart.
"""

import re
from dataclasses import dataclass
from typing import Final

from tests.architecture.sources import ROOT

README: Final = ROOT / "README.md"

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTION: Final = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block: its language, and its text."""

    language: str
    text: str


def blocks(heading: str) -> list[Block]:
    """Return the fenced blocks below a heading. Raises KeyError when there is no such heading."""
    sections = dict(_SECTION.findall(README.read_text("utf-8")))
    return [Block(language=kind, text=text) for kind, text in _FENCE.findall(sections[heading])]


def commands(heading: str) -> list[str]:
    """Return what is typed below a heading: one entry a command, continued lines joined."""
    typed = "".join(block.text for block in blocks(heading) if block.language == "sh")
    lines = re.sub(r"\\\n\s*", "", typed).splitlines()
    return [re.sub(r"\s+#.*$", "", line) for line in lines if line.strip()]


def ready_line() -> str:
    """Return the line that says that the server is ready."""
    return next(one.text for one in blocks("Run it") if not one.language).strip()


def page() -> str:
    """Return the page that the newcomer saves."""
    return next(one.text for one in blocks("A first page") if one.language == "html")


def script_of_the_page() -> str:
    """Return the module inside the page."""
    found = re.search(r'<script type="module">\n(.*?)</script>', page(), re.DOTALL)
    if found is None:
        raise LookupError("the page has no module")
    return found[1]
