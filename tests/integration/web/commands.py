"""The command line in this process, against a service that runs in a thread of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from typer.testing import CliRunner

from app.cli.commands import cli
from app.core.codec import parse_json

TOKEN = "a-token-of-the-tests-of-the-commands"


class CommandLine:
    """Runs commands against one server.

    Args:
        port: Where it listens on this machine.
        token: What they show.
    """

    def __init__(self, port: int, token: str = TOKEN) -> None:
        self._environment = {
            "STATEROOM_SERVER": f"http://127.0.0.1:{port}",
            "STATEROOM_ADMIN_TOKEN": token,
        }
        self._runner = CliRunner()

    def run(self, *words: str, given: str = "", **environment: str) -> Any:
        """Run a command to its end, whatever that is; returns what typer's runner does."""
        return self._runner.invoke(
            cli, list(words), input=given or None, env=self._environment | environment
        )

    def out(self, *words: str, given: str = "") -> str:
        """The output of a command that must end well."""
        ended = self.run(*words, given=given)
        assert ended.exit_code == 0, ended.output
        return str(ended.stdout)

    def json(self, *words: str, given: str = "") -> Any:
        """Its one JSON document."""
        return parse_json(self.out(*words, "--json", given=given))

    def lines(self, *words: str) -> list[Any]:
        """The documents of a list."""
        return [parse_json(line) for line in self.out(*words, "--json").splitlines()]

    def refused(self, *words: str) -> tuple[int, str]:
        """Status and code of a command that must fail."""
        ended = self.run(*words, "--json")
        assert ended.exit_code != 0, ended.output
        assert ended.stdout == ""
        return ended.exit_code, parse_json(ended.stderr)["error"]["code"]


@contextmanager
def logs_elsewhere() -> Iterator[None]:
    """Keep what the service logs out of what commands print: both are this process."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.__stderr__))
    try:
        yield
    finally:
        structlog.configure(**before)
