"""Every command that a guide shows exists, with the options that it is given there."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.commands import cli

DOCS = Path(__file__).resolve().parents[3] / "docs"
LINE = re.compile(r"^\s*(?:\w+=\S+ +)*(stateroom [^\n]*)$", re.MULTILINE)
PAGES = [page for page in DOCS.rglob("*.md") if page.parent.name != "decisions"]


def shown() -> list[str]:
    blocks = [
        block
        for page in PAGES
        for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    ]
    return sorted({line for block in blocks for line in LINE.findall(block)})


@pytest.mark.parametrize("line", shown())
def test_a_command_of_a_guide_is_one(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    end = next((at for at, word in enumerate(words) if word in {"|", "&", "&&", ">"}), len(words))
    ended = CliRunner().invoke(cli, [*words[:end], "--help"])
    assert ended.exit_code == 0, ended.output


def test_the_guides_show_commands() -> None:
    assert len(shown()) > 20
