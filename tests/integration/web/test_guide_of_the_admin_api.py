"""The guide to the admin API: its commands do what it says."""

from pathlib import Path

from app.core.admin_errors import FieldsInvalid
from tests.architecture.sources import ROOT

from .conftest import StartService
from .curl_commands import commands_of, run
from .running_service import ServerKind

GUIDE: Path = ROOT / "docs/guides/admin-api.md"
TOKEN = "a-token-of-the-tests-of-a-guide"


def test_the_commands_of_the_guide_are_answered_well(start_service: StartService) -> None:
    port = start_service(ServerKind.DIRECT, admin_token=TOKEN).port
    variables = {"STATEROOM_ADMIN_TOKEN": TOKEN}
    commands = commands_of(GUIDE)
    answers = [run(command, port=port, variables=variables) for command in commands]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    made, me, _, audit = answers
    assert made.json()["token"].startswith("stm_")
    assert me.json()["role"] == "admin"
    (record,) = audit.json()["items"]
    assert record["id"] == made.headers["stateroom-request-id"]
    problem = run(commands[0].replace("viewer", "boss"), port=port, variables=variables).json()
    text = GUIDE.read_text("utf-8")
    for word in (problem["title"], problem["code"], problem["remedy"]):
        assert word in text
    assert problem["errors"][0]["detail"] in text
    assert problem["code"] == FieldsInvalid.code
