"""Tokens: made, listed and revoked. The token itself is shown once, by the request that makes it.

Making one takes no Idempotency-Key, for its answer is a secret that must not be kept. A token's
name is unique while it is not revoked, so a request that is repeated is refused; a token whose
answer was lost is revoked and made again.
"""

from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field

from ...core.admin import Role
from ...core.admin_errors import TokenNameTaken, TokenUnknown
from ...core.admin_tokens import TOKEN_NAME_CHARACTERS, AdminToken, AdminTokens, TokenText
from .credentials import SETTINGS_CALLER
from .models import Asked, Instant, Page, PageQuery, Told
from .operation import AdminCall, Operation
from .paging import Keyset

_TAG: Final = "tokens"


class NewToken(Asked):
    """A token to be made."""

    name: Annotated[
        str, Field(min_length=1, max_length=TOKEN_NAME_CHARACTERS, pattern=r"^[!-~]([ -~]*[!-~])?$")
    ]
    """What the audit calls its holder: visible ASCII."""
    role: Role
    """What it may do."""
    expires_at: AwareDatetime | None = None
    """From when on it is not valid; without, never."""


class TokenShown(Told):
    """What is known of a token."""

    id: str
    """Its public part."""
    name: str
    """What the audit calls its holder."""
    role: Role
    """What it may do."""
    valid: bool
    """Whether it is neither revoked nor expired."""
    created_at: Instant
    """When it was made."""
    created_by: str
    """Who made it."""
    expires_at: Instant | None
    """From when on it is not valid; null: never."""
    last_used_at: Instant | None
    """About when it was last used, to the hour."""
    revoked_at: Instant | None
    """When it was revoked."""


class TokenMade(TokenShown):
    """A new token."""

    token: str
    """The token. It is not shown again."""


class TokenOperations:
    """See the module.

    Args:
        tokens: The store's.
    """

    def __init__(self, tokens: AdminTokens) -> None:
        self._tokens = tokens
        self._keyset = Keyset("tokens", str)

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [
            Operation(
                name="list_tokens",
                method="GET",
                path="/tokens",
                role=Role.ADMIN,
                tag=_TAG,
                summary="List the tokens, without their secrets",
                handle=self._list,
                query=PageQuery,
                answer=Page[TokenShown],
            ),
            Operation(
                name="create_token",
                method="POST",
                path="/tokens",
                role=Role.ADMIN,
                tag=_TAG,
                summary="Make a token; it is shown once",
                handle=self._create,
                body=NewToken,
                answer=TokenMade,
                status=201,
                errors=(TokenNameTaken,),
            ),
            Operation(
                name="revoke_token",
                method="DELETE",
                path="/tokens/{token}",
                role=Role.ADMIN,
                tag=_TAG,
                summary="Make a token worthless at once; it stays in the list",
                handle=self._revoke,
                answer=TokenShown,
                errors=(TokenUnknown,),
            ),
        ]

    async def _list(self, call: AdminCall) -> Page[TokenShown]:
        query: PageQuery = call.query
        wanted = self._keyset.slice(query)
        after = None if wanted.after is None else wanted.after[0]
        found = await self._tokens.page(after=after, limit=wanted.limit)
        tokens, cursor = self._keyset.page(query, found, lambda token: (token.token_id,))
        return Page(items=[TokenShown(**_fields(each)) for each in tokens], next_cursor=cursor)

    async def _create(self, call: AdminCall) -> TokenMade:
        body: NewToken = call.body
        text = TokenText.new()
        made = None
        if body.name != SETTINGS_CALLER:
            made = await self._tokens.add(
                text,
                name=body.name,
                role=body.role,
                by=call.caller.name,
                expires_at=body.expires_at,
            )
        if made is None:
            raise TokenNameTaken
        return TokenMade(**_fields(made), token=str(text))

    async def _revoke(self, call: AdminCall) -> TokenShown:
        token_id = call.path["token"]
        revoked = None if "\0" in token_id else await self._tokens.revoke(token_id)
        if revoked is None:
            raise TokenUnknown
        return TokenShown(**_fields(revoked))


def _fields(token: AdminToken) -> dict[str, Any]:
    return {
        "id": token.token_id,
        "name": token.name,
        "role": token.role,
        "valid": token.valid,
        "created_at": token.created_at,
        "created_by": token.created_by,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }
