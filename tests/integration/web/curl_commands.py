"""The `curl` commands of a page of the docs, run as requests: curl itself need not be there."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import httpx

_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_VARIABLE = re.compile(r"\$([A-Z_]+)")


def commands_of(page: Path) -> list[str]:
    """Every command of the page's shell blocks that begins with `curl`, on one line."""
    blocks = "\n".join(_BLOCK.findall(page.read_text("utf-8"))).replace("\\\n", " ")
    return [line for line in blocks.splitlines() if line.startswith("curl ")]


def run(command: str, *, port: int, variables: Mapping[str, str]) -> httpx.Response:
    """Do what a command says, at this port in place of 8000. An option not known here fails."""
    method, url, body = "", "", None
    headers: list[tuple[str, str]] = []
    words = iter(shlex.split(_VARIABLE.sub(lambda found: variables[found[1]], command))[1:])
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers.append((name, value))
        elif word in {"-d", "--data-binary"}:
            body = next(words)
        elif not word.startswith("-"):
            url = word.replace(":8000/", f":{port}/")
        else:
            assert word == "-s", f"{word} is not known to this test"
    method = method or ("GET" if body is None else "POST")
    return httpx.request(method, url, headers=headers, content=body, timeout=60)
