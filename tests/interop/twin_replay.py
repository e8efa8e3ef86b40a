"""Replays a session of real clients with real clients of today.

Their frames depend on timing, so only what they knew and did is repeated: a twin of each recorded
store gets what the recording shows it to have (its diffs, and the stamps in its Responses, which
are edits it made while away), joins and leaves when the recorded one did, and in the end must have
the recorded content and hashes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .client_host import ClientHost, SyncedStore
from .raw_peer import MULTIPLEXED
from .transcript import (
    CONTENT_DIFF,
    CONTROL,
    RESPONSE,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Frame,
    RoomNames,
    joined_pieces,
)
from .wire_json import Json, loads

FRAGMENT_BYTES = 60
EMPTY: Json = [[{}], [{}], 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """One complete message that a recorded client sent."""

    at: int
    """Index of the event that completed it."""
    connection: str
    channel: str | None
    message_type: int
    body: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinReplay:
    """One run of one illustrative transcript. `receipts` tells whether the rooms have a replica."""

    host: ClientHost
    url: str
    names: RoomNames
    receipts: bool
    stores: dict[str, SyncedStore] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    """Room of every store that is connected."""
    multiplexed_paths: dict[str, str] = field(default_factory=dict)

    async def run(self, transcript: Json) -> None:
        """Repeat everything up to the moment before the recorded clients were closed at the end."""
        events = _up_to_the_end(transcript["events"])
        sayings = list(_sayings(events))
        for index, event in enumerate(events):
            match event.get("dir"):
                case "open" if event["protocol"] == MULTIPLEXED:
                    self.multiplexed_paths[event["c"]] = event["path"]
                case "open":
                    await self._join(event["c"], None, event["path"], sayings, _fragments(events))
                case "close":
                    await self._leave(event["c"], None)
                case ">":
                    for saying in (saying for saying in sayings if saying.at == index):
                        await self._repeat(saying, sayings)

    async def expect(self, clients: dict[str, Json]) -> None:
        """Wait until the twins have the content and the hashes of a `final.clients` entry."""
        for name, final in clients.items():
            store = self.stores[_store_name(name)]
            await store.until_hashes(final["hashes"])
            await store.until_content(*final["plain"])

    async def leave(self) -> None:
        """Disconnect every twin that is still there."""
        for key in list(self.joined):
            await self._leave_room(key)

    async def _repeat(self, saying: Saying, sayings: list[Saying]) -> None:
        if saying.message_type == CONTENT_DIFF:
            await self._merge(_key(saying.connection, saying.channel), saying.body)
        elif saying.message_type == CONTROL:
            control, channel = saying.body
            if control == SUBSCRIBE:
                path = self.multiplexed_paths[saying.connection]
                await self._join(saying.connection, channel, path, sayings, None)
            elif control == UNSUBSCRIBE:
                await self._leave(saying.connection, channel)

    async def _merge(self, key: str, changes: Json) -> None:
        """Let the store of that key make the recorded changes, knowing what its room knows."""
        room = self.joined[key]
        await self.host.until_equal(
            *(self.stores[other] for other, joined in self.joined.items() if joined == room)
        )
        await self.stores[key].merge(changes)
        await self.stores[key].announce()

    async def _join(
        self,
        connection: str,
        channel: str | None,
        path: str,
        sayings: list[Saying],
        fragment_size: int | None,
    ) -> None:
        key = _key(connection, channel)
        if key not in self.stores:
            self.stores[key] = await self.host.store(key)
        store = self.stores[key]
        for saying in sayings:
            if (saying.connection, saying.channel) == (connection, channel):
                await store.merge(_stamps_of_response(saying))
        url_path = self.names.url_path(path, multiplexed=channel is not None).partition("?")[0]
        await store.join(
            f"{self.url}/{url_path}",
            socket=connection,
            channel=channel,
            fragment_size=fragment_size,
        )
        self.joined[key] = url_path if channel is None else f"{url_path}/{channel}"

    async def _leave(self, connection: str, channel: str | None) -> None:
        await self._leave_room(_key(connection, channel))

    async def _leave_room(self, key: str) -> None:
        if self.receipts:
            await self.stores[key].receipt()
        await self.stores[key].leave()
        del self.joined[key]


def _store_name(connection: str) -> str:
    """`B#2` is the second connection of the store `B`."""
    return connection.partition("#")[0]


def _key(connection: str, channel: str | None) -> str:
    return _store_name(connection) + ("" if channel is None else f"/{channel}")


def _up_to_the_end(events: list[Json]) -> list[Json]:
    """Leave out the closing of everything at the end: `final` was taken before it."""
    last = max(index for index, event in enumerate(events) if event.get("dir") in {">", "<"})
    return events[: last + 1]


def _fragments(events: list[Json]) -> int | None:
    spoken = (event["text"] for event in events if event.get("dir") == ">")
    in_pieces = any(Frame.parse(text, multiplexed=False).fragment for text in spoken)
    return FRAGMENT_BYTES if in_pieces else None


def _sayings(events: list[Json]) -> Iterator[Saying]:
    multiplexed = {e["c"] for e in events if e.get("protocol") == MULTIPLEXED}
    pieces: dict[str, list[tuple[str, int, int, str]]] = {}
    for index, event in enumerate(events):
        if event.get("dir") != ">":
            continue
        frame = Frame.parse(event["text"], multiplexed=event["c"] in multiplexed)
        remainder = frame.remainder
        if fragment := frame.fragment:
            message_id, _, total, _ = fragment
            pieces.setdefault(message_id, []).append(fragment)
            if len(pieces[message_id]) < total:
                continue
            remainder = joined_pieces(pieces.pop(message_id))
        _, message_type, body = loads(remainder)
        yield Saying(
            at=index,
            connection=event["c"],
            channel=frame.channel,
            message_type=message_type,
            body=body,
        )


def _stamps_of_response(saying: Saying) -> Json:
    """Return what a Response shows its sender to have, as MergeableChanges.

    `[hash, hash]` and a stamp with hashes beside it are told apart by their first elements; values
    and tables by depth.
    """
    if saying.message_type != RESPONSE or isinstance(saying.body[0], int | float):
        return EMPTY
    if isinstance(saying.body[0], list):
        return [saying.body[0], [{}], 1]
    children = list(saying.body[0].values())
    are_tables = bool(children) and isinstance(children[0][0], dict)
    return [saying.body, [{}], 1] if are_tables else [[{}], saying.body, 1]
