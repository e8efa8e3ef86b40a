"""The page of limits names every setting that is a limit of clients or objects."""

from pathlib import Path

import pytest

from app.settings import Settings
from app.settings.limits import LimitSettings

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "limits.md"
OTHERS = [name for name in Settings.model_fields if name.startswith(("max_", "quota_", "mailbox_"))]


@pytest.mark.parametrize("name", [*LimitSettings.model_fields, *OTHERS, "name_bytes", "head_bytes"])
def test_every_limit_stands_on_the_page_of_limits(name: str) -> None:
    assert f"`STATEROOM_{name.upper()}`" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(LimitSettings.model_fields))
def test_the_page_tells_the_default_of_each_limit_of_clients(name: str) -> None:
    default = LimitSettings.model_fields[name].default
    told = f"{default} a second" if default else "any"
    assert f"| {told} | `STATEROOM_{name.upper()}` |" in PAGE.read_text(encoding="utf-8")
