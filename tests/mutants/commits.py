"""How a mutant changes the commit statement, in whatever form and whoever asks for it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.store import commit_statement
from app.store.commit_history import CommitCalls
from app.store.commit_statement import CommitForms, Flight

_FORMS = {name: f"COMMIT_{name.upper()}" for name in CommitForms._fields}


def edit_commits(edits: dict[str, str]) -> None:
    """Replace each old piece by its new one wherever it stands; every piece must stand somewhere.

    A test that runs a statement by hand takes a constant, the committer asks `CommitCalls`.
    """
    statements = {name: getattr(commit_statement, name) for name in _FORMS.values()}
    for old in edits:
        assert any(old in each for each in statements.values()), "the mutant no longer fits"
    for name, statement in statements.items():
        setattr(commit_statement, name, _edited(statement, edits))
    call = CommitCalls.call

    def edited(
        self: CommitCalls, worker_id: UUID, flights: Sequence[Flight]
    ) -> tuple[str, tuple[Any, ...]]:
        statement, arguments = call(self, worker_id, flights)
        return _edited(statement, edits), arguments

    CommitCalls.call = edited  # type: ignore[method-assign] # a mutant may


def _edited(statement: str, edits: dict[str, str]) -> str:
    for old, new in edits.items():
        statement = statement.replace(old, new)
    return statement
