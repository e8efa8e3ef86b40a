"""Which part of a raw path names what."""

import pytest

from app.core.errors import IdInvalid
from app.web.addresses import (
    ObjectAddress,
    below_root,
    check_name,
    is_reserved,
    object_address,
    raw_path_of,
)


@pytest.mark.parametrize(
    ("target", "room"),
    [
        (b"/", ""),
        (b"/room1", "room1"),
        (b"/a/b/", "a/b/"),
        (b"/a%20b", "a%20b"),
        (b"//double", "/double"),
        ("/räume".encode(), "räume"),
    ],
)
def test_a_room_is_named_by_its_raw_path_undecoded(target: bytes, room: str) -> None:
    assert raw_path_of(target) == room


@pytest.mark.parametrize(
    ("raw", "root", "below"),
    [
        (b"/room", "", b"/room"),
        (b"/room", "/", b"/room"),
        (b"/rooms/a%2Fb", "/rooms", b"/a%2Fb"),
        (b"/rooms/a", "/rooms/", b"/a"),
        (b"/rooms/", "/rooms", b"/"),
        (b"/rooms", "/rooms", b"/"),
        (b"/a%20b/c/room/x", "/a b/c", b"/room/x"),
        ("/räume/x".encode(), "/räume", b"/x"),
        (b"/roomsx/a", "/rooms", b"/roomsx/a"),
        (b"/a", "/rooms/deep", b"/a"),
        (b"/\xff/a", "/rooms", b"/\xff/a"),
    ],
)
def test_below_a_root_only_what_stands_below_it_counts(raw: bytes, root: str, below: bytes) -> None:
    assert below_root(raw, root) == below


def test_a_path_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(IdInvalid):
        raw_path_of(b"/\xff")


def test_a_name_may_have_as_many_bytes_as_it_may() -> None:
    assert check_name("é" * 5, limit_bytes=10) == "é" * 5
    with pytest.raises(IdInvalid, match="11 bytes, the limit is 10"):
        check_name("é" * 5 + "x", limit_bytes=10)


def test_only_the_whole_first_segment_is_reserved() -> None:
    reserved = {"admin", "livez"}
    assert is_reserved("admin", reserved)
    assert is_reserved("admin/v1", reserved)
    assert not is_reserved("administration", reserved)
    assert not is_reserved("room/admin", reserved)
    assert not is_reserved("", reserved)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("objects/counter/a", ObjectAddress("counter", "a", "/")),
        ("objects/counter/a/", ObjectAddress("counter", "a", "/")),
        ("objects/counter/a/b/c", ObjectAddress("counter", "a", "/b/c")),
        ("objects/counter/a%2Fb%20c/d%20e", ObjectAddress("counter", "a/b c", "/d%20e")),
        ("objects/counter/r%C3%A4um", ObjectAddress("counter", "räum", "/")),
        ("objects/counter", None),
        ("objects/counter/", None),
        ("objects//a", None),
        ("objects", None),
        ("other/counter/a", None),
    ],
)
def test_an_object_is_named_by_namespace_and_decoded_name(
    path: str, address: ObjectAddress | None
) -> None:
    assert object_address(path) == address


def test_an_objects_name_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(IdInvalid):
        object_address("objects/counter/%ff")
