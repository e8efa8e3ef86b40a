"""`stateroom rooms`: what happens to an object: its life, its place, its connections."""

from typing import Annotated, Any

import typer

from .admin_client import AdminClient
from .output import Output
from .reaching import Yes, on_server
from .room_argument import Room
from .room_names import RoomName

life = typer.Typer(rich_markup_mode=None)


@life.command("activate")
@on_server
def activate(client: AdminClient, output: Output, room: Room) -> None:
    """Start an object in a worker, if it is in none."""
    _act(client, output, room, "activate", "is live")


@life.command("evict")
@on_server
def evict(
    client: AdminClient,
    output: Output,
    room: Room,
    *,
    close_sockets: Annotated[
        bool,
        typer.Option("--close-sockets", help="Close its sockets as well, and give it up"),
    ] = False,
) -> None:
    """Drop what an object keeps in memory; its next event starts it again."""
    query = {"close_sockets": True} if close_sockets else None
    answer = client.post(room.below("evict"), query=query)
    what = "is evicted" if (answer or {}).get("evicted") else "was not in memory"
    output.done(f"{room} {what}.", answer)


@life.command("move")
@on_server
def move(
    client: AdminClient,
    output: Output,
    room: Room,
    worker: Annotated[
        str | None, typer.Argument(help="Where to; see `stateroom workers ls` [any other]")
    ] = None,
) -> None:
    """Move an object to another worker."""
    body = {} if worker is None else {"worker_id": worker}
    _act(client, output, room, "move", "moves", body)


@life.command("freeze")
@on_server
def freeze(client: AdminClient, output: Output, room: Room) -> None:
    """Make an object read-only until it is thawed."""
    _act(client, output, room, "freeze", "is frozen")


@life.command("thaw")
@on_server
def thaw(client: AdminClient, output: Output, room: Room) -> None:
    """Let an object be changed again."""
    _act(client, output, room, "thaw", "is thawed")


@life.command("undelete")
@on_server
def undelete(client: AdminClient, output: Output, room: Room) -> None:
    """Bring back an object that was deleted, while its grace lasts."""
    _act(client, output, room, "undelete", "is back")


@life.command("deleted")
@on_server
def list_deleted(
    client: AdminClient,
    output: Output,
    *,
    limit: Annotated[int, typer.Option(min=1, help="Most objects to list")] = 100,
) -> None:
    """List deleted objects that can still be undeleted, those that are purged first at the head."""
    columns = (
        ("NAMESPACE", "namespace"),
        ("NAME", "name|id"),
        ("DELETED", "deleted_at"),
        ("PURGED", "purge_at"),
    )
    output.rows(client.pages("/deleted-objects", limit=limit), columns)


@life.command("connections")
@on_server
def connections(
    client: AdminClient,
    output: Output,
    room: Room,
    *,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag")] = None,
) -> None:
    """List an object's connections."""
    items = client.pages(room.below("connections"), {"tag": tag})
    columns = (
        ("ID", "id"),
        ("TAGS", "tags"),
        ("CLIENT", "client"),
        ("PATH", "path"),
        ("SINCE", "joined_at"),
    )
    output.rows(items, columns)


@life.command("kick")
@on_server
def kick(
    client: AdminClient,
    output: Output,
    room: Room,
    connection: Annotated[
        str | None, typer.Argument(help="The connection to close, by its id")
    ] = None,
    *,
    tag: Annotated[str | None, typer.Option(help="All connections with this tag")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="All connections")] = False,
    code: Annotated[int | None, typer.Option(help="Close code")] = None,
    reason: Annotated[str | None, typer.Option(help="Close reason")] = None,
    yes: Yes = False,
) -> None:
    """Close connections of an object."""
    if [connection is not None, tag is not None, everybody].count(True) != 1:
        raise typer.BadParameter("say which: a CONNECTION, --tag or --all")
    if everybody:
        output.confirm(f"Close every connection of {room}?", yes=yes)
    given = {"id": connection, "tag": tag, "code": code, "reason": reason}
    body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if everybody:
        body["all"] = True
    answer = client.post(room.below("connections", "kick"), body)
    output.done(f"{room}: {answer['count']} connections are closed.", answer)


def _act(
    client: AdminClient,
    output: Output,
    room: RoomName,
    action: str,
    what: str,
    body: Any = None,
) -> None:
    answer = client.post(room.below(action), body)
    output.done(f"{room} {what}.", answer)
