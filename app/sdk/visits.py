"""A client at the door, as the function that `STATEROOM_AUTHORIZE` names is told of it."""

from dataclasses import dataclass

from .messages import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A client that wants to come in.

    Attributes:
        namespace: Of the object that it wants.
        name: The object's name; of a socket with several channels, where they begin.
        request: The handshake or request. A body was not read yet.
        token: The credential that was shown, or empty.
    """

    namespace: str
    name: str
    request: Request
    token: str

    def __repr__(self) -> str:
        return f"<Visit {self.namespace}>"  # neither tokens nor headers in a log
