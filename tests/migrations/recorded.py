"""What a release asks of its database, recorded, so that the next one can be held to it.

While workers are upgraded, the release before runs on the schema of the one after. So each release
that is given to others leaves the statements that its tests made Postgres run:

    .venv/bin/python -m pytest tests/contract tests/integration/store tests/integration/web \\
        --record-statements tests/migrations/statements/0013.sql

The file is named after the newest migration of that release; `test_previous_release` prepares each
statement on that schema and on today's.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Final

from app.core.codec import parse_json

_OF_A_RELEASE: Final = re.compile(r"(?is)(select|insert|update|delete|with)\b")
_NOT_OURS: Final = re.compile(
    r"(?is)alembic_version|typeinfo_tree|\bpg_\w+|pgbench|set_config|generate_series|"
    r"update cluster set schema_version|current_schema"
)
_SAID: Final = re.compile(r"(?s)(?:execute [^:]*|statement): (.*)")
_BETWEEN: Final = "\n;;\n"
# Lists can be asked for in hundreds of forms that begin alike; some of them speak for all.
_ALIKE_CHARACTERS: Final = 90
_FORMS: Final = 12


SETTINGS: Final = MappingProxyType(
    {
        "log_statement": "all",
        "logging_collector": "on",
        "log_destination": "jsonlog",
        "log_directory": "statements",
        "log_rotation_size": "0",
    }
)
"""With these Postgres writes every statement into its data directory, one JSON a line."""


def found(folder: Path) -> set[str]:
    """The statements of a release in what Postgres wrote below a folder, each once."""
    lines = (
        line
        for file in folder.rglob("statements/*.json")
        for line in file.read_text("utf-8", "replace").splitlines()
    )
    return set(_of_a_release(lines))


def _of_a_release(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        said = _SAID.match(parse_json(line)["message"])
        if said is None:
            continue
        statement = " ".join(said[1].split()).removesuffix(";")
        if _OF_A_RELEASE.match(statement) and not _NOT_OURS.search(statement):
            yield statement


def write(statements: set[str], file: Path) -> None:
    """Add statements to a file; several test processes may write one after another."""
    known = set(read(file)) if file.exists() else set()
    forms = Counter[str]()
    kept = []
    for statement in sorted(known | statements):
        forms[statement[:_ALIKE_CHARACTERS]] += 1
        if forms[statement[:_ALIKE_CHARACTERS]] <= _FORMS:
            kept.append(statement)
    file.write_text(_BETWEEN.join(kept) + "\n", "utf-8")


def read(file: Path) -> list[str]:
    """The statements of a file."""
    return file.read_text("utf-8").removesuffix("\n").split(_BETWEEN)
