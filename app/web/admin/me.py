"""Who am I: the smallest operation, and the first that a client calls."""

from ...core.admin import Role
from .models import Told
from .operation import AdminCall, Operation


class Me(Told):
    """Whoever asks."""

    name: str
    """What the token is called."""
    role: Role
    """What it may do."""
    version: str
    """The release that answers."""


class MeOperations:
    """See the module.

    Args:
        version: The release that answers.
    """

    def __init__(self, version: str) -> None:
        self._version = version

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [
            Operation(
                name="get_me",
                method="GET",
                path="/me",
                role=Role.VIEWER,
                tag="tokens",
                summary="Tell who the token belongs to, and its role",
                handle=self._me,
                answer=Me,
            )
        ]

    async def _me(self, call: AdminCall) -> Me:
        return Me(name=call.caller.name, role=call.caller.role, version=self._version)
