"""The class with a content of its own that stands in the guide of moving in and out."""

from pathlib import Path
from typing import Any

import pytest

from app.cluster.contents import Contents
from app.core.admin_errors import ContentInvalid, ContentUnknown
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryObjectStates

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "move-in-and-out.md"


async def test_the_class_of_the_guide_has_a_content() -> None:
    (block,) = GUIDE.read_text("utf-8").split("```python\n")[1:]
    module: dict[str, Any] = {"__name__": "note"}
    exec(block.split("```")[0], module)  # noqa: S102 - the guide is ours
    async with ObjectHarness({"note": module["Note"]}) as harness:
        states = MemoryObjectStates(harness.database)
        contents = Contents(harness.registry.namespaces, harness.stubs, states)
        note, text = harness.object_id("note", "a"), ["values", "text"]
        await contents.replace(note, text, b'"hello"')
        assert await contents.read(note, text) == b'"hello"'
        assert await contents.read(note, []) == b'{"tables": {}, "values": {"text": "hello"}}'
        with pytest.raises(ContentInvalid, match="a note is one text"):
            await contents.patch(note, [], b"{}")
        with pytest.raises(ContentUnknown):
            await contents.read(note, ["tables", "t"])
        await contents.delete(note, text)
        assert await contents.read(note, text) == b'""'
