"""What names a request in the logs of everybody who had it: `X-Request-Id`.

A client's own id is taken if it is short and plain; any other is replaced, for it stands in logs
and headers. The object finds it in `request.headers`, also on another worker, and the client in
the answer.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Final

REQUEST_ID: Final = "x-request-id"

_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MADE_BYTES: Final = 16


def request_id_of(headers: Mapping[str, str]) -> str:
    """The id of a request: the client's, or one that is made now."""
    told = headers.get(REQUEST_ID, "")
    return told if _PLAIN.fullmatch(told) else secrets.token_hex(_MADE_BYTES)
