from functools import reduce
from operator import xor

from app.sdk.json import js_stringify, parse_json
from app.tinybase.hashing import (
    hash32,
    hash32_pure,
    leaf_hash,
    leaves_hash,
    member_hash,
    text_bytes,
    text_hash,
)
from tests.unit.tinybase.vectors import vectors

HASHES = vectors("hashes")


def test_texts_hash_as_in_tinybase_with_either_implementation() -> None:
    for case in HASHES["strings"]:
        assert text_hash(case["s"]) == case["hash"]
        assert hash32_pure(text_bytes(case["s"])) == case["hash"]


def test_both_implementations_agree_on_all_bytes() -> None:
    for size in range(300):
        data = bytes((size * 7 + at * 31) % 256 for at in range(size))
        assert hash32(data) == hash32_pure(data)


def test_leaves_hash_as_in_tinybase() -> None:
    for case in HASHES["values"]:
        value = parse_json(case["wire"])
        assert f"{js_stringify(value)}:{case['hlc']}" == case["hashed"]
        assert leaf_hash(value, case["hlc"]) == case["hash"]


def test_members_hash_as_in_tinybase() -> None:
    for case in HASHES["inValues"]:
        assert member_hash(case["id"], case["hash"]) == case["result"]


def test_groups_hash_as_in_tinybase() -> None:
    for case in HASHES["groups"]:
        members = [member_hash(each, h) for each, h in case["members"].items()]
        firsts = [member_hash(each, 0) for each in case["members"]]
        assert reduce(xor, members, 0) == case["asTableOrTables"]
        assert reduce(xor, members + firsts, 0) == case["asRowOrValues"]


def test_a_rows_hash_does_not_depend_on_the_order_of_its_cells() -> None:
    hlc = "Nn1JUF-----7JQY8"
    cells: dict[str, list[object]] = {"a": [1, hlc], "b": ["x"], "c": ["\ufffc", hlc]}
    backwards = dict(reversed(cells.items()))
    assert leaves_hash(cells, "") == leaves_hash(backwards, "")
    assert leaves_hash(cells, hlc) == leaves_hash(cells, "") ^ text_hash(hlc)


def test_an_unpaired_surrogate_in_an_id_hashes_like_the_replacement_character() -> None:
    assert text_hash("x\udc00y") == text_hash("x\ufffdy")
    assert member_hash("\ud800", 7) == member_hash("\ufffd", 7)
    assert text_hash("\ud83d\ude00") == text_hash("\U0001f600")
