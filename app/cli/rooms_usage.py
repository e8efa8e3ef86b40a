"""`stateroom rooms`: what objects cost."""

from enum import StrEnum
from typing import Annotated

import typer

from .admin_client import AdminClient
from .output import Output
from .reaching import on_server
from .room_argument import Room

usage = typer.Typer(rich_markup_mode=None)


class By(StrEnum):
    """What makes an object costly."""

    CPU = "cpu"
    EVENTS = "events"
    BYTES_IN = "bytes_in"
    BYTES_OUT = "bytes_out"
    COMMITS = "commits"
    STORED_BYTES = "stored_bytes"


class Window(StrEnum):
    """Which time it is about."""

    NOW = "now"
    DAY = "day"


@usage.command("top")
@on_server
def top(
    client: AdminClient,
    output: Output,
    by: Annotated[By, typer.Argument(help="What makes an object costly")] = By.CPU,
    *,
    window: Annotated[
        Window, typer.Option(help="The last ten seconds, by the second; or this day (UTC)")
    ] = Window.NOW,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most objects to list")] = 20,
) -> None:
    """List the objects that cost most; CPU is in microseconds."""
    query = {"by": by.value, "window": window.value, "limit": limit}
    answer = client.get("/usage/top", query)
    columns = (("NAMESPACE", "namespace"), ("NAME", "name|id"), (by.value.upper(), "amount"))
    output.rows(answer["items"], columns)
    if answer["silent_workers"]:
        output.remark(f"{answer['silent_workers']} workers did not answer.")


@usage.command("usage")
@on_server
def of_room(
    client: AdminClient,
    output: Output,
    room: Room,
    *,
    days: Annotated[int, typer.Option(min=1, max=366, help="Of how many days")] = 7,
) -> None:
    """Show what an object costs by day, the last first."""
    answer = client.get(room.below("usage"), {"days": days})
    items = [{"day": each["day"], **each["usage"]} for each in answer["days"]]
    columns = (
        ("DAY", "day"),
        ("CPU_US", "cpu_us"),
        ("EVENTS", "events"),
        ("IN", "bytes_in"),
        ("OUT", "bytes_out"),
        ("COMMITS", "commits"),
        ("WAKES", "wakes"),
    )
    output.rows(items, columns)
