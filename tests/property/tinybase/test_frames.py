from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.sdk.json import dump_json, parse_json
from app.sdk.multiplexing import Fail
from app.tinybase.fragments import Assembled, Assembler, split_remainder
from app.tinybase.layout import Kind, Splitter, Stored, row_entry
from app.tinybase.multiplex import Multiplexer
from app.tinybase.refusals import Refusal
from app.tinybase.routing import SyncMode
from app.tinybase.synchronizer import Synchronizer
from app.tinybase.wire import Fragment, Message, message_remainder, parse_frame
from tests.property.tinybase.strategies import NOW, ODD_TEXT, frames, messages, mutated, unhurried
from tests.unit.tinybase.replicas import replica

HELLO = 'S\n["h",-1,[0,1]]'
SUBSCRIBE = 'S\n["s",-1,[1,"ch"]]'
CONTROLS = st.sampled_from([HELLO, SUBSCRIBE, 'S\n[null,-1,[2,"ch"]]', "M\nch\n"])


def synchronizer() -> Synchronizer:
    numbers = count()
    return Synchronizer(
        replica(),
        mode=SyncMode.HUB,
        random=lambda length: f"{next(numbers):0{length}d}",
        request_timeout_seconds=1.0,
    )


@unhurried
@given(messages())
def test_a_message_comes_back_as_it_was_written(parts: tuple[str, str | None, int, Any]) -> None:
    address, request_id, kind, body = parts
    text = dump_json(body)
    parsed = parse_frame(f"{address}\n{message_remainder(request_id, kind, text)}")
    assert isinstance(parsed, Message)
    assert (parsed.address, parsed.request_id, parsed.kind) == (address, request_id, kind)
    assert parsed.body == parse_json(text)


@unhurried
@given(st.lists(st.one_of(frames(), mutated(frames())), max_size=6))
def test_whatever_comes_in_is_handled_or_refused(texts: list[str]) -> None:
    server = synchronizer()
    for text in texts:
        try:
            parsed = parse_frame(text)
        except Refusal as refusal:
            assert (refusal.code, refusal.reason) in {  # noqa: PT017 - other errors must surface
                (1007, "tinybase:14"),
                (1013, "tinybase:15:fragments"),
            }
            continue
        if isinstance(parsed, Message):
            outcome = server.handle("A", parsed, now_ms=NOW, now=0.0)
            for paced in outcome.paced:
                list(paced.pieces)
                paced.announcement()


@unhurried
@given(st.lists(st.one_of(CONTROLS, mutated(CONTROLS), ODD_TEXT, st.binary()), max_size=8))
def test_a_multiplexer_never_raises(texts: list[str | bytes]) -> None:
    multiplexer = Multiplexer()
    for text in [HELLO, SUBSCRIBE, *texts]:
        actions = multiplexer.receive(text, 0.0)
        if any(isinstance(action, Fail) for action in actions):
            assert isinstance(actions[-1], Fail)
            return


@unhurried
@given(frames(), st.integers(4, 64), st.randoms(use_true_random=False))
def test_a_message_survives_being_split_and_joined_in_any_order(
    frame: str, size: int, random: Any
) -> None:
    address, _, remainder = frame.partition("\n")
    pieces = split_remainder(remainder, size, "0123456789abcdef")
    if len(pieces) == 1:
        assert pieces == [remainder]
        return
    shuffled = list(pieces)
    random.shuffle(shuffled)
    joiner = Assembler(timeout_seconds=1.0)
    done: Assembled | None = None
    for piece in shuffled:
        assert done is None
        fragment = parse_frame(f"{address}\n{piece}")
        assert isinstance(fragment, Fragment)
        done = joiner.add(fragment, 0.0)
    assert done is not None
    assert done.message.remainder == remainder
    assert list(done.originals) == pieces


@unhurried
@given(st.lists(st.tuples(ODD_TEXT, ODD_TEXT), unique=True, max_size=6))
def test_rows_with_any_ids_come_back_from_their_keys(ids: list[tuple[str, str]]) -> None:
    entries = dict(row_entry(*each, b"[{}]") for each in ids)
    assert len(entries) == len(ids)
    found = list(Splitter().join(sorted(entries.items())))
    expected = [Stored(kind=Kind.ROW, ids=each, payload=b"[{}]") for each in ids]
    assert sorted(found, key=lambda each: each.ids) == sorted(expected, key=lambda each: each.ids)
