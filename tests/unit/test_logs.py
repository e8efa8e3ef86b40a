import io
import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from app.logs import configure_logs, hand_to_standard_library, set_namespace_levels


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    set_namespace_levels({})
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def fail(local: str) -> None:
    raise RuntimeError(f"not today, {len(local)}")


def json_log(level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure_logs(level=level, form="json", stream=stream)
    return stream


def test_a_line_is_one_json_object_with_event_time_level_and_bound_fields() -> None:
    stream = json_log()
    with structlog.contextvars.bound_contextvars(namespace="counter", epoch=7):
        structlog.get_logger("app.room").info("room_opened", rows=3)
    (line,) = lines(stream)
    assert {k: line[k] for k in ("event", "level", "logger", "namespace", "epoch", "rows")} == {
        "event": "room_opened",
        "level": "info",
        "logger": "app.room",
        "namespace": "counter",
        "epoch": 7,
        "rows": 3,
    }
    assert str(line["time"]).endswith("Z")


def test_standard_library_loggers_get_the_same_form() -> None:
    stream = json_log()
    logging.getLogger("some.library").warning("took %d ms", 12)
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == (
        "took 12 ms",
        "warning",
        "some.library",
    )


def test_lines_below_the_level_are_not_written() -> None:
    stream = json_log("warning")
    structlog.get_logger("app").info("quiet")
    logging.getLogger("x").info("quiet")
    assert stream.getvalue() == ""


def test_secrets_are_cut_out_of_fields_and_texts() -> None:
    stream = json_log()
    structlog.get_logger("app").info(
        "connecting to postgresql://me:hunter2@db/x",
        token="hunter2",
        Authorization="Bearer hunter2",
        path="/room?token=hunter2&x=1",
        nested={"password": "hunter2", "port": 1},
        body=b"hunter2",
    )
    assert "hunter2" not in stream.getvalue()
    (line,) = lines(stream)
    assert line["nested"] == {"password": "[redacted]", "port": 1}
    assert line["path"] == "/room?token=[redacted]&x=1"
    assert line["body"] == "7 bytes"


def test_secrets_are_cut_out_of_tracebacks() -> None:
    stream = json_log()
    error = OSError("no answer from postgresql://me:hunter2@db/x")
    structlog.get_logger("app").error("database_failed", exc_info=error)
    assert "hunter2" not in stream.getvalue()
    assert "OSError" in stream.getvalue()


def test_a_traceback_that_a_client_can_cause_becomes_one_line() -> None:
    stream = json_log()
    try:
        b"\xff".decode()
    except UnicodeDecodeError:
        logging.getLogger("uvicorn.error").exception("data transfer failed")
        logging.getLogger("another").exception("ours")
    uvicorns, another = lines(stream)
    assert uvicorns["error"] == "UnicodeDecodeError"
    assert "exception" not in uvicorns
    assert "Traceback" in str(another["exception"])


@pytest.mark.parametrize(
    "message",
    [
        "ASGI callable returned without completing handshake.",
        "ASGI callable returned without completing response.",
    ],
)
def test_what_we_break_off_ourselves_is_no_error_of_the_server(message: str) -> None:
    stream = json_log()
    log = logging.getLogger("uvicorn.error")
    log.error(message)
    log.error("something else")
    assert [line["event"] for line in lines(stream)] == ["something else"]


def test_a_traceback_on_a_console_shows_no_values_of_variables() -> None:
    stream = io.StringIO()
    configure_logs(form="console", stream=stream)

    def fail(what_a_client_sent: str) -> None:
        raise ValueError(len(what_a_client_sent))

    try:
        fail("confidential")
    except ValueError:
        structlog.get_logger("app.room").exception("hook_failed")
    assert "ValueError: 12" in stream.getvalue()
    assert "confidential" not in stream.getvalue().replace('fail("confidential")', "")


def test_console_lines_are_text() -> None:
    stream = io.StringIO()
    configure_logs(form="console", stream=stream)
    structlog.get_logger("app").info("room_opened", rows=3)
    assert "room_opened" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_values_that_are_no_json_are_written_as_their_repr() -> None:
    stream = json_log()
    structlog.get_logger("app").info("odd", value=object, keys={1: 2})
    (line,) = lines(stream)
    assert line["keys"] == {"1": 2}


def test_an_application_that_has_us_inside_gets_our_lines_by_the_standard_library(
    caplog: pytest.LogCaptureFixture,
) -> None:
    structlog.reset_defaults()
    hand_to_standard_library()
    with caplog.at_level("INFO"):
        try:
            fail("what a local variable holds")
        except RuntimeError:
            structlog.get_logger("stateroom.room").exception("object_fault", token="secret")
    (record,) = caplog.records
    assert record.name == "stateroom.room"
    line = orjson.loads(record.message)
    assert line["event"] == "object_fault"
    assert line["token"] == "[redacted]"
    assert "RuntimeError: not today, 27" in line["exception"]
    assert "what a local variable holds" not in line["exception"].replace(
        'fail("what a local variable holds")', ""
    )


def test_what_the_application_decided_about_logs_stays() -> None:
    with structlog.testing.capture_logs() as logs:
        hand_to_standard_library()
        structlog.get_logger("stateroom.room").info("said")
    assert [line["event"] for line in logs] == ["said"]


def test_a_namespace_can_say_more_or_less_than_the_others() -> None:
    stream = json_log()
    set_namespace_levels({"loud": "debug", "quiet": "error"})
    log = structlog.get_logger("app.room")
    for namespace in ("loud", "quiet", "other"):
        log.debug("d", namespace=namespace)
        log.info("i", namespace=namespace)
        log.error("e", namespace=namespace)
    log.debug("d")
    log.info("i")
    logging.getLogger("some.library").debug("not for us")
    told = [(line.get("namespace"), line["event"]) for line in lines(stream)]
    assert told == [
        ("loud", "d"),
        ("loud", "i"),
        ("loud", "e"),
        ("quiet", "e"),
        ("other", "i"),
        ("other", "e"),
        (None, "i"),
    ]


def test_a_namespace_without_a_level_of_its_own_says_what_the_others_say() -> None:
    stream = json_log("warning")
    set_namespace_levels({"loud": "debug"})
    set_namespace_levels({})
    structlog.get_logger("app.room").info("i", namespace="loud")
    structlog.get_logger("app.room").warning("w", namespace="loud")
    assert [line["event"] for line in lines(stream)] == ["w"]
