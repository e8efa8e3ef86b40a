"""Fetches the keys of tokens: one request, no redirect, within a deadline and a bound."""

import asyncio
from typing import Final

import httpx

from ..web.key_source import Fetch

MOST_BYTES: Final = 1 << 18


def fetch_from(url: str, *, seconds: float) -> Fetch:
    """Return what fetches the document at `url`; it raises OSError when it cannot be had."""

    async def fetch() -> bytes:
        try:
            async with asyncio.timeout(seconds):
                return await _document(url)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise OSError(type(error).__name__) from error

    return fetch


async def _document(url: str) -> bytes:
    # A proxy of the environment is for the way out; to this machine there is none.
    client = httpx.AsyncClient(trust_env=url.startswith("https:"))
    async with client, client.stream("GET", url) as answer:
        if answer.status_code != httpx.codes.OK:
            raise OSError(f"status {answer.status_code}")
        document = bytearray()
        async for piece in answer.aiter_bytes():
            document += piece
            if len(document) > MOST_BYTES:
                raise OSError(f"more than {MOST_BYTES} bytes")
        return bytes(document)
