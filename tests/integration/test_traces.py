"""Spans of real servers, as a real collector gets them: from a message to its commit."""

import socket
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.integration.command_line import DEADLINE_SECONDS, Served
from tests.integration.span_collector import Collected, SpanCollector
from tests.integration.supervised import Supervised, until

pytestmark = pytest.mark.timeout(300)

SECRET = "do-not-tell-anybody"
CHANGE = (
    f'\n["T",3,[[{{"pets":[{{"fido":[{{"name":["{SECRET}","P7AhoBQ----aensN"]}}]}}]}}],[{{}}],1]]'
)
NO_HANDOFF = {"STATEROOM_HANDOFF": "false", "STATEROOM_LEASE_SECONDS": "60"}


def children(spans: Sequence[Collected], parent: Collected, name: str) -> list[Collected]:
    """The steps of that name that a span has."""
    return [
        span
        for span in spans
        if span.parent == parent.id and span.trace == parent.trace and span.name == name
    ]


def passed_on(spans: Sequence[Collected]) -> list[Collected]:
    """Event and commit of a message that came in at another worker, in the order of their trace."""
    for edge in spans:
        if edge.name != "socket message passed on":
            continue
        for message in children(spans, edge, "socket message"):
            for event in children(spans, message, "event"):
                for commit in children(spans, event, "commit"):
                    return [edge, message, event, commit]
    return []


def test_one_trace_leads_from_a_message_at_the_wrong_worker_to_the_commit_of_the_right_one(
    folder: Path, database_url: str
) -> None:
    with (
        SpanCollector() as collector,
        Supervised(
            folder, "--database-url", database_url, **collector.variables, **NO_HANDOFF
        ) as service,
    ):
        service.all_serve()
        numbers = iter(range(1_000))

        def write() -> list[Collected]:
            # Whichever worker accepts: with some of these rooms it is not the owner.
            for _ in range(4):
                number = next(numbers)
                room = f"{service.served.rooms}/room-{number // 8}"
                with connect(room, open_timeout=DEADLINE_SECONDS) as client:
                    client.send(CHANGE.replace("fido", f"fido-{number}"))
                    client.send('S\n["Q",1,""]')
                    client.recv(timeout=DEADLINE_SECONDS)
            return passed_on(collector.spans)

        edge, message, event, commit = until(write)
        assert edge.worker != message.worker
        assert message.worker == event.worker == commit.worker
        assert edge.attributes["stateroom.object"].startswith("room-")
        assert commit.attributes["db.system.name"] == "postgresql"
        assert service.stopped().status == 0
        assert SECRET.encode() not in collector.bodies


def test_a_request_is_a_step_of_its_client_and_a_refusal_is_marked(
    folder: Path, database_url: str
) -> None:
    (folder / "who.py").write_text(WHO)
    with (
        SpanCollector() as collector,
        Served(
            folder,
            *("--database-url", database_url),
            STATEROOM_NAMESPACES="who=who:Who",
            **collector.variables,
        ) as served,
    ):
        trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        told = {"traceparent": f"00-{trace}-{parent}-01"}
        well = httpx.get(f"{served.url}/objects/who/one?token={SECRET}", headers=told)
        assert well.text == "me"
        assert httpx.get(f"{served.url}/objects/who/one/broken").status_code == 500
        assert httpx.get(f"{served.url}/livez").status_code == 200

        def ended() -> list[Collected]:
            found = [span for span in collector.spans if span.name == "HTTP GET"]
            inside = [span for span in collector.spans if span.name == "object request"]
            return found if len(found) == len(inside) == 2 else []

        one, broken = until(ended)
        assert (one.trace.hex(), one.parent.hex()) == (trace, parent)
        (request,) = children(collector.spans, one, "object request")
        assert [one.failed, request.failed] == [False, False]
        assert broken.failed
        (request,) = children(collector.spans, broken, "object request")
        assert request.failed
        assert SECRET.encode() not in collector.bodies


def test_a_collector_that_is_away_harms_nobody(folder: Path, database_url: str) -> None:
    (folder / "who.py").write_text(WHO)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        port = silent.getsockname()[1]
        with Served(
            folder,
            *("--database-url", database_url),
            STATEROOM_NAMESPACES="who=who:Who",
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
            OTEL_BSP_SCHEDULE_DELAY="50",
        ) as served:
            for number in range(20):
                assert httpx.get(f"{served.url}/objects/who/{number}").text == "me"
            ended = served.stop()
            assert ended.status == 0
            assert "Traceback" not in ended.err


def test_nothing_is_recorded_unless_an_exporter_is_named_nor_what_sampling_leaves_out(
    folder: Path, database_url: str
) -> None:
    (folder / "who.py").write_text(WHO)
    for variables in ({"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_TRACES_SAMPLER": "always_off"}):
        with (
            SpanCollector() as collector,
            Served(
                folder,
                *("--database-url", database_url),
                STATEROOM_NAMESPACES="who=who:Who",
                **collector.variables | variables,
            ) as served,
        ):
            assert httpx.get(f"{served.url}/objects/who/one").text == "me"
            assert served.stop().status == 0  # which sends what waits
            assert collector.spans == []


WHO = """
from stateroom import DurableObject, Request, Response


class Who(DurableObject):
    async def on_request(self, request: Request) -> Response:
        if request.path == "/broken":
            raise ValueError("broken")
        return Response(body="me")
"""
