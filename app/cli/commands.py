"""The commands and their options.

An option that is not given leaves the decision to the environment (`app.settings`). The working
directory, or `--app-dir`, is put first on the module path: a console script starts with its own
folder there, and the classes in STATEROOM_NAMESPACES live in the user's project.

What a command does is imported when it runs: reading the server's code, the database's and the
migrations' takes a second, and most commands need none of it.
"""

import asyncio
import platform
import sys
from pathlib import Path
from socket import socket
from typing import Annotated, Any

import structlog
import typer

from .. import BUILD, __version__
from ..logs import configure_logs
from ..settings import Settings, load_settings, unknown_variables
from .doctor_command import diagnosis
from .failures import FAILED, one_line_failures
from .findings import Verdict
from .pulse import WorkerPulse
from .rooms import rooms
from .rooms_copies import copies
from .rooms_life import life
from .rooms_past import past
from .rooms_usage import usage
from .tokens import tokens
from .workers import workers as workers_commands

_log = structlog.get_logger(__name__)

cli = typer.Typer(
    name="stateroom",
    help="Durable Objects for Python teams, with a TinyBase sync server built in.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

rooms.add_typer(life)
rooms.add_typer(copies)
rooms.add_typer(past)
rooms.add_typer(usage)
for group in (rooms, workers_commands, tokens):
    cli.add_typer(group)
cli.add_typer(diagnosis)

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Postgres to use in place of the embedded one. Others on the machine can read a "
        "command line: prefer DATABASE_URL when the URL has a password.",
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of the embedded Postgres [.stateroom]")
]
AppDir = Annotated[
    Path, typer.Option(metavar="DIR", help="Where the classes of namespaces are imported from")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure")]


def main() -> None:
    """Run the command line; the process ends with its status."""
    cli()


@cli.command()
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 for any [8000]")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes [1]")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    app_dir: AppDir = Path(),
    debug: Debug = False,
) -> None:
    """Serve rooms and objects until SIGTERM or Ctrl-C."""
    with one_line_failures(debug=debug):
        settings = _prepare(
            app_dir,
            host=host,
            port=port,
            workers=workers,
            database_url=database_url,
            data_dir=data_dir,
        )
        settings.effective_room_access()  # refused here, before anything is started
        from .serving import serve_rooms  # noqa: PLC0415 - each command pays for its own code

        orderly = serve_rooms(settings, app_dir=app_dir, debug=debug)
    sys.exit(0 if orderly else FAILED)


@cli.command("worker", hidden=True)
def worker_command(
    *,
    slot: Annotated[int, typer.Option()],
    node: Annotated[str, typer.Option()],
    listen_fd: Annotated[int, typer.Option()],
    beat_fd: Annotated[int, typer.Option()],
    life_fd: Annotated[int, typer.Option()],
    app_dir: AppDir = Path(),
    debug: Debug = False,
) -> None:
    """Be one of the workers that `serve --workers N` starts; settings come by the environment."""
    pulse = WorkerPulse(beat_fd, life_fd)
    with one_line_failures(debug=debug, tell=pulse.failed):
        settings = _prepare(app_dir)
        listener = socket(fileno=listen_fd)
        listener.set_inheritable(False)
        from .worker import run_worker  # noqa: PLC0415 - each command pays for its own code

        orderly = run_worker(settings, slot=slot, node=node, listener=listener, pulse=pulse)
    sys.exit(0 if orderly else FAILED)


@cli.command("migrate")
def migrate_command(
    *, database_url: DatabaseUrl = None, data_dir: DataDir = None, debug: Debug = False
) -> None:
    """Bring the database to the schema of this version; two at once wait for one another."""
    with one_line_failures(debug=debug):
        settings = _prepare(Path(), database_url=database_url, data_dir=data_dir)
        from .migrating import bring_up  # noqa: PLC0415 - each command pays for its own code

        revision = asyncio.run(bring_up(settings))
    typer.echo(f"The schema is at {revision}.")


@cli.command()
def check(
    *,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    app_dir: AppDir = Path(),
    debug: Debug = False,
) -> None:
    """Look at everything a start needs and say what to mend; status 1 when something is bad."""
    bad = False
    with one_line_failures(debug=debug):
        settings = _prepare(app_dir, database_url=database_url, data_dir=data_dir)
        from .doctor import examine  # noqa: PLC0415 - each command pays for its own code

        for finding in examine(settings):
            typer.echo(str(finding))
            bad = bad or finding.verdict is Verdict.BAD
    sys.exit(FAILED if bad else 0)


@cli.command()
def version() -> None:
    """Tell the version."""
    typer.echo(f"stateroom {__version__} (Python {platform.python_version()}; {BUILD.value})")


def _prepare(app_dir: Path, **given: Any) -> Settings:
    """Read the settings, begin to log, and make the user's project importable."""
    settings = load_settings(**given)
    form = settings.log_format
    configure_logs(level=settings.log_level.value, form=form.value if form else None)
    for variable, probably in unknown_variables().items():
        _log.warning("unknown_setting", variable=variable, probably=probably)
    folder = str(app_dir.resolve())
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)
    return settings
