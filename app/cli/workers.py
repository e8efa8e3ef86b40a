"""`stateroom workers`: the processes that serve rooms."""

from typing import Annotated, Final

import typer

from .admin_client import AdminClient
from .output import Column, Output
from .reaching import on_server
from .room_names import segment

workers = typer.Typer(
    name="workers",
    help="Look at workers, and empty them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Worker = Annotated[str, typer.Argument(metavar="WORKER", help="Its id, as `ls` shows it")]

_LISTED: Final[tuple[Column, ...]] = (
    ("ID", "worker_id"),
    ("NODE", "node"),
    ("SLOT", "slot"),
    ("STATE", "state"),
    ("ROOMS", "rooms"),
    ("SOCKETS", "connections"),
    ("VERSION", "version"),
    ("STARTED", "started_at"),
)


@workers.command("ls")
@on_server
def list_workers(client: AdminClient, output: Output) -> None:
    """List the workers."""
    output.rows(client.pages("/workers"), _LISTED)


@workers.command("drain")
@on_server
def drain(client: AdminClient, output: Output, worker: Worker) -> None:
    """Let a worker hand its rooms to the others and take no new ones."""
    output.done(f"{worker} drains.", client.post(f"/workers/{segment(worker)}/drain"))


@workers.command("undrain")
@on_server
def undrain(client: AdminClient, output: Output, worker: Worker) -> None:
    """Let a worker take rooms again."""
    output.done(f"{worker} takes rooms.", client.post(f"/workers/{segment(worker)}/undrain"))
