"""The argument ROOM, which shells complete with names that the server knows.

Whatever goes wrong there, nothing is offered: a shell that waits or prints is worse than one
that does not know.
"""

from typing import Annotated, Any, Final

import httpx
import typer

from ..core.codec import JsonError, parse_json
from ..core.errors import StateroomError
from ..settings import load_settings
from .admin_client import OPERATIONS
from .reaching import server_of, token_of
from .room_names import DEFAULT_NAMESPACE, RoomName, namespace_path, parse_room

_SECONDS: Final = 1.0
_MOST: Final = 50


def complete_room(ctx: typer.Context, incomplete: str) -> list[str]:
    """The rooms whose names begin with what stands there."""
    try:
        return _found(ctx.params, incomplete)
    except (StateroomError, httpx.HTTPError, httpx.InvalidURL, JsonError, KeyError, TypeError):
        return []


def _found(given: dict[str, Any], incomplete: str) -> list[str]:
    settings = load_settings(
        server=given.get("server"), admin_token=given.get("token"), data_dir=given.get("data_dir")
    )
    namespace, slash, name = incomplete.partition("/")
    if not slash:
        namespace, name = DEFAULT_NAMESPACE, incomplete
    answer = httpx.get(
        f"{server_of(settings)}{OPERATIONS}{namespace_path(namespace)}/objects",
        params={"prefix": name, "limit": _MOST},
        headers={"authorization": f"Bearer {token_of(settings)}"},
        timeout=_SECONDS,
        trust_env=False,
    )
    names = [item["name"] for item in parse_json(answer.content)["items"]]
    lead = f"{namespace}/" if slash else ""
    return [lead + each for each in names if each and each.isprintable()]


def _room(text: str) -> RoomName:
    try:
        return parse_room(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Room = Annotated[
    RoomName,
    typer.Argument(
        metavar="ROOM",
        parser=_room,
        autocompletion=complete_room,
        help="namespace/name, or a plain name for a TinyBase room",
        show_default=False,
    ),
]
