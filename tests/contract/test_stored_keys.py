"""What `core.stored_keys` promises: the keys of an object by their first bytes, in pages."""

from app.core.ids import ObjectId
from app.core.storage_codec import encode_value, with_expiry
from app.core.stored_keys import StoredKey
from app.core.values import KeyRange
from tests.contract.worlds import World, live_worker
from tests.doubles.batch_source import Lease, Writes, commit


async def stored(world: World, rows: dict[bytes, bytes]) -> ObjectId:
    """An object that stores these rows."""
    worker_id = await live_worker(world)
    claim = await world.store.claim(world.object_ids.from_name("notes", "room"), worker_id)
    await commit(await world.committer(worker_id, Lease()), Writes(claim), dict(rows))
    return claim.object_id


async def test_keys_are_told_with_their_sizes_and_kinds(world: World) -> None:
    text, raw = encode_value("x" * 5_000), encode_value(b"\x00" * 100_000)
    expiring = with_expiry(raw, 1_700_000_000_000)
    room = await stored(world, {b"a": text, b"b": raw, b"c": expiring, b"d": encode_value(b"")})
    assert await world.stored_keys.keys(room, KeyRange(limit=10)) == [
        StoredKey(key=b"a", size_bytes=len(text), raw=False, expires_ms=None),
        StoredKey(key=b"b", size_bytes=len(raw), raw=True, expires_ms=None),
        StoredKey(key=b"c", size_bytes=len(expiring), raw=True, expires_ms=1_700_000_000_000),
        StoredKey(key=b"d", size_bytes=1, raw=True, expires_ms=None),
    ]


async def test_keys_come_in_pages_either_way(world: World) -> None:
    one = encode_value(1)
    room = await stored(world, {bytes([value]): one for value in (1, 2, 65, 128, 255)})

    async def keys(wanted: KeyRange) -> list[int]:
        return [found.key[0] for found in await world.stored_keys.keys(room, wanted)]

    assert await keys(KeyRange(limit=2)) == [1, 2]
    assert await keys(KeyRange(limit=9, start=b"\x02\x00")) == [65, 128, 255]
    assert await keys(KeyRange(limit=9, start=b"\x02", end=b"\x80")) == [2, 65]
    assert await keys(KeyRange(limit=2, reverse=True)) == [255, 128]
    assert await keys(KeyRange(limit=9, end=b"\x80", reverse=True)) == [65, 2, 1]


async def test_an_object_that_is_not_there_has_no_keys(world: World) -> None:
    room = world.object_ids.from_name("notes", "nobody")
    assert await world.stored_keys.keys(room, KeyRange(limit=10)) == []
