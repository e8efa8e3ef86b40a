"""The `stateroom` command in a process of its own, in a folder and environment of the test's."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from app.settings.sources import environ

DEADLINE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


def environment(**given: str) -> dict[str, str]:
    """Return the environment of the tests without any settings, and what is `given`."""
    plain = {
        name: value
        for name, value in environ.items()
        if name == "STATEROOM_TEST_RUN" or not name.startswith(("STATEROOM_", "DATABASE_URL"))
    }
    return plain | given


def stateroom(folder: Path, *arguments: str, **variables: str) -> Ended:
    """Run the command to its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "stateroom", *arguments],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return Ended(status=ended.returncode, out=ended.stdout, err=ended.stderr)
