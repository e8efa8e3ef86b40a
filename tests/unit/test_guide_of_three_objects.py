"""The guide that builds three objects shows what is in the examples, to the letter."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/guides/three-objects.md").read_text()
SHOWN = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
EXAMPLES = [
    path.read_text()
    for folder in ("rate-limiter", "chat", "scheduler")
    for path in (ROOT / "examples" / folder).glob("*.py")
]


def _without_docstring(text: str) -> str:
    """A class as the guide shows it: without its docstring and what stands before `on_start`."""
    return text.partition("\n")[2]


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.strip().splitlines()[0])
def test_what_the_guide_shows_stands_in_an_example(shown: str) -> None:
    body = _without_docstring(shown) if shown.startswith("class ") else shown
    assert any(body.rstrip() in example for example in EXAMPLES)


def test_the_guide_shows_something_of_each() -> None:
    assert len(SHOWN) >= 5
