"""`stateroom doctor`: what is wrong, or may be, with the settings, the database and a server."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from ..settings import Settings, load_settings
from .exits import ExitStatus
from .findings import Finding, Verdict
from .output import Output
from .reaching import AsJson, DataDir, Debug, Server, Token, failures_told, server_of, token_of

FRAME_BYTES: Final = 4 << 20
PATIENCE_SECONDS: Final = 30.0

diagnosis = typer.Typer(rich_markup_mode=None)


@diagnosis.command("doctor")
def doctor(
    *,
    server: Server = None,
    token: Token = None,
    data_dir: DataDir = None,
    database_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Database to look at [DATABASE_URL]")
    ] = None,
    frame_bytes: Annotated[
        int, typer.Option(min=1, max=31 << 20, help="How large a WebSocket message must pass")
    ] = FRAME_BYTES,
    patience: Annotated[
        float,
        typer.Option(min=0, help="How long to leave a WebSocket idle, in seconds; 0: not at all"),
    ] = PATIENCE_SECONDS,
    app_dir: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the classes of namespaces are imported from")
    ] = Path(),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Examine settings and database, and with --server a running server from outside.

    With --server what only a start here would need is left out.
    """
    output = Output(as_json=as_json)
    found: list[Finding] = []
    with failures_told(as_json=as_json, debug=debug):
        settings = load_settings(
            server=server, admin_token=token, data_dir=data_dir, database_url=database_url
        )
        folder = str(app_dir.resolve())
        if sys.path[:1] != [folder]:
            sys.path.insert(0, folder)
        for finding in _examined(settings, frame_bytes=frame_bytes, patience=patience):
            if str(finding) in map(str, found):  # a database that does not answer is met twice
                continue
            found.append(finding)
            if not as_json:
                output.text(str(finding))
    bad = any(finding.verdict is Verdict.BAD for finding in found)
    if as_json:
        output.value({"ok": not bad, "findings": [finding.as_json() for finding in found]})
    sys.exit(ExitStatus.FAILED if bad else ExitStatus.OK)


def _examined(settings: Settings, *, frame_bytes: int, patience: float) -> Iterator[Finding]:
    # Each command pays for its own code.
    from .doctor import examine  # noqa: PLC0415 - see above
    from .doctor_database import examine_database  # noqa: PLC0415 - see above
    from .doctor_server import examine_server  # noqa: PLC0415 - see above

    if not settings.server:
        yield from examine(settings)
    yield from examine_database(settings)
    if settings.server:
        secret = settings.room_token
        yield from examine_server(
            server_of(settings),
            admin_token=token_of(settings),
            room_token=secret.get_secret_value() if secret is not None else "",
            frame_bytes=frame_bytes,
            patience_seconds=patience,
        )
