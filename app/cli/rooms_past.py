"""`stateroom rooms`: what an object was, and making it so again."""

import re
from typing import Annotated, Final

import typer

from .admin_client import AdminClient
from .output import Output
from .reaching import Yes, on_server
from .room_argument import Room

past = typer.Typer(rich_markup_mode=None)

_LOOKS_LIKE_A_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d")


@past.command("history")
@on_server
def history(
    client: AdminClient,
    output: Output,
    room: Room,
    *,
    before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin with what it was at this time")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most bookmarks to list")] = 50,
) -> None:
    """List the bookmarks that an object can be restored to, the latest first."""
    items = client.pages(room.below("history"), {"before": before}, limit=limit)
    columns = (
        ("BOOKMARK", "bookmark"),
        ("MADE", "made_at"),
        ("KEYS", "keys"),
        ("BYTES", "size_bytes"),
    )
    output.rows(items, columns)


@past.command("diff")
@on_server
def diff(
    client: AdminClient,
    output: Output,
    room: Room,
    start: Annotated[str, typer.Argument(metavar="BOOKMARK", help="The first state")],
    end: Annotated[str, typer.Argument(metavar="BOOKMARK", help="The second")],
) -> None:
    """List the keys that are not the same in two states of an object."""
    items = client.pages(room.below("history", start, "diff", end))
    columns = (("CHANGE", "change"), ("KEY", "key"), ("BEFORE", "before"), ("AFTER", "after"))
    output.rows(items, columns)


@past.command("restore")
@on_server
def restore(
    client: AdminClient,
    output: Output,
    room: Room,
    to: Annotated[
        str, typer.Argument(metavar="BOOKMARK|TIME", help="See `history`; or 2026-01-31T08:15:00Z")
    ],
    *,
    yes: Yes = False,
) -> None:
    """Bring an object back to what it was; prints the bookmark that undoes it."""
    output.confirm(f"Restore {room} to {to}?", yes=yes)
    body = {"time" if _LOOKS_LIKE_A_TIME.match(to) else "bookmark": to}
    answer = client.post(room.below("restore"), body)
    undo = str(answer["undo_bookmark"])
    told = f"{room} is what it was. To undo: stateroom rooms restore {room} {undo}"
    output.done(told, answer, for_programs=undo)
