"""`stateroom token`: who may steer."""

from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from .admin_client import AdminClient
from .output import Column, Output
from .reaching import Yes, on_server
from .room_names import segment

tokens = typer.Typer(
    name="token",
    help="Make and revoke tokens of the admin plane.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_LISTED: Final[tuple[Column, ...]] = (
    ("ID", "id"),
    ("NAME", "name"),
    ("ROLE", "role"),
    ("CREATED", "created_at"),
    ("EXPIRES", "expires_at"),
    ("LAST USED", "last_used_at"),
    ("VALID", "valid"),
)


class TokenRole(StrEnum):
    """What a token may do; each may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@tokens.command("create")
@on_server
def create(
    client: AdminClient,
    output: Output,
    name: Annotated[str, typer.Argument(help="What the audit calls its holder")],
    *,
    role: Annotated[TokenRole, typer.Option(help="What it may do")] = TokenRole.VIEWER,
    expires_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="2026-12-31T00:00:00Z [never]")
    ] = None,
) -> None:
    """Make a token; it is shown once, on standard output."""
    body: dict[str, Any] = {"name": name, "role": role.value}
    if expires_at is not None:
        body["expires_at"] = expires_at
    answer = client.post("/tokens", body)
    if output.as_json:
        output.record(answer)
    else:
        output.text(str(answer["token"]))
        output.remark("Keep it: it is not shown again.")


@tokens.command("ls")
@on_server
def list_tokens(client: AdminClient, output: Output) -> None:
    """List the tokens, without their secrets."""
    output.rows(client.pages("/tokens"), _LISTED)


@tokens.command("revoke")
@on_server
def revoke(
    client: AdminClient,
    output: Output,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `ls` shows it")],
    *,
    yes: Yes = False,
) -> None:
    """Make a token worthless at once."""
    output.confirm(f"Revoke the token {token_id}?", yes=yes)
    output.done(f"{token_id} is revoked.", client.delete(f"/tokens/{segment(token_id)}"))
