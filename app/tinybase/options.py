"""The options a TinyBase namespace may be mounted with: `...:TinyBaseRoom?sync=relay`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from .routing import SyncMode

_LEAST_FRAGMENT_BYTES = 1
_LONGEST_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomOptions:
    """See the fields.

    Attributes:
        sync: Whether the replica answers broadcast questions alone (hub), or everybody is
            asked as the reference does (relay).
        fragment_size: Split what the replica sends into pieces of this many bytes; None for
            no splitting. Only for clients of TinyBase 9.2 and later.
        request_timeout_seconds: How long the replica waits for an answer.
    """

    sync: SyncMode = SyncMode.HUB
    fragment_size: int | None = None
    request_timeout_seconds: float = 1.0

    @classmethod
    def parse(cls, settings: Mapping[str, str]) -> "RoomOptions":
        """Read the options.

        Raises:
            ValueError: One is unknown or has an impossible value.
        """
        return _parse(frozenset(settings.items()))


@lru_cache(maxsize=64)
def _parse(items: frozenset[tuple[str, str]]) -> RoomOptions:
    """One for all rooms that are mounted alike."""
    settings = dict(items)
    unknown = settings.keys() - {"sync", "fragment_size", "request_timeout_seconds"}
    if unknown:
        raise ValueError(f"TinyBase rooms have no option {', '.join(sorted(unknown))}")
    return RoomOptions(
        sync=_sync(settings.get("sync", SyncMode.HUB.value)),
        fragment_size=_fragment_size(settings.get("fragment_size")),
        request_timeout_seconds=_timeout(settings.get("request_timeout_seconds", "1")),
    )


def _sync(text: str) -> SyncMode:
    try:
        return SyncMode(text)
    except ValueError:
        raise ValueError(f"sync {text!r} is neither hub nor relay") from None


def _fragment_size(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < _LEAST_FRAGMENT_BYTES:
        raise ValueError(f"fragment_size {text!r} is not a positive number of bytes")
    return int(text)


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_TIMEOUT_SECONDS:
        raise ValueError(
            f"request_timeout_seconds {text!r} is not between 0 and {_LONGEST_TIMEOUT_SECONDS:g}"
        )
    return seconds
