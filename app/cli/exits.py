"""How a command ends: the status that scripts read.

docs/reference/cli.md shows this table.
"""

from enum import IntEnum


class ExitStatus(IntEnum):
    """The status of a command's process."""

    OK = 0
    """It did what it was asked."""
    FAILED = 1
    """It could not, for a reason that none of the others names."""
    USAGE = 2
    """The command line is wrong, or a question was answered with no."""
    NOT_FOUND = 3
    """There is no such object, key, connection, bookmark or worker (any more); or it is deleted."""
    REFUSED = 4
    """There is no valid token, or it has too low a role."""
    UNREACHABLE = 5
    """The server does not answer, or cannot at the moment: the same again may work later."""
    CONFLICT = 6
    """It is not in a state that allows this: frozen, guarded, there already, changed meanwhile."""
    PARTLY = 7
    """Of several objects some were done and some were not; the lines of the output tell which."""
    INTERRUPTED = 130
    """Ctrl-C."""


_BY_HTTP_STATUS = {
    401: ExitStatus.REFUSED,
    403: ExitStatus.REFUSED,
    404: ExitStatus.NOT_FOUND,
    408: ExitStatus.UNREACHABLE,
    409: ExitStatus.CONFLICT,
    410: ExitStatus.NOT_FOUND,
    412: ExitStatus.CONFLICT,
    425: ExitStatus.UNREACHABLE,
    429: ExitStatus.UNREACHABLE,
    502: ExitStatus.UNREACHABLE,
    503: ExitStatus.UNREACHABLE,
    504: ExitStatus.UNREACHABLE,
}


def exit_status_of(http_status: int) -> ExitStatus:
    """The status for an HTTP answer that is not good."""
    return _BY_HTTP_STATUS.get(http_status, ExitStatus.FAILED)
