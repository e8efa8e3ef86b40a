"""Settings that are lists of words of a certain kind."""

import re
from ipaddress import ip_network

_SEGMENT = re.compile(r"[A-Za-z0-9_~.-]{1,64}")


def plain_segments(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words.

    Raises:
        ValueError: One is not a path segment.
    """
    for word in words:
        if not _SEGMENT.fullmatch(word):
            raise ValueError(f"{word!r} is not one path segment")
    return words


def networks(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words.

    Raises:
        ValueError: One is neither an address nor a network.
    """
    for word in words:
        try:
            ip_network(word)
        except ValueError:
            raise ValueError(
                f"{word!r} is no address and no network, as 10.0.0.1 or 10.0.0.0/24"
            ) from None
    return words
