"""How the command tells that something went wrong: one line on standard error, and a status.

What a user can cause is a `StateroomError`: its code, its text and what to do about it, status 1.
Anything else is a fault of ours: one line too, with the advice to run again with `--debug`, which
shows the traceback. Wrong usage is told by the command line parser, status 2.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from ..core.errors import StateroomError
from .exits import ExitStatus

FAILED = ExitStatus.FAILED


class ToldFailure(Exception):
    """A failure of another process of ours; its text is the line that one has told.

    Attributes:
        status: What the command ends with.
    """

    status: ExitStatus = ExitStatus.FAILED


def tell_people(line: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{line}\n")


def line_of(error: Exception) -> str:
    """Return the one line that tells `error`."""
    if isinstance(error, ToldFailure):
        return str(error)
    if isinstance(error, StateroomError):
        line = f"stateroom: error [{error.code}]: {_sentence(str(error))}"
        return f"{line} Remedy: {_sentence(error.remedy)}" if error.remedy else line
    kind, text = type(error).__name__, " ".join(str(error).split())
    return (
        f"stateroom: error [internal]: {_sentence(f'{kind}: {text}' if text else kind)} "
        "Remedy: Run the command again with --debug for the traceback, and report it."
    )


@contextmanager
def one_line_failures(
    *,
    debug: bool,
    tell: Callable[[str], None] = tell_people,
    line: Callable[[Exception], str] = line_of,
) -> Iterator[None]:
    """Turn an exception of the body into one line and an exit status, mostly 1.

    Args:
        debug: Let the exception through, after the line, if that goes elsewhere.
        tell: Takes the line.
        line: Writes it.

    Raises:
        SystemExit: In place of whatever the body raised, unless `debug`. What the parser of
            command lines raises goes through.
    """
    try:
        yield
    except (typer.BadParameter, typer.Abort, typer.Exit, BrokenPipeError):
        raise  # the parser of command lines tells them
    except Exception as error:
        if tell is not tell_people or not debug:
            tell(line(error))
        if debug and not isinstance(error, ToldFailure):
            raise
        sys.exit(error.status if isinstance(error, ToldFailure) else FAILED)


def _sentence(text: str) -> str:
    words = " ".join(text.split())
    return words if words.endswith((".", "!", "?")) else f"{words}."
