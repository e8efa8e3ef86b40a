"""What is sent to one client bit by bit."""

from collections.abc import Iterator

from app.tinybase.pacing import UnderWay
from app.tinybase.parted import Remainder
from app.tinybase.synchronizer import Paced


def paced(number: int, pieces: int) -> Paced:
    named = (f"piece {number}.{at}" for at in range(pieces))
    return Paced("A", named, f"answer {number}", lambda: f"hashes {number}")


def told(under_way: UnderWay) -> Iterator[Remainder]:
    while (remainder := under_way.next()) is not None:
        yield remainder


def test_pieces_come_first_then_the_answer_and_last_what_the_replica_has() -> None:
    assert list(told(UnderWay(paced(1, 2), None))) == [
        "piece 1.0",
        "piece 1.1",
        "answer 1",
        "hashes 1",
    ]


def test_a_client_that_asks_again_gets_the_last_pieces_and_every_answer() -> None:
    first = UnderWay(paced(1, 3), None)
    assert first.next() == "piece 1.0"
    second = UnderWay(paced(2, 1), first)
    assert list(told(UnderWay(paced(3, 1), second))) == [
        "piece 3.0",
        "answer 1",
        "answer 2",
        "answer 3",
        "hashes 3",
    ]


def test_of_very_many_questions_the_last_ones_are_answered() -> None:
    under_way = UnderWay(paced(0, 1), None)
    for number in range(1, 10_000):
        under_way = UnderWay(paced(number, 1), under_way)
    *answers, hashes = list(told(under_way))[1:]
    assert answers == [f"answer {number}" for number in range(10_000 - 256, 10_000)]
    assert hashes == "hashes 9999"
