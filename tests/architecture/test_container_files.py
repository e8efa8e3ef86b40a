"""What the Dockerfile and the compose file promise, read from the files."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from app.settings.sources import variables_of
from tests.architecture.sources import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "server")
FINAL_STAGE = DOCKERFILE.rpartition("\nFROM ")[2]


def test_the_dockerfile_is_clean_to_hadolint() -> None:
    ended = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "")


def test_the_final_image_runs_as_a_numbered_ordinary_user_and_checks_its_health() -> None:
    assert re.search(r"^USER 10001:10001$", FINAL_STAGE, re.MULTILINE)
    assert "HEALTHCHECK" in FINAL_STAGE
    assert "/livez" in FINAL_STAGE
    assert "import urllib.request" in FINAL_STAGE


def test_the_compiler_stays_in_the_first_stage_and_the_embedded_database_is_left_out() -> None:
    assert not re.search(r"apt-get|gcc|build-essential|mypy", FINAL_STAGE)
    assert "ARG STATEROOM_BUILD=native\n" in DOCKERFILE
    assert "[embedded]" not in DOCKERFILE
    assert "--only-binary :all:" in DOCKERFILE


def test_the_image_serves_on_every_address_so_access_must_be_decided() -> None:
    assert 'ENTRYPOINT ["stateroom"]\nCMD ["serve", "--host", "0.0.0.0"]' in FINAL_STAGE
    assert "ROOM_ACCESS" not in DOCKERFILE


def test_the_build_context_holds_every_file_that_the_dockerfile_copies() -> None:
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / name).exists() for name in allowed)


def test_open_rooms_are_said_in_so_many_words_and_published_on_loopback_only() -> None:
    assert SERVICES["server"]["environment"]["STATEROOM_ROOM_ACCESS"] == "open"
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:8000:8000"]


def test_the_server_waits_for_a_healthy_database_and_a_finished_migration() -> None:
    assert SERVICES["server"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["command"] == ["migrate"]
    assert "pg_isready" in SERVICES["database"]["healthcheck"]["test"][1]


def test_the_database_keeps_its_data_in_a_volume() -> None:
    assert SERVICES["database"]["volumes"] == ["database:/var/lib/postgresql/data"]
    assert "database" in COMPOSE["volumes"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_give_up_what_they_do_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_restarts_by_a_rule_and_is_limited(name: str) -> None:
    assert SERVICES[name]["restart"] in ("unless-stopped", "on-failure:5")
    assert set(SERVICES[name]["deploy"]["resources"]["limits"]) == {"cpus", "memory"}


def test_every_variable_that_compose_gives_us_is_a_setting() -> None:
    known = {variable for field in Settings.model_fields for variable in variables_of(field)}
    given = {variable for name in OURS for variable in SERVICES[name]["environment"]}
    assert given <= known


def test_the_grace_of_a_stop_is_longer_than_the_stop_may_take() -> None:
    grace = int(SERVICES["server"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["shutdown_seconds"].default
