"""Recorded sessions with TinyBase's own server: reading them, and comparing frames with them.

A transcript names rooms by URL paths, other sockets as `{{A}}` and ids that the server invented as
`{{s1}}`. `Bindings` learns what those stand for in this run; `RoomNames` moves the rooms to where
this test has them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .raw_peer import RawPeer, raw_peer
from .wire_json import Json, dumps, loads

TRANSCRIPTS: Final = Path(__file__).parents[1] / "vectors" / "transcripts"
RESPONSE, CONTENT_HASHES_QUESTION, CONTENT_HASHES, CONTENT_DIFF = 0, 1, 2, 3
CONTROL: Final = -1
SUBSCRIBE, UNSUBSCRIBE = 1, 2

_PLACEHOLDER = re.compile(r"\{\{([^}]+)\}\}")
_FRAGMENT = re.compile(r"([-0-9A-Za-z_]{16})\n(\d+)\n(\d+)\n(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame taken apart: where it goes, and what it says or which piece of it."""

    channel: str | None
    address: str
    remainder: str

    @classmethod
    def parse(cls, text: str, *, multiplexed: bool) -> "Frame":
        """Take `text` apart. A control frame of a multiplexed socket has no channel."""
        channel = None
        if multiplexed and text.startswith("M\n"):
            _, channel, text = text.split("\n", 2)
        address, _, remainder = text.partition("\n")
        return cls(channel=channel, address=address, remainder=remainder)

    @property
    def fragment(self) -> tuple[str, int, int, str] | None:
        """Return (message id, index, total, piece) if this is a fragment."""
        found = _FRAGMENT.fullmatch(self.remainder)
        return (found[1], int(found[2]), int(found[3]), found[4]) if found else None

    @property
    def message(self) -> tuple[str | None, int, Json]:
        """Return (request id, type, body) of a frame that is no fragment."""
        request_id, message_type, body = loads(self.remainder)
        return request_id, message_type, body


@dataclass(frozen=True, slots=True)
class Bindings:
    """What the placeholders of a transcript stand for in this run."""

    values: dict[str, str] = field(default_factory=dict)

    def unbound(self, text: str) -> list[str]:
        """Return the placeholders of `text` that are not known yet."""
        return [name for name in _PLACEHOLDER.findall(text) if name not in self.values]

    def fill(self, text: str) -> str:
        """Put the known values in. Raises KeyError for an unknown placeholder."""
        return _PLACEHOLDER.sub(lambda found: self.values[found[1]], text)

    def same(self, expected: Json, actual: Json) -> bool:
        """Compare two JSON things, key order free, and bind placeholders met for the first time."""
        if isinstance(expected, str):
            return isinstance(actual, str) and self._same_text(expected, actual)
        if isinstance(expected, dict):
            return (
                isinstance(actual, dict)
                and expected.keys() == actual.keys()
                and all(self.same(expected[key], actual[key]) for key in expected)
            )
        if isinstance(expected, list):
            return (
                isinstance(actual, list)
                and len(expected) == len(actual)
                and all(self.same(*pair) for pair in zip(expected, actual, strict=True))
            )
        return expected == actual and isinstance(expected, bool) == isinstance(actual, bool)

    def same_frame(self, expected: Frame, actual: Frame) -> bool:
        """Compare two frames that are no fragments."""
        return (
            expected.channel == actual.channel
            and self.same(expected.address, actual.address)
            and self.same(loads(expected.remainder), loads(actual.remainder))
        )

    def _same_text(self, expected: str, actual: str) -> bool:
        pattern, at, new = "", 0, []
        for found in _PLACEHOLDER.finditer(expected):
            pattern += re.escape(expected[at : found.start()])
            known = self.values.get(found[1])
            pattern += "(.+?)" if known is None else re.escape(known)
            new += [found[1]] if known is None else []
            at = found.end()
        match = re.fullmatch(pattern + re.escape(expected[at:]), actual, re.DOTALL)
        if match is None:
            return False
        self.values.update(zip(new, match.groups(), strict=True))
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomNames:
    """Moves the rooms of a transcript below `prefix`, which ends in a slash."""

    prefix: str
    rooms: frozenset[str]

    def url_path(self, path: str, *, multiplexed: bool) -> str:
        """Return the path to connect to for the recorded `path`, which starts with a slash.

        A multiplexed socket at the root stays there: its channel ids are whole room names, and
        those are moved.
        """
        return "" if multiplexed and path == "/" else self.prefix + path.removeprefix("/")

    def move_channels(self, text: str) -> str:
        """Return a frame of a multiplexed socket at the root with its channel ids moved."""
        for room in self.rooms:
            text = text.replace(room, self.prefix + room)
        return text


def load_transcripts(replay: str) -> list[tuple[str, Json]]:
    """Return (name, transcript) of all sessions of that kind, `literal` or `illustrative`."""
    loaded = ((path.stem, loads(path.read_text())) for path in sorted(TRANSCRIPTS.glob("*.json")))
    return [(name, transcript) for name, transcript in loaded if transcript["replay"] == replay]


def rooms_of(transcript: Json) -> frozenset[str]:
    """Return every room that the recorded server had open."""
    return frozenset(e["path"] for e in transcript["events"] if e.get("server") == "path")


def without_hashes(content: Json) -> Json:
    """Return persisted content, `[thing, hlc, hash]` at every level, in its wire form."""
    tables, values = content
    return [_bare(tables, 3), _bare(values, 1)]


def _bare(stamp: Json, depth: int) -> Json:
    thing, hlc, _hash = stamp
    if depth:
        thing = {key: _bare(child, depth - 1) for key, child in thing.items()}
    return [thing, hlc] if hlc else [thing]


def _wire_form(stamp: Json, depth: int) -> Json:
    thing, *hlc = stamp
    if depth:
        thing = {key: _wire_form(child, depth - 1) for key, child in thing.items()}
    return [thing, *hlc] if any(hlc) else [thing]


async def put_persisted(url: str, content: Json) -> None:
    """Bring `content` into a room by a client that says it all in one ContentDiff and leaves.

    Returns only after the replica answered with the hashes that the recorded content has.
    """
    tables, values = without_hashes(content)
    async with raw_peer(url) as peer:
        await peer.send(f"\n{dumps(['seed', CONTENT_DIFF, [tables, values, 1]])}")
        hashes = await _ask(peer, "receipt-seed", CONTENT_HASHES_QUESTION, "")
        assert hashes == [content[0][2], content[1][2]]


async def assert_server_has(url: str, expected: Json) -> None:
    """Compare everything that the replica of the room at `url` has with a `final.server` entry."""
    async with raw_peer(url) as peer:
        assert await _ask(peer, "receipt-hashes", 1, "") == expected["hashes"]
        tables, different = await _ask(peer, "receipt-tables", 4, {})
        values = await _ask(peer, "receipt-values", 7, {})
        assert different == {}
        assert [_wire_form(tables, 3), _wire_form(values, 1)] == without_hashes(expected["content"])


async def _ask(peer: RawPeer, request_id: str, message_type: int, body: Json) -> Json:
    await peer.send(f"S\n{dumps([request_id, message_type, body])}")
    answer = await peer.take(lambda frame: request_id in frame)
    answered_id, answered_type, answer_body = Frame.parse(answer, multiplexed=False).message
    assert (answered_id, answered_type) == (request_id, RESPONSE)
    return answer_body


def joined_pieces(fragments: Iterable[tuple[str, int, int, str]]) -> str:
    """Return the text whose complete pieces these are, in whatever order."""
    return "".join(piece for _, _, _, piece in sorted(fragments, key=lambda fragment: fragment[1]))
