from itertools import count
from typing import Any

from app.sdk.json import dump_json, parse_json
from app.tinybase.content import export_content, get_tables
from app.tinybase.parted import remainder_text
from app.tinybase.pull import Question
from app.tinybase.questions import OPEN_QUESTIONS, POSTPONED_SECONDS
from app.tinybase.replica import Replica
from app.tinybase.routing import SyncMode
from app.tinybase.synchronizer import PACED_OVER_BYTES, PATIENT_SECONDS, Outcome, Send, Synchronizer
from app.tinybase.wire import Message, parse_message
from tests.unit.tinybase.replicas import NOW, Disk, cells, filled, hlc, replica, values
from tests.unit.tinybase.test_pull import asked_of, pulled

TIMEOUT = 1.0


def synchronizer(server: Replica, mode: SyncMode = SyncMode.HUB) -> Synchronizer:
    numbers = count()
    return Synchronizer(
        server,
        mode=mode,
        random=lambda length: f"{next(numbers):0{length}d}",
        request_timeout_seconds=TIMEOUT,
    )


def message(kind: int, body: Any, request_id: str | None = "T") -> Message:
    return parse_message("S", dump_json([request_id, kind, body]).decode())


def handle(
    server: Synchronizer, kind: int, body: Any, request_id: str | None = "T", now: float = 0.0
) -> Outcome:
    return server.handle("A", message(kind, body, request_id), now_ms=NOW, now=now)


def told(send: Send) -> Any:
    return parse_json(remainder_text(send.remainder))


def announce(server: Synchronizer, client: Replica, now: float = 0.0) -> Outcome:
    return handle(server, 2, list(client.content_hashes()), now=now)


def answer_all(server: Synchronizer, client: Replica, outcome: Outcome) -> Outcome:
    """Let the client answer until the replica asks it nothing more."""
    while outcome.sends and told(outcome.sends[0])[1] in {1, 4, 5, 6, 7}:
        assert [send.recipient for send in outcome.sends] == ["A"]
        request_id, kind, body = told(outcome.sends[0])
        given = asked_of(client, Question(kind, dump_json(body)))
        outcome = handle(server, 0, given, request_id)
    return outcome


def test_the_question_for_hashes_is_answered_to_its_sender_with_its_id() -> None:
    server = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    for request_id in ("T.q", None):
        outcome = handle(synchronizer(server), 1, "", request_id)
        assert [send.recipient for send in outcome.sends] == ["A"]
        assert told(outcome.sends[0]) == [request_id, 0, list(server.content_hashes())]


def test_a_diff_is_merged_and_stored_and_told_to_nobody() -> None:
    server = replica()
    outcome = handle(synchronizer(server), 3, cells("t", "r", {"c": [1, hlc(1)]}))
    assert [key for key, _ in outcome.entries] == ['~r"t","r"']
    assert not outcome.sends
    assert get_tables(server) == {"t": {"r": {"c": 1}}}


def test_a_diff_without_its_mark_or_from_the_future_changes_nothing() -> None:
    server = replica()
    marked = cells("t", "r", {"c": [1, hlc(1)]})
    assert handle(synchronizer(server), 3, marked[:2]) == Outcome()
    future = cells("t", "r", {"c": [1, hlc(10**7)]})
    assert handle(synchronizer(server), 3, future) == Outcome()
    assert server.content_hashes() == (0, 0)


def test_an_announcement_of_equal_hashes_asks_nothing() -> None:
    server = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    assert announce(synchronizer(server), server) == Outcome(compared="A")


def test_an_announcement_starts_a_pull_under_its_own_id() -> None:
    server = synchronizer(replica())
    client = filled(cells("t", "r", {"c": [1, hlc(1)]}), values({"v": [1, hlc(2)]}))
    outcome = announce(server, client)
    assert told(outcome.sends[0]) == ["T.0000", 4, {}]
    outcome = answer_all(server, client, outcome)
    assert len(outcome.entries) == 2
    assert server.next_deadline() is None


def test_what_a_pull_brought_a_hub_tells_to_the_others() -> None:
    client = filled(cells("t", "r", {"a": [1, hlc(1)], "b": [2, hlc(2)]}), values({"v": [1]}))
    server = filled(cells("t", "r", {"a": [1, hlc(1)]}))
    third = filled(cells("t", "r", {"a": [1, hlc(1)]}))
    hub = synchronizer(server)
    outcome = answer_all(hub, client, announce(hub, client))
    assert [(send.recipient, send.exclude) for send in outcome.sends] == [("", "A")] * 2
    for send in outcome.sends:
        _, kind, body = told(send)
        assert kind == 3
        assert third.apply(body, NOW) is not None
    assert export_content(third) == export_content(client) == export_content(server)
    assert told(outcome.sends[0])[2][0] == [{"t": [{"r": [{"b": [2, hlc(2)]}]}]}]


def test_a_relay_tells_nobody_what_a_pull_brought() -> None:
    server, client = replica(), filled(cells("t", "r", {"c": [1, hlc(1)]}))
    relay = synchronizer(server, SyncMode.RELAY)
    outcome = answer_all(relay, client, announce(relay, client))
    assert not outcome.sends
    assert len(outcome.entries) == 1


def test_a_newer_announcement_restarts_the_pull() -> None:
    server = synchronizer(replica())
    client = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    first = told(announce(server, client).sends[0])
    client.apply(cells("t", "r", {"c": [2, hlc(2)]}), NOW)
    second = announce(server, client)
    assert handle(server, 0, [[{}], {}], first[0]) == Outcome()
    assert len(answer_all(server, client, second).entries) == 1


def test_an_announcement_of_hashes_that_are_equal_by_now_ends_the_pull() -> None:
    content = replica()
    server = synchronizer(content)
    client = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    announce(server, client)
    handle(server, 3, cells("t", "r", {"c": [1, hlc(1)]}))
    assert announce(server, client) == Outcome(compared="A")
    assert server.next_deadline() is None


def test_an_unanswered_pull_is_tried_again_later_beginning_with_the_hashes() -> None:
    content = replica()
    server = synchronizer(content)
    client = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    announce(server, client)
    assert server.next_deadline() == TIMEOUT
    assert server.expire(TIMEOUT) == Outcome(sends=[])
    assert server.next_deadline() == TIMEOUT + 1.0
    again = server.expire(TIMEOUT + 1.0)
    assert [told(send)[1:] for send in again.sends] == [[1, ""]]
    answer_all(server, client, again)
    assert content.content_hashes() == client.content_hashes()
    assert server.next_deadline() is None


def test_a_wrong_answer_ends_the_pull_until_the_next_try() -> None:
    server = synchronizer(replica())
    client = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    request_id = told(announce(server, client).sends[0])[0]
    assert handle(server, 0, [1, 2], request_id) == Outcome()
    assert server.next_deadline() == 1.0


def test_a_response_that_nobody_asked_for_is_ignored() -> None:
    server = synchronizer(replica())
    client = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    request_id = told(announce(server, client).sends[0])[0]
    stranger = server.handle("B", message(0, [[{}], {}], request_id), now_ms=NOW, now=0.0)
    assert stranger == Outcome()
    assert handle(server, 0, [[{}], {}], None) == Outcome()
    assert server.next_deadline() == TIMEOUT


def test_a_client_that_leaves_is_not_asked_again() -> None:
    server = synchronizer(replica())
    announce(server, filled(values({"v": [1]})))
    server.left("A")
    assert server.next_deadline() is None


def test_too_many_open_questions_put_a_pull_off() -> None:
    server = synchronizer(replica())
    hashes = message(2, [1, 0])
    for number in range(OPEN_QUESTIONS):
        assert server.handle(f"c{number}", hashes, now_ms=NOW, now=0.0).sends
    assert server.handle("late", hashes, now_ms=NOW, now=0.5) == Outcome()
    assert server.next_deadline() == 0.5 + POSTPONED_SECONDS
    assert not server.expire(0.5 + POSTPONED_SECONDS).sends
    due = server.expire(TIMEOUT)
    assert [send.recipient for send in due.sends] == ["late"]


def test_a_client_is_compared_with_by_pulling_what_differs() -> None:
    content = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    server = synchronizer(content)
    (asked,) = server.compare("A", 0.0).sends
    question = told(asked)
    assert (asked.recipient, question[1:]) == ("A", [1, ""])
    assert server.compare("A", 0.0) == Outcome(), "it is asked already"
    client = filled(values({"v": [1, hlc(1)]}))
    pull = handle(server, 0, list(client.content_hashes()), question[0])
    assert not pull.compared
    assert answer_all(server, client, pull).compared == "A"
    assert content.values.hash() == client.values.hash()
    (news,) = server.announce_to("A").sends
    assert (news.recipient, told(news)[1:]) == ("A", [2, list(content.content_hashes())])


def test_a_client_with_equal_hashes_is_compared_at_once() -> None:
    content = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    server = synchronizer(content)
    (asked,) = server.compare("A", 0.0).sends
    equal = handle(server, 0, list(content.content_hashes()), told(asked)[0])
    assert (list(equal.sends), equal.compared) == ([], "A")


def test_a_client_that_does_not_let_itself_be_compared_with_is_asked_again() -> None:
    server = synchronizer(replica())
    server.compare("A", 0.0)
    assert server.next_deadline() == PATIENT_SECONDS
    assert not server.expire(PATIENT_SECONDS).sends
    again = server.expire(PATIENT_SECONDS + 1.0).sends
    assert server.next_deadline() == 2 * PATIENT_SECONDS + 1.0
    assert [(send.recipient, told(send)[1]) for send in again] == [("A", 1)]


def test_the_startup_broadcasts_ask_and_tell_everybody() -> None:
    content = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    server = synchronizer(content)
    outcome = server.start(0.0)
    assert [send.recipient for send in outcome.sends] == ["", ""]
    question, news = map(told, outcome.sends)
    assert question[1:] == [1, ""]
    assert news[1:] == [2, list(content.content_hashes())]
    client = filled(values({"v": [1, hlc(1)]}))
    pull = handle(server, 0, list(client.content_hashes()), question[0])
    answer_all(server, client, pull)
    assert content.values.hash() == client.values.hash()


def test_changes_made_on_the_server_are_told_to_everybody() -> None:
    send = synchronizer(replica()).changed(b"[[{}],[{}],1]")
    assert send == Send("", '["00000000000",3,[[{}],[{}],1]]')


def test_what_was_pulled_is_stored_completely() -> None:
    disk, content = Disk(), replica()
    server = synchronizer(content)
    client = filled(
        [[{"t": [{"r": [{"c": [1]}, hlc(1)]}, hlc(2)]}, hlc(3)], [{"v": [1]}, hlc(4)], 1],
        cells("t", "empty", {}),
    )
    disk.write(answer_all(server, client, announce(server, client)).entries)
    assert disk.loaded().content_hashes() == content.content_hashes()


def test_a_very_large_answer_comes_in_pieces_before_a_small_one_and_the_hashes() -> None:
    big = "x" * 300_000
    content = filled(*(cells("t", f"r{at}", {"c": [big, hlc(at)]}) for at in range(20)))
    assert 20 * len(big) > PACED_OVER_BYTES
    outcome = handle(synchronizer(content), 4, {}, "Q")
    assert not outcome.sends
    client = replica()
    (paced,) = outcome.paced
    told = (*paced.pieces, paced.answer, paced.announcement())
    remainders = [parse_json(remainder_text(each)) for each in told]
    assert paced.recipient == "A"
    assert [kind for _, kind, _ in remainders] == [3] * (len(remainders) - 2) + [0, 2]
    for _, _, body in remainders[:-2]:
        assert client.apply(body, NOW) is not None
    assert remainders[-2] == ["Q", 0, [[{}], {}]]
    assert remainders[-1][2] == list(client.content_hashes()) == list(content.content_hashes())
    assert pulled(client, content, remainders[-1][2]) == []
