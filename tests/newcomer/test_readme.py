"""The README's commands can be found, so that `make test-newcomer` tries what is printed."""

from tests.newcomer import readme


def test_the_service_is_started_by_one_command_and_says_when_it_is_ready() -> None:
    assert readme.commands("Run it") == ["make run"]
    assert readme.ready_line().startswith("Stateroom is ready: http://127.0.0.1:8000 ")


def test_the_page_opens_a_room_of_that_server_and_needs_one_package() -> None:
    assert readme.commands("A first page") == ["npm install tinybase@10"]
    assert "new WebSocket('ws://127.0.0.1:8000/my-first-room')" in readme.script_of_the_page()


def test_commands_come_without_their_remarks_and_with_their_continued_lines() -> None:
    steering = readme.commands("Steer it")
    assert "stateroom rooms get my-first-room" in steering
    assert any(command.startswith("curl ") and "Bearer" in command for command in steering)
