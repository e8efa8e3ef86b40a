"""What stands below `/admin` beside the operations: their description, and a page for people."""

from collections.abc import Collection, Mapping
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from ...core.codec import dump_json
from .endpoint import Page
from .openapi import description_of
from .operation import Operation

_WELCOME: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Stateroom</title>
<h1>Stateroom admin API</h1>
<p>Every operation is below <code>/admin/v1</code> and wants a token:</p>
<pre>curl -H "Authorization: Bearer $TOKEN" https://HOST/admin/v1/me</pre>
<p>If a link brought you here, your token is what follows <code>#token=</code> in the address bar;
it was not sent to the server. Keep it like a password.</p>
<p>All operations are described in <a href="/admin/openapi.json">openapi.json</a> (OpenAPI 3.1).
The command <code>stateroom rooms --help</code> does the same from a terminal.</p>
</html>
"""


def pages_of(operations: Collection[Operation]) -> Mapping[str, Page]:
    """The pages by their paths; none of them wants a token."""
    description = dump_json(description_of(operations))

    async def openapi(_http: HttpRequest) -> Response:
        return Response(description, media_type="application/json")

    async def welcome(_http: HttpRequest) -> Response:
        return Response(_WELCOME, media_type="text/html")

    return {"/admin": welcome, "/admin/": welcome, "/admin/openapi.json": openapi}
