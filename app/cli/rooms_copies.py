"""`stateroom rooms`: copies of objects, in our form and in TinyBase's."""

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer

from ..core.codec import JsonError, parse_json
from .admin_client import AdminClient
from .exits import ExitStatus
from .output import Column, Output
from .reaching import Yes, on_server
from .room_argument import Room
from .room_names import namespace_path, parse_room

copies = typer.Typer(rich_markup_mode=None)

NDJSON: Final = "application/x-ndjson"

_PIECE_BYTES: Final = 1 << 16
_LINE_BYTES: Final = 16 << 20
_RESULTS: Final[tuple[Column, ...]] = (
    ("KIND", "kind"),
    ("RESULT", "result"),
    ("NAMESPACE", "namespace"),
    ("NAME", "name"),
    ("LINE", "line"),
    ("WHY", "code"),
)


_RESULT_KINDS: Final = frozenset({"object", "damage"})
"""Of the lines that tell what became of something; others tell of progress and of all."""


class Mode(StrEnum):
    """What an import does with an object that is there already."""

    IF_EMPTY = "if-empty"
    REPLACE = "replace"
    MERGE = "merge"


@copies.command("export")
@on_server
def export_rooms(
    client: AdminClient,
    output: Output,
    what: Annotated[
        str, typer.Argument(metavar="ROOM", help="One object, or `namespace/` for all of it")
    ] = "",
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every object there is")] = False,
    to: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write [standard output]")
    ] = None,
    decoded: Annotated[
        bool,
        typer.Option("--decoded", help="Values as JSON for people, which `import` cannot take"),
    ] = False,
) -> None:
    """Write objects as NDJSON, as `import` takes it."""
    if bool(what) == everything:
        raise typer.BadParameter("say which: a ROOM, `namespace/`, or --all")
    query = {"values": "decoded"} if decoded else None
    with client.download(_export_path(what), query) as pieces, output.progress("export") as meter:
        _save(meter.counting(pieces), to)
    if to is not None:
        output.done(f"{to} is written.", {"file": str(to), "size_bytes": to.stat().st_size})


@copies.command("import")
@on_server
def import_rooms(
    client: AdminClient,
    output: Output,
    file: Annotated[Path, typer.Argument(help="What `export` wrote; - for standard input")],
    *,
    mode: Annotated[
        Mode, typer.Option(help="What to do with objects that are there already")
    ] = Mode.IF_EMPTY,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check, and tell what would happen")
    ] = False,
    map_nameless: Annotated[
        bool,
        typer.Option("--map-nameless", help="Give objects of another cluster without a name ids"),
    ] = False,
    yes: Yes = False,
) -> None:
    """Read objects back; tells what became of each, and status 7 if some were refused."""
    if mode is not Mode.IF_EMPTY and not dry_run:
        output.confirm(f"Import with {mode.value} over what is there?", yes=yes)
    query = {
        "mode": mode.value,
        "dry_run": dry_run or None,
        "nameless": "map" if map_nameless else None,
    }
    from_stdin = str(file) == "-"
    source = sys.stdin.buffer if from_stdin else file.open("rb")
    size = None if from_stdin else file.stat().st_size
    with source, output.progress("import", total_bytes=size) as meter:
        body = meter.counting(_read(source))
        with client.upload("/import", body, media_type=NDJSON, query=query) as answer:
            results = _Results(output)
            output.rows(results.of_interest(_objects(answer)), _RESULTS, empty_head=False)
    if output.for_people:
        output.record(results.summary)
    if not results.all_good:
        sys.exit(ExitStatus.PARTLY)


@copies.command("move-in")
@on_server
def move_in(
    client: AdminClient,
    output: Output,
    room: Room,
    file: Annotated[Path, typer.Argument(help="What another TinyBase server or client stored")],
    *,
    form: Annotated[
        str,
        typer.Option("--format", help="content (JSON), sqlite, or kv (Durable Object storage)"),
    ] = "content",
    mode: Annotated[Mode, typer.Option(help="What to do with content that is there")] = (
        Mode.IF_EMPTY
    ),
    source: Annotated[
        str | None, typer.Option(help="Which content, where a file holds several")
    ] = None,
    new_stamps: Annotated[
        bool, typer.Option("--new-stamps", help="Write it as new changes, after all others")
    ] = False,
    yes: Yes = False,
) -> None:
    """Take the content of a TinyBase room from a file of TinyBase's own formats."""
    if mode is Mode.REPLACE:
        output.confirm(f"Replace the content of {room}?", yes=yes)
    query = {
        "format": form,
        "mode": mode.value,
        "source": source,
        "stamps": "new" if new_stamps else None,
    }
    with (
        file.open("rb") as opened,
        output.progress("move in", total_bytes=file.stat().st_size) as meter,
        client.upload(
            room.below("content", "import"),
            meter.counting(_read(opened)),
            media_type="application/octet-stream",
            query=query,
        ) as answer,
    ):
        told = parse_json(b"".join(answer))
    output.done(f"{room} has the content of {file}.", told)


@copies.command("move-out")
@on_server
def move_out(
    client: AdminClient,
    output: Output,
    room: Room,
    *,
    form: Annotated[
        str, typer.Option("--format", help="content, or mergeable (with stamps and hashes)")
    ] = "content",
    to: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write [standard output]")
    ] = None,
) -> None:
    """Write a TinyBase room's content as TinyBase's file persister does."""
    with (
        client.download(room.below("content", "export"), {"format": form}) as pieces,
        output.progress("move out") as meter,
    ):
        _save(meter.counting(pieces), to)
    if to is not None:
        output.done(f"{to} is written.", {"file": str(to), "size_bytes": to.stat().st_size})


@copies.command("fork")
@on_server
def fork(
    client: AdminClient,
    output: Output,
    room: Room,
    new: Annotated[str, typer.Argument(metavar="NEW", help="What the copy is called")],
    *,
    at: Annotated[str | None, typer.Option(help="As it was at this bookmark")] = None,
    alarms: Annotated[bool, typer.Option("--alarms", help="Copy its alarms, too")] = False,
) -> None:
    """Copy an object under a new name, which must be free."""
    copy = parse_room(new) if "/" in new else None
    body: dict[str, Any] = {"name": copy.name if copy else new}
    if copy is not None:
        body["namespace"] = copy.namespace
    if at is not None:
        body["at"] = at
    if alarms:
        body["alarms"] = True
    answer = client.post(room.below("fork"), body, creates=True)
    output.done(f"{new} is a copy of {room}.", answer)


def _export_path(what: str) -> str:
    if not what:
        return "/export"
    namespace, slash, name = what.partition("/")
    if slash and not name:
        return f"{namespace_path(namespace)}/export"
    return parse_room(what).below("export")


def _save(pieces: Iterable[bytes], to: Path | None) -> None:
    """Write a stream; a file appears under its name only when it is whole."""
    if to is None:
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
        return
    partly = to.with_name(f"{to.name}.part")
    with partly.open("wb") as file:
        file.writelines(pieces)
    partly.replace(to)


def _read(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(_PIECE_BYTES):
        yield piece


def _objects(pieces: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The objects of NDJSON that comes in pieces; what is none is left out."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from _parsed(lines)
        if len(rest) > _LINE_BYTES:
            rest = b""
    yield from _parsed([rest])


def _parsed(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in filter(None, lines):
        try:
            value = parse_json(line)
        except JsonError:
            continue
        if isinstance(value, dict):
            yield value


class _Results:
    """Counts what an import tells, and picks what is shown of it.

    Programs get every line, a pipe what became of each object, people what went wrong.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self.summary: dict[str, Any] = {}
        self.refused = 0

    @property
    def all_good(self) -> bool:
        """Whether all of the file was read, and nothing of it refused."""
        return not self.refused and bool(self.summary.get("complete"))

    def of_interest(self, told: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Count all lines; hand on those to be shown."""
        for line in told:
            kind = line.get("kind")
            wrong = kind == "damage" or line.get("result") == "refused"
            self.refused += wrong
            if kind == "summary":
                self.summary = line
            result = kind in _RESULT_KINDS and not self._output.for_people
            if self._output.as_json or wrong or result:
                yield line
