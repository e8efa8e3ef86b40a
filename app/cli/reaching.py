"""Commands that speak to a server: how they find it and the token, and how they fail.

The server is `--server`, else STATEROOM_SERVER, else what STATEROOM_HOST and STATEROOM_PORT say
of this machine. The token is `--token`, else STATEROOM_ADMIN_TOKEN (or the file that
STATEROOM_ADMIN_TOKEN_FILE names), else the one that `serve` has left in the data directory.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, ParamSpec
from urllib.parse import urlsplit

import typer

from ..settings import Settings, load_settings
from ..store.own_token import read_own_token
from .admin_client import AdminClient, ServerRefused
from .failures import ToldFailure, line_of, one_line_failures
from .output import Output
from .terminal_text import json_line, one_line

_EVERY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - told apart, not bound

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Which server [STATEROOM_SERVER, else this one]"),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        help="Admin token. Others on the machine can read a command line: prefer "
        "STATEROOM_ADMIN_TOKEN or STATEROOM_ADMIN_TOKEN_FILE.",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Where `serve` left its token [.stateroom]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")]

P = ParamSpec("P")


class FileTrouble(ToldFailure):
    """A file that was named cannot be read or written."""

    code = "file_unusable"

    def __init__(self, error: OSError) -> None:
        where = one_line(str(error.filename))
        super().__init__(f"stateroom: error [{self.code}]: {where}: {error.strerror}.")


def _common(
    *,
    server: Server = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Have the options that every such command takes."""


def on_server(command: Callable[Concatenate[AdminClient, Output, P], None]) -> Callable[..., None]:
    """Make a command of a function that takes a client, the output and options of its own."""

    @wraps(command)
    def run(
        *args: Any,
        server: str | None,
        token: str | None,
        data_dir: Path | None,
        as_json: bool,
        debug: bool,
        **own: Any,
    ) -> None:
        output = Output(as_json=as_json)
        with failures_told(as_json=as_json, debug=debug):
            settings = load_settings(data_dir=data_dir, admin_token=token, server=server)
            with client_for(settings) as client:
                command(client, output, *args, **own)

    own_parameters = list(inspect.signature(command, eval_str=True).parameters.values())[2:]
    common = list(inspect.signature(_common, eval_str=True).parameters.values())
    parameters = [*own_parameters, *common]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def client_for(settings: Settings) -> AdminClient:
    """Make the client that the settings speak of."""
    return AdminClient(server_of(settings), token_of(settings))


def server_of(settings: Settings) -> str:
    """The URL of the server."""
    if settings.server:
        return settings.server
    host = _EVERY_ADDRESS.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host and host[0] != '[' else host}:{settings.port}"


def token_of(settings: Settings) -> str:
    """The token; empty when there is none.

    The token of the data directory is this machine's: no other server is shown it.
    """
    if settings.admin_token is not None:
        return settings.admin_token.get_secret_value()
    if urlsplit(server_of(settings)).hostname not in {*_LOOPBACK, settings.host}:
        return ""
    left = read_own_token(settings.data_dir)
    return "" if left is None else str(left)


@contextmanager
def failures_told(*, as_json: bool, debug: bool) -> Iterator[None]:
    """Tell a failure in one line on standard error, with `--json` as a JSON document."""
    with one_line_failures(debug=debug, line=_json_of if as_json else line_of):
        try:
            yield
        except BrokenPipeError:
            raise  # whoever read the output has seen enough: nothing to tell of a file
        except OSError as error:
            if error.filename is None:
                raise
            raise FileTrouble(error) from error


def _json_of(error: Exception) -> str:
    told: dict[str, Any] = {
        "code": getattr(error, "code", "internal"),
        "message": line_of(error),
    }
    if isinstance(error, ServerRefused):
        told["problem"] = error.problem
    return json_line({"error": told})
