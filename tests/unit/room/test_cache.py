"""Committed rows in memory: a wrong answer here would be a lost row."""

from app.room.buffer import UNKNOWN, Layer
from app.room.cache import RowCache


def _layer(entries: dict[bytes, bytes | None], *, wiped: bool = False) -> Layer:
    layer = Layer()
    if wiped:
        layer.wipe()
    for key, value in entries.items():
        layer.set(key, value)
    return layer


def _complete(rows: dict[bytes, bytes], *, limit_bytes: int = 1_000) -> RowCache:
    cache = RowCache(limit_bytes)
    cache.fill(sorted(rows.items()), complete=True)
    return cache


def test_a_fresh_cache_knows_nothing() -> None:
    assert RowCache().lookup(b"a") is UNKNOWN


def test_a_complete_cache_knows_that_other_keys_do_not_exist() -> None:
    cache = _complete({b"a": b"1"})
    assert cache.lookup(b"a") == b"1"
    assert cache.lookup(b"b") is None
    assert cache.rows() == {b"a": b"1"}


def test_the_first_page_of_a_larger_object_says_nothing_about_other_keys() -> None:
    cache = RowCache()
    cache.fill([(b"a", b"1")], complete=False)
    assert not cache.complete
    assert cache.lookup(b"b") is UNKNOWN


def test_rows_that_do_not_fit_make_the_cache_incomplete_even_if_they_are_all_there_is() -> None:
    cache = _complete({b"big": bytes(2_000)}, limit_bytes=1_000)
    assert not cache.complete
    assert cache.lookup(b"big") is UNKNOWN, "the row exists, it is only not remembered"


def test_rows_that_fit_only_in_part_are_not_taken_for_missing() -> None:
    cache = _complete({b"a": bytes(600), b"b": bytes(600)}, limit_bytes=1_000)
    assert not cache.complete
    assert cache.lookup(b"a") is UNKNOWN
    assert cache.lookup(b"b") == bytes(600)


def test_the_least_recently_used_row_goes_first() -> None:
    cache = RowCache(limit_bytes=300)
    for key in (b"a", b"b", b"c"):
        cache.remember(key, bytes(90), generation=0)
    cache.lookup(b"a")
    cache.remember(b"d", bytes(90), generation=0)
    assert cache.lookup(b"b") is UNKNOWN
    assert cache.lookup(b"a") == bytes(90)


def test_that_a_key_does_not_exist_is_remembered_too() -> None:
    cache = RowCache()
    cache.remember(b"a", None, generation=0)
    assert cache.lookup(b"a") is None
    assert cache.lookup(b"b") is UNKNOWN


def test_a_confirmed_batch_is_taken_over() -> None:
    cache = _complete({b"a": b"1", b"b": b"2"})
    cache.absorb(_layer({b"a": b"new", b"b": None, b"c": b"3"}))
    assert cache.rows() == {b"a": b"new", b"c": b"3"}
    assert cache.lookup(b"b") is None
    assert cache.complete


def test_a_deletion_is_remembered_in_an_incomplete_cache() -> None:
    cache = RowCache()
    cache.absorb(_layer({b"a": None}))
    assert cache.lookup(b"a") is None
    assert not cache.complete


def test_a_wipe_makes_the_cache_complete() -> None:
    cache = RowCache()
    cache.remember(b"old", b"1", generation=0)
    cache.absorb(_layer({b"new": b"2"}, wiped=True))
    assert cache.complete
    assert cache.rows() == {b"new": b"2"}
    assert cache.lookup(b"old") is None


def test_a_wipe_with_more_than_fits_leaves_the_cache_incomplete() -> None:
    cache = RowCache(limit_bytes=100)
    cache.absorb(_layer({b"a": bytes(90), b"b": bytes(90)}, wiped=True))
    assert not cache.complete
    assert cache.lookup(b"a") is UNKNOWN


def test_a_row_written_without_caching_is_forgotten_and_not_taken_for_missing() -> None:
    cache = _complete({b"a": b"1"})
    layer = _layer({b"a": b"2"})
    layer.keep_out([b"a"])
    cache.absorb(layer)
    assert cache.lookup(b"a") is UNKNOWN
    assert not cache.complete


def test_a_row_written_without_caching_behind_a_wipe_is_not_taken_for_missing() -> None:
    cache = _complete({b"a": b"1"})
    layer = _layer({b"a": b"2", b"b": b"3"}, wiped=True)
    layer.keep_out([b"a"])
    cache.absorb(layer)
    assert cache.lookup(b"a") is UNKNOWN
    assert cache.lookup(b"b") == b"3"
    assert cache.lookup(b"c") is UNKNOWN


def test_deleting_an_uncached_row_again_leaves_a_complete_cache_complete() -> None:
    cache = _complete({b"a": b"1"})
    layer = _layer({b"b": None})
    layer.keep_out([b"b"])
    cache.absorb(layer)
    assert cache.complete
    assert cache.lookup(b"b") is None


def test_what_a_read_found_before_a_batch_was_confirmed_is_not_kept() -> None:
    cache = RowCache()
    generation = cache.generation
    cache.absorb(_layer({b"a": b"new"}))
    cache.remember(b"a", b"old", generation=generation)
    cache.remember(b"b", b"old", generation=generation)
    assert cache.lookup(b"a") == b"new"
    assert cache.lookup(b"b") is UNKNOWN


def test_what_a_complete_cache_reads_again_replaces_the_row() -> None:
    cache = _complete({b"a": b"1"}, limit_bytes=20)
    cache.remember(b"a", bytes(10), generation=0)
    cache.remember(b"b", bytes(5), generation=0)
    assert cache.complete
    assert cache.rows() == {b"a": bytes(10), b"b": bytes(5)}


def test_clearing_forgets_everything_and_the_space_it_took() -> None:
    cache = _complete({b"a": bytes(900)}, limit_bytes=1_000)
    cache.clear()
    assert cache.lookup(b"a") is UNKNOWN
    cache.remember(b"b", bytes(900), generation=0)
    assert cache.lookup(b"b") == bytes(900)
