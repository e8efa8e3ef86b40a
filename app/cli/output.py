"""What a command prints: tables for people, lines for pipes, JSON for programs.

* With `--json`: one JSON document, or one a line for lists and streams. Its fields are those of
  the admin API, and stay.
* On a terminal: tables, and progress on standard error.
* Else: lines with tabs between the fields, no head.

Whatever the mode, what others wrote cannot reach the terminal as anything but text.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Final, Self, TextIO

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from .exits import ExitStatus
from .failures import ToldFailure
from .terminal_text import json_line, json_text, one_line

_NOTHING: Final = "-"
_MANY_ROWS: Final = 1_000

Column = tuple[str, str]
"""A column's title and the field it shows; of several, with bars between, the first there is."""


class Output:
    """See the module.

    Args:
        as_json: Whether `--json` was given.
        out: Standard output.
        err: Standard error.
    """

    def __init__(
        self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self.for_people = self._out.isatty() and not as_json

    def value(self, value: Any) -> None:
        """Print a value, which is JSON for whoever reads it."""
        self._line(json_text(value) if self.for_people else json_line(value))

    def record(self, record: Mapping[str, Any]) -> None:
        """Print one thing with its fields."""
        if self.as_json:
            self._line(json_line(dict(record)))
            return
        rows = [(name, _shown(value)) for name, value in record.items()]
        if self.for_people:
            table = Table(show_header=False, box=None, pad_edge=False)
            for name, text in rows:
                table.add_row(Text(one_line(name), style="bold"), Text(text))
            self._console().print(table)
        else:
            for name, text in rows:
                self._line(f"{one_line(name)}\t{text}")

    def rows(
        self,
        items: Iterable[Mapping[str, Any]],
        columns: Sequence[Column],
        *,
        for_people: Sequence[Column] | None = None,
        empty_head: bool = True,
    ) -> int:
        """Print things of a kind; return how many there were.

        Args:
            items: The things, read as they are printed.
            columns: What a line tells of each.
            for_people: What a table on a terminal tells, if less.
            empty_head: Whether a table without rows is shown, too.
        """
        count = 0
        if self.for_people:
            return self._tables(items, for_people or columns, empty_head=empty_head)
        for item in items:
            count += 1
            if self.as_json:
                self._line(json_line(dict(item)))
            else:
                self._line("\t".join(_shown(_field(item, field)) for _, field in columns))
        return count

    def done(self, text: str, answer: Any = None, *, for_programs: str | None = None) -> None:
        """Say that something was done; with `--json`, print the answer to it.

        Args:
            text: What people are told; a pipe is told nothing by default.
            answer: What the server said.
            for_programs: What a pipe is told, if it would be lost otherwise.
        """
        if self.as_json:
            self._line(json_line(answer if answer is not None else {}))
        elif self.for_people:
            self._line(one_line(text))
        elif for_programs is not None:
            self._line(one_line(for_programs))

    def text(self, text: str) -> None:
        """Print a line as it is, made safe."""
        self._line(one_line(text))

    def remark(self, text: str) -> None:
        """Tell people something beside the output."""
        if self._err.isatty():
            self._err.write(f"{one_line(text)}\n")

    def progress(self, title: str, *, total_bytes: int | None = None) -> "Meter":
        """Show how far something is, on standard error if that is a terminal."""
        return Meter(title, total_bytes=total_bytes, err=self._err)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something that cannot be undone.

        Raises:
            NotConfirmed: The answer is no, or there is nobody to ask.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            raise NotConfirmed("there is nobody to ask: give --yes")
        if not typer.confirm(one_line(question), err=True):
            raise NotConfirmed("nothing was done")

    def _tables(
        self, items: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, empty_head: bool
    ) -> int:
        """Tables of a bounded size: a list may be longer than memory."""
        count, batch = 0, []
        for item in items:
            count += 1
            batch.append([_shown(_field(item, field)) for _, field in columns])
            if len(batch) == _MANY_ROWS:
                self._print_table(batch, columns)
                batch = []
        if batch or (empty_head and not count):
            self._print_table(batch, columns)
        return count

    def _print_table(self, rows: list[list[str]], columns: Sequence[Column]) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title, _ in columns:
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*(Text(text) for text in row))
        self._console().print(table)

    def _console(self) -> Console:
        return Console(file=self._out, markup=False, highlight=False, emoji=False)

    def _line(self, text: str) -> None:
        self._out.write(f"{text}\n")


class NotConfirmed(ToldFailure):
    """Somebody was asked and did not say yes."""

    status = ExitStatus.USAGE
    code = "not_confirmed"

    def __init__(self, text: str) -> None:
        super().__init__(f"stateroom: {text}.")


class Meter:
    """A progress bar while a stream runs; nothing where nobody looks."""

    def __init__(self, title: str, *, total_bytes: int | None, err: TextIO) -> None:
        self._bar: Progress | None = None
        if err.isatty():
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                *((BarColumn(),) if total_bytes else ()),
                DownloadColumn(),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=Console(file=err), transient=True)
            self._task = self._bar.add_task(one_line(title), total=total_bytes)
        self._whole: AbstractContextManager[Any] = self._bar or nullcontext()

    def __enter__(self) -> Self:
        self._whole.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._whole.__exit__(kind, error, trace)

    def add(self, size: int) -> None:
        """Count bytes."""
        if self._bar is not None:
            self._bar.advance(self._task, size)

    def counting(self, pieces: Iterable[bytes]) -> Iterable[bytes]:
        """Hand pieces on and count them."""
        for piece in pieces:
            self.add(len(piece))
            yield piece


def _field(item: Mapping[str, Any], field: str) -> Any:
    found = (item.get(name) for name in field.split("|"))
    return next((value for value in found if value is not None), None)


def _shown(value: Any) -> str:
    match value:
        case None | "":
            return _NOTHING
        case True:
            return "yes"
        case False:
            return "no"
        case str():
            return one_line(value)
        case list() if all(isinstance(each, str) for each in value):
            return one_line(", ".join(value)) or _NOTHING
        case _:
            return json_line(value)
