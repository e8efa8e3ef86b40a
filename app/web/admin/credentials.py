"""Who a caller is: the bearer token of a request, judged.

A token that the settings name is an admin's. Every comparison takes the same time whatever is
shown, and what is wrong with a token is not told.
"""

import hmac
from collections.abc import Mapping
from typing import Final

from ...core.admin import Caller, Role
from ...core.admin_errors import AdminTokenRequired
from ...core.clock import Clock
from ..access import bearer_of
from .guessing import GuessBrake

SETTINGS_CALLER: Final = "settings"
"""What the token of the settings is called; no other token may be."""


class Gatekeeper:
    """See the module.

    Args:
        clock: For the brake on guessing.
        admin_token: The token of the settings, if there is one.
    """

    def __init__(self, clock: Clock, *, admin_token: str | None = None) -> None:
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
        return None
