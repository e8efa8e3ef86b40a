import pytest

from app.tinybase.routing import Recipients, Route, SyncMode, route

BROADCAST_QUESTIONS = (1, 2)
KINDS = range(8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", [None, SyncMode.HUB, SyncMode.RELAY])
def test_a_frame_for_one_client_goes_to_that_client_only(mode: SyncMode | None, kind: int) -> None:
    assert route(mode, "someone", kind) == Route(replica=False, recipients=Recipients.ONE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_for_the_server_goes_to_the_replica_or_nowhere(kind: int) -> None:
    nowhere = Route(replica=False, recipients=Recipients.NOBODY)
    assert route(SyncMode.HUB, "S", kind) == Route(replica=True, recipients=Recipients.NOBODY)
    assert route(SyncMode.RELAY, "S", kind) == Route(replica=True, recipients=Recipients.NOBODY)
    assert route(None, "S", kind) == nowhere


@pytest.mark.parametrize("kind", KINDS)
def test_a_relay_gives_a_broadcast_to_the_replica_and_to_all_others(kind: int) -> None:
    assert route(SyncMode.RELAY, "", kind) == Route(replica=True, recipients=Recipients.OTHERS)
    assert route(None, "", kind) == Route(replica=False, recipients=Recipients.OTHERS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hub_keeps_the_questions_of_joining_clients_to_itself(kind: int) -> None:
    kept = kind in BROADCAST_QUESTIONS
    recipients = Recipients.NOBODY if kept else Recipients.OTHERS
    assert route(SyncMode.HUB, "", kind) == Route(replica=True, recipients=recipients)
