"""`stateroom rooms`: look at objects, and read and change what they hold."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ..core.codec import JsonError, parse_json
from .admin_client import AdminClient, ServerRefused
from .output import Column, Output
from .reaching import Yes, on_server
from .room_argument import Room
from .room_names import DEFAULT_NAMESPACE, RoomName, namespace_path

rooms = typer.Typer(
    name="rooms",
    help="Look at rooms and other objects, and steer them. ROOM is namespace/name, or a plain "
    "name for a TinyBase room; namespace/id:HEX names an object by its id.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

MERGE_PATCH: Final = "application/merge-patch+json"
_NO_CONTENT: Final = "no_content"

_LISTED_FOR_PEOPLE: Final[tuple[Column, ...]] = (
    ("NAMESPACE", "namespace"),
    ("NAME", "name|id"),
    ("LIVE", "live"),
    ("BYTES", "size_bytes"),
    ("ROWS", "rows"),
    ("COMMITTED", "committed_at"),
    ("TAGS", "tags"),
)
_LISTED: Final[tuple[Column, ...]] = (
    ("NAMESPACE", "namespace"),
    ("NAME", "name"),
    ("ID", "id"),
    ("LIVE", "live"),
    ("WORKER", "worker_id"),
    ("BYTES", "size_bytes"),
    ("ROWS", "rows"),
    ("COMMITTED", "committed_at"),
    ("TAGS", "tags"),
)


class Order(StrEnum):
    """What a list is ordered by; with a minus sign, backwards."""

    NAME = "name"
    NAME_BACKWARDS = "-name"
    SIZE = "size"
    SIZE_BACKWARDS = "-size"
    LAST_COMMIT = "last_commit"
    LAST_COMMIT_BACKWARDS = "-last_commit"


@rooms.command("ls")
@on_server
def list_rooms(
    client: AdminClient,
    output: Output,
    prefix: Annotated[
        str,
        typer.Argument(
            metavar="PREFIX",
            help="namespace/ or namespace/prefix, or the prefix of a TinyBase room's name",
        ),
    ] = "",
    *,
    live: Annotated[
        bool | None, typer.Option("--live/--asleep", help="Only those in a worker, or in none")
    ] = None,
    worker: Annotated[str | None, typer.Option(help="Only those of this worker")] = None,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag")] = None,
    sort: Annotated[Order, typer.Option(help="The order; with a minus sign, backwards")] = (
        Order.NAME
    ),
    limit: Annotated[int, typer.Option(min=1, help="Most rooms to list")] = 100,
    everything: Annotated[bool, typer.Option("--all", help="List all, however many")] = False,
) -> None:
    """List rooms and other objects."""
    namespace, slash, name = prefix.partition("/")
    if prefix and not slash:
        namespace, name = DEFAULT_NAMESPACE, prefix
    path = f"{namespace_path(namespace)}/objects" if namespace else "/objects"
    query = {
        "prefix": name or None,
        "live": live,
        "owner": worker,
        "tag": tag,
        "sort": sort.value,
    }
    items = client.pages(path, query, limit=None if everything else limit)
    count = output.rows(items, _LISTED, for_people=_LISTED_FOR_PEOPLE)
    if count == limit and not everything:
        output.remark(f"There may be more than these {limit}; --all lists every one.")


@rooms.command("show")
@on_server
def show_room(client: AdminClient, output: Output, room: Room) -> None:
    """Show one object: owner, size, connections, alarms."""
    output.record(client.get(room.path))


@rooms.command("tag")
@on_server
def tag_room(
    client: AdminClient,
    output: Output,
    room: Room,
    tags: Annotated[
        list[str] | None, typer.Argument(help="All tags that it is to carry; none takes all off")
    ] = None,
) -> None:
    """Put tags on an object, to find it by."""
    answer = client.put(room.below("tags"), {"tags": tags or []})
    output.done(f"{room} carries {', '.join(answer['tags']) or 'no tags'}.", answer)


@rooms.command("get")
@on_server
def get_content(
    client: AdminClient,
    output: Output,
    room: Room,
    key: Annotated[
        str | None, typer.Argument(help="A key of its storage; else what it holds as a whole")
    ] = None,
    *,
    table: Annotated[str | None, typer.Option(help="One table of a TinyBase room")] = None,
    row: Annotated[str | None, typer.Option(help="One row of that table")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="BOOKMARK", help="The keys as they were; see `history`")
    ] = None,
) -> None:
    """Print what an object holds: a TinyBase room's content, or what is under keys, as JSON."""
    if table is not None and (key is not None or at is not None):
        raise typer.BadParameter("--table goes neither with a KEY nor with --at")
    if row is not None and table is None:
        raise typer.BadParameter("--row needs --table")
    storage = ("storage",) if at is None else ("history", at, "storage")
    if key is not None:
        output.value(client.get(room.below(*storage, key))["value"])
    elif table is not None:
        rest = () if row is None else ("rows", row)
        output.value(client.get(room.below("content", "tables", table, *rest)))
    elif at is not None:
        output.value(_keys(client, room.below(*storage)))
    else:
        output.value(_whole(client, room))


@rooms.command("put")
@on_server
def put_value(
    client: AdminClient,
    output: Output,
    room: Room,
    key: Annotated[str, typer.Argument(help="A key of its storage")],
    value: Annotated[str, typer.Argument(help="The value as JSON; - reads it from standard input")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the class keeps rows of its own")
    ] = False,
) -> None:
    """Store a value under a key."""
    query = {"force": True} if force else None
    answer = client.put(room.below("storage", key), {"value": _json_of(value)}, query=query)
    output.done(f"{room}: {key} is stored.", answer)


@rooms.command("patch")
@on_server
def patch_content(
    client: AdminClient,
    output: Output,
    room: Room,
    patch: Annotated[str, typer.Argument(help="JSON merge patch; - reads it from standard input")],
) -> None:
    """Change a TinyBase room's content; its clients see the change."""
    answer = client.patch(room.below("content"), _json_of(patch), media_type=MERGE_PATCH)
    output.done(f"{room} is changed.", answer)


@rooms.command("rm")
@on_server
def remove(
    client: AdminClient,
    output: Output,
    room: Room,
    key: Annotated[
        str | None, typer.Argument(help="Only this key of its storage, not the object")
    ] = None,
    *,
    grace_seconds: Annotated[
        float | None,
        typer.Option(min=0, help="How long it can be undeleted; 0: not at all [a setting]"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the class keeps rows of its own")
    ] = False,
    yes: Yes = False,
) -> None:
    """Delete an object, or one key of its storage."""
    if key is not None:
        output.confirm(f"Delete the key {key!r} of {room}?", yes=yes)
        query = {"force": True} if force else None
        answer = client.delete(room.below("storage", key), query=query)
        output.done(f"{room}: {key} is deleted.", answer)
        return
    output.confirm(f"Delete {room} and end its connections?", yes=yes)
    answer = client.delete(room.path, query={"grace_seconds": grace_seconds})
    output.done(f"{room} is deleted.", answer)


def _whole(client: AdminClient, room: RoomName) -> Any:
    """The content of a TinyBase room, or all keys and values of another object."""
    try:
        return client.get(room.below("content"))
    except ServerRefused as refused:
        if refused.code != _NO_CONTENT:
            raise
    return _keys(client, room.below("storage"))


def _keys(client: AdminClient, path: str) -> dict[str, Any]:
    """All keys with their values."""
    items = client.pages(path, {"values": True})
    return {item["key"]: item.get("value") for item in items}


def _json_of(text: str) -> Any:
    """Read JSON that was given, or is on standard input, or in a file after an @."""
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        text = Path(text[1:]).read_text("utf-8")
    try:
        return parse_json(text)
    except JsonError as error:
        raise typer.BadParameter(f"it is not JSON ({error})") from None
