"""Who a caller is: the bearer token of a request, judged.

A token that the settings name is an admin's; the others are in the store. Every comparison takes
the same time whatever is shown, an unknown token is judged like a known one, and what is wrong
with a token is not told.
"""

import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final

from ...core.admin import Caller, Role
from ...core.admin_errors import AdminTokenRequired
from ...core.admin_tokens import AdminToken, AdminTokens, TokenText
from ...core.clock import Clock
from ...core.errors import StoreUnavailable
from ...core.instants import instant_of_ms
from ..credentials import bearer_of
from .guessing import GuessBrake

SETTINGS_CALLER: Final = "settings"
"""What the token of the settings is called; no other token may be."""
_COARSE: Final = timedelta(hours=1)
_NOBODYS: Final = bytes(32)
"""No secret has this hash."""


class Gatekeeper:
    """See the module.

    Args:
        clock: For the brake on guessing.
        tokens: Those of the store.
        now_ms: The database's time.
        admin_token: The token of the settings, if there is one.
    """

    def __init__(
        self,
        clock: Clock,
        tokens: AdminTokens,
        *,
        now_ms: Callable[[], int],
        admin_token: str | None = None,
    ) -> None:
        self._tokens = tokens
        self._now_ms = now_ms
        self._admin_token = admin_token
        self._brake = GuessBrake(clock)

    async def caller_of(self, headers: Mapping[str, str], address: str) -> Caller:
        """Return who makes a request.

        Raises:
            AdminTokenRequired: It shows no token, or none that is valid.
            TooManyGuesses: Its address showed too many wrong ones.
            StoreUnavailable: The tokens cannot be read at the moment.
        """
        token = bearer_of(headers.get("authorization", ""))
        if not token:
            raise AdminTokenRequired
        self._brake.check(address, token)
        caller = await self._find(token)
        if caller is None:
            self._brake.wrong(address)
            raise AdminTokenRequired
        self._brake.right(token)
        return caller

    async def _find(self, token: str) -> Caller | None:
        expected = (self._admin_token or "").encode()
        if hmac.compare_digest(token.encode(), expected) and expected:
            return Caller(name=SETTINGS_CALLER, role=Role.ADMIN)
        text = TokenText.read(token)
        if text is None:
            return None
        found = await self._tokens.find(text.token_id)
        stored = found.secret_hash if found is not None else _NOBODYS
        if not hmac.compare_digest(stored, text.secret_hash) or found is None or not found.valid:
            return None
        await self._note_use(found)
        return Caller(name=found.name, role=found.role, token_id=found.token_id)

    async def _note_use(self, token: AdminToken) -> None:
        last = token.last_used_at
        if last is None or instant_of_ms(self._now_ms()) - last > _COARSE:
            with suppress(StoreUnavailable):  # it only tells people which tokens are idle
                await self._tokens.used(token.token_id)
