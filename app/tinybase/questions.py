"""The replica's own unanswered questions, their deadlines, and when to try a peer again."""

from dataclasses import dataclass
from typing import Final

from .pull import Pull

OPEN_QUESTIONS: Final = 100
FIRST_RETRY_SECONDS: Final = 1.0
LAST_RETRY_SECONDS: Final = 60.0
POSTPONED_SECONDS: Final = 0.05
RETRIES: Final = 8
"""After this many tries (about four minutes) a client that never answers is left alone until it
announces itself again, so that it does not keep its room awake for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A question under way: to one client for a pull, or to everybody (no client, no pull)."""

    client: str
    transaction: str
    pull: Pull | None
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """What ran out: the clients whose question was not answered, and those to try again."""

    unanswered: list[str]
    due: list[str]


@dataclass(slots=True)
class _Retry:
    delay: float
    at: float | None
    tries: int = 1


class Questions:
    """Bounded book-keeping of questions by request id, at most one a client."""

    __slots__ = ("_by_client", "_pending", "_retries")

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}
        self._by_client: dict[str, str] = {}
        self._retries: dict[str, _Retry] = {}

    @property
    def full(self) -> bool:
        """Whether no further question may be asked."""
        return len(self._pending) >= OPEN_QUESTIONS

    def ask(self, request_id: str, pending: Pending) -> None:
        """Take note of a question that is sent now; it replaces the client's earlier one."""
        if pending.client:
            self.withdraw(pending.client)
            self._by_client[pending.client] = request_id
        self._pending[request_id] = pending

    def asks(self, client: str) -> bool:
        """Whether the client has a question of ours."""
        return client in self._by_client

    def answered(self, request_id: str | None, client: str) -> Pending | None:
        """Return the question that `client` answers, or None when it was not asked that.

        A question to everybody stays open until its deadline, for the others to answer it too.
        """
        if request_id is None:
            return None
        pending = self._pending.get(request_id)
        if pending is None or pending.client not in {client, ""}:
            return None
        if pending.client:
            self.withdraw(client)
        return pending

    def withdraw(self, client: str) -> None:
        """Forget the client's question, if it has one."""
        request_id = self._by_client.pop(client, None)
        if request_id is not None:
            del self._pending[request_id]

    def retry(self, client: str, now: float) -> None:
        """Plan to try a client again, each time later than the last."""
        retry = self._retries.get(client)
        if retry is None:
            self._retries[client] = _Retry(FIRST_RETRY_SECONDS, now + FIRST_RETRY_SECONDS)
        elif retry.tries == RETRIES:
            self.succeeded(client)
        else:
            retry.tries += 1
            retry.delay = min(retry.delay * 2, LAST_RETRY_SECONDS)
            retry.at = now + retry.delay

    def postpone(self, client: str, now: float) -> None:
        """Plan to ask a client when there is room for a question; that is no fault of its own."""
        retry = self._retries.setdefault(client, _Retry(FIRST_RETRY_SECONDS, None))
        retry.at = now + POSTPONED_SECONDS

    def succeeded(self, client: str) -> None:
        """The client needs (or is worth) no further try."""
        self._retries.pop(client, None)

    def forget(self, client: str) -> None:
        """The client is gone."""
        self.withdraw(client)
        self._retries.pop(client, None)

    def next_deadline(self) -> float | None:
        """When `expire` next has something to do, or None."""
        deadlines = [pending.deadline for pending in self._pending.values()]
        deadlines += [retry.at for retry in self._retries.values() if retry.at is not None]
        return min(deadlines, default=None)

    def expire(self, now: float) -> Late:
        """Forget the questions whose time is over and take the tries that are due."""
        late = [
            (request_id, pending)
            for request_id, pending in self._pending.items()
            if pending.deadline <= now
        ]
        for request_id, pending in late:
            if pending.client:
                self.withdraw(pending.client)
            else:
                del self._pending[request_id]
        due = [
            client
            for client, retry in self._retries.items()
            if retry.at is not None and retry.at <= now
        ]
        for client in due:
            self._retries[client].at = None
        return Late(unanswered=[pending.client for _, pending in late if pending.client], due=due)
