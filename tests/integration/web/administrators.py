"""Who may do everything on the services of these tests, and a client of theirs."""

from typing import Final

import httpx

from .running_service import RunningService

ADMIN_TOKEN: Final = "a-token-of-the-tests-of-the-admin-plane"
AS_ADMIN: Final = {"authorization": f"Bearer {ADMIN_TOKEN}"}


def administrator(service: RunningService, path: str = "") -> httpx.AsyncClient:
    """A client below a path of a service whose `admin_token` is `ADMIN_TOKEN`."""
    base = f"http://127.0.0.1:{service.port}{path}"
    return httpx.AsyncClient(base_url=base, headers=AS_ADMIN, timeout=60)
