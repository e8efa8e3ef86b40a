"""What the Dockerfile and the compose file promise, read from the files."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from app.settings.sources import SECRET_FIELDS, SECRETS_DIR, variables_of
from tests.architecture.sources import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
BASE, LOCAL, PRODUCTION = (
    yaml.safe_load((ROOT / name).read_text("utf-8"))
    for name in (
        "docker-compose.yml",
        "docker-compose.override.yml",
        "docker-compose.production.yml",
    )
)
OURS = ("migrate", "server")
SECRET_FIELDS_IN_FILES = ("database_url", "stateroom_room_token", "stateroom_admin_token")
PROXY = ROOT / "deploy/compose/haproxy.cfg"


def self_signed(folder: Path) -> Path:
    """Return a file with a key and a certificate that nobody trusts."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    key, certificate, both = (folder / name for name in ("key.pem", "certificate.pem", "both.pem"))
    subprocess.run(
        [*command.split(), "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    both.write_text(certificate.read_text() + key.read_text())
    return both


def merged(base: Any, more: Any) -> Any:
    """Lay one compose file over another, as compose does it where our files meet."""
    if isinstance(base, dict) and isinstance(more, dict):
        both = {**base, **more}
        return {
            key: merged(base[key], more[key]) if key in base and key in more else both[key]
            for key in both
        }
    return [*base, *more] if isinstance(base, list) else more


COMPOSE = merged(BASE, LOCAL)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
IN_PRODUCTION: dict[str, dict[str, Any]] = merged(BASE, PRODUCTION)["services"]
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
    published = {name: ports for name, one in SERVICES.items() if (ports := one.get("ports"))}
    assert published == {"proxy": ["${PUBLISH:-127.0.0.1:8000}:8000"]}


def test_in_production_rooms_ask_for_a_token_and_every_secret_comes_from_a_file() -> None:
    server = IN_PRODUCTION["server"]
    assert "database" not in IN_PRODUCTION
    assert server["environment"]["STATEROOM_ROOM_ACCESS"] == "token"
    assert server["environment"]["STATEROOM_SECRETS_DIR"] == "/run/secrets"
    assert set(server["secrets"]) == set(SECRET_FIELDS_IN_FILES)
    assert not {"DATABASE_URL", "STATEROOM_ROOM_TOKEN", "STATEROOM_ADMIN_TOKEN"} & {
        variable for service in IN_PRODUCTION.values() for variable in service["environment"]
    }
    used = {secret for service in IN_PRODUCTION.values() for secret in service.get("secrets", [])}
    assert used == set(PRODUCTION["secrets"])


@pytest.mark.parametrize("name", ["migrate", "server"])
def test_the_files_of_secrets_are_called_as_the_settings_look_for_them(name: str) -> None:
    known = {variable.lower() for field in SECRET_FIELDS for variable in variables_of(field)}
    assert set(IN_PRODUCTION[name]["secrets"]) <= known


def test_the_proxy_keeps_the_admin_plane_to_itself_unless_it_is_told_to_publish_it() -> None:
    assert SERVICES["proxy"]["environment"] == {"PUBLISH_ADMIN": "1"}
    assert "PUBLISH_ADMIN" not in IN_PRODUCTION["proxy"]["environment"]
    assert IN_PRODUCTION["proxy"]["environment"]["TLS_CERTIFICATE"] == "/run/secrets/tls"
    assert "/admin/ /metrics/ /internal/" in PROXY.read_text("utf-8")


@pytest.mark.parametrize("with_tls", [False, True])
def test_the_proxy_accepts_its_configuration(with_tls: bool, tmp_path: Path) -> None:
    haproxy = shutil.which("haproxy", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin")
    assert haproxy, "haproxy is not installed; on Debian: apt-get install haproxy"
    environment = {"PATH": os.defpath}
    if with_tls:
        environment["TLS_CERTIFICATE"] = str(self_signed(tmp_path))
    ended = subprocess.run(
        [haproxy, "-c", "-f", PROXY], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "WARNING" not in ended.stderr


def test_more_containers_than_the_proxy_has_places_for_are_not_promised() -> None:
    places = re.findall(r"server-template server 1-(\d+) server:8000", PROXY.read_text("utf-8"))
    assert places == ["16", "16"]
    assert "16 containers" in (ROOT / "docs/operations/containers.md").read_text("utf-8")


def test_the_server_waits_for_a_healthy_database_and_a_finished_migration() -> None:
    assert SERVICES["server"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }
    assert SERVICES["proxy"]["depends_on"] == {"server": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["command"] == ["migrate"]
    assert "pg_isready" in SERVICES["database"]["healthcheck"]["test"][1]


def test_the_database_keeps_its_data_in_a_volume() -> None:
    assert SERVICES["database"]["volumes"] == ["database:/var/lib/postgresql/data"]
    assert "database" in COMPOSE["volumes"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_gives_up_what_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].partition(":")[0] not in ("0", "root")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_restarts_by_a_rule_and_is_limited(name: str) -> None:
    assert SERVICES[name]["restart"] in ("unless-stopped", "on-failure:5")
    assert set(SERVICES[name]["deploy"]["resources"]["limits"]) == {"cpus", "memory"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_every_container_that_stays_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


def test_replicas_share_no_volume_so_that_each_is_a_node_of_its_own() -> None:
    assert "volumes" not in SERVICES["server"]
    assert "VOLUME /var/lib/stateroom" in FINAL_STAGE


def test_every_variable_that_compose_gives_us_is_a_setting() -> None:
    known = {variable for field in Settings.model_fields for variable in variables_of(field)}
    given = {
        variable
        for services in (SERVICES, IN_PRODUCTION)
        for name in OURS
        for variable in services[name]["environment"]
    }
    assert given <= known | {SECRETS_DIR}


def test_the_grace_of_a_stop_is_longer_than_the_stop_may_take() -> None:
    grace = int(SERVICES["server"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["shutdown_seconds"].default
