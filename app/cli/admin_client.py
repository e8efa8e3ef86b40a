"""A client of the admin API: what the commands share.

It speaks HTTP to one server with one token, and tells what goes wrong as an exception with one
clear line and the status that the command ends with. Reading is tried a second time when the
connection breaks; what creates something carries an idempotency key, so it may be as well.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import httpx

from ..core.codec import JsonError, dump_json, parse_json
from .exchange import Exchange, ExchangeErrors
from .exits import ExitStatus, exit_status_of
from .failures import ToldFailure
from .terminal_text import one_line

OPERATIONS: Final = "/admin/v1"
ANSWER_SECONDS: Final = 70.0
"""How long to wait for an answer; the server itself gives an operation 60 s."""
CONNECT_SECONDS: Final = 5.0
PAGE_ITEMS: Final = 1_000

_JSON: Final = "application/json"
_TRIES: Final = 2
_GOOD_END: Final = 300
_LONGEST_TEXT: Final = 500

Query = Mapping[str, str | int | float | bool | None]


class ServerUnreachable(ToldFailure):
    """There was no answer."""

    status = ExitStatus.UNREACHABLE
    code = "server_unreachable"


class ServerRefused(ToldFailure):
    """The server answered that it does not do it.

    Attributes:
        http_status: Of the answer.
        code: The stable code of the problem.
        problem: The whole problem document; empty if the answer was none.
    """

    def __init__(self, http_status: int, problem: Mapping[str, Any]) -> None:
        self.http_status = http_status
        self.problem = dict(problem)
        self.code = str(problem.get("code", f"http_{http_status}"))
        self.status = exit_status_of(http_status)
        super().__init__(_line_of(http_status, self.code, problem))


class AdminClient:
    """See the module. Not for two threads at once.

    Args:
        server: `http://host:port`, with nothing behind it.
        token: What to show; empty to show none.
        transport: In place of the network, for tests.
    """

    def __init__(
        self, server: str, token: str, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.server = server.rstrip("/")
        self._headers = {"accept": _JSON, "user-agent": "stateroom-cli"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            headers=self._headers,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            transport=transport,
            trust_env=False,  # a proxy of the environment is not where a server of ours is
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, query: Query | None = None) -> Any:
        """Read something.

        Args:
            path: Below `/admin/v1`, quoted.
            query: Parameters; those that are None are left out.

        Raises:
            ServerRefused, ServerUnreachable: As for every other method here.
        """
        return self._json("GET", path, query=query, again=True)

    def pages(
        self, path: str, query: Query | None = None, *, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Read the items of a list, page by page, at most `limit`."""
        cursor, left = None, limit
        while True:
            size = PAGE_ITEMS if left is None else min(left, PAGE_ITEMS)
            page = self.get(path, {**(query or {}), "limit": size, "cursor": cursor})
            yield from page["items"][:size]
            cursor = page.get("next_cursor")
            left = None if left is None else left - len(page["items"])
            if cursor is None or (left is not None and left <= 0):
                return

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        query: Query | None = None,
        creates: bool = False,
    ) -> Any:
        """Do something. With `creates` it is done once, even if the answer was lost."""
        headers = {"idempotency-key": str(uuid4())} if creates else {}
        return self._json("POST", path, body=body, query=query, headers=headers, again=creates)

    def put(self, path: str, body: Any, *, query: Query | None = None, headers: Any = None) -> Any:
        """Put something."""
        return self._json("PUT", path, body=body, query=query, headers=headers)

    def patch(self, path: str, body: Any, *, media_type: str = _JSON) -> Any:
        """Change parts of something."""
        return self._json("PATCH", path, body=body, headers={"content-type": media_type})

    def delete(self, path: str, *, query: Query | None = None) -> Any:
        """Remove something."""
        return self._json("DELETE", path, query=query)

    @contextmanager
    def download(self, path: str, query: Query | None = None) -> Iterator[Iterator[bytes]]:
        """Read a stream, as pieces of any size."""
        with self._answered("GET", path, query=query, headers={"accept": "*/*"}) as answer:
            yield _pieces(answer)

    @contextmanager
    def upload(
        self,
        path: str,
        body: Iterable[bytes],
        *,
        media_type: str,
        query: Query | None = None,
    ) -> Iterator[Iterator[bytes]]:
        """Send a stream and read what is answered to it meanwhile, as pieces of any size."""
        url = httpx.URL(f"{self.server}{OPERATIONS}{path}", params=_given(query))
        headers = {**self._headers, "content-type": media_type, "accept": "*/*"}
        with Exchange(
            str(url),
            headers=headers,
            body=body,
            connect_seconds=CONNECT_SECONDS,
            answer_seconds=ANSWER_SECONDS,
        ) as exchange:
            try:
                status = exchange.start()
            except ExchangeErrors as error:
                raise ServerUnreachable(_unreachable(self.server, error)) from error
            pieces = self._told(exchange)
            if status >= _GOOD_END:
                raise ServerRefused(status, _problem_in(b"".join(pieces)))
            yield pieces

    def _told(self, exchange: Exchange) -> Iterator[bytes]:
        try:
            yield from exchange.pieces()
        except ExchangeErrors as error:
            raise ServerUnreachable(_unreachable(self.server, error)) from error

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        again: bool = False,
    ) -> Any:
        sent = dict(headers or {})
        content = None
        if body is not None:
            content = dump_json(body)
            sent.setdefault("content-type", _JSON)
        tries = _TRIES if again else 1
        while True:
            tries -= 1
            try:
                with self._answered(
                    method, path, query=query, headers=sent, content=content
                ) as answer:
                    return _value_of(answer)
            except ServerUnreachable:
                if tries <= 0:
                    raise

    @contextmanager
    def _answered(
        self,
        method: str,
        path: str,
        *,
        query: Query | None,
        headers: Mapping[str, str],
        content: bytes | None = None,
    ) -> Iterator[httpx.Response]:
        """Send a request; what is not a good answer is raised."""
        try:
            with self._http.stream(
                method,
                f"{self.server}{OPERATIONS}{path}",
                params=_given(query),
                headers=dict(headers),
                content=content,
            ) as answer:
                if answer.status_code >= _GOOD_END:
                    answer.read()
                    raise ServerRefused(answer.status_code, _problem_in(answer.content))
                yield answer
        except httpx.InvalidURL as error:
            raise ServerUnreachable(_unreachable(self.server, error)) from error
        except httpx.HTTPError as error:
            raise ServerUnreachable(_unreachable(self.server, error)) from error


def _pieces(answer: httpx.Response) -> Iterator[bytes]:
    yield from answer.iter_bytes()


def _value_of(answer: httpx.Response) -> Any:
    content = answer.read()
    if not content:
        return None
    try:
        return parse_json(content)
    except JsonError:
        raise ServerRefused(answer.status_code, {"code": "not_an_admin_api"}) from None


def _given(query: Query | None) -> dict[str, str | int | float | bool | None] | None:
    """The parameters that are not None, if there are any."""
    return {name: value for name, value in (query or {}).items() if value is not None} or None


def _problem_in(content: bytes) -> Mapping[str, Any]:
    try:
        problem = parse_json(content)
    except JsonError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _line_of(http_status: int, code: str, problem: Mapping[str, Any]) -> str:
    if not problem:
        return _line(
            code,
            f"The server answered {http_status}, not as the admin API does",
            "Check that --server names a Stateroom, and what stands between.",
        )
    if code == "not_an_admin_api":
        return _line(code, "The answer is no JSON", "Check that --server names a Stateroom.")
    title, detail = problem.get("title", ""), problem.get("detail", "")
    text = f"{title}: {detail}" if detail else str(title)
    for each in problem.get("errors", [])[:3]:
        text += f"; {each.get('pointer', '')} {each.get('detail', '')}"
    return _line(code, text, str(problem.get("remedy", "")))


def _unreachable(server: str, error: Exception) -> str:
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        reason = "no answer in time"
    else:
        reason = " ".join(str(error).split()) or type(error).__name__
    return _line(
        ServerUnreachable.code,
        f"{server} cannot be reached ({reason})",
        "Check that the service runs there and --server is right.",
    )


def _line(code: str, text: str, remedy: str) -> str:
    line = f"stateroom: error [{one_line(code)}]: {_sentence(text)}"
    return f"{line} Remedy: {_sentence(remedy)}" if remedy else line


def _sentence(text: str) -> str:
    words = one_line(" ".join(text.split()))[:_LONGEST_TEXT]
    return words if words.endswith((".", "!", "?")) else f"{words}."
