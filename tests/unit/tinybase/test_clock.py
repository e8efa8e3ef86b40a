import pytest

from app.tinybase.clock import (
    ALPHABET,
    HLC_CHARS,
    MAX_DRIFT_MS,
    Clock,
    decode_hlc,
    encode_hlc,
    is_full_hlc,
    latest_acceptable,
    random_writer,
    writer_of,
)
from tests.unit.tinybase.vectors import vectors

HLC = vectors("hlc")
NOW = 1_704_067_200_000


def test_the_alphabet_is_in_ascii_order() -> None:
    assert list(ALPHABET) == sorted(ALPHABET)
    assert len(set(ALPHABET)) == 64


def test_writers_are_those_of_tinybase() -> None:
    for case in HLC["clientIds"]:
        assert writer_of(case["uniqueId"]) == case["part"]


def test_a_random_writer_has_five_characters() -> None:
    assert random_writer(lambda count: "x" * count) == "xxxxx"


def test_stamps_encode_and_decode_as_in_tinybase() -> None:
    for case in HLC["encode"]:
        stamp = encode_hlc(case["time"], case["counter"], writer_of(case["uniqueId"]))
        assert stamp == case["hlc"]
        assert list(decode_hlc(stamp)) == case["decoded"]


@pytest.mark.parametrize("settled", [True, False], ids=["asked each time", "asked at the end"])
def test_clocks_run_as_in_tinybase(settled: bool) -> None:
    for case in HLC["sequences"]:
        clock = Clock(writer_of(case["uniqueId"]))
        for step in case["steps"]:
            if step["op"] == "seen":
                clock.seen(step["hlc"], step["now"])
            else:
                assert clock.next(step["now"]) == step["hlc"]
            if settled:
                assert list(clock.state) == step["state"]
        assert list(clock.state) == case["steps"][-1]["state"]


@pytest.mark.parametrize(
    "text", ["abc", "Nn1JUF-----2zlA\n", "Nn1JUF-----2zlAl\n", "Nn1JUF-----2zlA.", "x" * 17]
)
def test_what_is_no_stamp_is_refused_and_ignored(text: str) -> None:
    assert is_full_hlc(text) is None
    with pytest.raises(ValueError, match="not a hybrid"):
        decode_hlc(text)
    clock = Clock("-----")
    clock.seen(text, NOW)
    assert clock.state == (0, -1)


def test_exactly_five_minutes_ahead_is_accepted_and_more_is_not() -> None:
    clock = Clock("-----")
    last = encode_hlc(NOW + MAX_DRIFT_MS, (1 << 24) - 1, "zzzzz")
    assert last == latest_acceptable(NOW)
    assert clock.accepts(last, NOW)
    assert not clock.accepts(encode_hlc(NOW + MAX_DRIFT_MS + 1, 0, "-----"), NOW)


def test_the_limit_follows_the_wall_clock_both_ways() -> None:
    clock = Clock("-----")
    stamp = encode_hlc(NOW + MAX_DRIFT_MS + 5, 0, "-----")
    assert not clock.accepts(stamp, NOW)
    assert clock.accepts(stamp, NOW + 5)
    assert not clock.accepts(stamp, NOW + 4)


def test_a_clock_never_gives_the_same_stamp_twice_nor_an_earlier_one() -> None:
    clock = Clock("-----")
    given = [clock.next(NOW + shift) for shift in (0, 0, 5, 3, 0, 6)]
    assert given == sorted(set(given))
    assert all(len(stamp) == HLC_CHARS for stamp in given)


def test_a_full_counter_carries_into_the_time() -> None:
    clock = Clock("-----")
    clock.seen(encode_hlc(NOW, (1 << 24) - 1, "zzzzz"), NOW)
    assert clock.next(NOW) == encode_hlc(NOW + 1, 0, "-----")
