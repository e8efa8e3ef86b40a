"""Sockets go from one worker to another of the same machine, or stay where they are: never both."""

import asyncio
import contextlib
import os
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from app.core.handoff import HandoffAnswer, Offer
from app.core.tasks import TaskOwner
from app.transport.handoff_folder import FolderUnsafe, HandoffFolder
from app.transport.handoff_message import HEAD_BYTES, write_offer
from tests.integration.transport.handoff_bench import (
    HEAD,
    Bench,
    Client,
    descriptors,
    new_worker,
    object_id,
)

TAKEN, NOT_MINE, NOT_NOW = HandoffAnswer.TAKEN, HandoffAnswer.NOT_MINE, HandoffAnswer.NOT_NOW
DEADLINE_SECONDS = 30.0
_tasks = TaskOwner("test")


def offer_bytes(head: bytes = HEAD) -> bytes:
    written = write_offer(Offer(namespace="tinybase", object_id=str(object_id()), head=head))
    assert written is not None
    return written


async def ended(peer: socket.socket) -> bytes:
    """What the door says until it closes the connection."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        with contextlib.suppress(ConnectionResetError):
            return await asyncio.get_running_loop().sock_recv(peer, 10)
        return b""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: the path of a socket has a bound."""
    with tempfile.TemporaryDirectory(prefix="stateroom-") as made:
        yield Path(made)


@pytest.fixture
async def bench(folder: Path) -> AsyncIterator[Bench]:
    made = Bench(folder)
    yield made.open()
    made.close()


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


async def test_a_socket_that_is_taken_is_the_other_workers_with_all_that_was_read_of_it(
    bench: Bench, client: Client
) -> None:
    client.says(b"a frame that nobody has read yet")
    assert await bench.give(client) is TAKEN
    assert client.was_given == 1
    (offer,), (taken,) = bench.taker.offers, bench.taker.taken
    expected = Offer(namespace="tinybase", object_id=str(object_id()), head=HEAD)
    assert offer == expected
    assert not taken.getblocking()
    assert not taken.get_inheritable()
    assert taken.recv(100) == b"a frame that nobody has read yet"
    taken.send(b"welcome")
    assert client.hears() == b"welcome"
    taken.close()
    assert client.hears() == b""


@pytest.mark.parametrize("answer", [NOT_MINE, NOT_NOW])
async def test_a_socket_that_is_refused_stays(
    bench: Bench, client: Client, answer: HandoffAnswer
) -> None:
    bench.taker.says = answer
    assert await bench.give(client) is answer
    assert client.was_given == 0
    assert bench.taker.taken == []
    client.says(b"still here")
    assert client.heard_here() == b"still here"


async def test_a_socket_that_cannot_be_lent_is_offered_to_nobody(
    bench: Bench, client: Client
) -> None:
    client.lends = False
    assert await bench.give(client) is NOT_NOW
    assert bench.taker.offers == []


async def test_a_worker_without_a_door_is_on_another_machine(bench: Bench, client: Client) -> None:
    bench.holder = new_worker()
    assert await bench.give(client) is NOT_NOW
    assert client.was_given == 0


async def test_a_door_that_a_killed_worker_left_behind_leads_nowhere_until_its_slot_is_taken(
    bench: Bench, client: Client
) -> None:
    former = bench.holder
    bench.door.close()
    bench.raw_door().close()  # as a killed process does: the name stays
    assert await bench.give(client) is NOT_NOW
    bench.holder = new_worker()
    bench.open()
    assert bench.folder.find(former) is None
    assert await bench.give(client) is TAKEN


async def test_a_worker_in_a_new_life_has_a_door_of_that_name_only(
    bench: Bench, client: Client
) -> None:
    former, bench.holder = bench.holder, new_worker()
    bench.open()
    assert await bench.channel.give(former, object_id(), client) is NOT_NOW
    assert await bench.give(client) is TAKEN


async def test_a_closed_door_takes_nothing(bench: Bench, client: Client) -> None:
    bench.door.close()
    assert await bench.give(client) is NOT_NOW
    assert bench.taker.offers == []


async def test_an_offer_without_an_answer_is_withdrawn_and_cannot_be_taken_later(
    folder: Path, client: Client
) -> None:
    bench = Bench(folder, answer_seconds=0.05)
    with bench.raw_door() as listener:
        assert await bench.give(client) is NOT_NOW
        late, _ = listener.accept()
        with late, pytest.raises(BrokenPipeError):
            late.send(TAKEN.value)
    assert client.was_given == 0
    client.says(b"still here")
    assert client.heard_here() == b"still here"


async def test_an_answer_that_was_there_before_the_withdrawal_counts(
    folder: Path, client: Client
) -> None:
    bench = Bench(folder)
    with bench.raw_door() as listener:
        giving = _tasks.start(bench.give(client), name="give")
        peer, _ = await asyncio.get_running_loop().sock_accept(listener)
        peer.send(TAKEN.value)
        giving.cancel()  # in the same step: the answer is there and nobody has read it
        with peer, pytest.raises(asyncio.CancelledError):
            await giving
    assert client.was_given == 1


async def test_whoever_does_not_wait_any_more_keeps_the_socket(
    folder: Path, client: Client
) -> None:
    bench = Bench(folder)
    with bench.raw_door() as listener:
        giving = _tasks.start(bench.give(client), name="give")
        peer, _ = await asyncio.get_running_loop().sock_accept(listener)
        giving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await giving
        with peer, pytest.raises(BrokenPipeError):
            peer.send(TAKEN.value)
    assert client.was_given == 0


async def test_when_the_other_worker_dies_with_the_offer_unanswered_the_socket_is_still_ours(
    folder: Path, client: Client
) -> None:
    bench = Bench(folder)
    with bench.raw_door() as listener:
        giving = _tasks.start(bench.give(client), name="give")
        peer, _ = await asyncio.get_running_loop().sock_accept(listener)
        peer.close()
        assert await giving is NOT_NOW
    client.says(b"still here")
    assert client.heard_here() == b"still here"


async def test_the_longest_request_is_handed_over_and_a_longer_one_is_not(bench: Bench) -> None:
    longest, longer = Client(HEAD_BYTES * b"x"), Client((HEAD_BYTES + 1) * b"x")
    with contextlib.closing(longest), contextlib.closing(longer):
        assert await bench.give(longest) is TAKEN
        assert bench.taker.offers[0].head == HEAD_BYTES * b"x"
        assert await bench.give(longer) is NOT_NOW


async def test_two_hundred_at_once_are_all_taken(bench: Bench) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(Client())) for _ in range(200)]
        answers = await asyncio.gather(*(bench.give(each) for each in clients))
    assert answers == [TAKEN] * 200
    assert len(bench.taker.taken) == 200


async def test_a_thousand_hand_overs_leave_no_descriptor(bench: Bench) -> None:
    before = descriptors()
    for number in range(1_000):
        with contextlib.closing(Client()) as each:
            bench.taker.says = (TAKEN, NOT_MINE)[number % 2]
            assert await bench.give(each) is bench.taker.says
            bench.taker.close()
    assert descriptors() == before


@pytest.mark.parametrize("what", ["garbled", "nothing", "two", "a pipe"])
async def test_what_is_no_offer_of_one_socket_is_closed_without_a_word(
    bench: Bench, client: Client, what: str
) -> None:
    before = descriptors()
    lent = client.lend()
    assert lent is not None
    read, write = os.pipe()
    with open(read, "rb"), open(write, "wb"):  # noqa: PTH123, ASYNC230 - both close them at the end
        given = {"nothing": [], "two": 2 * [lent.fileno], "a pipe": [read]}
        said = b"GET / HTTP/1.1\r\n" if what == "garbled" else offer_bytes()
        with bench.raw_offer(said, given.get(what, [lent.fileno])) as peer:
            assert await ended(peer) == b""
    assert bench.taker.offers == []
    assert descriptors() == before


async def test_an_offer_that_stays_unfinished_is_dropped_with_its_descriptor(
    bench: Bench, client: Client
) -> None:
    lent = client.lend()
    assert lent is not None
    before = descriptors()
    with bench.raw_offer(offer_bytes()[:-1], [lent.fileno]) as peer:
        assert await ended(peer) == b""
    assert descriptors() == before
    assert bench.taker.offers == []


async def test_an_offer_may_come_in_pieces(bench: Bench, client: Client) -> None:
    lent = client.lend()
    assert lent is not None
    whole = offer_bytes(60_000 * b"x")
    with bench.raw_offer(whole[:40_000], [lent.fileno]) as peer:
        await SystemClock().sleep(0.05)  # so that they are read apart; either way it must do
        peer.send(whole[40_000:])
        assert await ended(peer) == TAKEN.value
    assert bench.taker.offers[0].head == 60_000 * b"x"


async def test_an_answer_that_nobody_waits_for_closes_the_descriptor(
    bench: Bench, client: Client
) -> None:
    lent = client.lend()
    assert lent is not None
    with bench.raw_offer(offer_bytes(), [lent.fileno]) as peer:
        peer.shutdown(socket.SHUT_RD)
        await SystemClock().sleep(0.05)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not bench.taker.offers:
                await SystemClock().sleep(0.01)
    assert bench.taker.taken == []
    client.says(b"still here")
    assert client.heard_here() == b"still here"


async def test_another_user_is_not_dealt_with_on_either_side(
    bench: Bench, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: ours + 1)
    lent = client.lend()
    assert lent is not None
    with bench.raw_offer(offer_bytes(), [lent.fileno]) as peer:
        assert await ended(peer) == b""
    assert await bench.give(client) is NOT_NOW
    assert bench.taker.offers == []


async def test_only_this_user_can_reach_a_door(bench: Bench) -> None:
    door = bench.folder.find(bench.holder)
    assert door is not None
    assert stat.S_IMODE(door.stat().st_mode) == 0o600
    assert stat.S_IMODE(door.parent.stat().st_mode) == 0o700


async def test_a_folder_that_was_open_to_others_is_closed_to_them(bench: Bench) -> None:
    door = bench.folder.find(bench.holder)
    assert door is not None
    door.parent.chmod(0o777)
    bench.open()
    assert stat.S_IMODE(door.parent.stat().st_mode) == 0o700


def test_a_link_in_place_of_the_folder_is_refused(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / "handoff").symlink_to(elsewhere)
    made = HandoffFolder(folder)
    with pytest.raises(FolderUnsafe):
        made.make()


async def test_a_data_directory_with_a_long_path_has_its_doors_elsewhere_and_leaves_nothing(
    folder: Path, client: Client
) -> None:
    bench = Bench(folder / (100 * "long")).open()
    door = bench.folder.find(bench.holder)
    assert door is not None
    assert stat.S_IMODE(door.parent.stat().st_mode) == 0o700
    assert await bench.give(client) is TAKEN
    bench.close()
    assert not door.parent.exists()
